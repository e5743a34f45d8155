//! The whole pipeline in memory.

use std::sync::Mutex;

use bytes::Bytes;
use http::StatusCode;
use mainstay_observe::RequestMetrics;

use super::*;
use crate::{AccessLog, Body, ErrorLog, HeaderSetting, Target, TargetKind, WaitOptions};

/// An origin that is a function.
struct Echo<F>(F);

impl<F: Fn(&Request) -> Result<Response, Refusal>> Origin for Echo<F> {
    async fn respond(
        &self,
        exchange: &mut Exchange,
        request: Request,
    ) -> Result<Response, Refusal> {
        exchange.origin = Some("echo".into());
        (self.0)(&request)
    }
}

struct World<F> {
    pipeline: Pipeline<Echo<F>>,
    standing: Arc<Standing>,
    log: Arc<AccessLog>,
}

/// What most tests begin with.
fn options() -> Options {
    Options {
        trusted_proxies: TrustedProxies::none(),
        health: HealthOptions::default(),
        maintenance: MaintenanceOptions::default(),
        overload: OverloadOptions::default(),
        routes: vec![RouteOptions::everything(0)],
        rate_limits: Vec::new(),
        layers: Layers::default(),
        pages: Arc::default(),
        instance: "test".to_owned(),
        debug: Some(DebugToken::new("a-token".to_owned())),
    }
}

fn world<F: Fn(&Request) -> Result<Response, Refusal>>(origin: F) -> World<F> {
    world_of(options(), origin)
}

fn world_of<F: Fn(&Request) -> Result<Response, Refusal>>(options: Options, origin: F) -> World<F> {
    let standing = Arc::new(Standing::new(
        vec![Target::new("api", TargetKind::App, 1)],
        WaitOptions::default(),
    ));
    standing.set_ready(0, 1);
    let log = Arc::new(AccessLog::default());
    let recorder = Arc::new(Recorder {
        metrics: Arc::new(RequestMetrics::new(options.routes.len())),
        log: Some(Arc::clone(&log)),
        errors: Some(Arc::new(ErrorLog::new(Arc::clone(&log)))),
        routes: options
            .routes
            .iter()
            .map(|route| route.name.clone())
            .collect(),
    });
    let pipeline = Pipeline::new(
        options,
        &standing,
        Arc::default(),
        recorder,
        Arc::default(),
        Echo(origin),
    );
    World {
        pipeline,
        standing,
        log,
    }
}

#[tokio::test]
async fn a_route_has_headers_of_its_own() {
    let sets = |name: &str, value: &str| {
        let mut layers = Layers::default();
        let value = HeaderSetting::Value(value.to_owned());
        layers.headers.set.insert(name.to_owned(), value);
        layers
    };
    let own = RouteOptions {
        path: Some("/own".parse().expect("a path")),
        layers: Some(Box::new(sets("x-of", "the route"))),
        ..RouteOptions::everything(0)
    };
    let rest = RouteOptions {
        host: Some("a.example".parse().expect("a host")),
        path: Some("/rest".parse().expect("a path")),
        ..RouteOptions::everything(0)
    };
    let options = Options {
        routes: vec![own, rest],
        layers: sets("x-of", "all"),
        ..options()
    };
    let world = world_of(options, ok);
    for (path, of) in [
        ("/own/x", "the route"),
        ("/rest", "all"),
        ("/nowhere", "all"),
    ] {
        let (response, _) = serve(&world, path).await.into_response();
        assert_eq!(response.headers()["x-of"], of, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_of_other_sites_read_refusals_too() {
    let mut options = options();
    let site = "https://a.example";
    options.layers.cors.origins = vec![site.parse().expect("an origin")];
    let world = world_of(options, ok);
    let asked = async |path| {
        let mut request = get(path);
        let origin = http::HeaderValue::from_static(site);
        request.headers_mut().insert("origin", origin);
        let peer = Arc::default();
        let answer = world.pipeline.serve(&peer, request, Instant::now()).await;
        let (response, _) = answer.into_response();
        let allowed = response.headers().get("access-control-allow-origin");
        (response.status().as_u16(), allowed.is_some())
    };
    assert_eq!(asked("/").await, (200, true));
    world.standing.set_ready(0, 0);
    assert_eq!(asked("/").await, (503, true));
    // no page's business
    assert_eq!(asked("/.mainstay/live").await, (200, false));
}

fn get(path: &str) -> Request {
    http::Request::builder()
        .uri(path)
        .header("host", "a.example")
        .body(Body::Empty)
        .expect("a request")
}

async fn serve<F: Fn(&Request) -> Result<Response, Refusal>>(
    world: &World<F>,
    path: &str,
) -> Answer {
    world
        .pipeline
        .serve(&Arc::default(), get(path), Instant::now())
        .await
}

#[expect(clippy::unnecessary_wraps, reason = "an origin may refuse")]
fn ok(_: &Request) -> Result<Response, Refusal> {
    Ok(Response::new(Body::Full(Bytes::from_static(b"hello"))))
}

#[tokio::test]
async fn an_accepted_request_takes_every_step_in_order() {
    let world = world(ok);
    let answer = serve(&world, "/").await;
    assert_eq!(answer.response.status(), StatusCode::OK);
    assert_eq!(
        answer.ending.exchange().trail.steps().collect::<Vec<_>>(),
        Step::ALL
    );
}

#[tokio::test]
async fn a_refusal_leaves_by_the_same_door() {
    let world = world(|_| Err(Refusal::OriginTimeout));
    let answer = serve(&world, "/slow?token=secret").await;
    let (response, ending) = answer.into_response();
    assert_eq!(response.status(), StatusCode::GATEWAY_TIMEOUT);
    let id = response.headers()["x-request-id"]
        .to_str()
        .expect("text")
        .to_owned();
    assert_eq!(response.headers()["x-content-type-options"], "nosniff");
    drop(ending);
    let line = String::from_utf8(world.log.take()).expect("text");
    assert!(
        line.contains(&id) && line.contains("\"status\":504") && line.contains("origin_timeout"),
        "{line}"
    );
    assert!(!line.contains("secret"), "{line}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_first_is_written_down_as_499() {
    let world = world(ok);
    world.standing.set_ready(0, 0);
    let patience = std::time::Duration::from_secs(1);
    assert!(
        tokio::time::timeout(patience, serve(&world, "/"))
            .await
            .is_err()
    );
    let line = String::from_utf8(world.log.take()).expect("text");
    assert!(
        line.contains("\"status\":499") && line.contains("client_gone"),
        "{line}"
    );
}

#[tokio::test]
async fn what_the_codec_refuses_is_a_page_with_headers_and_a_line() {
    let world = world(ok);
    let refusal = Refusal::Codec(StatusCode::URI_TOO_LONG, "target_too_long");
    let answer = world
        .pipeline
        .refuse(&Arc::default(), refusal, Instant::now());
    let (response, ending) = answer.into_response();
    assert_eq!(response.status(), StatusCode::URI_TOO_LONG);
    assert!(response.headers().contains_key("x-request-id"));
    drop(ending);
    assert!(
        String::from_utf8(world.log.take())
            .expect("text")
            .contains("target_too_long")
    );
}

#[tokio::test]
async fn the_origin_sees_the_bytes_of_the_client() {
    let seen = Mutex::new(Vec::new());
    let world = world(|request: &Request| {
        seen.lock()
            .expect("no panic")
            .push(request.uri().to_string());
        ok(request)
    });
    for path in ["/a/../b?x=%2e", "//a", "/%2F%61"] {
        serve(&world, path).await;
    }
    assert_eq!(
        *seen.lock().expect("no panic"),
        ["/a/../b?x=%2e", "//a", "/%2F%61"]
    );
}

#[tokio::test]
async fn probes_follow_the_phase_and_the_app_has_the_word_when_ready() {
    let world = world(|request: &Request| {
        let mut response = ok(request)?;
        if request.uri().path() != "/health" {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        Ok(response)
    });
    let status = async |path: &str| serve(&world, path).await.response.status().as_u16();
    for (path, when_ready) in [
        ("/.mainstay/ready", 200),
        ("/health", 200),
        ("/health/readiness", 200),
        ("/other", 404),
    ] {
        assert_eq!(status(path).await, when_ready, "{path}");
    }
    world.standing.drain();
    for (path, when_draining) in [
        ("/.mainstay/live", 200),
        ("/.mainstay/ready", 503),
        ("/health", 503),
        ("/health/liveness", 200),
    ] {
        assert_eq!(status(path).await, when_draining, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_a_worker_and_then_is_told_to_come_back() {
    let world = world(ok);
    world.standing.set_ready(0, 0);
    let answer = serve(&world, "/").await;
    assert_eq!(answer.response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.response.headers()["retry-after"], "1");
}

#[test]
fn all_of_it_is_send() {
    fn is_send<T: Send>(_: T) {}
    fn is_send_and_sync<T: Send + Sync>() {}
    let world = world(ok);
    let peer = Arc::default();
    is_send(world.pipeline.serve(&peer, get("/"), Instant::now()));
    is_send_and_sync::<Pipeline<Echo<fn(&Request) -> Result<Response, Refusal>>>>();
}

/// An app that says what it runs on, and has an opinion about frames.
fn talkative(request: &Request) -> Result<Response, Refusal> {
    assert!(
        !request.headers().contains_key(DEBUG_FIELD),
        "the token stays with us"
    );
    let response = http::Response::builder()
        .header("x-powered-by", "Express")
        .header("content-type", "text/plain")
        .header("referrer-policy", "no-referrer");
    response
        .body(Body::from("hello"))
        .map_err(|_| Refusal::NoWorker)
}

async fn asked(path: &str, token: &str) -> Option<serde_json::Value> {
    let world = world(talkative);
    let mut request = get(path);
    let token = http::HeaderValue::from_str(token).expect("text");
    request.headers_mut().insert(DEBUG_FIELD, token);
    let peer = Arc::default();
    let answer = world.pipeline.serve(&peer, request, Instant::now()).await;
    let (response, _ending) = answer.into_response();
    let told = response.headers().get(DEBUG_FIELD)?;
    Some(serde_json::from_slice(told.as_bytes()).expect("JSON"))
}

#[tokio::test]
async fn whoever_knows_the_token_is_told_who_set_what() {
    let told = asked("/", "a-token").await.expect("an account");
    assert_eq!(
        told["trail"].as_array().expect("a list").len(),
        Step::ALL.len()
    );
    assert_eq!(
        (&told["route"], &told["origin"]),
        (&"default".into(), &"echo".into())
    );
    for (name, step) in [
        ("content-type", "origin"),
        ("referrer-policy", "origin"),
        ("x-content-type-options", "headers"),
        ("x-request-id", "identify"),
    ] {
        assert_eq!(told["set"][name], step, "{name} in {told}");
    }
    assert_eq!(told["removed"]["x-powered-by"], "headers");

    let told = asked("/.mainstay/live", "a-token")
        .await
        .expect("an account");
    assert_eq!(told["set"]["content-type"], "health");
    assert_eq!(told["route"], serde_json::Value::Null);
}

#[tokio::test]
async fn nobody_else_is_told_anything() {
    for token in ["", "a-toke", "a-tokem", "a-token ", "a-token2", "A-TOKEN"] {
        assert_eq!(asked("/", token).await, None, "`{token}`");
    }
}

#[tokio::test]
async fn reports_are_taken_before_there_is_a_route_and_no_app_sees_them() {
    let seen = Mutex::new(0);
    let notices = Arc::new(Notices::default());
    let mut options = options();
    options.layers.headers.csp = Some(crate::CspOptions {
        report: Some(crate::REPORT_PATH.to_owned()),
        ..crate::CspOptions::default()
    });
    let reports = Reports::new(&options.layers, &options.routes, Arc::clone(&notices));
    let mut world = world_of(options, |request: &Request| {
        *seen.lock().expect("no panic") += 1;
        ok(request)
    });
    world.pipeline.reports = reports;
    let send = async |method: &str, media_type: &str, body: String| {
        let mut request = get(crate::REPORT_PATH);
        *request.method_mut() = method.parse().expect("a method");
        let media_type = http::HeaderValue::from_str(media_type).expect("text");
        request.headers_mut().insert("content-type", media_type);
        *request.body_mut() = Body::from(body);
        let peer = Arc::default();
        let answer = world.pipeline.serve(&peer, request, Instant::now()).await;
        answer.response.status().as_u16()
    };
    let report = r#"{"csp-report":{"document-uri":"https://a.example/x","effective-directive":"img-src","blocked-uri":"https://b.example/y"}}"#;
    let large = "x".repeat(65 * 1024);
    for (media_type, body, status) in [
        ("application/csp-report", report, 204),
        ("application/csp-report; charset=utf-8", report, 204),
        ("application/reports+json", "[]", 204),
        ("application/csp-report", "no", 400),
        ("text/plain", report, 415),
        ("application/csp-report", &large, 413),
    ] {
        let found = send("POST", media_type, body.to_owned()).await;
        assert_eq!(found, status, "{media_type}");
    }
    assert_eq!(*seen.lock().expect("no panic"), 0);
    let reported = notices.violations().take().violations;
    assert_eq!(reported.len(), 1);
    assert_eq!(
        (reported[0].0.blocked.as_str(), reported[0].1),
        ("https://b.example", 2)
    );
    // anything else on that path is the app's
    assert_eq!(send("GET", "", String::new()).await, 200);
}

#[tokio::test]
async fn a_suspended_instance_stays_in_rotation_and_asks_its_app_nothing() {
    let world = world(|_| panic!("nobody is asked"));
    world
        .standing
        .suspend(crate::Suspension::Maintenance { until: None });
    for path in ["/.mainstay/ready", "/.mainstay/live", "/health", "/ready"] {
        let answer = serve(&world, path).await;
        assert_eq!(answer.response.status(), StatusCode::OK, "{path}");
    }
    let (response, _) = serve(&world, "/").await.into_response();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(response.headers()["retry-after"], "60");
}

/// What was counted of refusals, as `step reason status` or `step reason status dry`.
fn refusals<F>(world: &World<F>) -> Vec<String> {
    let mut totals = mainstay_observe::RequestTotals::default();
    totals.add(&world.pipeline.recorder.metrics, &[]);
    let counted = totals.refusals.into_iter();
    let told = counted.map(|((step, reason, status, is_dry), count)| {
        let dry = if is_dry { " dry" } else { "" };
        format!("{step} {reason} {status}{dry} {count}")
    });
    told.collect()
}

#[tokio::test]
async fn every_refusal_is_counted_by_the_step_that_made_it() {
    let mut options = options();
    options.layers.filter.traps = crate::Traps::Known;
    options.layers.body.limit = Some("1b".parse().expect("a size"));
    options.layers.body.enforcement = crate::Enforcement::DryRun;
    let policy = RatePolicy::new("all", "2/h".parse().expect("a rate"));
    options.rate_limits = vec![RatePolicy {
        requests: vec!["/limited".parse().expect("requests")],
        ..policy
    }];
    let world = world_of(options, |request| match request.uri().path() {
        "/large" => Err(Refusal::BodyTooLarge),
        "/gone" => Err(Refusal::OriginGone),
        "/left" => Err(Refusal::ClientGone),
        _ => ok(request),
    });
    for path in [
        "/",
        "/%zz",
        "/wp-login.php",
        "/wp-login.php",
        "/limited",
        "/limited",
        "/limited",
        "/large",
        "/gone",
        "/left",
    ] {
        drop(serve(&world, path).await);
    }
    let mut large = get("/upload");
    *large.body_mut() = Body::from("two");
    let peer = Arc::default();
    drop(world.pipeline.serve(&peer, large, Instant::now()).await);
    let refusal = Refusal::Codec(StatusCode::URI_TOO_LONG, "target_too_long");
    drop(world.pipeline.refuse(&peer, refusal, Instant::now()));
    assert_eq!(
        refusals(&world),
        [
            "filter trap 404 2",
            "identify bad_path 400 1",
            "limit_rate rate_limited 429 1",
            "limit_size body_too_large 413 1",
            "limit_size body_too_large 413 dry 1",
            "none target_too_long 414 1",
            "origin origin_gone 502 1",
        ]
    );
}

#[tokio::test]
async fn limits_stand_in_front_of_credentials() {
    let mut options = options();
    let key = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    options.layers.auth.keys = vec![crate::KeyOptions {
        id: "billing".to_owned(),
        hash: key.parse().expect("a hash"),
        labels: Vec::new(),
    }];
    options.rate_limits = vec![RatePolicy::new("all", "2/h".parse().expect("a rate"))];
    let world = world_of(options, ok);
    for status in [401, 401, 429, 429] {
        let (response, _) = serve(&world, "/").await.into_response();
        assert_eq!(response.status(), status);
    }
}
