//! What browsers report against the content security policy.
//!
//! - **Does**: takes `POST`s to the paths that policies name, before there is a route: no app sees them, and no limit of
//!   an app counts them. Reads at most 64 KiB of each, and of each second so many; counts what is left. 204.
//! - **Refuses**: 413 for more, 415 for another media type, 400 for what is no report.
//! - **Deployment caveat**: anybody can send reports. What they say is shown and suggested, never acted on.
//! - **Follows**: CSP 3, 5 and the Reporting API, in both forms that browsers send.

mod collected;
mod violation;

use std::sync::Arc;
use std::time::SystemTime;

use bytes::{Bytes, BytesMut};
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};

pub use self::collected::{Reported, Violations};
pub use self::violation::Violation;
use crate::{Body, Exchange, Frame, Layers, Notices, Refusal, Request, Response, RouteOptions};

/// More than any browser sends.
const LARGEST: usize = 64 * 1024;

#[derive(Debug)]
pub(crate) struct Reports {
    /// Where they are sent; empty where nobody collects them.
    paths: Vec<String>,
    notices: Arc<Notices>,
}

impl Reports {
    pub(crate) fn new(general: &Layers, routes: &[RouteOptions], notices: Arc<Notices>) -> Self {
        let of_routes = routes.iter().filter_map(|route| route.layers.as_deref());
        let policies = of_routes
            .chain([general])
            .filter_map(|layers| layers.headers.csp.as_ref());
        let mut paths: Vec<String> = policies.filter_map(|csp| csp.report.clone()).collect();
        paths.sort();
        paths.dedup();
        Self { paths, notices }
    }

    /// Whether this is a report.
    pub(crate) fn are_meant_by(&self, exchange: &Exchange) -> bool {
        !self.paths.is_empty()
            && exchange.method == Method::POST
            && self.paths.iter().any(|path| path == exchange.uri.path())
    }

    /// Takes one.
    pub(crate) async fn take(
        &self,
        exchange: &Exchange,
        request: Request,
    ) -> Result<Response, Refusal> {
        let parse = match media_type(&request) {
            b"application/csp-report" | b"application/json" => Violation::of_one,
            b"application/reports+json" => Violation::of_several,
            _ => {
                let refused = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                return Err(Refusal::Report(refused, "report_media_type"));
            }
        };
        let since = exchange.began().duration_since(SystemTime::UNIX_EPOCH);
        let violations = self.notices.violations();
        if violations.admit(since.unwrap_or_default().as_secs()) {
            let body = read(request.into_body()).await?;
            let malformed = Refusal::Report(StatusCode::BAD_REQUEST, "report_malformed");
            for violation in parse(&body).ok_or(malformed)? {
                violations.note(violation);
            }
        }
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::NO_CONTENT;
        Ok(response)
    }
}

/// Without its parameters.
fn media_type(request: &Request) -> &[u8] {
    let field = request.headers().get(CONTENT_TYPE);
    let field = field.map_or(&b""[..], http::HeaderValue::as_bytes);
    let end = memchr::memchr(b';', field).unwrap_or(field.len());
    field[..end].trim_ascii()
}

async fn read(body: Body) -> Result<Bytes, Refusal> {
    let too_large = Refusal::Report(StatusCode::PAYLOAD_TOO_LARGE, "report_too_large");
    if body.length().is_some_and(|length| length > LARGEST as u64) {
        return Err(too_large);
    }
    let mut frames = match body {
        Body::Empty => return Ok(Bytes::new()),
        Body::Full(bytes) => return Ok(bytes),
        Body::Stream(frames) => frames,
    };
    let mut whole = BytesMut::new();
    while let Some(frame) = frames.frame().await {
        match frame {
            Ok(Frame::Data(piece)) if whole.len() + piece.len() > LARGEST => return Err(too_large),
            Ok(Frame::Data(piece)) => whole.extend_from_slice(&piece),
            Ok(Frame::Trailers(_)) => {}
            Err(_) => return Err(Refusal::BodyBroken),
        }
    }
    Ok(whole.freeze())
}
