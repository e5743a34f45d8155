//! Answers made of kept ones: whole, a part, or that the client has it already (RFC 9110, 13 to 15). Looks nothing up.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{
    AGE, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, DATE,
    ETAG, LAST_MODIFIED, RANGE,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};

use super::conditions::{self, Conditions};
use super::key::Key;
use super::memory::{CacheMemory, Variant};
use super::ranges::{self, Part};
use super::stored::{Head, Stored};
use crate::{Body, Coding, Frames, Request, Response};

/// The kept answer that an exchange is answered with, for codings of its body that are kept beside it.
#[derive(Debug)]
pub(crate) struct Kept {
    pub(super) memory: Arc<CacheMemory>,
    pub(super) key: Key,
    pub(super) variant: Variant,
}

/// What is known of a coding of a kept body.
#[derive(Debug)]
pub(crate) enum KnownCoding {
    /// Nothing.
    Unknown,
    /// It makes it no smaller.
    Useless,
    /// This is it.
    Known(Bytes),
}

impl Kept {
    /// Whether this is its very body, untouched on its way.
    pub(crate) fn is_of(&self, body: &Bytes) -> bool {
        let own = &self.variant.stored.body;
        own.as_ptr() == body.as_ptr() && own.len() == body.len()
    }

    pub(crate) fn coding(&self, coding: Coding) -> KnownCoding {
        match self.variant.coding(coding) {
            None => KnownCoding::Unknown,
            Some(body) if body.is_empty() => KnownCoding::Useless,
            Some(body) => KnownCoding::Known(body.clone()),
        }
    }

    /// Keeps a coding of its body beside it. None: it makes it no smaller.
    pub(crate) fn add_coding(&self, coding: Coding, body: Option<&Bytes>) {
        // its own piece of memory: what an encoder made room for is not counted
        let body = body.map_or_else(Bytes::new, |body| Bytes::copy_from_slice(body));
        self.memory
            .add_coding(self.key, &self.variant.stored, coding, body);
    }
}

/// A whole answer, or what the request makes of it.
pub(super) fn of_stored(request: &Request, stored: &Stored, age: u32) -> Response {
    let mut headers = stored.head.headers();
    headers.insert(AGE, HeaderValue::from(age));
    let mut response = Response::new(Body::Empty);
    *response.headers_mut() = headers;
    *response.status_mut() = stored.head.status;
    if stored.head.status != StatusCode::OK {
        *response.body_mut() = stored.body.clone().into();
        return response;
    }
    let conditions = Conditions::of(request.headers());
    if is_known(&conditions, &stored.head) {
        not_modified(&mut response);
        return response;
    }
    let is_get = *request.method() == Method::GET;
    match request.headers().get(RANGE).filter(|_| is_get) {
        Some(range) if may_be_parted(request, &stored.head) => {
            take_part(&mut response, &stored.body, range);
        }
        _ => *response.body_mut() = stored.body.clone().into(),
    }
    response
}

/// An answer whose body is still coming.
pub(super) fn of_coming(request: &Request, head: &Head, body: Frames, age: u32) -> Response {
    let mut response = Response::new(Body::Empty);
    *response.headers_mut() = head.headers();
    response.headers_mut().insert(AGE, HeaderValue::from(age));
    *response.status_mut() = head.status;
    if head.status == StatusCode::OK && is_known(&Conditions::of(request.headers()), head) {
        not_modified(&mut response);
    } else {
        *response.body_mut() = Body::Stream(body);
    }
    response
}

fn is_known(conditions: &Conditions, head: &Head) -> bool {
    conditions.are_met_by(
        head.field(&ETAG),
        head.field(&LAST_MODIFIED),
        head.field(&DATE),
    )
}

/// Whether a fetched answer is one that its client has already.
pub(super) fn is_known_to(conditions: &Conditions, headers: &HeaderMap) -> bool {
    let field = |name: &HeaderName| headers.get(name).map(HeaderValue::as_bytes);
    conditions.are_met_by(field(&ETAG), field(&LAST_MODIFIED), field(&DATE))
}

fn may_be_parted(request: &Request, head: &Head) -> bool {
    conditions::allow_range(
        request.headers(),
        head.field(&ETAG),
        head.field(&LAST_MODIFIED),
    )
}

/// Makes a whole answer one that says it has not changed: without what describes its content (RFC 9110, 15.4.5).
pub(super) fn not_modified(response: &mut Response) {
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    *response.body_mut() = Body::Empty;
    let headers = response.headers_mut();
    for name in [
        CONTENT_ENCODING,
        CONTENT_LANGUAGE,
        CONTENT_LENGTH,
        CONTENT_RANGE,
        CONTENT_TYPE,
    ] {
        headers.remove(name);
    }
    if headers.contains_key(ETAG) {
        headers.remove(LAST_MODIFIED);
    }
}

fn take_part(response: &mut Response, body: &Bytes, range: &HeaderValue) {
    let (status, content_range, part) = match ranges::part(range.as_bytes(), body.len()) {
        Part::Whole => {
            *response.body_mut() = body.clone().into();
            return;
        }
        Part::Bytes(first, end) => (
            StatusCode::PARTIAL_CONTENT,
            format!("bytes {first}-{}/{}", end - 1, body.len()),
            body.slice(first..end),
        ),
        Part::Unsatisfiable => (
            StatusCode::RANGE_NOT_SATISFIABLE,
            format!("bytes */{}", body.len()),
            Bytes::new(),
        ),
    };
    if let Ok(value) = HeaderValue::try_from(content_range) {
        response.headers_mut().insert(CONTENT_RANGE, value);
    }
    *response.status_mut() = status;
    *response.body_mut() = part.into();
}

/// The head of a kept answer with what a 304 says anew (RFC 9111, 3.2). What describes the content stays.
pub(super) fn freshened(head: &Head, not_modified: &HeaderMap) -> HeaderMap {
    let mut headers = head.headers();
    if head.terms.is_tagged_here() {
        // whether it gets one again is decided anew
        headers.remove(ETAG);
    }
    for name in not_modified.keys() {
        let is_of_content = [
            CONTENT_ENCODING,
            CONTENT_LENGTH,
            CONTENT_RANGE,
            CONTENT_TYPE,
        ]
        .contains(name);
        if is_of_content {
            continue;
        }
        headers.remove(name);
        for value in not_modified.get_all(name) {
            headers.append(name, value.clone());
        }
    }
    headers
}
