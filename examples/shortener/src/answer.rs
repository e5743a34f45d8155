//! What the app answers, before anybody writes it to a socket.
//!
//! What may not be here: decisions; they are made in [`crate::Shortener`].

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Response, StatusCode};
use serde::Serialize;

/// A response, and how long to wait before it is sent.
#[derive(Debug)]
pub struct Answer {
    /// Status, headers and the whole body. The length is the server's to announce.
    pub response: Response<Bytes>,
    /// Zero but for `/slow`.
    pub delay: Duration,
}

impl Answer {
    pub(crate) fn text(
        status: StatusCode,
        content_type: &'static str,
        body: impl Into<Bytes>,
    ) -> Self {
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        Self {
            response,
            delay: Duration::ZERO,
        }
    }

    pub(crate) fn html(status: StatusCode, page: String) -> Self {
        Self::text(status, "text/html; charset=utf-8", page)
    }

    pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Self {
        // Our own types have string keys and no floats: they always serialise.
        Self::text(
            status,
            "application/json",
            serde_json::to_vec(value).unwrap_or_default(),
        )
    }

    pub(crate) fn error(status: StatusCode, message: &str) -> Self {
        let body =
            serde_json::json!({ "error": { "message": message, "status": status.as_u16() } });
        Self::json(status, &body)
    }

    pub(crate) fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    pub(crate) fn with(mut self, name: HeaderName, value: &str) -> Self {
        // A value that is no header value was never stored; leaving it out beats failing the request.
        if let Ok(value) = HeaderValue::from_str(value) {
            self.response.headers_mut().insert(name, value);
        }
        self
    }
}
