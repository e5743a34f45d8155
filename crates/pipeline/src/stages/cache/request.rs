//! What of a request decides how the cache meets it. Looks nothing up.

use http::header::{
    AUTHORIZATION, COOKIE, HeaderName, IF_MATCH, IF_UNMODIFIED_SINCE, PROXY_AUTHORIZATION, RANGE,
    UPGRADE,
};
use http::{HeaderMap, Method};

use super::directives::Asked;
use super::fetch::Passage;
use super::key;
use super::note::Note;
use super::options::{CacheOptions, Credentials, RequestDirectives};
use super::terms::Sender;
use crate::{Body, Exchange, Request};

/// What a request that may be answered wants.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wants {
    pub(super) sender: Sender,
    pub(super) asked: Asked,
    /// It asks for a part, or for the head alone: its answer is none for others.
    pub(super) is_partial: bool,
}

/// Fields of clients that some servers take for the method or the path: an answer that they may have changed is nobody else's.
const OVERRIDES: [&str; 8] = [
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
    "x-original-url",
    "x-original-uri",
    "x-rewrite-url",
    "x-forwarded-prefix",
    "x-forwarded-path",
];

/// Fields beside `Authorization` that say who somebody is.
const CREDENTIALS: [&str; 3] = ["x-api-key", "x-auth-token", "x-access-token"];

#[derive(Default)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a field that is there or not"
)]
struct Signs {
    is_override: bool,
    is_upgrade: bool,
    is_precondition: bool,
    is_range: bool,
    is_authorized: bool,
    has_cookie: bool,
}

impl Signs {
    fn of(headers: &HeaderMap) -> Self {
        let mut signs = Self::default();
        for name in headers.keys() {
            if *name == COOKIE {
                signs.has_cookie = true;
            } else if *name == AUTHORIZATION || *name == PROXY_AUTHORIZATION {
                signs.is_authorized = true;
            } else if *name == RANGE {
                signs.is_range = true;
            } else if *name == UPGRADE {
                signs.is_upgrade = true;
            } else if *name == IF_MATCH || *name == IF_UNMODIFIED_SINCE {
                signs.is_precondition = true;
            } else {
                signs.note_own(name);
            }
        }
        signs
    }

    fn note_own(&mut self, name: &HeaderName) {
        let name = name.as_str();
        if !name.starts_with('x') {
            return;
        }
        // some servers read `_` as `-`
        let is = |known: &&str| {
            known.len() == name.len()
                && name
                    .bytes()
                    .zip(known.bytes())
                    .all(|(one, other)| one == other || (one == b'_' && other == b'-'))
        };
        self.is_override |= OVERRIDES.iter().any(&is);
        self.is_authorized |= CREDENTIALS.iter().any(is);
    }
}

/// What a request wants of the cache; or why answers that are kept may not be used, nor the answer be kept.
pub(super) fn wants(
    options: &CacheOptions,
    exchange: &Exchange,
    request: &Request,
) -> Result<Wants, Passage> {
    let headers = request.headers();
    let method = request.method();
    let is_safe = [Method::GET, Method::HEAD, Method::OPTIONS, Method::TRACE].contains(method);
    if !is_safe {
        return Err(Passage::Change(Note::bypass("method", "method")));
    }
    let signs = Signs::of(headers);
    if !matches!(*method, Method::GET | Method::HEAD) {
        return Err(Passage::Bypass(Note::bypass("method", "method")));
    }
    let pass = |detail| Err(Passage::Bypass(Note::bypass("bypass", detail)));
    if !matches!(request.body(), Body::Empty) {
        return pass("body");
    }
    if signs.is_upgrade {
        return pass("upgrade");
    }
    if signs.is_override {
        return pass("override");
    }
    if signs.is_precondition {
        return pass("precondition");
    }
    let sender = Sender {
        is_authorized: signs.is_authorized || exchange.identity.is_some(),
        has_cookies: signs.has_cookie && key::has_cookies(options, headers),
    };
    if options.credentials == Credentials::Pass {
        if sender.is_authorized {
            return pass("authorization");
        }
        if sender.has_cookies {
            return pass("cookie");
        }
    }
    let mut asked = Asked::of(headers);
    if options.requests == RequestDirectives::Ignore {
        asked = Asked {
            only_if_cached: asked.only_if_cached,
            ..Asked::default()
        };
    }
    if asked.no_store {
        return Err(Passage::Bypass(Note::bypass("request", "no_store")));
    }
    Ok(Wants {
        sender,
        asked,
        is_partial: signs.is_range || *method == Method::HEAD,
    })
}
