//! Another server is asked who comes, as nginx's `auth_request` and Traefik's `ForwardAuth` do: it gets the request's
//! head, and its answer decides. Asks through the same connections as everything else; reads no body of the client.

use std::sync::Arc;
use std::time::Duration;

use http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, IF_MATCH, IF_MODIFIED_SINCE,
    IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE, RANGE, TRAILER,
};
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri};
use serde::{Deserialize, Serialize};

use crate::{
    Body, Exchange, Forwarding, Identity, IdentityKind, Origin, Peer, Request, Response, Standing,
};

/// What is asked, and what of the answer counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForwardOptions {
    /// The app or upstream that is asked.
    pub to: String,
    /// The path it is asked at.
    pub path: String,
    /// Longer waits nobody.
    pub timeout: Duration,
    /// Fields of its answer that the app gets.
    pub copy: Vec<String>,
    /// The field of its answer that says who asks.
    pub user: Option<String>,
}

/// What the other server said.
pub(super) enum Word {
    /// This one may come, and the app is told these.
    Good(Arc<Identity>, Vec<(HeaderName, HeaderValue)>),
    /// It has an answer of its own: 401, 403, or to somewhere else.
    Instead(Response),
    /// Nothing that could be relied on.
    Nothing,
}

#[derive(Debug)]
pub(super) struct Forward {
    target: Option<usize>,
    uri: Uri,
    timeout: Duration,
    copy: Vec<HeaderName>,
    user: Option<HeaderName>,
}

impl Forward {
    pub(super) fn new(options: &ForwardOptions, standing: &Standing) -> Self {
        let name = |name: &String| name.to_ascii_lowercase().parse().ok();
        let mut targets = standing.targets().iter();
        Self {
            target: targets.position(|target| target.name == options.to),
            uri: options.path.parse().unwrap_or_default(),
            timeout: options.timeout,
            copy: options.copy.iter().filter_map(name).collect(),
            user: options.user.as_ref().and_then(name),
        }
    }

    /// Asks. The request's fields are those of the client, without those that an app is told who asks in.
    pub(super) async fn ask<O: Origin>(
        &self,
        exchange: &Exchange,
        headers: &HeaderMap,
        forwarding: &Arc<Forwarding>,
        origin: &O,
    ) -> Word {
        let Some(target) = self.target else {
            return Word::Nothing;
        };
        let (mut asked, request) = self.question(exchange, headers, forwarding);
        asked.target = target;
        let answer = tokio::time::timeout(self.timeout, origin.respond(&mut asked, request)).await;
        match answer {
            Ok(Ok(response)) => self.judge(response),
            Ok(Err(_)) | Err(_) => Word::Nothing,
        }
    }

    /// A request of its own, on the client's behalf.
    fn question(
        &self,
        exchange: &Exchange,
        headers: &HeaderMap,
        forwarding: &Arc<Forwarding>,
    ) -> (Exchange, Request) {
        let mut request = Request::new(Body::Empty);
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = headers.clone();
        // a peer of its own: what it says before its answer is not for the client
        let peer = Peer::plain(exchange.peer.address, exchange.peer.local_port);
        let mut asked = Exchange::begin(&Arc::new(peer), &request, exchange.started());
        asked.client = exchange.client;
        asked.peer_is_trusted = exchange.peer_is_trusted;
        asked.scheme = exchange.scheme;
        asked.host = exchange.host.clone();
        asked.request_id = exchange.request_id.clone();
        let headers = request.headers_mut();
        Forwarding::prepare(&mut asked, headers);
        for name in [
            CONTENT_LENGTH,
            CONTENT_TYPE,
            CONTENT_ENCODING,
            EXPECT,
            TRAILER,
            RANGE,
            IF_MATCH,
            IF_NONE_MATCH,
            IF_MODIFIED_SINCE,
            IF_UNMODIFIED_SINCE,
            IF_RANGE,
            http::header::UPGRADE,
            http::header::CONNECTION,
        ] {
            headers.remove(name);
        }
        let target = exchange
            .uri
            .path_and_query()
            .map_or("/", PathAndQuery::as_str);
        for (name, value) in [
            ("x-forwarded-method", exchange.method.as_str()),
            ("x-forwarded-uri", target),
            ("x-original-method", exchange.method.as_str()),
            ("x-original-uri", target),
        ] {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        }
        asked.forwarding = Some(Arc::clone(forwarding));
        (asked, request)
    }

    fn judge(&self, response: Response) -> Word {
        match response.status() {
            status if status.is_success() => {
                let headers = response.headers();
                let name = self.user.as_ref().and_then(|name| headers.get(name));
                let name = name.and_then(|name| name.to_str().ok()).unwrap_or("");
                let told = self.copy.iter().flat_map(|name| {
                    let values = headers.get_all(name).iter();
                    values.map(|value| (name.clone(), value.clone()))
                });
                let identity = Identity::named(IdentityKind::Forward, name);
                Word::Good(Arc::new(identity), told.collect())
            }
            StatusCode::UNAUTHORIZED
            | StatusCode::FORBIDDEN
            | StatusCode::MOVED_PERMANENTLY
            | StatusCode::FOUND
            | StatusCode::SEE_OTHER
            | StatusCode::TEMPORARY_REDIRECT
            | StatusCode::PERMANENT_REDIRECT => Word::Instead(response),
            _ => Word::Nothing,
        }
    }
}
