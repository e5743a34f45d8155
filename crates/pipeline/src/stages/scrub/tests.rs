use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_ENCODING;
use mainstay_observe::RequestMetrics;
use proptest::prelude::*;

use super::*;
use crate::{AccessLog, Body, BodyBroken, ErrorLog, Frame, FrameSender, hand_off};

struct World {
    scrub: Scrub,
    log: Arc<AccessLog>,
}

fn world(options: ErrorOptions) -> World {
    let log = Arc::new(AccessLog::default());
    let recorder = Arc::new(Recorder {
        metrics: Arc::new(RequestMetrics::new(1)),
        log: None,
        errors: Some(Arc::new(ErrorLog::new(Arc::clone(&log)))),
        routes: Arc::new(["shop".to_owned()]),
    });
    World {
        scrub: Scrub::new(options, Arc::new(Pages::new(&[])), recorder),
        log,
    }
}

fn on() -> ErrorOptions {
    ErrorOptions {
        scrub: true,
        log: true,
        replace: Vec::new(),
    }
}

fn exchange(method: &str) -> Exchange {
    let request = http::Request::builder()
        .method(method)
        .uri("/orders/12?token=secret&page=2")
        .body(Body::Empty)
        .expect("a request");
    let mut exchange = Exchange::begin(&Arc::default(), &request, Instant::now());
    exchange.request_id = HeaderValue::from_static("abc");
    exchange.route = Some(0);
    exchange.origin = Some("shop/0".into());
    exchange
}

fn response(status: u16, body: Body) -> Response {
    let response = http::Response::builder().status(status);
    response.body(body).expect("a response")
}

/// The whole way of an answer through the stage.
async fn pass(world: &World, exchange: &mut Exchange, response: Response) -> Response {
    if world.scrub.concerns(exchange, response.status()) {
        world.scrub.answer(exchange, response).await
    } else {
        response
    }
}

/// Everything that a body has to say.
async fn read(body: Body) -> Result<Vec<u8>, BodyBroken> {
    match body {
        Body::Empty => Ok(Vec::new()),
        Body::Full(bytes) => Ok(bytes.to_vec()),
        Body::Stream(mut frames) => {
            let mut out = Vec::new();
            while let Some(frame) = frames.frame().await {
                match frame? {
                    Frame::Data(piece) => out.extend_from_slice(&piece),
                    Frame::Trailers(trailers) => {
                        out.extend_from_slice(format!("{trailers:?}").as_bytes());
                    }
                }
            }
            Ok(out)
        }
    }
}

fn send(sender: &mut FrameSender, piece: &[u8]) {
    sender.send(Frame::Data(Bytes::copy_from_slice(piece)));
}

fn streamed(pieces: &[&[u8]]) -> Body {
    let (mut sender, frames) = hand_off(None);
    for piece in pieces {
        send(&mut sender, piece);
    }
    sender.finish();
    Body::Stream(frames)
}

#[tokio::test(start_paused = true)]
async fn what_leaks_is_replaced_and_everything_else_stays_byte_for_byte() {
    let mut wrong = Vec::new();
    for (name, leak, body) in bodies::all() {
        let world = world(on());
        let mut exchange = exchange("GET");
        let sent = response(500, streamed(&[body]));
        let answer = pass(&world, &mut exchange, sent).await;
        if exchange.scrubbed != leak {
            wrong.push((name, exchange.scrubbed));
            continue;
        }
        assert_eq!(answer.status(), 500);
        let came = read(answer.into_body()).await.expect("a whole body");
        if leak.is_some() {
            let page = String::from_utf8(came).expect("text");
            assert!(
                page.starts_with(r#"{"error":{"message":"An unexpected"#),
                "{name}: {page}"
            );
        } else {
            assert_eq!(came, body, "{name}");
            assert!(world.log.take().is_empty(), "{name}");
        }
    }
    assert_eq!(wrong, []);
}

#[tokio::test(start_paused = true)]
async fn the_original_is_in_the_error_log_with_what_was_asked() {
    let world = world(on());
    let mut sent = response(
        500,
        Body::from("Error: x\n    at f (/srv/shop/a.js:1:2)\x1b[2J"),
    );
    sent.headers_mut()
        .insert("content-type", HeaderValue::from_static("text/plain"));
    pass(&world, &mut exchange("POST"), sent).await;
    let line = String::from_utf8(world.log.take()).expect("text");
    let told: serde_json::Value = serde_json::from_str(&line).expect("one object");
    for (key, value) in [
        ("type", "error"),
        ("request_id", "abc"),
        ("method", "POST"),
        ("path", "/orders/12?token=***&page=2"),
        ("route", "shop"),
        ("origin", "shop/0"),
        ("leak", "trace"),
        ("content_type", "text/plain"),
        ("body", "Error: x\n    at f (/srv/shop/a.js:1:2)\u{1b}[2J"),
    ] {
        assert_eq!(told[key], value, "{line}");
    }
    assert!(!line.contains('\u{1b}'), "{line}");
}

#[tokio::test(start_paused = true)]
async fn nothing_is_logged_where_nobody_wants_it() {
    let world = world(ErrorOptions { log: false, ..on() });
    let mut exchange = exchange("GET");
    pass(
        &world,
        &mut exchange,
        response(500, Body::from("goroutine 1 [running]:\n")),
    )
    .await;
    assert_eq!(exchange.scrubbed, Some(Leak::Trace));
    assert!(world.log.take().is_empty());
}

#[tokio::test(start_paused = true)]
async fn only_an_errors_body_is_looked_at_and_only_where_it_is_wanted() {
    const LEAK: &[u8] = b"at f (/srv/shop/a.js:1:2)";
    for (status, options, method, scrubs) in [
        (500, on(), "GET", true),
        (503, on(), "GET", true),
        (404, on(), "GET", false),
        (200, on(), "GET", false),
        (500, on(), "HEAD", false),
        (500, ErrorOptions::default(), "GET", false),
    ] {
        let (world, mut exchange) = (world(options), exchange(method));
        let answer = pass(&world, &mut exchange, response(status, streamed(&[LEAK]))).await;
        assert_eq!(exchange.scrubbed.is_some(), scrubs, "{status} {method}");
        let came = read(answer.into_body()).await.expect("a body");
        assert_eq!(came != LEAK, scrubs, "{status} {method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_the_client_asked_for_is_nothing_new_to_it() {
    let world = world(on());
    let request = http::Request::builder().uri("/app/node_modules/x/index.js");
    let request = request.body(Body::Empty).expect("a request");
    let mut asks = Exchange::begin(&Arc::default(), &request, Instant::now());
    let body = r#"{"error":"oops","path":"/app/node_modules/x/index.js"}"#;
    pass(&world, &mut asks, response(500, Body::from(body))).await;
    assert_eq!(asks.scrubbed, None);
    let mut other = exchange("GET");
    pass(&world, &mut other, response(500, Body::from(body))).await;
    assert_eq!(other.scrubbed, Some(Leak::Path));
}

#[tokio::test(start_paused = true)]
async fn replaced_statuses_get_the_page_whatever_they_say() {
    let options = ErrorOptions {
        replace: vec![
            "404".parse().expect("a status"),
            "5xx".parse().expect("a class"),
        ],
        ..ErrorOptions::default()
    };
    for (status, is_replaced) in [(404, true), (403, false), (503, true), (200, false)] {
        let (world, mut exchange) = (world(options.clone()), exchange("GET"));
        let answer = pass(&world, &mut exchange, response(status, Body::from("mine"))).await;
        let came = read(answer.into_body()).await.expect("a body");
        assert_eq!(came != b"mine", is_replaced, "{status}");
        assert_eq!(exchange.scrubbed, None);
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_unpacked_counts_as_a_leak() {
    for coding in ["gzip", "compress"] {
        let (world, mut exchange) = (world(on()), exchange("GET"));
        let mut sent = response(500, Body::from("plain"));
        sent.headers_mut()
            .insert(CONTENT_ENCODING, HeaderValue::from_static(coding));
        let answer = pass(&world, &mut exchange, sent).await;
        assert_eq!(exchange.scrubbed, Some(Leak::Unreadable), "{coding}");
        assert!(!answer.headers().contains_key(CONTENT_ENCODING));
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_goes_on_when_its_beginning_is_sound() {
    let world = world(on());
    let (mut sender, frames) = hand_off(None);
    send(&mut sender, b"data: one\n\n");
    let began = tokio::time::Instant::now();
    let answer = pass(
        &world,
        &mut exchange("GET"),
        response(503, Body::Stream(frames)),
    )
    .await;
    assert!(
        began.elapsed() <= Duration::from_secs(1),
        "nobody waits for its end"
    );
    send(&mut sender, b"data: two\n\n");
    let mut trailers = http::HeaderMap::new();
    trailers.insert("x-end", HeaderValue::from_static("1"));
    sender.send(Frame::Trailers(trailers));
    sender.finish();
    let came = read(answer.into_body()).await.expect("a whole body");
    assert_eq!(came, b"data: one\n\ndata: two\n\n{\"x-end\": \"1\"}");
}

#[tokio::test(start_paused = true)]
async fn a_long_error_is_looked_at_in_its_beginning_only() {
    let (world, mut exchange) = (world(on()), exchange("GET"));
    let long = vec![b'x'; 200_000];
    let answer = pass(
        &world,
        &mut exchange,
        response(500, streamed(&[&long, b" end"])),
    )
    .await;
    assert_eq!(exchange.scrubbed, None);
    let came = read(answer.into_body()).await.expect("a whole body");
    assert_eq!(came.len(), 200_004);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_breaks_off_is_broken_still() {
    let world = world(on());
    let (mut sender, frames) = hand_off(None);
    send(&mut sender, b"half");
    drop(sender);
    let answer = pass(
        &world,
        &mut exchange("GET"),
        response(500, Body::Stream(frames)),
    )
    .await;
    assert_eq!(read(answer.into_body()).await, Err(BodyBroken::Gone));
}

fn on_its_own<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build();
    runtime.expect("a runtime").block_on(future)
}

proptest! {
    #[test]
    fn where_pieces_begin_does_not_matter(case in 0..bodies::all().len(), cuts in proptest::collection::vec(1_usize..40, 0..8)) {
        let (name, leak, body) = bodies::all()[case];
        let (mut pieces, mut rest) = (Vec::new(), body);
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        let (world, mut exchange) = (world(on()), exchange("GET"));
        let came = on_its_own(async {
            let answer = pass(&world, &mut exchange, response(500, streamed(&pieces))).await;
            read(answer.into_body()).await
        });
        prop_assert_eq!(exchange.scrubbed, leak, "{}", name);
        prop_assert_eq!(came.as_deref() == Ok(body), leak.is_none());
    }

    #[test]
    fn words_and_numbers_pass_unchanged(body in "[a-zA-Z0-9 ,.!?{}\"_\\[\\]\n-]{0,300}") {
        prop_assume!(!body.contains("ER_") && !body.contains("SQLITE_"));
        let (world, mut exchange) = (world(on()), exchange("GET"));
        let came = on_its_own(async {
            let answer = pass(&world, &mut exchange, response(500, streamed(&[body.as_bytes()]))).await;
            read(answer.into_body()).await
        });
        prop_assert_eq!(exchange.scrubbed, None);
        prop_assert_eq!(came.as_deref(), Ok(body.as_bytes()));
    }

    #[test]
    fn any_bytes_are_taken(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Leak::find(&body, "/");
    }

    #[test]
    fn what_looks_like_something_is_taken(body in "(at |:1|/|/srv/|\\\\|\"stack\":|SELECT |C:|\\.js| line 3|#|\\(|[a-z\\n\"]){0,60}") {
        let _ = Leak::find(body.as_bytes(), "/");
    }
}
