//! Probes: is the process alive, ready, started.
//!
//! - **Does**: answers `/.mainstay/live`, `/ready`, `/startup`, `/full` always. Paths that apps use
//!   themselves (`/health`, `/ready`, `/health/readiness`, …) are answered with 503 while starting or
//!   draining, and with 200 while the instance is paused or in maintenance; else the app answers, and its 404 becomes ours.
//! - **Refuses**: nothing; a probe gets 200 or 503.
//! - **Deployment caveat**: `full` names apps and counts workers to local clients only.

use std::sync::Arc;

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, StatusCode};
use serde::{Deserialize, Serialize};

use crate::{Body, Exchange, Phase, Response, Standing, Step};

/// What a probe asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Probe {
    Live,
    Ready,
    Startup,
    Full,
}

/// Options of this stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HealthOptions {
    /// Whether probes are answered; else their paths reach the app like any other.
    pub enabled: bool,
}

impl Default for HealthOptions {
    fn default() -> Self {
        Self { enabled: true }
    }
}

#[derive(Debug)]
pub(crate) struct Health {
    options: HealthOptions,
    standing: Arc<Standing>,
}

impl Health {
    pub(crate) fn new(options: HealthOptions, standing: Arc<Standing>) -> Self {
        Self { options, standing }
    }

    /// Our own answer, if it is for us to give.
    pub(crate) fn answer(&self, exchange: &mut Exchange) -> Option<Response> {
        exchange.pass(Step::Health);
        let asks = exchange.method == Method::GET || exchange.method == Method::HEAD;
        if !asks || !self.options.enabled {
            return None;
        }
        let path = exchange.uri.path();
        if let Some(probe) = path.strip_prefix("/.mainstay/").and_then(own) {
            return Some(self.report(exchange, probe));
        }
        let probe = apps(path)?;
        exchange.is_probe = true;
        // while requests are kept out, the app is not asked either
        let is_ours = !self.is_up(probe) || self.standing.is_suspended();
        is_ours.then(|| self.report(exchange, probe))
    }

    /// Replaces the app's 404 to a probe.
    pub(crate) fn fill_in(&self, exchange: &Exchange, response: &mut Response) {
        if exchange.is_probe
            && response.status() == StatusCode::NOT_FOUND
            && let Some(probe) = apps(exchange.uri.path())
        {
            *response = self.report(exchange, probe);
        }
    }

    fn is_up(&self, probe: Probe) -> bool {
        match probe {
            Probe::Live => true,
            Probe::Startup => self.standing.has_started(),
            Probe::Ready | Probe::Full => self.standing.phase() == Phase::Ready,
        }
    }

    fn report(&self, exchange: &Exchange, probe: Probe) -> Response {
        let phase = match self.standing.phase() {
            Phase::Starting => "starting",
            Phase::Ready => "ready",
            Phase::Draining => "draining",
        };
        let word = if probe == Probe::Live { "alive" } else { phase };
        let mut report = serde_json::json!({ "status": word });
        if probe == Probe::Full && exchange.client.is_loopback() {
            if let Some(suspension) = self.standing.suspension().name() {
                report["suspension"] = suspension.into();
            }
            report["uptime_seconds"] = self.standing.uptime().as_secs().into();
            for target in self.standing.targets() {
                report["targets"][&target.name] =
                    serde_json::json!({ "ready": target.ready(), "wanted": target.wanted() });
            }
        }
        let mut response = Response::new(Body::from(report.to_string()));
        if !self.is_up(probe) {
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
        }
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response
    }
}

fn own(name: &str) -> Option<Probe> {
    match name {
        "live" => Some(Probe::Live),
        "ready" => Some(Probe::Ready),
        "startup" => Some(Probe::Startup),
        "full" => Some(Probe::Full),
        _ => None,
    }
}

fn apps(path: &str) -> Option<Probe> {
    match path {
        "/health/liveness" => Some(Probe::Live),
        "/health" | "/ready" | "/health/readiness" => Some(Probe::Ready),
        "/health/startup" => Some(Probe::Startup),
        "/health/full" => Some(Probe::Full),
        _ => None,
    }
}
