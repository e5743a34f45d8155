//! A refusal as an answer: JSON for programs, a small page for browsers, nothing internal ever.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};

use crate::{Body, Exchange, Refusal, Response, Step};

/// The answer, whatever came.
pub(crate) fn render(exchange: &mut Exchange, outcome: Result<Response, Refusal>) -> Response {
    exchange.pass(Step::Pages);
    match outcome {
        Ok(response) => response,
        Err(refusal) => {
            exchange.refusal = Some(refusal);
            page(exchange, refusal)
        }
    }
}

fn page(exchange: &Exchange, refusal: Refusal) -> Response {
    let status = refusal.status();
    let id = exchange.request_id.to_str().unwrap_or("");
    let (text, media_type) = if exchange.wants_html() {
        (html(status, id), "text/html; charset=utf-8")
    } else {
        (json(status, id), "application/json; charset=utf-8")
    };
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(seconds) = refusal.retry_after() {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    for challenge in &exchange.challenges {
        headers.append(WWW_AUTHENTICATE, challenge.clone());
    }
    response
}

fn json(status: StatusCode, id: &str) -> String {
    serde_json::json!({ "error": {
        "message": message(status),
        "code": code(status),
        "status": status.as_u16(),
        "request_id": id,
    }})
    .to_string()
}

fn html(status: StatusCode, id: &str) -> String {
    let (number, title, message) = (status.as_u16(), title(status), message(status));
    // ids from trusted proxies are bounded in length and alphabet, so they need no escaping here
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{number} {title}</title>\n\
         <h1>{title}</h1>\n<p>{message}</p>\n<p><small>{number} · {id}</small></p>\n</html>\n"
    )
}

fn title(status: StatusCode) -> &'static str {
    status.canonical_reason().unwrap_or("Error")
}

/// `BAD_GATEWAY`: what programs compare.
fn code(status: StatusCode) -> String {
    title(status)
        .to_ascii_uppercase()
        .replace([' ', '-'], "_")
        .replace('\'', "")
}

fn message(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "The request could not be understood.",
        401 => "Please say who you are.",
        403 => "This is not allowed.",
        404 => "There is nothing here.",
        405 => "This method is not allowed here.",
        408 => "The request took too long to arrive.",
        413 => "The request is too large.",
        414 => "The address is too long.",
        415 => "This media type is not understood here.",
        417 => "The expectation cannot be met.",
        421 => "This host is not served here.",
        429 => "Too many requests. Please try again later.",
        431 => "The request's headers are too large.",
        501 => "The request asks for something that is not supported.",
        502 => "The application did not answer properly. Please try again.",
        503 => "The service is not available right now. Please try again in a moment.",
        504 => "The application took too long to answer. Please try again.",
        505 => "This version of HTTP is not supported.",
        508 => "The request came back to where it had been.",
        _ => "The request could not be served.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Instant;

    fn rendered(accept: &str) -> (http::response::Parts, String) {
        let request = http::Request::builder()
            .header("accept", accept)
            .body(Body::Empty)
            .expect("a request");
        let mut exchange = Exchange::begin(&Arc::default(), &request, Instant::now());
        exchange.request_id = HeaderValue::from_static("abc");
        let (parts, body) =
            render(&mut exchange, Err(Refusal::OriginMalformed("two_lengths"))).into_parts();
        let Body::Full(text) = body else {
            panic!("a page has a body")
        };
        (parts, String::from_utf8(text.to_vec()).expect("text"))
    }

    #[test]
    fn programs_get_json() {
        for accept in ["*/*", "application/json", "application/json, text/html"] {
            let (parts, text) = rendered(accept);
            assert_eq!(parts.status, 502);
            assert_eq!(
                serde_json::from_str::<serde_json::Value>(&text).expect("JSON"),
                serde_json::json!({"error": {
                    "message": "The application did not answer properly. Please try again.",
                    "code": "BAD_GATEWAY", "status": 502, "request_id": "abc",
                }})
            );
        }
    }

    #[test]
    fn browsers_get_a_page_and_nobody_gets_insides() {
        let (parts, text) = rendered("text/html,application/xhtml+xml;q=0.9,*/*;q=0.8");
        assert_eq!(parts.headers[CONTENT_TYPE], "text/html; charset=utf-8");
        assert!(text.contains("Bad Gateway") && text.contains("abc"));
        assert!(!text.contains("two_lengths"));
    }
}
