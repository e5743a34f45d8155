//! Response heads: nothing panics, any split of the input scans alike, and what is accepted is
//! read the same again after it has been written.
#![no_main]

use bytes::Bytes;
use http::Method;
use libfuzzer_sys::fuzz_target;
use mainstay_codec::{HeadScan, Limits, end_head, parse_response, write_fields, write_status_line};

fuzz_target!(|input: &[u8]| {
    let limits = Limits::default();
    let _ = parse_response(Bytes::copy_from_slice(input), &Method::GET, &limits);
    let whole = HeadScan::default().find_response_end(input, &limits);

    let mut scan = HeadScan::default();
    let in_pieces =
        (0..=input.len()).find_map(|end| match scan.find_response_end(&input[..end], &limits) {
            Ok(None) => None,
            found => Some(found),
        });
    assert_eq!(in_pieces.unwrap_or(Ok(None)), whole);

    let Ok(Some(span)) = whole else { return };
    let head = Bytes::copy_from_slice(&input[..span.end]);
    let Ok(first) = parse_response(head, &Method::GET, &limits) else {
        return;
    };
    let mut out = Vec::new();
    write_status_line(&mut out, first.status);
    write_fields(&mut out, &first.headers);
    end_head(&mut out);
    let again = parse_response(Bytes::from(out), &Method::GET, &limits)
        .expect("what was accepted once is accepted again");
    assert_eq!(again.status, first.status);
    assert_eq!(again.headers, first.headers);
    assert_eq!(again.framing, first.framing);
});
