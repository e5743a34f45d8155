//! `mainstay diff`: what a reload would change, asked of the instance that would do it.

use super::Instance;
use crate::Outcome;
use crate::arguments::Diff;
use crate::failure::Failure;
use crate::order::Comparison;

/// Settings that are not sound end it as they would end the reload.
pub(crate) fn execute(diff: &Diff) -> Outcome {
    let text = Instance::find(diff.which.name.as_deref())?.ask("/diff.json")?;
    let Comparison { ending, difference } = serde_json::from_str(&text).map_err(|error| {
        Failure::machine(format!("the instance speaks another version: {error}"))
    })?;
    if ending.code != 0 {
        return Err(ending.into());
    }
    let text = if diff.json {
        format!("{difference:#}\n")
    } else {
        format!("{}\n", ending.message)
    };
    super::print(text.as_bytes())
}
