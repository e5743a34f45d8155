//! A refusal as an answer, and an answer in the place of an app's that nobody may see: JSON for programs, a small page
//! for browsers, or the user's own pages; nothing internal ever.

mod template;
mod wording;

use http::header::{
    ACCEPT_RANGES, AGE, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_ENCODING, CONTENT_LANGUAGE,
    CONTENT_LENGTH, CONTENT_LOCATION, CONTENT_RANGE, CONTENT_TYPE, ETAG, EXPIRES, LAST_MODIFIED,
    RETRY_AFTER, TRAILER, TRANSFER_ENCODING, WWW_AUTHENTICATE,
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use mainstay_values::StatusPattern;
use serde::{Deserialize, Serialize};

pub use template::PageKind;

use crate::{Body, Exchange, Refusal, Response};
use template::Template;

/// A page of the user's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageOptions {
    /// What it is for. One status goes before a class of them.
    pub status: StatusPattern,
    /// What it is written in.
    pub kind: PageKind,
    /// The page, with `{status}`, `{title}`, `{message}` and `{request_id}` where those belong.
    pub text: String,
}

/// Fields that speak of a body that is not sent any more, and two that tell where in the program it was made.
const OF_THE_BODY: [HeaderName; 20] = [
    ACCEPT_RANGES,
    AGE,
    CONTENT_DISPOSITION,
    CONTENT_ENCODING,
    CONTENT_LANGUAGE,
    CONTENT_LENGTH,
    CONTENT_LOCATION,
    CONTENT_RANGE,
    ETAG,
    EXPIRES,
    LAST_MODIFIED,
    TRAILER,
    TRANSFER_ENCODING,
    HeaderName::from_static("content-digest"),
    HeaderName::from_static("content-md5"),
    HeaderName::from_static("digest"),
    HeaderName::from_static("repr-digest"),
    HeaderName::from_static("x-debug-exception"),
    HeaderName::from_static("x-debug-exception-file"),
    HeaderName::from_static("x-sourcefiles"),
];

#[derive(Debug)]
pub(crate) struct Pages {
    /// Single statuses before classes.
    own: Vec<(StatusPattern, PageKind, Template)>,
}

#[derive(Serialize)]
struct Told<'a> {
    error: Error<'a>,
}

/// In this order, which programs' authors know from their own handlers.
#[derive(Serialize)]
struct Error<'a> {
    message: &'a str,
    code: &'a str,
    status: u16,
    request_id: &'a str,
}

impl Pages {
    pub(crate) fn new(options: &[PageOptions]) -> Self {
        let made = |page: &PageOptions| (page.status, page.kind, Template::new(&page.text));
        let mut own: Vec<_> = options.iter().map(made).collect();
        own.sort_by_key(|(status, ..)| *status);
        Self { own }
    }

    /// The answer in the place of one that is refused.
    pub(crate) fn render(&self, exchange: &mut Exchange, refusal: Refusal) -> Response {
        exchange.refusal = Some(refusal);
        self.of_refusal(exchange, refusal)
    }

    /// The page in the place of an app's answer. Its status and what concerns the client (`Set-Cookie`, `Retry-After`,
    /// CORS) stay; what speaks of the body that was goes with it.
    pub(crate) fn replace(&self, exchange: &Exchange, response: Response) -> Response {
        let (mut parts, _) = response.into_parts();
        for name in &OF_THE_BODY {
            parts.headers.remove(name);
        }
        let body = self.body(exchange, parts.status, &mut parts.headers);
        Response::from_parts(parts, body)
    }

    fn of_refusal(&self, exchange: &Exchange, refusal: Refusal) -> Response {
        let status = refusal.status();
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = status;
        *response.body_mut() = self.body(exchange, status, response.headers_mut());
        if let Some(seconds) = refusal.retry_after() {
            let seconds = HeaderValue::from(seconds);
            response.headers_mut().insert(RETRY_AFTER, seconds);
        }
        for challenge in &exchange.challenges {
            let headers = response.headers_mut();
            headers.append(WWW_AUTHENTICATE, challenge.clone());
        }
        response
    }

    /// The page itself, and the fields that say what it is.
    fn body(&self, exchange: &Exchange, status: StatusCode, headers: &mut HeaderMap) -> Body {
        let kind = if exchange.wants_html() {
            PageKind::Html
        } else {
            PageKind::Json
        };
        let media_type = HeaderValue::from_static(kind.media_type());
        headers.insert(CONTENT_TYPE, media_type);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        let id = exchange.request_id.to_str().unwrap_or("");
        let own = self
            .own
            .iter()
            .find(|(pattern, of_kind, _)| *of_kind == kind && pattern.matches(status.as_u16()));
        let text = match (own, kind) {
            (Some((.., page)), _) => page.fill(kind, status, id),
            (None, PageKind::Html) => html(status, id),
            (None, PageKind::Json) => json(status, id),
        };
        Body::from(text)
    }
}

fn json(status: StatusCode, id: &str) -> String {
    let told = Told {
        error: Error {
            message: wording::message(status),
            code: &wording::code(status),
            status: status.as_u16(),
            request_id: id,
        },
    };
    // texts and a number always can be written
    serde_json::to_string(&told).unwrap_or_default()
}

fn html(status: StatusCode, id: &str) -> String {
    let number = status.as_u16();
    let (title, message) = (wording::title(status), wording::message(status));
    // ids from trusted proxies are bounded in length and alphabet, so they need no escaping here
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>{number} {title}</title>\n\
         <h1>{title}</h1>\n<p>{message}</p>\n<p><small>{number} · {id}</small></p>\n</html>\n"
    )
}

#[cfg(test)]
mod tests;
