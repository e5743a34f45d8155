use super::*;
use crate::FramingFault;

fn parse(head: &str, to: &Method) -> Result<ResponseHead, Malformed> {
    parse_response(
        Bytes::copy_from_slice(head.as_bytes()),
        to,
        &Limits::default(),
    )
}

#[test]
fn an_ordinary_response() {
    let head = parse(
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nKeep-Alive: timeout=5\r\n\r\n",
        &Method::GET,
    )
    .unwrap();
    assert_eq!(head.status, StatusCode::OK);
    assert_eq!(head.framing, Framing::Length(5));
    assert_eq!(head.connection, Persistence::KeepAlive);
    assert_eq!(head.keep_alive_timeout, Some(5));
    assert_eq!(head.headers.get_all("set-cookie").iter().count(), 2);
}

#[test]
fn framing() {
    let length = "Content-Length: 5\r\n";
    let chunked = "Transfer-Encoding: chunked\r\n";
    let table: &[(&str, Method, &str, Framing)] = &[
        ("200 OK", Method::GET, "", Framing::UntilClose),
        ("200 OK", Method::GET, length, Framing::Length(5)),
        ("200 OK", Method::GET, chunked, Framing::Chunked),
        ("200 OK", Method::HEAD, length, Framing::None),
        ("200 OK", Method::HEAD, chunked, Framing::None),
        ("200 OK", Method::HEAD, "", Framing::None),
        ("200 OK", Method::CONNECT, length, Framing::None),
        ("404 Not Found", Method::CONNECT, length, Framing::Length(5)),
        ("204 No Content", Method::GET, length, Framing::None),
        ("304 Not Modified", Method::GET, length, Framing::None),
        ("100 Continue", Method::POST, "", Framing::None),
        ("101 Switching Protocols", Method::GET, "", Framing::None),
        ("205", Method::GET, length, Framing::Length(5)),
    ];
    for (status, to, lines, expected) in table {
        let head = parse(&format!("HTTP/1.1 {status}\r\n{lines}\r\n"), to).unwrap();
        assert_eq!(head.framing, *expected, "{status} {to} {lines:?}");
        assert_eq!(
            head.connection == Persistence::Close,
            *expected == Framing::UntilClose
        );
    }
}

#[test]
fn malformed() {
    use HeadFault as F;
    use Malformed as M;
    let table: &[(&str, Malformed)] = &[
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n",
            M::Framing(FramingFault::LengthRepeated),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
            M::Framing(FramingFault::LengthRepeated),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5, 5\r\n\r\n",
            M::Framing(FramingFault::Length),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            M::Framing(FramingFault::Length),
        ),
        (
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
            M::Framing(FramingFault::LengthAndChunked),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            M::Framing(FramingFault::Encoding),
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n",
            M::Framing(FramingFault::EncodingRepeated),
        ),
        (
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            M::Framing(FramingFault::EncodingBeforeHttp11),
        ),
        ("HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n", M::Head(F::Fold)),
        (
            "HTTP/1.1 200 OK\r\na : b\r\n\r\n",
            M::Head(F::SpaceBeforeColon),
        ),
        ("HTTP/1.1 200 OK\na: b\r\n\r\n", M::Head(F::BareLf)),
        ("HTTP/1.1 200 OK\r\na: b\n\r\n", M::Head(F::BareLf)),
        ("HTTP/1.1 200 OK\n\r\n", M::Head(F::BareLf)),
        ("HTTP/1.1 200 O\rK\r\n\r\n", M::Head(F::BareCr)),
        ("HTTP/1.1 200 OK\r\na: b\0\r\n\r\n", M::Head(F::Nul)),
        ("HTTP/1.1 600 X\r\n\r\n", M::Status),
        ("HTTP/1.1 099 X\r\n\r\n", M::Status),
        ("HTTP/1.1 2x0 X\r\n\r\n", M::Status),
        ("HTTP/1.1 20 X\r\n\r\n", M::Status),
        ("HTTP/1.1  200 X\r\n\r\n", M::Status),
        ("HTTP/2.0 200 OK\r\n\r\n", M::Version),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", M::NotHttp),
        ("SSH-2.0-x\r\n\r\n", M::NotHttp),
    ];
    for (head, expected) in table {
        assert_eq!(parse(head, &Method::GET).err(), Some(*expected), "{head:?}");
    }
    // a bodiless status does not excuse contradictions
    let head = "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n";
    assert_eq!(
        parse(head, &Method::GET).err(),
        Some(M::Framing(FramingFault::LengthRepeated))
    );
}

#[test]
fn too_much() {
    let limits = Limits {
        head: 100,
        field: 20,
        fields: 1,
        ..Limits::default()
    };
    let table: &[(String, HeadFault)] = &[
        (
            format!("HTTP/1.1 200 OK\r\na: {}\r\n\r\n", "b".repeat(20)),
            HeadFault::FieldTooLarge,
        ),
        (
            "HTTP/1.1 200 OK\r\na: b\r\nc: d\r\n\r\n".to_owned(),
            HeadFault::TooManyFields,
        ),
        (
            format!("HTTP/1.1 200 {}\r\n\r\n", "b".repeat(100)),
            HeadFault::HeadTooLarge,
        ),
    ];
    for (head, fault) in table {
        let result = parse_response(Bytes::from(head.clone()), &Method::GET, &limits);
        assert_eq!(result.err(), Some(Malformed::Head(*fault)), "{head:?}");
    }
}
