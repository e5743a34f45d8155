//! Which settings each step goes by, and the steps of a rehearsal as lines. Prints nothing.

use std::fmt::Write as _;

use mainstay_config::{Effective, InForce, Origins, Settings};
use mainstay_pipeline::{RatePolicy, Step, TargetKind};

use super::{Asked, Rehearsal};
use crate::say;

/// Settings by the step that goes by them; what ends with a point stands for all that begins so.
const BY_STEP: &[(Step, &[&str])] = &[
    (
        Step::Identify,
        &[
            "trusted_proxies",
            "limits.head",
            "limits.field",
            "limits.fields",
            "limits.target",
            "timeouts.head",
        ],
    ),
    (Step::Health, &["without"]),
    (Step::Cache, &["cache."]),
    (Step::Compress, &["compress."]),
    (Step::Route, &["route."]),
    (
        Step::Admit,
        &[
            "limits.queue",
            "timeouts.queue",
            "maintenance.",
            "overload.",
        ],
    ),
    (Step::Filter, &["filter."]),
    (Step::Cors, &["cors."]),
    (
        Step::LimitRate,
        &["rate_limit.", "store", "store_ca_file", "timeouts.store"],
    ),
    (Step::Authenticate, &["auth."]),
    (
        Step::LimitSize,
        &["body.", "limits.body_rate", "timeouts.body_period"],
    ),
    (
        Step::Origin,
        &[
            "app.",
            "upstream.",
            "timeouts.connect",
            "timeouts.response",
            "timeouts.idle",
        ],
    ),
    (
        Step::Scrub,
        &["errors.scrub", "errors.log", "errors.replace"],
    ),
    (Step::Pages, &["errors.pages."]),
    (Step::Headers, &["headers."]),
];

/// And after the last step.
const RECORD: &[&str] = &[
    "log.access",
    "timeouts.send",
    "timeouts.keep_alive",
    "timeouts.keep_alive_trusted",
];

/// What of an app concerns requests rather than its processes.
const OF_AN_APP: [&str; 3] = ["command", "workers", "listen"];

/// The step that goes by a setting; none if it does not concern requests.
fn step_of(path: &str) -> Option<Step> {
    let path = of_a_route(path).unwrap_or(path);
    let is_meant =
        |known: &&str| *known == path || known.ends_with('.') && path.starts_with(*known);
    if RECORD.iter().any(is_meant) {
        return Some(Step::Record);
    }
    let found = BY_STEP.iter().find(|(_, paths)| paths.iter().any(is_meant));
    let (step, _) = found?;
    let is_of_processes = path.starts_with("app.")
        && !OF_AN_APP
            .iter()
            .any(|key| path.split('.').nth(2) == Some(key));
    (!is_of_processes).then_some(*step)
}

/// What of a route is a layer's: `headers.mode` of `route.embed.headers.mode`.
fn of_a_route(path: &str) -> Option<&str> {
    let (_, key) = path.strip_prefix("route.")?.split_once('.')?;
    key.contains('.').then_some(key)
}

/// One step of the way that a request takes, or would have taken.
pub(super) struct Stop {
    pub(super) step: Step,
    /// Whether the request came so far.
    pub(super) is_reached: bool,
    /// What it goes by there, of what this request meets.
    pub(super) settings: Vec<Effective>,
    /// The rate limits that take from a budget there, or would.
    pub(super) limits: Vec<RatePolicy>,
}

/// Every step in order.
pub(super) fn stops(rehearsal: &Rehearsal, settings: &Settings) -> Vec<Stop> {
    let taken: Vec<Step> = rehearsal.trail.steps().collect();
    let effective = &settings.effective();
    let of = |step| {
        let met = effective.iter().filter(move |line| {
            let limit = limit_of(&line.path);
            match limit {
                Some(name) => limits_at(rehearsal, step).any(|limit| limit.name == name),
                None => {
                    step_of(&line.path) == Some(step)
                        && concerns(&line.path, &line.value, rehearsal)
                        && !is_overruled(&line.path, effective, rehearsal)
                }
            }
        });
        met.cloned().collect()
    };
    let stop = |step| {
        let is_reached = taken.contains(&step);
        Stop {
            step,
            is_reached,
            settings: if is_reached { of(step) } else { Vec::new() },
            limits: limits_at(rehearsal, step).cloned().collect(),
        }
    };
    Step::ALL.into_iter().map(stop).collect()
}

/// The rehearsal, step by step, each with the settings it went by and where they stand.
pub(crate) fn lines(
    asked: &Asked,
    rehearsal: &Rehearsal,
    settings: &Settings,
    origins: &Origins,
) -> String {
    let mut text = format!("{} {}\n", say::strong(asked.method.as_str()), asked.url());
    let _ = writeln!(text, "  {}", outcome(rehearsal, origins));
    for stop in stops(rehearsal, settings) {
        let step = stop.step;
        if !stop.is_reached {
            let line = format!("{:>13}  not reached{}", step.name(), ahead(&stop.limits));
            let _ = writeln!(text, "{}", say::dim(&line));
            continue;
        }
        let _ = writeln!(
            text,
            "{:>13}  {}",
            say::strong(&format!("{:>13}", step.name())),
            step.sentence()
        );
        for Effective { path, value } in &stop.settings {
            let origin = say::dim(&format!("# {}", origins.of(path)));
            let _ = writeln!(text, "{:15}{path} = {value}  {origin}", "");
        }
        if stop.settings.is_empty() && step != Step::Pages {
            let nothing = say::dim("no setting asks for anything: it passes");
            let _ = writeln!(text, "{:15}{nothing}", "");
        }
    }
    text
}

/// The rate limits that are asked at a step.
fn limits_at(rehearsal: &Rehearsal, step: Step) -> impl Iterator<Item = &RatePolicy> {
    let limits = rehearsal.limits.iter();
    limits.filter(move |limit| limit.step() == step)
}

/// `login` of `rate_limit.login.rate`.
fn limit_of(path: &str) -> Option<&str> {
    path.strip_prefix("rate_limit.")?.split('.').next()
}

/// What would count a request there, had it come so far.
fn ahead(limits: &[RatePolicy]) -> String {
    let told = limits.iter().map(|limit| {
        let key: Vec<String> = limit.key.iter().map(ToString::to_string).collect();
        let by = match &key[..] {
            [] => String::new(),
            key => format!(" by {}", key.join("+")),
        };
        format!("`{}` ({}{by})", limit.name, limit.rate)
    });
    match &told.collect::<Vec<_>>()[..] {
        [] => String::new(),
        several => format!("; it would be counted by {}", several.join(", ")),
    }
}

/// Of routes, targets and headers only those that this request meets.
fn concerns(path: &str, value: &InForce, rehearsal: &Rehearsal) -> bool {
    let route = rehearsal.route.as_ref();
    if let Some(rest) = path.strip_prefix("route.") {
        let name = rest.split('.').next();
        return route.is_none_or(|(route, _)| name == Some(route)) && does_something(path, value);
    }
    if path.starts_with("auth.") && matches!(value, InForce::Unsaid(_)) {
        return false;
    }
    let target = path
        .strip_prefix("app.")
        .or_else(|| path.strip_prefix("upstream."));
    if let Some(rest) = target {
        let name = rest.split('.').next();
        return route.is_some_and(|(_, target)| name == Some(&*target.name));
    }
    does_something(path, value)
}

/// What is not sent, and nobody who may, is nothing to tell.
fn does_something(path: &str, value: &InForce) -> bool {
    let path = of_a_route(path).unwrap_or(path);
    let is_nothing = |text: &str| matches!(text, "false" | "[]");
    let InForce::Value(text) = value else {
        return true;
    };
    let has_its_say = ["headers.", "cors.", "auth."];
    !has_its_say.iter().any(|layer| path.starts_with(layer)) || !is_nothing(text)
}

/// Whether the route that was met says something of its own about the same layer.
fn is_overruled(path: &str, all: &[Effective], rehearsal: &Rehearsal) -> bool {
    let (Some((route, _)), Some((layer, _))) = (&rehearsal.route, path.split_once('.')) else {
        return false;
    };
    let own = format!("route.{route}.{layer}.");
    all.iter().any(|line| line.path.starts_with(&own))
}

fn outcome(rehearsal: &Rehearsal, origins: &Origins) -> String {
    let mut text = match (&rehearsal.route, rehearsal.status) {
        (Some((route, target)), None) => {
            let (kind, noun) = match target.kind {
                TargetKind::App => ("app", "worker"),
                TargetKind::Upstream => ("upstream", "server"),
            };
            let plural = if target.count == 1 { "" } else { "s" };
            format!(
                "route `{route}` ({}) leads to {kind} `{}` ({}), {} {noun}{plural}",
                origins.of(&format!("route.{route}")),
                target.name,
                origins.of(&format!("{kind}.{}", target.name)),
                target.count
            )
        }
        (_, Some(status)) => {
            let by = rehearsal.refusal.map_or_else(
                || "answered by Mainstay itself".to_owned(),
                |reason| format!("refused: {reason}"),
            );
            format!("{by}, with status {status}; no app sees it")
        }
        (None, None) => "answered".to_owned(),
    };
    let set: Vec<&str> = rehearsal
        .headers
        .keys()
        .map(http::HeaderName::as_str)
        .collect();
    let _ = write!(text, "\n  sets {}", set.join(", "));
    text
}

#[cfg(test)]
mod tests {
    use mainstay_config::{Flags, Sources, load};

    use super::*;

    /// What concerns processes, addresses and the instance as a whole.
    const NOT_OF_REQUESTS: [&str; 9] = [
        "name",
        "preset",
        "user",
        "group",
        "listen.",
        "app.",
        "reload.",
        "shutdown.",
        "upstream.",
    ];

    #[test]
    fn every_setting_belongs_to_a_step_or_to_no_request() {
        let sources = Sources {
            flags: Flags::default(),
            folder: "/srv/shop".into(),
            ..Sources::default()
        };
        let settings = load(&sources).expect("the defaults");
        for Effective { path, .. } in settings.effective() {
            let known = NOT_OF_REQUESTS
                .iter()
                .any(|known| *known == path || known.ends_with('.') && path.starts_with(known));
            assert!(step_of(&path).is_some() || known, "{path}");
        }
        assert_eq!(step_of("app.web.workers"), Some(Step::Origin));
        assert_eq!(step_of("app.web.kill_timeout"), None);
        assert_eq!(step_of("limits.fields"), Some(Step::Identify));
        assert_eq!(step_of("route.a.path"), Some(Step::Route));
        assert_eq!(step_of("route.a.headers.mode"), Some(Step::Headers));
    }
}
