//! What differs has a key of its own; what does not count reaches nobody.

use super::*;

const SECRET: Secret = Secret(1, 2);
const HERE: Place<'static> = Place {
    scheme: Scheme::Https,
    host: "a.example",
    port: 443,
};

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        let value = HeaderValue::from_str(value).expect("a value");
        headers.append(HeaderName::from_static(name), value);
    }
    headers
}

#[test]
fn whatever_differs_has_a_key_of_its_own() {
    let key = |target, place, path| Key::of(SECRET, target, place, path);
    let known = key("api", HERE, "/x?y");
    let loud = Place {
        host: "A.EXAMPLE",
        ..HERE
    };
    assert_eq!(key("api", loud, "/x?y"), known);
    let plain = Place {
        scheme: Scheme::Http,
        ..HERE
    };
    let port = Place { port: 8443, ..HERE };
    let other = Place {
        host: "b.example",
        ..HERE
    };
    for different in [
        key("web", HERE, "/x?y"),
        key("api", plain, "/x?y"),
        key("api", port, "/x?y"),
        key("api", other, "/x?y"),
        key("api", HERE, "/x"),
        key("api", HERE, "/X?y"),
        key("api", HERE, "/x?y&"),
    ] {
        assert_ne!(different, known);
    }
    assert_eq!(HERE.url("/x"), "https://a.example/x");
    assert_eq!(port.url("/x"), "https://a.example:8443/x");
}

#[test]
fn a_query_is_what_counts_of_it() {
    let rule = |query, query_order| CacheOptions {
        query,
        query_order,
        ..CacheOptions::default()
    };
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let only = QueryRule::Only(names(&["q", "page"]));
    let without = QueryRule::Without(names(&["utm_*", "fbclid"]));
    for (options, path, expected) in [
        (rule(QueryRule::All, QueryOrder::Kept), "/?b&a", None),
        (
            rule(QueryRule::All, QueryOrder::Sorted),
            "/?b=2&a=1&b=1",
            Some("/?a=1&b=2&b=1"),
        ),
        (
            rule(only.clone(), QueryOrder::Kept),
            "/s?x=1&q=2&page=3",
            Some("/s?q=2&page=3"),
        ),
        (rule(only, QueryOrder::Kept), "/s?x=1", Some("/s")),
        (
            rule(without.clone(), QueryOrder::Kept),
            "/?utm_a=1&q=2&fbclid",
            Some("/?q=2"),
        ),
        (rule(without, QueryOrder::Kept), "/", None),
    ] {
        let path: PathAndQuery = path.parse().expect("a path");
        let found = chosen_query(&options, &path);
        assert_eq!(found.as_ref().map(PathAndQuery::as_str), expected, "{path}");
    }
}

#[test]
fn an_answer_is_selected_by_what_it_depends_on() {
    let options = CacheOptions::default();
    let request = headers(&[("accept-language", "de, en"), ("user-agent", "x")]);
    let answer = headers(&[
        ("vary", "Accept-Language"),
        ("vary", "accept-encoding, host"),
    ]);
    let names = varies_on(&answer, &request).expect("names");
    assert_eq!(names.len(), 2);
    let selection = Selection::of(SECRET, &options, names, &request);
    for (fields, fits) in [
        (&[("accept-language", "de,en")][..], true),
        (
            &[("accept-language", "de"), ("accept-language", "en")],
            true,
        ),
        (
            &[
                ("accept-language", "de, en"),
                ("accept-encoding", "identity"),
            ],
            true,
        ),
        (
            &[("accept-language", "de, en"), ("accept-encoding", "gzip")],
            false,
        ),
        (&[("accept-language", "en, de")], false),
        (&[], false),
    ] {
        assert_eq!(
            selection.fits(SECRET, &options, &headers(fields)),
            fits,
            "{fields:?}"
        );
    }
}

#[test]
fn what_depends_on_the_client_is_nobody_elses() {
    let request = headers(&[("origin", "https://b.example")]);
    for (fields, expected) in [
        (
            &[("vary", "x-forwarded-for")][..],
            Err(Unkept::VaryOnClient),
        ),
        (&[("vary", "X-Forwarded-Proto")], Ok(&[][..])),
        (&[("vary", "a b")], Err(Unkept::VaryAny)),
        (&[("access-control-allow-origin", "*")], Ok(&[])),
        (
            &[("access-control-allow-origin", "https://b.example")],
            Ok(&["origin"]),
        ),
    ] {
        let found = varies_on(&headers(fields), &request);
        let found = found.map(|names| names.iter().map(ToString::to_string).collect::<Vec<_>>());
        let expected = expected.map(|names| names.iter().map(ToString::to_string).collect());
        assert_eq!(found, expected, "{fields:?}");
    }
}

#[test]
fn cookies_count_or_do_not() {
    let options = CacheOptions {
        key_cookies: vec!["lang".to_owned()],
        ignore_cookies: vec!["_ga*".to_owned()],
        ..CacheOptions::default()
    };
    for (cookie, counts, left) in [
        ("lang=de", false, Some("lang=de")),
        ("_ga=1; _ga_X=2", false, None),
        ("_ga=1; lang=de;_gat", false, Some("lang=de")),
        ("sid=1; lang=de", true, Some("sid=1; lang=de")),
        ("", false, None),
    ] {
        let mut request = headers(&[("cookie", cookie)]);
        assert_eq!(has_cookies(&options, &request), counts, "{cookie}");
        drop_ignored_cookies(&options, &mut request);
        let found = request
            .get(COOKIE)
            .map(|value| value.to_str().expect("text"));
        assert_eq!(found, left, "{cookie}");
    }
    let digest = |cookie| digest(SECRET, &options, &[], &headers(&[("cookie", cookie)]));
    assert_eq!(digest("lang=de; _ga=1"), digest("_ga=2; lang=de"));
    assert_ne!(digest("lang=de"), digest("lang=en"));
}

#[test]
fn a_reference_is_here_or_elsewhere() {
    for (reference, path) in [
        ("/x?y#z", Some("/x?y")),
        ("https://A.example/x", Some("/x")),
        ("https://a.example:443/", Some("/")),
        ("http://a.example/x", None),
        ("https://b.example/x", None),
        ("https://a.example:8443/x", None),
        ("x", None),
        ("", None),
    ] {
        let value = HeaderValue::from_static(reference);
        assert_eq!(HERE.path_here(&value).as_deref(), path, "{reference}");
    }
}
