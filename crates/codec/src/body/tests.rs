use super::*;
use crate::HeadFault;

/// What a body came to: its bytes, its trailers as text, and what was left in the buffer.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    body: Vec<u8>,
    trailers: Vec<String>,
    rest: Vec<u8>,
}

/// Feeds the pieces one after another; `None` when they end before the body does.
fn read(framing: Framing, limits: &Limits, pieces: &[&[u8]]) -> Result<Option<Read>, BodyFault> {
    let mut decoder = BodyDecoder::new(framing, limits);
    let mut input = BytesMut::new();
    let (mut body, mut trailers) = (Vec::new(), Vec::new());
    let mut pieces = pieces.iter();
    loop {
        match decoder.decode(&mut input)? {
            Decoded::Data(piece) => {
                assert!(!piece.is_empty());
                body.extend_from_slice(&piece);
            }
            Decoded::Trailers(map) => {
                assert!(decoder.is_done());
                trailers.extend(map.iter().map(|(name, value)| format!("{name}: {value:?}")));
            }
            Decoded::NeedMore => match pieces.next() {
                Some(piece) => input.extend_from_slice(piece),
                None => return Ok(None),
            },
            Decoded::End => {
                assert!(decoder.is_done());
                assert_eq!(decoder.finish(), Ok(()));
                for piece in pieces {
                    input.extend_from_slice(piece);
                }
                return Ok(Some(Read {
                    body,
                    trailers,
                    rest: input.to_vec(),
                }));
            }
        }
    }
}

/// Reads a chunked body under every split of the input into three, which must all agree.
fn chunked(input: &[u8]) -> Result<Option<Read>, BodyFault> {
    let limits = Limits::default();
    let whole = read(Framing::Chunked, &limits, &[input]);
    for first in 0..=input.len() {
        for second in first..=input.len() {
            let pieces = [&input[..first], &input[first..second], &input[second..]];
            let split = read(Framing::Chunked, &limits, &pieces);
            assert_eq!(split, whole, "{first} {second} {:?}", input.escape_ascii());
        }
    }
    whole
}

#[test]
fn good_chunks() {
    let table: &[(&str, &str, &[&str], &str)] = &[
        ("0\r\n\r\n", "", &[], ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello", &[], ""),
        (
            "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nGET",
            "hello world",
            &[],
            "GET",
        ),
        ("A\r\n0123456789\r\n000\r\n\r\n", "0123456789", &[], ""),
        ("3\r\n\r\n0\r\n0\r\n\r\n", "\r\n0", &[], ""),
        ("1;a=b;c=\"d\"\r\nx\r\n0;e\r\n\r\n", "x", &[], ""),
        ("1;\r\nx\r\n0\r\n\r\n", "x", &[], ""),
        (
            "0\r\nx-a: 1\r\nX-A: 2\r\n\r\n.",
            "",
            &["x-a: \"1\"", "x-a: \"2\""],
            ".",
        ),
        ("0\r\nContent-Length: 3\r\n\r\n", "", &[], ""),
        (
            "0\r\nTransfer-Encoding: chunked\r\nHost: b\r\nx: 1\r\n\r\n",
            "",
            &["x: \"1\""],
            "",
        ),
        (
            "0\r\nX-Forwarded-For: 1\r\nx_a: 1\r\nIf-Match: 1\r\nVia: 1\r\n\r\n",
            "",
            &[],
            "",
        ),
    ];
    for (input, body, trailers, rest) in table {
        let expected = Read {
            body: body.as_bytes().to_vec(),
            trailers: trailers.iter().map(ToString::to_string).collect(),
            rest: rest.as_bytes().to_vec(),
        };
        assert_eq!(chunked(input.as_bytes()), Ok(Some(expected)), "{input:?}");
    }
}

#[test]
fn bad_chunks() {
    use BodyFault as B;
    let table: &[(&str, BodyFault)] = &[
        ("0x5\r\nhello", B::ChunkSize),
        ("+5\r\nhello", B::ChunkSize),
        ("-1\r\n", B::ChunkSize),
        ("5_0\r\n", B::ChunkSize),
        (" 5\r\nhello", B::ChunkSize),
        ("5 \r\nhello", B::ChunkSize),
        ("5 ;a\r\nhello", B::ChunkSize),
        ("5\t\r\nhello", B::ChunkSize),
        ("\r\n", B::ChunkSize),
        (";a\r\n", B::ChunkSize),
        ("g\r\n", B::ChunkSize),
        ("5,5\r\n", B::ChunkSize),
        ("ffffffffffffffff0\r\n", B::ChunkSizeOverflow),
        ("00000000000000005\r\n", B::ChunkSizeOverflow),
        ("5\nhello", B::ChunkLine),
        ("5\rhello", B::ChunkLine),
        ("5\r\r\nhello", B::ChunkLine),
        ("5;a\nhello", B::ChunkLine),
        ("5;a\rb\r\nhello", B::ChunkLine),
        ("5;a\0\r\nhello", B::ChunkLine),
        ("5;\x0b\r\nhello", B::ChunkLine),
        ("5\r\nhello0\r\n", B::ChunkEnd),
        ("5\r\nhello\n0\r\n", B::ChunkEnd),
        ("5\r\nhello\rx", B::ChunkEnd),
        ("5\r\nhello!\r\n", B::ChunkEnd),
        ("0\r\n\n", B::Trailers(HeadFault::BareLf)),
        ("0\r\na: b\n\r\n", B::Trailers(HeadFault::BareLf)),
        ("0\r\na: b\rc\r\n\r\n", B::Trailers(HeadFault::BareCr)),
        ("0\r\na: b\r\n c\r\n\r\n", B::Trailers(HeadFault::Fold)),
        (
            "0\r\na : b\r\n\r\n",
            B::Trailers(HeadFault::SpaceBeforeColon),
        ),
        (
            "0\r\nGET / HTTP/1.1\r\n\r\n",
            B::Trailers(HeadFault::FieldName),
        ),
        ("0\r\na: \0\r\n\r\n", B::Trailers(HeadFault::Nul)),
    ];
    for (input, expected) in table {
        assert_eq!(chunked(input.as_bytes()), Err(*expected), "{input:?}");
    }
}

#[test]
fn unfinished_bodies_are_truncated() {
    for input in [
        "",
        "5",
        "5\r\n",
        "5\r\nhel",
        "5\r\nhello\r\n",
        "0\r\n",
        "0\r\na: b\r\n",
    ] {
        assert_eq!(chunked(input.as_bytes()), Ok(None), "{input:?}");
    }
    let mut decoder = BodyDecoder::new(Framing::Chunked, &Limits::default());
    assert_eq!(decoder.finish(), Err(BodyFault::Truncated));
    let mut decoder = BodyDecoder::new(Framing::Length(3), &Limits::default());
    let mut input = BytesMut::from("ab");
    assert_eq!(
        decoder.decode(&mut input),
        Ok(Decoded::Data(Bytes::from("ab")))
    );
    assert_eq!(decoder.remaining_hint(), Some(1));
    assert_eq!(decoder.decode(&mut input), Ok(Decoded::NeedMore));
    assert_eq!(decoder.finish(), Err(BodyFault::Truncated));
}

#[test]
fn bounds() {
    let limits = Limits {
        chunk_extensions: 10,
        trailers: 20,
        fields: 2,
        ..Limits::default()
    };
    let table: &[(String, Option<BodyFault>)] = &[
        (format!("1;{}\r\nx\r\n0\r\n\r\n", "a".repeat(9)), None),
        (
            format!("1;{}", "a".repeat(10)),
            Some(BodyFault::ChunkExtensions),
        ),
        // in total, not each
        (
            "1;aaaa\r\nx\r\n1;aaaa\r\nx\r\n1;".to_owned(),
            Some(BodyFault::ChunkExtensions),
        ),
        (
            format!("0\r\n{}", "a".repeat(21)),
            Some(BodyFault::Trailers(HeadFault::HeadTooLarge)),
        ),
        (
            "0\r\naaaa: b\r\naaaa: b\r\naaaa: b\r\n\r\n".to_owned(),
            Some(BodyFault::Trailers(HeadFault::HeadTooLarge)),
        ),
        (
            "0\r\na:b\r\na:b\r\na:b\r\n\r\n".to_owned(),
            Some(BodyFault::Trailers(HeadFault::TooManyFields)),
        ),
    ];
    for (input, expected) in table {
        let result = read(Framing::Chunked, &limits, &[input.as_bytes()]);
        assert_eq!(result.err(), *expected, "{input:?}");
    }
}

#[test]
fn lengths_and_closes() {
    let limits = Limits::default();
    let whole = |body: &str, rest: &str| {
        Ok(Some(Read {
            body: body.as_bytes().to_vec(),
            trailers: Vec::new(),
            rest: rest.as_bytes().to_vec(),
        }))
    };
    assert_eq!(read(Framing::None, &limits, &[b"GET"]), whole("", "GET"));
    assert_eq!(
        read(Framing::Length(0), &limits, &[b"GET"]),
        whole("", "GET")
    );
    assert_eq!(
        read(Framing::Length(3), &limits, &[b"a", b"bcGET"]),
        whole("abc", "GET")
    );
    assert_eq!(read(Framing::Length(3), &limits, &[b"ab"]), Ok(None));

    let mut decoder = BodyDecoder::new(Framing::UntilClose, &limits);
    let mut input = BytesMut::from("abc");
    assert_eq!(
        decoder.decode(&mut input),
        Ok(Decoded::Data(Bytes::from("abc")))
    );
    assert_eq!(decoder.decode(&mut input), Ok(Decoded::NeedMore));
    assert_eq!(decoder.remaining_hint(), None);
    assert!(!decoder.is_done());
    assert_eq!(decoder.finish(), Ok(()));
    assert!(decoder.is_done());
    assert_eq!(decoder.decode(&mut input), Ok(Decoded::End));
}

#[test]
fn pieces_are_not_copied() {
    let mut input = BytesMut::from("5\r\nhello\r\n0\r\n\r\n");
    let range = input.as_ptr_range();
    let mut decoder = BodyDecoder::new(Framing::Chunked, &Limits::default());
    let Ok(Decoded::Data(piece)) = decoder.decode(&mut input) else {
        panic!("the chunk is complete");
    };
    assert!(range.contains(&piece.as_ptr()));
}
