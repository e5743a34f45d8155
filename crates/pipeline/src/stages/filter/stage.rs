//! The stage: what is asked, in order. The lists are elsewhere.

use std::net::IpAddr;

use http::header::{ACCESS_CONTROL_REQUEST_METHOD, ALLOW};
use http::{HeaderMap, HeaderValue, Method};
use mainstay_values::{HostPattern, Network};

use super::names::HiddenNames;
use super::options::{FilterOptions, MethodRule};
use super::traps::TrapPaths;
use crate::stages::TrapBans;
use crate::{Enforcement, Exchange, Readings, Refusal, Response, Standing, Step};

/// What a 405 names where no list says more (RFC 9110, 15.5.6 wants it named).
const USUAL: &str = "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS";

/// By which some frameworks take one method for another: a method that is refused must not come in by them.
const OVERRIDES: [&str; 3] = [
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
];

#[derive(Debug)]
pub(crate) struct Filter {
    enforcement: Enforcement,
    allow: Vec<Network>,
    deny: Vec<Network>,
    hosts: Vec<HostPattern>,
    methods: MethodRule,
    /// For `Allow`.
    allowed: HeaderValue,
    hidden: Option<HiddenNames>,
    traps: TrapPaths,
    bans: Option<TrapBans>,
    /// Nobody is turned away: nothing needs to be asked.
    is_idle: bool,
}

impl Filter {
    pub(crate) fn new(options: &FilterOptions, standing: &Standing) -> Self {
        let idle = FilterOptions {
            enforcement: options.enforcement,
            hidden_except: options.hidden_except.clone(),
            trap_ban: options.trap_ban,
            ..FilterOptions::default()
        };
        Self {
            enforcement: options.enforcement,
            allow: options.allow.clone(),
            deny: options.deny.clone(),
            hosts: options.hosts.clone(),
            allowed: allowed(&options.methods),
            methods: options.methods.clone(),
            hidden: HiddenNames::new(options.hidden.names(), options.hidden_except.clone()),
            traps: TrapPaths::new(options.traps.paths()),
            bans: options
                .trap_policy()
                .map(|policy| TrapBans::new(&policy, standing)),
            is_idle: *options == idle,
        }
    }

    /// Lets the request pass, or not.
    pub(crate) fn check(
        &self,
        exchange: &mut Exchange,
        headers: &HeaderMap,
    ) -> Result<(), Refusal> {
        exchange.pass(Step::Filter);
        if self.is_idle {
            return Ok(());
        }
        let Some(refusal) = self.judge(exchange, headers) else {
            return Ok(());
        };
        if let (Refusal::Trap, Some(bans)) = (refusal, &self.bans) {
            bans.caught(exchange, headers);
        }
        self.enforcement.apply(exchange, Step::Filter, refusal)
    }

    /// Says which methods there are, in the answer to one that is not.
    pub(crate) fn name_methods(&self, response: &mut Response) {
        response.headers_mut().insert(ALLOW, self.allowed.clone());
    }

    /// The first reason not to serve it: who asks before what is asked for.
    fn judge(&self, exchange: &Exchange, headers: &HeaderMap) -> Option<Refusal> {
        if !self.admits(exchange.client) {
            return Some(Refusal::Network);
        }
        // whoever watches the app is not to be turned away
        let mut bans = self.bans.iter().filter(|_| !exchange.is_probe);
        if bans.any(|bans| bans.hold(exchange, headers)) {
            return Some(Refusal::TrapBanned);
        }
        let host = || exchange.host_name();
        if !self.hosts.is_empty() && !self.hosts.iter().any(|known| known.matches(host())) {
            return Some(Refusal::WrongHost);
        }
        if !self.serves(&exchange.method, headers) {
            return Some(Refusal::Method);
        }
        self.judge_path(exchange.uri.path())
    }

    fn judge_path(&self, path: &str) -> Option<Refusal> {
        let hidden = self
            .hidden
            .as_ref()
            .filter(|names| !names.surely_show(path));
        if self.traps.is_empty() && hidden.is_none() {
            return None;
        }
        let readings = Readings::of(path);
        // first: who walks into one is to be known as such, even where the file is hidden too
        if self.traps.meet(&readings) {
            return Some(Refusal::Trap);
        }
        let is_hidden = hidden.is_some_and(|names| names.hide(&readings));
        is_hidden.then_some(Refusal::HiddenFile)
    }

    fn admits(&self, client: IpAddr) -> bool {
        let is_in = |networks: &[Network]| networks.iter().any(|network| network.contains(client));
        !is_in(&self.deny) && (self.allow.is_empty() || is_in(&self.allow))
    }

    fn serves(&self, method: &Method, headers: &HeaderMap) -> bool {
        match &self.methods {
            MethodRule::Any => true,
            MethodRule::NoTrace => *method != Method::TRACE && method.as_str() != "TRACK",
            MethodRule::Only(known) => {
                let is_known = |method: &str| {
                    known.iter().any(|known| {
                        known.eq_ignore_ascii_case(method)
                            || known == "GET" && method.eq_ignore_ascii_case("HEAD")
                    })
                };
                let is_preflight = *method == Method::OPTIONS
                    && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
                let claims = OVERRIDES.iter().flat_map(|name| headers.get_all(*name));
                (is_preflight
                    || known.iter().any(|known| known == method.as_str())
                    || *method == Method::HEAD && is_known("GET"))
                    && claims
                        .map(|claim| claim.to_str().unwrap_or_default().trim())
                        .all(is_known)
            }
        }
    }
}

fn allowed(rule: &MethodRule) -> HeaderValue {
    let MethodRule::Only(known) = rule else {
        return HeaderValue::from_static(USUAL);
    };
    let mut text = known.join(", ");
    let has = |name: &str| known.iter().any(|known| known == name);
    if has("GET") && !has("HEAD") {
        text.push_str(", HEAD");
    }
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(USUAL))
}

#[cfg(test)]
mod tests;
