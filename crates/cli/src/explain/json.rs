//! A rehearsal for programs: the same as its lines, under names that stay. Prints nothing.

use mainstay_config::{Origins, Settings};
use mainstay_pipeline::{Enforcement, TargetKind};
use serde_json::{Map, Value, json};

use super::steps::{Stop, stops};
use super::{Asked, Rehearsal};
use crate::check::setting_json;

/// [The page](../../../../docs/operations/explain.md) says what each field is.
pub(crate) fn json(
    asked: &Asked,
    rehearsal: &Rehearsal,
    settings: &Settings,
    origins: &Origins,
) -> Value {
    let route = rehearsal.route.as_ref();
    let origin = |path: &str| origins.of(path).to_string();
    let step = |stop: &Stop| {
        let settings = stop.settings.iter();
        json!({
            "step": stop.step.name(),
            "reached": stop.is_reached,
            "does": stop.step.sentence(),
            "settings": settings.map(|line| setting_json(line, origins)).collect::<Vec<_>>(),
        })
    };
    let stops = stops(rehearsal, settings);
    let limits = stops.iter().flat_map(|stop| {
        stop.limits.iter().map(|limit| {
            json!({
                "name": limit.name, "rate": limit.rate.to_string(), "key": limit.key,
                "step": stop.step.name(), "reached": stop.is_reached,
                "dry_run": limit.enforcement == Enforcement::DryRun,
                "origin": origin(&format!("rate_limit.{}", limit.name)),
            })
        })
    });
    json!({
        "method": asked.method.as_str(),
        "url": asked.url(),
        "route": route.map(|(route, _)| json!({
            "name": route, "origin": origin(&format!("route.{route}")),
        })),
        "target": route.map(|(_, target)| {
            let kind = match target.kind {
                TargetKind::App => "app",
                TargetKind::Upstream => "upstream",
            };
            json!({
                "kind": kind, "name": target.name, "count": target.count,
                "origin": origin(&format!("{kind}.{}", target.name)),
            })
        }),
        "status": rehearsal.status,
        "refusal": rehearsal.refusal,
        "sets": sets(rehearsal),
        "rate_limits": limits.collect::<Vec<_>>(),
        "steps": stops.iter().map(step).collect::<Vec<_>>(),
    })
}

/// The fields that are set, whatever the app says.
fn sets(rehearsal: &Rehearsal) -> Map<String, Value> {
    let fields = rehearsal.headers.iter();
    let fields = fields.map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes());
        (name.as_str().to_owned(), value.into_owned().into())
    });
    fields.collect()
}
