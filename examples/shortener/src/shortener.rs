//! The app: one request in, one answer out.
//!
//! What may not be here: waiting, sockets, trust in anything but the server in front (which sets `Host` and
//! `X-Forwarded-Proto`).

use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{io, process};

use bytes::Bytes;
use http::header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HOST, LOCATION};
use http::{Method, Request, StatusCode};
use serde::Deserialize;

use crate::{Answer, Link, LinkError, Links, Target, TargetError, form, page};

/// Shown by `GET /links` and, in part, by the start page.
const LATEST: usize = 50;

/// A request body's bound in bytes: the longest URL, every byte percent-encoded, and some room.
const LONGEST_BODY: usize = 8 * 1024;

/// `/slow` waits this long unless `?ms=` says otherwise.
const SLOW: u64 = 2_000;

/// And never longer than this.
const SLOWEST: u64 = 10_000;

/// The app's state in one worker.
#[derive(Debug)]
pub struct Shortener {
    links: Mutex<Links>,
}

/// The JSON body of `POST /links`.
#[derive(Deserialize)]
struct Wanted {
    url: String,
}

impl Shortener {
    /// Opens the file that all workers share.
    ///
    /// # Errors
    /// What the operating system said of the file.
    pub fn open(path: &Path) -> io::Result<Self> {
        Ok(Self {
            links: Mutex::new(Links::open(path)?),
        })
    }

    /// Answers one request, whose body has been read whole (the server bounds it; 8 KiB is enough for any link).
    pub fn handle(&self, request: &Request<Bytes>) -> Answer {
        let read = matches!(*request.method(), Method::GET | Method::HEAD);
        match (request.uri().path(), read) {
            ("/links", false) if request.method() == Method::POST => self.make(request),
            ("/", true) => self.home(),
            ("/links", true) => self.list(),
            ("/slow", true) => slow(request),
            ("/boom", true) => boom(),
            (path, true) => self.by_path(path),
            ("/links", false) => not_allowed("GET, HEAD, POST"),
            (_, false) => not_allowed("GET, HEAD"),
        }
    }

    fn home(&self) -> Answer {
        self.with_links(|links| {
            let latest = links.latest(LATEST / 5)?;
            Ok(Answer::html(StatusCode::OK, page::home(&latest)))
        })
    }

    fn list(&self) -> Answer {
        self.with_links(|links| Ok(Answer::json(StatusCode::OK, &links.latest(LATEST)?)))
    }

    fn make(&self, request: &Request<Bytes>) -> Answer {
        let browser = header(request, ACCEPT).contains("text/html");
        let target = match wanted(request) {
            Ok(text) => Target::parse(&text),
            Err((status, message)) => return Answer::error(status, &message),
        };
        match target {
            Ok(target) => self.with_links(|links| {
                let link = links.make(&target)?;
                Ok(made(request, &link, browser))
            }),
            Err(error) if browser => {
                Answer::html(StatusCode::BAD_REQUEST, page::refused(&error.to_string()))
            }
            Err(error) => Answer::error(StatusCode::BAD_REQUEST, &error.to_string()),
        }
    }

    fn by_path(&self, path: &str) -> Answer {
        if let Some(id) = path.strip_prefix("/links/") {
            return self.with_links(|links| {
                Ok(links
                    .find(id)?
                    .map_or_else(not_found, |link| Answer::json(StatusCode::OK, &link)))
            });
        }
        let id = path.trim_start_matches('/');
        self.with_links(|links| {
            let Some(link) = links.find(id)? else {
                return Ok(not_found());
            };
            links.visit(id)?;
            Ok(Answer::text(
                StatusCode::FOUND,
                "text/plain; charset=utf-8",
                format!("{}\n", link.url),
            )
            .with(LOCATION, &link.url)
            .with(CACHE_CONTROL, "no-store"))
        })
    }

    fn with_links(&self, work: impl FnOnce(&mut Links) -> Result<Answer, LinkError>) -> Answer {
        // A panic while the links were held leaves them readable: every change of them is one step.
        let mut links = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut links).unwrap_or_else(|error| match error {
            LinkError::Full => Answer::error(StatusCode::INSUFFICIENT_STORAGE, &error.to_string()),
            LinkError::File(_) => {
                Answer::error(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string())
            }
        })
    }
}

/// The URL that a body asks to shorten; an empty one if it names none.
fn wanted(request: &Request<Bytes>) -> Result<String, (StatusCode, String)> {
    if request.body().len() > LONGEST_BODY {
        return Err((
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is longer than 8 KiB".to_owned(),
        ));
    }
    let kind = header(request, CONTENT_TYPE)
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => serde_json::from_slice(request.body())
            .map(|Wanted { url }| url)
            .map_err(|_| (StatusCode::BAD_REQUEST, TargetError::Missing.to_string())),
        "application/x-www-form-urlencoded" => {
            let text = str::from_utf8(request.body()).unwrap_or_default();
            Ok(form::field(text, "url").unwrap_or_default())
        }
        _ => Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "send `application/json` or a form".to_owned(),
        )),
    }
}

fn made(request: &Request<Bytes>, link: &Link, browser: bool) -> Answer {
    let short = format!("{}/{}", base(request), link.id);
    let answer = if browser {
        Answer::html(StatusCode::CREATED, page::made(&short))
    } else {
        let body = serde_json::json!({ "id": link.id, "url": link.url, "short": short });
        Answer::json(StatusCode::CREATED, &body)
    };
    answer.with(LOCATION, &format!("/links/{}", link.id))
}

/// How the client reached us, or nothing (links are then relative) if that cannot be a host.
fn base(request: &Request<Bytes>) -> String {
    let host = header(request, HOST);
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte);
    if host.is_empty() || !host.bytes().all(plain) {
        return String::new();
    }
    let scheme = if header(request, "x-forwarded-proto") == "https" {
        "https"
    } else {
        "http"
    };
    format!("{scheme}://{host}")
}

fn slow(request: &Request<Bytes>) -> Answer {
    let asked = form::field(request.uri().query().unwrap_or_default(), "ms")
        .and_then(|text| text.parse().ok());
    let delay = Duration::from_millis(asked.unwrap_or(SLOW).min(SLOWEST));
    let body = serde_json::json!({ "waited_ms": delay.as_millis(), "worker": process::id() });
    Answer::json(StatusCode::OK, &body).after(delay)
}

/// What many apps send when something breaks; nobody outside should ever read it.
fn boom() -> Answer {
    Answer::text(
        StatusCode::INTERNAL_SERVER_ERROR,
        "text/plain; charset=utf-8",
        "Error: connect ECONNREFUSED 10.0.0.5:5432\n    at Links.query (/srv/app/src/links.js:42:11)\n    \
         at async handle (/srv/app/src/server.js:17:5)\nDATABASE_URL=postgres://app:hunter2@10.0.0.5/links\n",
    )
}

fn not_found() -> Answer {
    Answer::error(StatusCode::NOT_FOUND, "no such link")
}

fn not_allowed(methods: &str) -> Answer {
    Answer::error(
        StatusCode::METHOD_NOT_ALLOWED,
        "that method does nothing here",
    )
    .with(ALLOW, methods)
}

fn header(request: &Request<Bytes>, name: impl http::header::AsHeaderName) -> &str {
    request
        .headers()
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests;
