//! What is encoded and what is left alone, as a table.

use std::io::Read as _;
use std::sync::Arc;
use std::time::Instant;

use super::*;
use crate::{BodyBroken, hand_off};

/// Method and request fields; status, answer fields and length; the coding and `Vary` afterwards.
const DECISIONS: &str = "
GET accept-encoding: gzip                  | 200 content-type: application/json, 2000                                 | gzip Accept-Encoding
GET                                        | 200 content-type: application/json, 2000                                 | - Accept-Encoding
GET accept-encoding: gzip                  | 200 content-type: application/json, 1023                                 | - Accept-Encoding
GET accept-encoding: gzip                  | 200 content-type: application/json, 1024                                 | gzip Accept-Encoding
HEAD accept-encoding: gzip                 | 200 content-type: application/json, 2000                                 | - Accept-Encoding
POST accept-encoding: gzip                 | 201 content-type: application/json, 2000                                 | gzip Accept-Encoding
GET accept-encoding: gzip                  | 200 2000                                                                 | - -
GET accept-encoding: gzip                  | 200 content-type: image/png, 2000                                        | - -
GET accept-encoding: gzip                  | 200 content-type: text/html, cache-control: public; No-Transform, 2000   | - -
GET accept-encoding: gzip                  | 200 content-type: text/html, content-encoding: br, 2000                  | br Accept-Encoding
GET accept-encoding: gzip                  | 200 content-type: text/html, content-encoding: identity, 2000            | gzip Accept-Encoding
GET accept-encoding: gzip                  | 206 content-type: text/html, content-range: bytes 0-1999/9000, 2000      | - Accept-Encoding
GET accept-encoding: gzip                  | 500 content-type: text/html, 2000                                        | gzip Accept-Encoding
GET accept-encoding: gzip                  | 200 content-type: text/html, content-digest: sha-256=:x:, 2000           | - Accept-Encoding
GET accept-encoding: gzip, x-no-compression: 1 | 200 content-type: text/html, 2000                                    | - -
GET accept-encoding: gzip                  | 200 content-type: text/html, vary: Origin, 2000                          | gzip Origin;Accept-Encoding
GET accept-encoding: gzip                  | 200 content-type: text/html, vary: origin;accept-encoding, 2000          | gzip origin;accept-encoding
GET accept-encoding: gzip                  | 200 content-type: text/html, vary: *, 2000                               | gzip *
";

const GZIP: &[(&str, &str)] = &[("accept-encoding", "gzip")];
const JSON: &[(&str, &str)] = &[("content-type", "application/json")];

/// `name: value, name: value`; a `;` stands for a comma in a value.
fn fields(text: &str) -> Vec<(&str, String)> {
    let fields = text.split(", ").filter_map(|field| field.split_once(": "));
    fields
        .map(|(name, value)| (name.trim(), value.trim().replace(';', ",")))
        .collect()
}

async fn run(
    options: &CompressOptions,
    request: &[(&str, &str)],
    method: &Method,
    response: Response,
) -> (Result<Response, Refusal>, Option<String>) {
    let mut builder = http::Request::builder().method(method);
    for (name, value) in request {
        builder = builder.header(*name, *value);
    }
    let mut request = builder.body(Body::Empty).expect("a request");
    let mut exchange = Exchange::begin(&Arc::default(), &request, Instant::now());
    let compress = Compress::new(options);
    compress.ask(&mut exchange, request.headers_mut());
    let asked = request.headers().get(ACCEPT_ENCODING);
    let asked = asked.map(|value| value.to_str().expect("text").to_owned());
    let encoded = match compress.choose(&mut exchange, &response) {
        Some(coding) => compress.encode(&exchange, coding, response).await,
        None => Ok(response),
    };
    let told = encoded.map(|mut response| {
        exchange.varies.tell(response.headers_mut());
        response
    });
    (told, asked)
}

fn answer(status: u16, fields: &[(&str, &str)], body: Body) -> Response {
    let mut builder = http::Response::builder().status(status);
    for (name, value) in fields {
        builder = builder.header(*name, *value);
    }
    builder.body(body).expect("a response")
}

fn field<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    let value = response.headers().get(name)?;
    Some(value.to_str().expect("text"))
}

#[tokio::test]
async fn decisions() {
    for line in DECISIONS.trim().lines() {
        let mut parts = line.split('|').map(str::trim);
        let mut part = || parts.next().expect("three parts");
        let (asks, says, becomes) = (part(), part(), part());
        let (method, asks) = asks.split_once(' ').unwrap_or((asks, ""));
        let (status, says) = says.split_once(' ').expect("a status");
        let length = says
            .rsplit(' ')
            .next()
            .and_then(|length| length.parse().ok());
        let (asks, says) = (fields(asks), fields(says));
        let says: Vec<_> = says
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let asks: Vec<_> = asks
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let body = Body::from("x".repeat(length.expect("a length")));
        let response = answer(status.parse().expect("a status"), &says, body);
        let method = method.parse().expect("a method");
        let (response, _) = run(&CompressOptions::default(), &asks, &method, response).await;
        let response = response.expect("an answer");
        let found = |name| {
            field(&response, name)
                .unwrap_or("-")
                .replace(", ", ";")
                .replace(',', ";")
        };
        let found = format!("{} {}", found("content-encoding"), found("vary"));
        assert_eq!(found, becomes, "{line}");
    }
}

#[tokio::test]
async fn a_layer_that_is_off_does_nothing() {
    let response = answer(200, JSON, Body::from("x".repeat(2_000)));
    let (response, asked) = run(&CompressOptions::off(), GZIP, &Method::GET, response).await;
    let response = response.expect("an answer");
    assert_eq!(field(&response, "vary"), None);
    assert_eq!(asked.as_deref(), Some("gzip"));
}

#[tokio::test]
async fn origins_are_asked_for_plain_content() {
    let options = CompressOptions::default();
    let pass = CompressOptions {
        origins: OriginCoding::Pass,
        ..options.clone()
    };
    for (options, request, expected) in [
        (&options, GZIP, Some("identity")),
        (&options, &[][..], None),
        (
            &options,
            &[("accept-encoding", "gzip"), ("upgrade", "websocket")],
            Some("gzip"),
        ),
        (&pass, GZIP, Some("gzip")),
    ] {
        let (_, asked) = run(
            options,
            request,
            &Method::GET,
            answer(200, JSON, Body::Empty),
        )
        .await;
        assert_eq!(asked.as_deref(), expected, "{request:?}");
    }
}

#[tokio::test]
async fn what_another_site_caused_keeps_its_length_to_itself() {
    let options = CompressOptions {
        breach: BreachGuard::On,
        ..CompressOptions::default()
    };
    for (site, coding) in [
        ("cross-site", None),
        ("same-origin", Some("gzip")),
        ("none", Some("gzip")),
    ] {
        let request = [("accept-encoding", "gzip"), ("sec-fetch-site", site)];
        let response = answer(200, JSON, Body::from("x".repeat(2_000)));
        let (response, _) = run(&options, &request, &Method::GET, response).await;
        assert_eq!(
            field(&response.expect("an answer"), "content-encoding"),
            coding,
            "{site}"
        );
    }
}

#[tokio::test]
async fn fields_tell_of_encoded_content() {
    let fields = [
        ("content-type", "text/html"),
        ("etag", "\"abc\""),
        ("content-length", "2000"),
        ("accept-ranges", "bytes"),
    ];
    let response = answer(200, &fields, Body::from("x".repeat(2_000)));
    let (response, _) = run(&CompressOptions::default(), GZIP, &Method::GET, response).await;
    let response = response.expect("an answer");
    assert_eq!(field(&response, "etag"), Some("W/\"abc\""));
    assert_eq!(field(&response, "content-length"), None);
    assert_eq!(field(&response, "accept-ranges"), None);
    assert!(
        response.body().length().is_some_and(|length| length < 100),
        "its own length is known"
    );
}

#[tokio::test]
async fn noise_stays_as_it_was() {
    let mut random = fastrand::Rng::with_seed(1);
    let noise: Vec<u8> = (0..40_000).map(|_| random.u8(..)).collect();
    let response = answer(
        200,
        &[("content-type", "text/plain"), ("etag", "\"abc\"")],
        Body::Full(noise.clone().into()),
    );
    let (response, _) = run(&CompressOptions::default(), GZIP, &Method::GET, response).await;
    let response = response.expect("an answer");
    assert_eq!(
        (
            field(&response, "content-encoding"),
            field(&response, "etag")
        ),
        (None, Some("\"abc\""))
    );
    assert!(matches!(response.body(), Body::Full(body) if *body == noise));
}

#[tokio::test]
async fn a_body_of_known_length_is_encoded_at_once_and_one_that_breaks_off_is_refused() {
    for pieces in [vec![20_000], vec![5_000; 4], vec![1, 19_999]] {
        let (mut sender, frames) = hand_off(Some(20_000));
        for piece in pieces {
            sender.send(Frame::Data(vec![b'x'; piece].into()));
        }
        sender.finish();
        let response = answer(200, JSON, Body::Stream(frames));
        let (response, _) = run(&CompressOptions::default(), GZIP, &Method::GET, response).await;
        let Body::Full(encoded) = response.expect("an answer").into_body() else {
            panic!("not at once")
        };
        let mut back = String::new();
        flate2::read::GzDecoder::new(&encoded[..])
            .read_to_string(&mut back)
            .expect("it decodes");
        assert_eq!(back, "x".repeat(20_000));
    }
    let (mut sender, frames) = hand_off(Some(20_000));
    sender.send(Frame::Data(vec![b'x'; 5].into()));
    sender.break_off(BodyBroken::Gone);
    let response = answer(200, JSON, Body::Stream(frames));
    let (response, _) = run(&CompressOptions::default(), GZIP, &Method::GET, response).await;
    assert_eq!(response.expect_err("no answer"), Refusal::OriginGone);
}

#[tokio::test]
async fn a_body_of_unknown_length_is_encoded_as_it_comes() {
    let (mut sender, frames) = hand_off(None);
    sender.send(Frame::Data(Bytes::from_static(b"data: one\n\n")));
    let events = [("content-type", "text/event-stream")];
    let response = answer(200, &events, Body::Stream(frames));
    let (response, _) = run(&CompressOptions::default(), GZIP, &Method::GET, response).await;
    let response = response.expect("an answer");
    assert_eq!(field(&response, "content-encoding"), Some("gzip"));
    let Body::Stream(mut frames) = response.into_body() else {
        panic!("not a stream")
    };
    assert_eq!(frames.length(), None);
    let Some(Ok(Frame::Data(first))) = frames.frame().await else {
        panic!("nothing came")
    };
    let mut back = [0; 11];
    flate2::read::GzDecoder::new(&first[..])
        .read_exact(&mut back)
        .expect("it can be read");
    assert_eq!(&back, b"data: one\n\n");
}

#[tokio::test]
async fn what_is_not_to_be_buffered_goes_on_as_it_comes_whatever_its_length() {
    let (mut sender, frames) = hand_off(Some(20_000));
    sender.send(Frame::Data(Bytes::from_static(b"data: one\n\n")));
    let fields = [
        ("content-type", "text/event-stream"),
        ("x-accel-buffering", "no"),
    ];
    let response = answer(200, &fields, Body::Stream(frames));
    let (response, _) = run(&CompressOptions::default(), GZIP, &Method::GET, response).await;
    let Body::Stream(mut frames) = response.expect("an answer").into_body() else {
        panic!("not a stream")
    };
    let Some(Ok(Frame::Data(first))) = frames.frame().await else {
        panic!("nothing came")
    };
    let mut back = [0; 11];
    flate2::read::GzDecoder::new(&first[..])
        .read_exact(&mut back)
        .expect("it can be read");
    assert_eq!(&back, b"data: one\n\n");
}
