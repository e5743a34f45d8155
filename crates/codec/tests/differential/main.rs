//! hyper's server as the second judge: whatever request is accepted here, hyper accepts too,
//! and reads the same method, target, fields and body in it.
//!
//! The reverse does not hold, on purpose: see `STRICTER`.

mod judge;

use judge::{hyper_read, read};
use proptest::prelude::*;

/// What hyper accepts and is not followed in, one of each class.
const STRICTER: &[(&str, &str)] = &[
    ("a bare LF", "GET / HTTP/1.1\nHost: a\r\n\r\n"),
    ("no `Host`", "GET / HTTP/1.1\r\n\r\n"),
    ("two `Host`", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("a bad `Host`", "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"),
    ("userinfo", "GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    (
        "equal lengths",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx",
    ),
    (
        "a length beside a coding",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "a coding before `chunked`",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    ),
    (
        "a look-alike",
        "GET / HTTP/1.1\r\nHost: a\r\nContent_Length: 1\r\n\r\n",
    ),
    (
        "an unknown `Expect`",
        "GET / HTTP/1.1\r\nHost: a\r\nExpect: x\r\n\r\n",
    ),
    ("a fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("an asterisk", "GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("an authority", "GET a:80 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("another scheme", "GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a tunnel", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"),
    (
        "white space behind a chunk size",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0 \r\n\r\n",
    ),
    (
        "a control character in a chunk extension",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0;\0\r\n\r\n",
    ),
    (
        "a chunk size of seventeen digits",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n00000000000000000\r\n\r\n",
    ),
];

#[test]
fn classes_in_which_hyper_is_not_followed() {
    for (class, request) in STRICTER {
        assert!(
            hyper_read(request.as_bytes()).is_some(),
            "hyper refuses {class}"
        );
        assert!(read(request.as_bytes()).is_none(), "{class} is accepted");
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_is_accepted_here_hyper_reads_alike(input in mutated()) {
        let Some(ours) = read(&input) else {
            return Ok(());
        };
        let theirs = hyper_read(&input);
        prop_assert_eq!(Some(ours), theirs, "{}", input.escape_ascii());
    }
}

/// The comparison means something only if a good part of the inputs gets through.
#[test]
fn many_of_the_inputs_are_accepted() {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = mutated();
    let accepted = (0..1_000)
        .filter(|_| {
            let tree = strategy.new_tree(&mut runner).unwrap();
            read(&proptest::strategy::ValueTree::current(&tree)).is_some()
        })
        .count();
    println!("{accepted} of 1000 accepted");
    assert!(
        (200..950).contains(&accepted),
        "{accepted} of 1000 accepted"
    );
}

/// A request that is good, or good but for a few bytes.
fn mutated() -> impl Strategy<Value = Vec<u8>> {
    (
        request(),
        proptest::collection::vec((any::<prop::sample::Index>(), edit()), 0..3),
    )
        .prop_map(|(mut bytes, edits)| {
            for (at, edit) in edits {
                let at = at.index(bytes.len());
                match edit {
                    Edit::Put(byte) => bytes[at] = byte,
                    Edit::Insert(text) => {
                        bytes.splice(at..at, text.bytes());
                    }
                    Edit::Remove => {
                        bytes.remove(at);
                    }
                }
                if bytes.is_empty() {
                    bytes.push(b'G');
                }
            }
            bytes
        })
}

#[derive(Clone, Debug)]
enum Edit {
    Put(u8),
    Insert(&'static str),
    Remove,
}

fn edit() -> impl Strategy<Value = Edit> {
    let texts = vec![
        "\r\n", "\n", "\r", " ", "\t", ":", ",", ";", "0", "\0", "_", "chunked", "\r\n ", "#", "@",
        "%", "\u{fc}", "/", "?", "*", "\"", "x",
    ];
    prop_oneof![
        any::<u8>().prop_map(Edit::Put),
        prop::sample::select(texts).prop_map(Edit::Insert),
        Just(Edit::Remove),
    ]
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let method = prop::sample::select(vec![
        "GET", "POST", "PUT", "DELETE", "OPTIONS", "PURGE", "HEAD",
    ]);
    let target = prop::sample::select(vec![
        "/",
        "/a/b?c=d&e",
        "//x/../y",
        "/%00%2f",
        "http://b.example/x",
        "http://b.example",
        "*",
        "/\u{fc}",
        "/a?b?c/d",
        "https://b.example:80?q",
    ]);
    let version = prop::sample::select(vec!["HTTP/1.1", "HTTP/1.1", "HTTP/1.1", "HTTP/1.0"]);
    let fields = proptest::collection::vec(
        prop::sample::select(vec![
            "Accept: */*\r\n",
            "x-a:\t1 \r\n",
            "X-A: 2\r\n",
            "Connection: close\r\n",
            "Connection: keep-alive\r\n",
            "Upgrade: h2c\r\n",
            "x-empty:\r\n",
            "Cookie: a=1; b=2\r\n",
            "Expect: 100-continue\r\n",
            "TE: trailers\r\n",
            "x-obs: \u{fc}\r\n",
        ]),
        0..5,
    );
    let body = prop::sample::select(vec![
        "\r\n",
        "Content-Length: 0\r\n\r\n",
        "Content-Length: 5\r\n\r\nhello",
        "Content-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;a=b\r\nabc\r\n0\r\n\r\n",
        "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nx-t: 1\r\nx-t2: 2\r\n\r\nGET",
    ]);
    (method, target, version, fields, body).prop_map(|(method, target, version, fields, body)| {
        format!(
            "{method} {target} {version}\r\nHost: a.example\r\n{}{body}",
            fields.concat()
        )
        .into_bytes()
    })
}
