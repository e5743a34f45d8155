//! The corpus that `http_desync_guardian` ships with its source, read by the codec: what is severe is refused, what is
//! compliant is not.

use std::collections::BTreeMap;

use bytes::Bytes;
use mainstay_codec::{
    FramingFault, HeadFault, HeadScan, Limits, Refused, RequestHead, parse_request,
};
use mainstay_testkit::{DesyncCase, desync_corpus};

#[test]
fn severe_ones_are_refused_and_compliant_ones_are_not() {
    let cases = desync_corpus();
    assert_eq!(
        cases.len(),
        158,
        "the corpus is not the one this test was written for"
    );
    let mut tally: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in &cases {
        let result = read(&case.bytes());
        tally.entry(&case.tier).or_default()[usize::from(result.is_err())] += 1;
        let is_right = match case.tier.as_str() {
            "Severe" => result.is_err(),
            "Compliant" => result
                .as_ref()
                .err()
                .is_none_or(|refused| is_expected(case, *refused)),
            _ => true,
        };
        if !is_right {
            wrong.push(format!("{} {:?}: {result:?}", case.tier, case.name));
        }
    }
    println!("tier: [accepted, refused]: {tally:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(tally["Severe"], [0, 58]);
}

/// What the guardian calls compliant and is refused here all the same: a bad host, transfer
/// codings that nobody implements (RFC 9112, 6.1, names 501 for them), and two targets that the
/// grammar of RFC 9112, 3.2, does not have, an empty one and one with a fragment.
fn is_expected(case: &DesyncCase, refused: Refused) -> bool {
    match refused {
        Refused::Host | Refused::HostRepeated => true,
        Refused::Framing(FramingFault::Encoding | FramingFault::EncodingRepeated) => {
            refused.status() == http::StatusCode::NOT_IMPLEMENTED
        }
        Refused::Target | Refused::Head(HeadFault::StartLine) => {
            case.uri.is_empty() || case.uri.contains('#')
        }
        _ => false,
    }
}

/// What is ambiguous to the guardian and accepted here must at least have one framing.
#[test]
fn ambiguous_ones_have_at_most_one_framing_field() {
    for case in desync_corpus() {
        if let Ok(head) = read(&case.bytes()) {
            let framing_fields = ["content-length", "transfer-encoding"]
                .map(|name| head.headers.get_all(name).iter().count());
            assert!(framing_fields.iter().sum::<usize>() <= 1, "{case:?}");
        }
    }
}

fn read(bytes: &[u8]) -> Result<RequestHead, Refused> {
    let limits = Limits::default();
    let Some(span) = HeadScan::default().find_end(bytes, &limits)? else {
        // no blank line before the end: no request either
        return Err(Refused::Head(HeadFault::StartLine));
    };
    parse_request(
        Bytes::copy_from_slice(&bytes[span.start..span.end]),
        &limits,
    )
}
