//! Chunked bodies: nothing panics, byte by byte gives the same as all at once, and a body is
//! the same after it has been written and read again.
#![no_main]

use bytes::BytesMut;
use http::HeaderMap;
use libfuzzer_sys::fuzz_target;
use mainstay_codec::{BodyDecoder, BodyEncoder, BodyFault, Decoded, Framing, Limits};

fuzz_target!(|input: &[u8]| {
    // narrow, so that short inputs reach them
    let narrow = Limits {
        trailers: 256,
        chunk_extensions: 64,
        ..Limits::default()
    };
    let whole = read(&[input], &narrow);
    let bytes: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(read(&bytes, &narrow), whole);

    let Ok(Some((body, trailers))) = whole else {
        return;
    };
    let mut out = Vec::new();
    let mut encoder = BodyEncoder::Chunked;
    encoder
        .write(&body, &mut out)
        .expect("chunked has no length");
    encoder
        .end(Some(&trailers), &mut out)
        .expect("chunked has no length");
    // a space behind each colon may have made the trailers longer
    assert_eq!(
        read(&[&out], &Limits::default()),
        Ok(Some((body, trailers)))
    );
});

/// The body and its trailers; `None` when the parts end before the body does.
fn read(parts: &[&[u8]], limits: &Limits) -> Result<Option<(Vec<u8>, HeaderMap)>, BodyFault> {
    let mut decoder = BodyDecoder::new(Framing::Chunked, limits);
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
