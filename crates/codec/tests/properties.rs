//! What holds for every input: nothing panics, what is written is read again as it was, and a
//! body is the same however its bytes arrive.

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use mainstay_codec::{
    BodyDecoder, BodyEncoder, BodyFault, Decoded, Framing, HeadScan, Limits, end_head,
    parse_request, parse_response, write_fields, write_request_line, write_status_line,
};
use proptest::prelude::*;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let limits = Limits::default();
        let _ = HeadScan::default().find_end(&bytes, &limits);
        let _ = HeadScan::default().find_response_end(&bytes, &limits);
        let _ = parse_request(Bytes::from(bytes.clone()), &limits);
        let _ = parse_response(Bytes::from(bytes.clone()), &Method::GET, &limits);
        let _ = read_chunked(&[&bytes]);
    }

    /// As above, with pieces that get further than chance does.
    #[test]
    fn no_lines_make_it_panic(pieces in proptest::collection::vec(piece(), 0..20)) {
        let bytes = pieces.concat();
        let limits = Limits::default();
        let _ = HeadScan::default().find_end(&bytes, &limits);
        let _ = parse_request(Bytes::from(bytes.clone()), &limits);
        let _ = parse_response(Bytes::from(bytes.clone()), &Method::HEAD, &limits);
        let _ = read_chunked(&[&bytes]);
    }

    /// What the scan lets pass on the way is what the parser takes, and nothing that the parser
    /// takes has been refused by the scan.
    #[test]
    fn scan_and_parser_agree(pieces in proptest::collection::vec(piece(), 0..20)) {
        let bytes = [b"GET / HTTP/1.1\r\nHost: a\r\n".to_vec(), pieces.concat()].concat();
        let limits = Limits::default();
        if parse_request(Bytes::from(bytes.clone()), &limits).is_ok() {
            let span = HeadScan::default().find_end(&bytes, &limits);
            prop_assert_eq!(span.map(|span| span.map(|span| span.end)), Ok(Some(bytes.len())));
        }
    }

    #[test]
    fn a_request_head_is_read_as_written(
        method in "[A-Z]{1,20}",
        target in "/[!-\"$-;=@-~]{0,40}(\\?[!$-;=?-~]{0,40})?",
        fields in fields(),
    ) {
        prop_assume!(method != "CONNECT");
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let mut headers = fields;
        headers.insert("host", HeaderValue::from_static("example.com"));
        let mut out = Vec::new();
        write_request_line(&mut out, &method, &target);
        write_fields(&mut out, &headers);
        end_head(&mut out);
        // a few bytes that `http` does not take in a path are refused, never changed
        if let Ok(head) = parse_request(Bytes::from(out), &Limits::default()) {
            prop_assert_eq!(head.method, method);
            prop_assert_eq!(head.uri.to_string(), target);
            prop_assert_eq!(head.headers, headers);
        } else {
            prop_assert!(target.parse::<http::Uri>().is_err());
        }
    }

    #[test]
    fn a_response_head_is_read_as_written(status in 100_u16..600, headers in fields()) {
        let status = http::StatusCode::from_u16(status).unwrap();
        let mut out = Vec::new();
        write_status_line(&mut out, status);
        write_fields(&mut out, &headers);
        end_head(&mut out);
        let head = parse_response(Bytes::from(out), &Method::GET, &Limits::default()).unwrap();
        prop_assert_eq!(head.status, status);
        prop_assert_eq!(head.headers, headers);
    }

    #[test]
    fn a_chunked_body_is_read_as_written(
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 0..6),
        trailers in fields(),
        cuts in proptest::collection::vec(any::<proptest::sample::Index>(), 0..6),
    ) {
        let mut out = Vec::new();
        let mut encoder = BodyEncoder::Chunked;
        for piece in &pieces {
            encoder.write(piece, &mut out).unwrap();
        }
        encoder.end(Some(&trailers), &mut out).unwrap();
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(out.len())).collect();
        cuts.sort_unstable();
        let mut parts = Vec::new();
        let mut from = 0;
        for cut in cuts {
            parts.push(&out[from..cut]);
            from = cut;
        }
        parts.push(&out[from..]);
        let (body, read_trailers) = read_chunked(&parts).unwrap().expect("the body is whole");
        prop_assert_eq!(body, pieces.concat());
        prop_assert_eq!(read_trailers, trailers);
    }
}

/// The body and its trailers; `None` when the parts end before the body does.
fn read_chunked(parts: &[&[u8]]) -> Result<Option<(Vec<u8>, HeaderMap)>, BodyFault> {
    let mut decoder = BodyDecoder::new(Framing::Chunked, &Limits::default());
    let (mut body, mut trailers) = (Vec::new(), HeaderMap::new());
    let mut input = BytesMut::new();
    let mut parts = parts.iter();
    loop {
        match decoder.decode(&mut input)? {
            Decoded::Data(piece) => body.extend_from_slice(&piece),
            Decoded::Trailers(map) => trailers = map,
            Decoded::End => return Ok(Some((body, trailers))),
            Decoded::NeedMore => match parts.next() {
                Some(part) => input.extend_from_slice(part),
                None => return Ok(None),
            },
        }
    }
}

/// Fields without meaning to the codec, with values of all bytes that may be in them.
fn fields() -> impl Strategy<Value = HeaderMap> {
    let value = proptest::collection::vec(
        prop_oneof![Just(b'\t'), 0x20_u8..0x7f, 0x80_u8..=0xff],
        0..30,
    );
    proptest::collection::vec(("x-[a-z0-9!#$%&'*+.^`|~-]{1,12}", value), 0..8).prop_map(|fields| {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.append(
                HeaderName::from_bytes(name.as_bytes()).expect("a token"),
                HeaderValue::from_bytes(value.trim_ascii()).expect("no controls"),
            );
        }
        map
    })
}

/// A piece of a message, good or bad.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "GET / HTTP/1.1\r\n",
        "HTTP/1.1 200 OK\r\n",
        "Host: a\r\n",
        "Content-Length: 3\r\n",
        "Transfer-Encoding: chunked\r\n",
        "\r\n",
        "\n",
        "\r",
        " ",
        "\t",
        ":",
        "x: y\r\n",
        "0\r\n",
        "5\r\nhello\r\n",
        ";a=b",
        "Connection: close\r\n",
        "Expect: 100-continue\r\n",
        "\0",
        "Upgrade: websocket\r\n",
        "http://a/",
        ",",
        "\u{fc}",
        "_",
    ]);
    prop_oneof![
        4 => known.prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ]
}
