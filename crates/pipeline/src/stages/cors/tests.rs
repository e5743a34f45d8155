//! What a page of another site is told, case by case.

use std::sync::Arc;
use std::time::Instant;

use super::*;

fn options(origins: &[&str]) -> CorsOptions {
    let origins = origins
        .iter()
        .map(|origin| origin.parse().expect("an origin"));
    CorsOptions {
        origins: origins.collect(),
        ..CorsOptions::default()
    }
}

/// The answer to a request with these fields, of an app that sends those.
fn answered(
    options: &CorsOptions,
    method: Method,
    request: &[(&str, &str)],
    app: &[(&'static str, &'static str)],
) -> (Exchange, Result<Response, Refusal>) {
    let mut builder = http::Request::builder()
        .method(method)
        .header("host", "api.example");
    for (name, value) in request {
        builder = builder.header(*name, *value);
    }
    let request = builder.body(Body::Empty).expect("a request");
    let mut exchange = Exchange::begin(&Arc::default(), &request, Instant::now());
    exchange.route = Some(0);
    let cors = Cors::new(options);
    let outcome = cors.answer(&mut exchange, request.headers()).map(|answer| {
        answer.unwrap_or_else(|| {
            exchange.pass(Step::LimitRate);
            let mut response = Response::new(Body::Empty);
            for (name, value) in app {
                let value = HeaderValue::from_static(value);
                response.headers_mut().append(*name, value);
            }
            response
        })
    });
    let outcome = outcome.map(|mut response| {
        cors.mark(&mut exchange, &mut response);
        exchange.varies.tell(response.headers_mut());
        response
    });
    (exchange, outcome)
}

fn fields(response: &Response) -> Vec<String> {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        format!("{name}: {}", value.to_str().expect("text"))
    };
    let mut lines: Vec<_> = response.headers().iter().map(line).collect();
    lines.sort();
    lines
}

const PREFLIGHT: [(&str, &str); 3] = [
    ("origin", "https://a.example"),
    ("access-control-request-method", "PUT"),
    ("access-control-request-headers", "x-team,content-type"),
];

#[test]
fn a_preflight_is_answered_and_never_reaches_the_app() {
    let (_, answer) = answered(
        &options(&["https://a.example"]),
        Method::OPTIONS,
        &PREFLIGHT,
        &[],
    );
    let answer = answer.expect("an answer");
    assert_eq!(answer.status(), StatusCode::NO_CONTENT);
    assert_eq!(
        fields(&answer),
        [
            "access-control-allow-headers: x-team,content-type",
            "access-control-allow-methods: GET,HEAD,PUT,PATCH,POST,DELETE",
            "access-control-allow-origin: https://a.example",
            "vary: access-control-request-headers, Origin",
        ]
    );
}

#[test]
fn all_that_can_be_said_is_said() {
    let options = CorsOptions {
        methods: vec!["GET".to_owned()],
        headers: Some(vec!["x-team".to_owned()]),
        expose: vec!["x-total".to_owned(), "x-page".to_owned()],
        credentials: true,
        max_age: Some(Duration::from_mins(10)),
        private_network: true,
        ..options(&["https://*.example"])
    };
    let mut request = PREFLIGHT.to_vec();
    request.push(("access-control-request-private-network", "true"));
    let (_, answer) = answered(&options, Method::OPTIONS, &request, &[]);
    assert_eq!(
        fields(&answer.expect("an answer")),
        [
            "access-control-allow-credentials: true",
            "access-control-allow-headers: x-team",
            "access-control-allow-methods: GET",
            "access-control-allow-origin: https://a.example",
            "access-control-allow-private-network: true",
            "access-control-expose-headers: x-total,x-page",
            "access-control-max-age: 600",
            "vary: Origin",
        ]
    );
    let (_, answer) = answered(&options, Method::GET, &PREFLIGHT[..1], &[]);
    assert_eq!(
        fields(&answer.expect("an answer")),
        [
            "access-control-allow-credentials: true",
            "access-control-allow-origin: https://a.example",
            "access-control-expose-headers: x-total,x-page",
            "vary: Origin",
        ]
    );
}

#[test]
fn a_preflight_from_elsewhere_is_refused_and_a_request_is_not() {
    let options = options(&["https://b.example"]);
    let (_, answer) = answered(&options, Method::OPTIONS, &PREFLIGHT, &[]);
    assert_eq!(answer.err(), Some(Refusal::ForeignOrigin));
    let (_, answer) = answered(&options, Method::PUT, &PREFLIGHT[..1], &[]);
    assert_eq!(fields(&answer.expect("an answer")), ["vary: Origin"]);
    // no preflight: nobody asks for a method
    let (_, answer) = answered(&options, Method::OPTIONS, &PREFLIGHT[..1], &[]);
    assert_eq!(fields(&answer.expect("the app's")), ["vary: Origin"]);
}

#[test]
fn null_is_an_origin_only_where_it_is_written() {
    let request = [("origin", "null")];
    for (origins, allowed) in [
        (&["https://a.example"][..], None),
        (&["null"], Some("null")),
    ] {
        let (_, answer) = answered(&options(origins), Method::GET, &request, &[]);
        let answer = answer.expect("an answer");
        let found = answer.headers().get(ACCESS_CONTROL_ALLOW_ORIGIN);
        assert_eq!(found.map(|value| value.to_str().expect("text")), allowed);
    }
}

#[test]
fn what_is_for_all_says_so_and_varies_with_nobody() {
    for request in [&[][..], &PREFLIGHT[..1]] {
        let (_, answer) = answered(&options(&["*"]), Method::GET, request, &[]);
        assert_eq!(
            fields(&answer.expect("an answer")),
            ["access-control-allow-origin: *"]
        );
    }
}

#[test]
fn caches_are_told_also_where_nobody_asked() {
    for (app, vary) in [
        (&[][..], &["Origin"][..]),
        (&[("vary", "accept-encoding")], &["accept-encoding, Origin"]),
        (&[("vary", "Accept, Origin")], &["Accept, Origin"]),
        (&[("vary", "*")], &["*"]),
    ] {
        let (_, answer) = answered(&options(&["https://a.example"]), Method::GET, &[], app);
        let answer = answer.expect("an answer");
        let found: Vec<_> = answer.headers().get_all(VARY).iter().collect();
        assert_eq!(found, vary);
    }
}

#[test]
fn the_apps_own_fields_are_replaced_and_left_alone_without_rules() {
    let app = [
        ("access-control-allow-origin", "*"),
        ("access-control-allow-credentials", "true"),
        ("access-control-max-age", "5"),
    ];
    let request = &PREFLIGHT[..1];
    let (_, answer) = answered(&options(&["https://a.example"]), Method::GET, request, &app);
    assert_eq!(
        fields(&answer.expect("an answer")),
        [
            "access-control-allow-origin: https://a.example",
            "vary: Origin"
        ]
    );
    let (_, answer) = answered(&CorsOptions::default(), Method::OPTIONS, &PREFLIGHT, &app);
    assert_eq!(answer.expect("the app's").headers().len(), app.len());
}

#[test]
fn a_dry_run_changes_nothing_and_notes_whom_it_would_refuse() {
    let app = [("access-control-allow-origin", "*")];
    let dry = |origins: &[&str]| CorsOptions {
        enforcement: Enforcement::DryRun,
        ..options(origins)
    };
    let spared = Some((Step::Cors, Refusal::ForeignOrigin));
    for (origins, asks, noted) in [
        (&["https://b.example"][..], "https://a.example", spared),
        (&["https://a.example"], "https://a.example", None),
        // a page of this very site needs no permission
        (&["https://b.example"], "http://api.example", None),
    ] {
        for method in [Method::OPTIONS, Method::POST] {
            let request = [("origin", asks), PREFLIGHT[1]];
            let (exchange, answer) = answered(&dry(origins), method, &request, &app);
            assert_eq!(
                fields(&answer.expect("the app's")),
                ["access-control-allow-origin: *"]
            );
            assert_eq!(exchange.spared, noted, "{asks}");
        }
    }
}
