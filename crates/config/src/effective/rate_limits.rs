//! The lines of `[rate_limit.NAME]`, one policy after the other.

use mainstay_pipeline::{Algorithm, RatePolicy};

use super::{Effective, Lines};
use crate::key::Key;
use crate::sections::{self, Layer};
use crate::settings::Settings;

/// Those of the preset that are off say so.
pub(super) fn write(settings: &Settings, out: &mut Vec<Effective>) {
    let policies = &settings.rate_limits;
    for of_preset in sections::rate_limit::of(settings.preset) {
        let is_there = policies.iter().any(|policy| policy.name == of_preset.name);
        if settings.has(Layer::RateLimit) && !is_there {
            let path = format!("rate_limit.{}", of_preset.name);
            Lines::new(&sections::keys::RATE_LIMIT, path, out).value(Key::ENABLED.name, &false);
        }
    }
    for policy in policies {
        policy_lines(policy, out);
    }
}

fn policy_lines(policy: &RatePolicy, out: &mut Vec<Effective>) {
    let path = format!("rate_limit.{}", policy.name);
    let mut lines = Lines::new(&sections::keys::RATE_LIMIT, path, out);
    match &policy.requests[..] {
        [] => lines.unsaid("match"),
        several => lines.list("match", several),
    }
    lines.value("rate", &policy.rate);
    lines.value("algorithm", &policy.algorithm);
    let is_bucket = policy.algorithm == Algorithm::TokenBucket;
    lines.option("burst", is_bucket.then_some(&policy.burst));
    lines.option("delay", policy.delay.as_ref());
    lines.list("key", &policy.key);
    lines.value("ipv6_prefix", &u32::from(policy.ipv6_prefix));
    lines.value("cost", &policy.cost);
    lines.value("skip_successful", &policy.skip.successful);
    lines.value("skip_failed", &policy.skip.failed);
    lines.list("allow", &policy.allow);
    lines.list("deny", &policy.deny);
    lines.option("ban_after", policy.ban.map(|ban| ban.after).as_ref());
    lines.option("ban_for", policy.ban.map(|ban| ban.lasts).as_ref());
    lines.list("headers", &policy.headers);
    lines.value("share", &policy.sharing);
    lines.value("without_store", &policy.without_store);
    lines.value("dry_run", &policy.enforcement);
}
