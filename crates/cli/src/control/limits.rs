//! How limits on rates stand, and whom they shall forgive: asked by an operator, answered from the memory that the
//! gateways count in. Counts nothing.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;

use mainstay_config::Settings;
use mainstay_pipeline::{Enforcement, RatePolicies, RatePolicy};
use mainstay_supervisor::os::written_words;
use mainstay_values::nearest;
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use super::state::Control;
use crate::failure::Failure;
use crate::order::{Ending, LimitState, Unban};
use crate::{rates, say};

impl Control {
    /// `mainstay limits`: looks at every key, on another thread.
    pub(super) fn limits(&self, asker: oneshot::Sender<String>) {
        let policies = policies(&self.disabled.over(&self.settings));
        let memory = Arc::clone(&self.rates);
        spawn_blocking(move || {
            if let Ok(states) = states(&policies, &memory) {
                let _ = asker.send(serde_json::to_string(&states).unwrap_or_default());
            }
        });
    }

    /// `mainstay unban`.
    pub(super) fn unban(&self, wish: &Unban) -> Ending {
        let policies = &policies(&self.settings);
        let names = || policies.iter().map(|policy| policy.name.as_str());
        if let Some(name) = &wish.policy
            && names().all(|known| known != name)
        {
            let hint = match nearest(name, names()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if policies.is_empty() => "there are none".to_owned(),
                None => format!("there is {}", names().collect::<Vec<_>>().join(", ")),
            };
            return Failure::usage(format!("`{name}` is no rate limit; {hint}")).into();
        }
        let forgotten = match rates::open(&*self.rates) {
            Ok(table) => {
                RatePolicies::new(policies, table).forget(wish.policy.as_deref(), &wish.key)
            }
            Err(error) => return Failure::internal("the memory for rates", error).into(),
        };
        if forgotten.is_empty() {
            return Ending::well(format!(
                "no limit remembers `{}`; a key is an address, or what the policy's `key` makes",
                wish.key
            ));
        }
        let names = forgotten.join(", ");
        // whose, is between those who asked
        say::line(&format!("a key was forgiven what it had used of {names}"));
        Ending::well(format!(
            "`{}` is forgiven what it had used of {names}",
            wish.key
        ))
    }
}

/// Those of the settings, then those by which filters ban who walks into traps; the same one once.
fn policies(settings: &Settings) -> Vec<RatePolicy> {
    let mut policies = settings.rate_limits.clone();
    let own = settings
        .routes
        .iter()
        .filter_map(|route| route.layers.as_ref());
    let layers = std::iter::once(&settings.layers).chain(own);
    for policy in layers.filter_map(|layers| layers.filter.trap_policy()) {
        if !policies.contains(&policy) {
            policies.push(policy);
        }
    }
    policies
}

fn states(policies: &[RatePolicy], memory: &OwnedFd) -> io::Result<Vec<LimitState>> {
    let written = written_words(memory)?;
    let states = RatePolicies::new(policies, rates::open(memory)?).states(&written);
    let state = |(policy, state): (&RatePolicy, _)| LimitState {
        rate: policy.rate.to_string(),
        key: policy.key.iter().map(ToString::to_string).collect(),
        dry_run: policy.enforcement == Enforcement::DryRun,
        state,
    };
    Ok(policies.iter().zip(states).map(state).collect())
}
