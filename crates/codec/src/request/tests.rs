use super::*;
use crate::FramingFault;
use http::StatusCode;
use http::header::HOST;

fn parse(head: &str) -> Result<RequestHead, Refused> {
    parse_request(Bytes::copy_from_slice(head.as_bytes()), &Limits::default())
}

/// A request with these lines after `Host`.
fn with(lines: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a\r\n{lines}\r\n")
}

#[test]
fn a_browser_request() {
    let head = parse(
        "GET /a?b HTTP/1.1\r\nHost: Example.com:80\r\nAccept: */*\r\nX-Two: 1\r\nx-two:2 \t\r\nX-Empty:\r\nX-Obs: \u{fc}\r\n\r\n",
    )
    .unwrap();
    assert_eq!(head.method, Method::GET);
    assert_eq!(head.uri, "/a?b");
    assert_eq!(head.version, Version::HTTP_11);
    assert_eq!(head.headers[HOST], "Example.com:80");
    assert_eq!(head.framing, Framing::None);
    assert_eq!(head.connection, Persistence::KeepAlive);
    assert_eq!(head.upgrade, Upgrade::None);
    let two: Vec<_> = head.headers.get_all("x-two").iter().collect();
    assert_eq!(two, ["1", "2"]);
    assert_eq!(head.headers["x-empty"], "");
    assert_eq!(head.headers["x-obs"].as_bytes(), "\u{fc}".as_bytes());
}

#[test]
fn values_are_slices_of_the_head() {
    let bytes = Bytes::from_static(b"GET /path HTTP/1.1\r\nHost: example.com\r\n\r\n");
    let head = parse_request(bytes.clone(), &Limits::default()).unwrap();
    let inside = |slice: &[u8]| bytes.as_ptr_range().contains(&slice.as_ptr());
    assert!(inside(head.headers[HOST].as_bytes()));
    assert!(inside(head.uri.path().as_bytes()));
}

#[test]
fn lines() {
    use HeadFault as F;
    let table: &[(&str, Refused)] = &[
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", F::BareLf.into()),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", F::BareLf.into()),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n", F::BareLf.into()),
        ("GET / HTTP/1.0\n\r\n", F::BareLf.into()),
        ("GET / HTTP/1.0\r\n\n", F::BareLf.into()),
        ("GET / HTTP/1.1\r\nHost: a\r\r\n\r\n", F::BareCr.into()),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
            F::BareCr.into(),
        ),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\0\r\n\r\n", F::Nul.into()),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nX: \x0bchunked\r\n\r\n",
            F::Control.into(),
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nX: \x7f\r\n\r\n",
            F::Control.into(),
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
            F::Fold.into(),
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nX:\r\n\tb\r\n\r\n",
            F::Fold.into(),
        ),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", F::Fold.into()),
        (
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            F::SpaceBeforeColon.into(),
        ),
        (
            "GET / HTTP/1.1\r\nHost\t: a\r\n\r\n",
            F::SpaceBeforeColon.into(),
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
            F::FieldName.into(),
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nX Y: b\r\n\r\n",
            F::FieldName.into(),
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nXY\r\n\r\n",
            F::FieldName.into(),
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nX\u{fc}: b\r\n\r\n",
            F::FieldName.into(),
        ),
        ("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", F::StartLine.into()),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", F::StartLine.into()),
        ("GET /  HTTP/1.1\r\nHost: a\r\n\r\n", F::StartLine.into()),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", F::StartLine.into()),
        ("GET /\r\nHost: a\r\n\r\n", F::StartLine.into()),
        ("G(T / HTTP/1.1\r\nHost: a\r\n\r\n", F::StartLine.into()),
        ("", F::BareLf.into()),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", Refused::Version),
        ("PRI * HTTP/2.0\r\n\r\n", Refused::Version),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", Refused::Version),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", F::StartLine.into()),
        (
            "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n",
            Refused::Connect,
        ),
        ("GET a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", Refused::Target),
    ];
    for (head, expected) in table {
        assert_eq!(parse(head).err(), Some(*expected), "{head:?}");
    }
}

#[test]
fn framing() {
    let table: &[(&str, Result<Framing, Refused>)] = &[
        ("", Ok(Framing::None)),
        ("Content-Length: 0\r\n", Ok(Framing::Length(0))),
        ("content-length:5\r\n", Ok(Framing::Length(5))),
        ("Transfer-Encoding: Chunked\r\n", Ok(Framing::Chunked)),
        (
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            Err(Refused::Framing(FramingFault::LengthRepeated)),
        ),
        (
            "Content-Length: 5, 5\r\n",
            Err(Refused::Framing(FramingFault::Length)),
        ),
        (
            "Content-Length: +5\r\n",
            Err(Refused::Framing(FramingFault::Length)),
        ),
        (
            "Content-Length:\r\n",
            Err(Refused::Framing(FramingFault::Length)),
        ),
        (
            "Content-Length: 18446744073709551616\r\n",
            Err(Refused::Framing(FramingFault::Length)),
        ),
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            Err(Refused::Framing(FramingFault::LengthAndChunked)),
        ),
        (
            "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
            Err(Refused::Framing(FramingFault::LengthAndChunked)),
        ),
        (
            "Transfer-Encoding: gzip, chunked\r\n",
            Err(Refused::Framing(FramingFault::Encoding)),
        ),
        (
            "Transfer-Encoding: identity\r\n",
            Err(Refused::Framing(FramingFault::Encoding)),
        ),
        (
            "Transfer-Encoding: xchunked\r\n",
            Err(Refused::Framing(FramingFault::Encoding)),
        ),
        (
            "Transfer-Encoding: chunked;q=1\r\n",
            Err(Refused::Framing(FramingFault::Encoding)),
        ),
        (
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n",
            Err(Refused::Framing(FramingFault::EncodingRepeated)),
        ),
        ("Content_Length: 5\r\n", Err(Refused::FramingLookAlike)),
        (
            "Transfer_Encoding: chunked\r\n",
            Err(Refused::FramingLookAlike),
        ),
        ("Content_Lengths: 5\r\n", Ok(Framing::None)),
    ];
    for (lines, expected) in table {
        assert_eq!(
            parse(&with(lines)).map(|head| head.framing),
            *expected,
            "{lines:?}"
        );
    }
    assert_eq!(
        parse("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").err(),
        Some(Refused::Framing(FramingFault::EncodingBeforeHttp11))
    );
}

#[test]
fn hosts() {
    let table: &[(&str, Result<Option<&str>, Refused>)] = &[
        ("GET / HTTP/1.1\r\n\r\n", Err(Refused::HostMissing)),
        ("GET / HTTP/1.0\r\n\r\n", Ok(None)),
        ("GET / HTTP/1.0\r\nHost: a\r\n\r\n", Ok(Some("a"))),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nHOST: a\r\n\r\n",
            Err(Refused::HostRepeated),
        ),
        ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", Err(Refused::Host)),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", Err(Refused::Host)),
        ("GET http://b/x HTTP/1.1\r\nHost: a\r\n\r\n", Ok(Some("b"))),
        ("GET http://b/x HTTP/1.0\r\n\r\n", Ok(Some("b"))),
        ("GET http://b/x HTTP/1.1\r\n\r\n", Err(Refused::HostMissing)),
        (
            "GET http://b/x HTTP/1.1\r\nHost: a b\r\n\r\n",
            Err(Refused::Host),
        ),
    ];
    for (head, expected) in table {
        let result = parse(head);
        let host = result
            .as_ref()
            .map(|head| head.headers.get(HOST).map(|host| host.to_str().unwrap()));
        assert_eq!(host, expected.as_ref().copied(), "{head:?}");
        if let Ok(Some(expected)) = expected {
            let fields: Vec<_> = result
                .unwrap()
                .headers
                .get_all(HOST)
                .iter()
                .cloned()
                .collect();
            assert_eq!(fields, [*expected], "{head:?}");
        }
    }
}

#[test]
fn expectations() {
    let expect = "Expect: 100-Continue\r\nContent-Length: 1\r\n";
    assert!(parse(&with(expect)).unwrap().expect_continue);
    assert!(
        !parse(&with("Expect: 100-continue\r\n"))
            .unwrap()
            .expect_continue
    );
    let old = format!("POST / HTTP/1.0\r\n{expect}\r\n");
    assert!(!parse(&old).unwrap().expect_continue);
    for unknown in ["x=y", "100-continue, x", "", "\"100-continue\""] {
        let refused = parse(&with(&format!("Expect: {unknown}\r\n"))).unwrap_err();
        assert_eq!(refused, Refused::Expectation, "{unknown:?}");
        assert_eq!(refused.status(), StatusCode::EXPECTATION_FAILED);
    }
}

#[test]
fn upgrades() {
    let websocket =
        "Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\nSec-WebSocket-Version: 13\r\n";
    let get = |lines: &str| format!("GET / HTTP/1.1\r\nHost: a\r\n{lines}\r\n");
    let table: &[(String, Result<Upgrade, Refused>)] = &[
        (get(""), Ok(Upgrade::None)),
        (get(websocket), Ok(Upgrade::WebSocket)),
        (with(websocket), Ok(Upgrade::Other)),
        (
            get("Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"),
            Ok(Upgrade::Other),
        ),
        (
            get("Connection: upgrade\r\nUpgrade: websocket\r\n"),
            Ok(Upgrade::Other),
        ),
        (
            get("Connection: upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"),
            Ok(Upgrade::Other),
        ),
        (
            get(&format!("{websocket}Upgrade: h2c\r\n")),
            Ok(Upgrade::Other),
        ),
        (
            get(&format!("{websocket}Content-Length: 0\r\n")),
            Ok(Upgrade::WebSocket),
        ),
        (
            get(&format!("{websocket}Content-Length: 1\r\n")),
            Err(Refused::UpgradeWithBody),
        ),
        (
            get(&format!("{websocket}Transfer-Encoding: chunked\r\n")),
            Err(Refused::UpgradeWithBody),
        ),
        (
            format!("GET / HTTP/1.0\r\nHost: a\r\n{websocket}\r\n"),
            Ok(Upgrade::Other),
        ),
    ];
    for (head, expected) in table {
        assert_eq!(parse(head).map(|head| head.upgrade), *expected, "{head:?}");
    }
}

#[test]
fn limits() {
    let limits = Limits {
        head: 200,
        field: 20,
        fields: 2,
        target: 10,
        ..Limits::default()
    };
    let table: &[(String, u16)] = &[
        (
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(10)),
            414,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost: {}\r\n\r\n", "x".repeat(17)),
            431,
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\na: b\r\nc: d\r\n\r\n".to_owned(),
            431,
        ),
        (
            format!("GET / HTTP/1.1\r\nHost:{}a\r\n\r\n", " ".repeat(200)),
            431,
        ),
        (
            format!("{} / HTTP/1.1\r\nHost: a\r\n\r\n", "X".repeat(33)),
            501,
        ),
    ];
    for (head, status) in table {
        let refused = parse_request(Bytes::from(head.clone()), &limits).unwrap_err();
        assert_eq!(refused.status().as_u16(), *status, "{head:?}");
    }
}
