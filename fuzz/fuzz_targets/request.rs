//! Request heads: nothing panics, any split of the input scans alike, and what is accepted is
//! read the same again after it has been written.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use mainstay_codec::{HeadScan, Limits, end_head, parse_request, write_fields, write_request_line};

fuzz_target!(|input: &[u8]| {
    let limits = Limits::default();
    let _ = parse_request(Bytes::copy_from_slice(input), &limits);
    let whole = HeadScan::default().find_end(input, &limits);

    let mut scan = HeadScan::default();
    let in_pieces = (0..=input.len()).find_map(|end| match scan.find_end(&input[..end], &limits) {
        Ok(None) => None,
        found => Some(found),
    });
    assert_eq!(in_pieces.unwrap_or(Ok(None)), whole);

    let Ok(Some(span)) = whole else { return };
    let head = Bytes::copy_from_slice(&input[span.start..span.end]);
    let Ok(first) = parse_request(head, &limits) else {
        return;
    };
    let mut out = Vec::new();
    write_request_line(&mut out, &first.method, &first.uri.to_string());
    write_fields(&mut out, &first.headers);
    end_head(&mut out);
    // the version is always written as 1.1, which may make the request refused, never different
    if let Ok(again) = parse_request(Bytes::from(out), &limits) {
        assert_eq!(again.method, first.method);
        assert_eq!(again.uri, first.uri);
        assert_eq!(again.headers, first.headers);
        assert_eq!(again.framing, first.framing);
    } else {
        assert_eq!(first.version, http::Version::HTTP_10);
    }
});
