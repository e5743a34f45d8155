//! Which other sites' pages may read what is answered here.
//!
//! - **Does**: answers preflights with 204, so that no app sees them; marks every answer of a route, refusals too.
//!   The app's own CORS fields are replaced, never doubled.
//! - **Refuses**: 403 for a preflight from an origin that may not; the request itself is not refused, since what
//!   holds a page back is the browser. A method or header that may not be used is left to the browser as well, whose
//!   console names it.
//! - **Deployment caveat**: what depends on the origin carries `Vary: Origin`, also when the request had none, so
//!   that no cache hands one site the answer of another.
//! - **Follows**: the Fetch standard's CORS protocol; as npm's `cors` in what is sent, with two differences: `OPTIONS`
//!   without `Access-Control-Request-Method` is no preflight, and a 204 has no `Content-Length` (RFC 9110, 8.6).

mod pattern;

use std::time::Duration;

use http::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS,
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE,
    ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD, HeaderName, VARY,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};

pub use self::pattern::OriginPattern;
use crate::name_set::NameSet;
use crate::varies::Varies;
use crate::{Body, Enforcement, Exchange, Refusal, Response, Step};

/// Options of this stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CorsOptions {
    /// Whose pages may read answers. Empty: the app's own word holds, whatever it is.
    pub origins: Vec<OriginPattern>,
    /// The methods they may use, in capitals.
    pub methods: Vec<String>,
    /// The request fields they may send. None: those they ask for.
    pub headers: Option<Vec<String>>,
    /// The response fields they may read, beside the few that every page may.
    pub expose: Vec<String>,
    /// Whether cookies and the like are sent along.
    pub credentials: bool,
    /// For how long a browser may remember a preflight; whole seconds. None: the browser's own, 5 seconds.
    pub max_age: Option<Duration>,
    /// Whether public sites may reach this one in a private network.
    pub private_network: bool,
    /// On a dry run the app's own word holds, and preflights that would be refused are noted.
    #[serde(default)]
    pub enforcement: Enforcement,
}

impl Default for CorsOptions {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            methods: ["GET", "HEAD", "PUT", "PATCH", "POST", "DELETE"]
                .map(str::to_owned)
                .into(),
            headers: None,
            expose: Vec::new(),
            credentials: false,
            max_age: None,
            private_network: false,
            enforcement: Enforcement::default(),
        }
    }
}

const ALLOW_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-allow-private-network");
const REQUEST_PRIVATE_NETWORK: HeaderName =
    HeaderName::from_static("access-control-request-private-network");
const TRUE: HeaderValue = HeaderValue::from_static("true");

/// The stage; without rules it has nothing to do.
#[derive(Debug)]
pub(crate) struct Cors(Option<Box<Rules>>);

/// The options, written out.
#[derive(Debug)]
struct Rules {
    origins: Vec<OriginPattern>,
    /// Every origin, without credentials: the one case in which answers are the same for all.
    is_for_all: bool,
    methods: HeaderValue,
    headers: Option<HeaderValue>,
    expose: Option<HeaderValue>,
    credentials: bool,
    max_age: Option<HeaderValue>,
    private_network: bool,
    enforcement: Enforcement,
    /// What an app may have said itself.
    replaced: NameSet,
}

impl Cors {
    pub(crate) fn new(options: &CorsOptions) -> Self {
        if options.origins.is_empty() {
            return Self(None);
        }
        let is_any = options.origins.iter().any(OriginPattern::is_any);
        let listed = |names: &[String]| {
            let names = HeaderValue::from_str(&names.join(","));
            names.ok().filter(|names| !names.is_empty())
        };
        Self(Some(Box::new(Rules {
            origins: options.origins.clone(),
            is_for_all: is_any && !options.credentials,
            methods: listed(&options.methods).unwrap_or(HeaderValue::from_static("")),
            headers: options
                .headers
                .as_deref()
                .map(|names| listed(names).unwrap_or(HeaderValue::from_static(""))),
            expose: listed(&options.expose),
            credentials: options.credentials,
            max_age: options.max_age.map(|age| HeaderValue::from(age.as_secs())),
            private_network: options.private_network,
            enforcement: options.enforcement,
            replaced: NameSet::new([
                ACCESS_CONTROL_ALLOW_ORIGIN,
                ACCESS_CONTROL_ALLOW_CREDENTIALS,
                ACCESS_CONTROL_ALLOW_METHODS,
                ACCESS_CONTROL_ALLOW_HEADERS,
                ACCESS_CONTROL_EXPOSE_HEADERS,
                ACCESS_CONTROL_MAX_AGE,
                ALLOW_PRIVATE_NETWORK,
            ]),
        })))
    }

    /// The answer to a preflight; anything else goes on.
    pub(crate) fn answer(
        &self,
        exchange: &mut Exchange,
        request: &HeaderMap,
    ) -> Result<Option<Response>, Refusal> {
        exchange.pass(Step::Cors);
        let (Some(rules), Some(origin)) = (&self.0, &exchange.web_origin) else {
            return Ok(None);
        };
        let is_preflight = exchange.method == Method::OPTIONS
            && request.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let is_dry = rules.enforcement == Enforcement::DryRun;
        if !is_preflight && !is_dry {
            return Ok(None);
        }
        if !rules.allow(origin) && !is_own(exchange, origin) {
            rules
                .enforcement
                .apply(exchange, Step::Cors, Refusal::ForeignOrigin)?;
        }
        Ok((!is_dry).then(|| rules.permit(request)))
    }

    /// What of an answer's fields is for this stage to say. The last word about them: nothing was said before
    /// about refusals, and the app's own is replaced.
    pub(crate) fn mark(&self, exchange: &mut Exchange, response: &mut Response) {
        let Some(rules) = &self.0 else { return };
        // what was answered before there was a route is nobody's resource, and a switch of protocols no answer
        if rules.enforcement == Enforcement::DryRun
            || exchange.route.is_none()
            || response.status() == StatusCode::SWITCHING_PROTOCOLS
        {
            return;
        }
        rules.mark(exchange, response);
        exchange.note(Step::Cors, response.headers());
    }
}

impl Rules {
    fn allow(&self, origin: &HeaderValue) -> bool {
        let origin = origin.to_str().unwrap_or("");
        self.origins.iter().any(|pattern| pattern.matches(origin))
    }

    /// What a preflight is told beside what every answer says.
    fn permit(&self, request: &HeaderMap) -> Response {
        let mut response = Response::new(Body::Empty);
        *response.status_mut() = StatusCode::NO_CONTENT;
        let fields = response.headers_mut();
        fields.insert(ACCESS_CONTROL_ALLOW_METHODS, self.methods.clone());
        match &self.headers {
            Some(names) if names.is_empty() => {}
            Some(names) => {
                fields.insert(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
            }
            None => {
                fields.insert(
                    VARY,
                    HeaderValue::from_static("access-control-request-headers"),
                );
                for names in request.get_all(ACCESS_CONTROL_REQUEST_HEADERS) {
                    fields.append(ACCESS_CONTROL_ALLOW_HEADERS, names.clone());
                }
            }
        }
        if let Some(age) = &self.max_age {
            fields.insert(ACCESS_CONTROL_MAX_AGE, age.clone());
        }
        let asks = request.get(REQUEST_PRIVATE_NETWORK);
        if self.private_network && asks.is_some_and(|asks| asks == "true") {
            fields.insert(ALLOW_PRIVATE_NETWORK, TRUE);
        }
        response
    }

    fn mark(&self, exchange: &mut Exchange, response: &mut Response) {
        let fields = response.headers_mut();
        // what went on past this step was answered by others; what did not holds what `permit` said
        if exchange.trail.has(Step::LimitRate) {
            self.replaced.remove_from(fields);
        }
        let origin = if self.is_for_all {
            Some(HeaderValue::from_static("*"))
        } else {
            exchange.varies.add(Varies::ORIGIN);
            let origin = exchange.web_origin.as_ref();
            origin.filter(|origin| self.allow(origin)).cloned()
        };
        let Some(origin) = origin else { return };
        fields.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        if self.credentials {
            fields.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, TRUE);
        }
        if let Some(names) = &self.expose {
            fields.insert(ACCESS_CONTROL_EXPOSE_HEADERS, names.clone());
        }
    }
}

/// Whether a page of this very site asks: browsers name the origin of what is no `GET` to the page's own site too.
fn is_own(exchange: &Exchange, origin: &HeaderValue) -> bool {
    let rest = origin.to_str().ok().and_then(|origin| {
        let rest = origin.strip_prefix(exchange.scheme.as_str())?;
        rest.strip_prefix("://")
    });
    rest.is_some_and(|host| {
        host.as_bytes()
            .eq_ignore_ascii_case(exchange.host.as_bytes())
    })
}

#[cfg(test)]
mod tests;
