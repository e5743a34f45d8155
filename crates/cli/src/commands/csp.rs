//! `mainstay csp`: what browsers reported to a running instance, and the policy that follows from it.

use super::Instance;
use crate::arguments::{Csp, CspWish};
use crate::failure::Failure;
use crate::policy::{Collected, Suggestion};
use crate::{Outcome, say};

pub(crate) fn execute(csp: &Csp) -> Outcome {
    let text = Instance::find(csp.which.name.as_deref())?.ask("/csp.json")?;
    let collected: Collected = serde_json::from_str(&text).map_err(|error| {
        Failure::machine(format!("the instance speaks another version: {error}"))
    })?;
    let text = match (csp.wish, csp.json) {
        (CspWish::Reports, true) => format!("{text}\n"),
        (CspWish::Reports, false) => collected.list(),
        (CspWish::Suggest, true) => Suggestion::of(&collected).json(),
        (CspWish::Suggest, false) => {
            if collected.violations.is_empty() {
                say::note(collected.silence());
            }
            Suggestion::of(&collected).toml()
        }
    };
    super::print(text.as_bytes())
}
