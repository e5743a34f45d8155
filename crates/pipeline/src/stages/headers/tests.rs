//! What an answer carries, by preset, scheme and setting.

use super::*;
use crate::Body;
use std::sync::Arc;
use std::time::Instant;

fn answered(
    options: &HeaderOptions,
    scheme: Scheme,
    app: &[(&'static str, &'static str)],
) -> HeaderMap {
    let request = http::Request::builder()
        .header("host", "a.example")
        .body(Body::Empty)
        .expect("a request");
    let mut exchange = Exchange::begin(&Arc::default(), &request, Instant::now());
    exchange.scheme = scheme;
    exchange.request_id = HeaderValue::from_static("id");
    let mut response = Response::new(Body::Empty);
    for (name, value) in app {
        response
            .headers_mut()
            .append(*name, HeaderValue::from_static(value));
    }
    let standard = Headers::new(options).set(&mut exchange, &mut response);
    let mut headers = response.headers().clone();
    if let Some(standard) = standard {
        standard.append(&exchange, &mut headers);
        let mut wire = Vec::new();
        standard.write(&exchange, &mut wire);
        for (name, value) in &headers {
            let line = format!("{name}: {}\r\n", value.to_str().expect("text"));
            let is_written = memchr::memmem::find(&wire, line.as_bytes()).is_some();
            let is_the_apps = app.iter().any(|(own, _)| name == own);
            assert!(is_written || is_the_apps, "{line}");
        }
    }
    headers
}

fn strict() -> HeaderOptions {
    HeaderOptions {
        preset: HeaderPreset::Strict,
        ..HeaderOptions::default()
    }
}

#[test]
fn what_is_written_out_is_what_is_set() {
    let block = Block::new(strict().fields());
    let lines: Vec<&[u8]> = block.wire.split(|byte| *byte == b'\n').collect();
    assert_eq!(
        lines.len(),
        HELMET.len() + 1,
        "a line each, and nothing after the last"
    );
    for (Field { name, value, .. }, line) in block.fields.iter().zip(lines) {
        let line = std::str::from_utf8(line).expect("text");
        assert_eq!(line, format!("{name}: {}\r", value.to_str().expect("text")));
    }
}

#[test]
fn strict_is_helmet_over_https() {
    let headers = answered(
        &strict(),
        Scheme::Https,
        &[("x-powered-by", "Express"), ("server", "x")],
    );
    assert_eq!(headers.len(), HELMET.len() + 1);
    for (name, value, _) in HELMET {
        assert_eq!(headers[name], value);
    }
}

#[test]
fn plain_http_gets_neither_hsts_nor_an_upgrade() {
    let headers = answered(&strict(), Scheme::Http, &[]);
    assert!(!headers.contains_key(STRICT_TRANSPORT_SECURITY));
    let policy = headers[CONTENT_SECURITY_POLICY].to_str().expect("text");
    assert!(
        policy.ends_with("style-src 'self' https: 'unsafe-inline'"),
        "{policy}"
    );
}

#[test]
fn safe_breaks_no_app() {
    let headers = answered(
        &HeaderOptions::default(),
        Scheme::Https,
        &[("x-powered-by", "Express")],
    );
    let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
    names.sort_unstable();
    assert_eq!(
        names,
        [
            "origin-agent-cluster",
            "referrer-policy",
            "x-content-type-options",
            "x-dns-prefetch-control",
            "x-download-options",
            "x-permitted-cross-domain-policies",
            "x-request-id",
            "x-xss-protection",
        ]
    );
}

#[test]
fn the_app_wins_unless_overridden() {
    let app = [
        ("content-security-policy", "default-src *"),
        ("x-frame-options", "DENY"),
    ];
    let headers = answered(&strict(), Scheme::Https, &app);
    assert_eq!(
        headers
            .get_all(CONTENT_SECURITY_POLICY)
            .iter()
            .collect::<Vec<_>>(),
        ["default-src *"]
    );
    let options = HeaderOptions {
        mode: HeaderMode::Override,
        ..strict()
    };
    let headers = answered(&options, Scheme::Https, &app);
    assert_eq!(headers["x-frame-options"], "SAMEORIGIN");
    assert_eq!(headers.get_all(CONTENT_SECURITY_POLICY).iter().count(), 1);
}

#[test]
fn single_headers_can_be_changed_added_and_switched_off() {
    let mut options = strict();
    options.set.insert(
        "x-frame-options".to_owned(),
        HeaderSetting::Value("DENY".to_owned()),
    );
    options
        .set
        .insert("referrer-policy".to_owned(), HeaderSetting::Off);
    options
        .set
        .insert("x-team".to_owned(), HeaderSetting::Value("a".to_owned()));
    options.remove.push("x-debug".to_owned());
    let headers = answered(&options, Scheme::Https, &[("x-debug", "1")]);
    assert_eq!(headers["x-frame-options"], "DENY");
    assert_eq!(headers["x-team"], "a");
    assert!(!headers.contains_key("referrer-policy") && !headers.contains_key("x-debug"));
}

#[test]
fn off_changes_nothing_but_the_id() {
    let options = HeaderOptions {
        preset: HeaderPreset::Off,
        ..HeaderOptions::default()
    };
    let headers = answered(&options, Scheme::Https, &[("x-powered-by", "Express")]);
    assert_eq!(headers.len(), 2);
    assert_eq!(headers["x-powered-by"], "Express");
}

#[test]
fn each_header_may_have_a_mode_of_its_own() {
    let app = [
        ("content-security-policy", "default-src *"),
        ("x-frame-options", "DENY"),
    ];
    let mut options = strict();
    let name = "x-frame-options".to_owned();
    options.modes.insert(name.clone(), HeaderMode::Override);
    let headers = answered(&options, Scheme::Https, &app);
    assert_eq!(headers["x-frame-options"], "SAMEORIGIN");
    assert_eq!(headers[CONTENT_SECURITY_POLICY], "default-src *");
    options.mode = HeaderMode::Override;
    options.modes.insert(name, HeaderMode::SetIfAbsent);
    let headers = answered(&options, Scheme::Https, &app);
    assert_eq!(headers["x-frame-options"], "DENY");
    assert_ne!(headers[CONTENT_SECURITY_POLICY], "default-src *");
}

#[test]
fn there_are_never_two_policies_that_are_enforced() {
    const ONLY: HeaderName = CONTENT_SECURITY_POLICY_REPORT_ONLY;
    let app = [("content-security-policy", "default-src *")];
    let trying = [("content-security-policy-report-only", "default-src 'none'")];
    for mode in [HeaderMode::SetIfAbsent, HeaderMode::Override] {
        let mut options = strict();
        options.mode = mode;
        options.csp = Some(CspOptions::default());
        for sent in [&app[..], &[app[0], app[0]], &trying] {
            let headers = answered(&options, Scheme::Https, sent);
            let policies = headers.get_all(CONTENT_SECURITY_POLICY).iter();
            // two of the app's own are its own
            let wanted = if mode == HeaderMode::SetIfAbsent {
                sent.len()
            } else {
                1
            };
            assert_eq!(policies.count(), wanted.max(1), "{sent:?}");
        }
        // what the app tries out stands beside what is enforced here
        assert!(answered(&options, Scheme::Https, &trying).contains_key(ONLY));
        // and what is tried out here beside what the app enforces
        let csp = CspOptions {
            effect: CspEffect::ReportOnly,
            ..CspOptions::default()
        };
        options.csp = Some(csp);
        let headers = answered(&options, Scheme::Https, &app);
        assert_eq!(headers[CONTENT_SECURITY_POLICY], "default-src *");
        assert!(headers.contains_key(ONLY));
        let headers = answered(&options, Scheme::Https, &[]);
        assert!(!headers.contains_key(CONTENT_SECURITY_POLICY));
    }
}

#[test]
fn where_reports_go_stands_beside_where_the_apps_go() {
    let mut options = strict();
    options.csp = Some(CspOptions {
        report: Some(REPORT_PATH.to_owned()),
        ..CspOptions::default()
    });
    let ours = "mainstay-csp=\"/.mainstay/csp\"";
    let headers = answered(&options, Scheme::Https, &[]);
    assert_eq!(headers[REPORTING_ENDPOINTS], ours);
    let app = [("reporting-endpoints", "crashes=\"/crashes\"")];
    let headers = answered(&options, Scheme::Https, &app);
    let all: Vec<_> = headers.get_all(REPORTING_ENDPOINTS).iter().collect();
    assert_eq!(all, ["crashes=\"/crashes\"", ours]);
    // browsers only heed it over https, and the other directive only without it
    let headers = answered(&options, Scheme::Http, &[]);
    assert!(!headers.contains_key(REPORTING_ENDPOINTS));
    let policy = headers[CONTENT_SECURITY_POLICY].to_str().expect("text");
    assert!(policy.ends_with(";report-uri /.mainstay/csp"), "{policy}");
}
