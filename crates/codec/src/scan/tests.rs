use super::*;

fn limits() -> Limits {
    Limits {
        head: 300,
        field: 60,
        fields: 3,
        target: 20,
        ..Limits::default()
    }
}

type Found = Result<Option<(usize, usize)>, Refused>;

/// The result for the whole input at once.
fn scan(input: &[u8]) -> Found {
    HeadScan::default()
        .find_end(input, &limits())
        .map(|span| span.map(|span| (span.start, span.end)))
}

#[test]
fn requests() {
    use HeadFault::{BareCr, BareLf, Control, FieldTooLarge, Fold, HeadTooLarge, Nul, StartLine};
    let long_field = format!("GET / HTTP/1.1\r\na: {}", "b".repeat(80));
    let long_target = format!("GET /{}", "b".repeat(80));
    let long_head = format!(
        "GET / HTTP/1.1\r\na: {0}\r\nb: {0}\r\nc: {0}",
        "b".repeat(50)
    );
    let many = "GET / HTTP/1.1\r\na:b\r\na:b\r\na:b\r\na:b\r\n";
    let table: &[(&str, Found)] = &[
        ("", Ok(None)),
        ("G", Ok(None)),
        ("GET / HTTP/1.1\r\n\r\n", Ok(Some((0, 18)))),
        (
            "GET / HTTP/1.1\r\na: b\r\n\r\nbody\r\n\r\n",
            Ok(Some((0, 24))),
        ),
        ("GET / HTTP/1.1\r\na:\tb\r\n\r", Ok(None)),
        ("\r", Ok(None)),
        ("\r\n", Ok(None)),
        ("\r\n\r\nGET / HTTP/1.1\r\n\r\n", Ok(Some((4, 22)))),
        ("\r\n\r\n\r\n\r\n\r\n", Err(Refused::LeadingLines)),
        ("\n", Err(Refused::Head(BareLf))),
        ("\rG", Err(Refused::Head(BareCr))),
        ("GET / HTTP/1.1\n", Err(Refused::Head(BareLf))),
        ("GET / HTTP/1.1\r\na: b\n", Err(Refused::Head(BareLf))),
        ("GET / HTTP/1.1\r\na: b\r\n\n", Err(Refused::Head(BareLf))),
        ("GET / HTTP/1.1\ra", Err(Refused::Head(BareCr))),
        ("GET / HTTP/1.1\r\na: b\r\r\n", Err(Refused::Head(BareCr))),
        ("GET /\0", Err(Refused::Head(Nul))),
        ("GET /\t", Err(Refused::Head(Control))),
        ("GET / HTTP/1.1\r\na: \x0bb", Err(Refused::Head(Control))),
        ("GET / HTTP/1.1\r\na: \x7f", Err(Refused::Head(Control))),
        ("GET / HTTP/1.1\r\na: b\r\n c\r\n", Err(Refused::Head(Fold))),
        ("GET /\r\n", Err(Refused::Head(StartLine))),
        ("GET / HTTPS\r\n", Err(Refused::Head(StartLine))),
        ("\x16\x03\x01\x02", Err(Refused::NotHttp)),
        (" GET", Err(Refused::NotHttp)),
        ("(x)", Err(Refused::NotHttp)),
        (&long_target, Err(Refused::TargetTooLong)),
        (&long_field, Err(Refused::Head(FieldTooLarge))),
        (many, Err(Refused::Head(HeadFault::TooManyFields))),
        (&long_head, Ok(None)),
    ];
    for (input, expected) in table {
        assert_eq!(scan(input.as_bytes()), *expected, "{input:?}");
    }
    let tight = Limits {
        head: 100,
        ..limits()
    };
    assert_eq!(
        HeadScan::default().find_end(long_head.as_bytes(), &tight),
        Err(Refused::Head(HeadTooLarge))
    );
}

#[test]
fn responses() {
    let table: &[(&str, Result<Option<HeadSpan>, Malformed>)] = &[
        ("", Ok(None)),
        ("HTT", Ok(None)),
        (
            "HTTP/1.1 200 OK\r\n\r\n",
            Ok(Some(HeadSpan { start: 0, end: 19 })),
        ),
        (
            "HTTP/1.1 200 all\tright\r\n\r\n",
            Ok(Some(HeadSpan { start: 0, end: 26 })),
        ),
        ("\r\nHTTP/1.1 200 OK\r\n\r\n", Err(Malformed::NotHttp)),
        ("HTTQ", Err(Malformed::NotHttp)),
        ("HTTP/2 200\r\n\r\n", Err(Malformed::NotHttp)),
        ("<html>", Err(Malformed::NotHttp)),
        ("HTTP/1.1 200 OK\n", Err(Malformed::Head(HeadFault::BareLf))),
        (
            "HTTP/1.1 200 OK\r\na: b\r\n c\r\n",
            Err(Malformed::Head(HeadFault::Fold)),
        ),
    ];
    for (input, expected) in table {
        let result = HeadScan::default().find_response_end(input.as_bytes(), &limits());
        assert_eq!(result, *expected, "{input:?}");
    }
}

/// However the bytes arrive, the result is the same, or the refusal comes earlier.
#[test]
fn any_split_gives_the_same_result() {
    let inputs: &[&[u8]] = &[
        b"\r\n\r\nGET /abc HTTP/1.1\r\nHost: a\r\nx:\ty\r\n\r\nrest\n",
        b"GET /abc HTTP/1.1\r\nHost: a\r\nx: y\r\n\n",
        b"GET /abc HTTP/1.1\r\nHost: a\r\n x: y\r\n\r\n",
        b"GET /abc HTTP/1.1\r\nHost: a\rb\r\n\r\n",
    ];
    for input in inputs {
        let whole = HeadScan::default().find_end(input, &limits());
        for first in 0..=input.len() {
            for second in first..=input.len() {
                let mut scan = HeadScan::default();
                let result = [first, second, input.len()]
                    .into_iter()
                    .map(|end| scan.find_end(&input[..end], &limits()))
                    .find(|result| *result != Ok(None));
                assert_eq!(
                    result,
                    Some(whole),
                    "{first} {second} {:?}",
                    input.escape_ascii()
                );
            }
        }
    }
}

#[test]
fn controls_are_found_wherever_they_are() {
    for control in (0..0x20).chain([0x7f]) {
        for len in 0..40 {
            for at in 0..len {
                // 0x80 and above beside it: the marks must not run over
                let mut input = vec![0xff; len];
                input[at] = control;
                assert_eq!(next_control(&input, 0), Some(at), "{control} {len} {at}");
                assert_eq!(next_control(&input, at + 1), None);
            }
        }
    }
    let harmless: Vec<u8> = (0x20..0x7f).chain(0x80..=0xff).collect();
    assert_eq!(next_control(&harmless, 0), None);
}
