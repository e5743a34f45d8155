//! `mainstay diff`: what a reload would change, asked of the instance that would do it.

use super::Instance;
use crate::Outcome;
use crate::arguments::Which;
use crate::failure::Failure;
use crate::order::Ending;

/// Settings that are not sound end it as they would end the reload.
pub(crate) fn execute(which: &Which) -> Outcome {
    let text = Instance::find(which.name.as_deref())?.ask("/diff.json")?;
    let ending: Ending = serde_json::from_str(&text).map_err(|error| {
        Failure::machine(format!("the instance speaks another version: {error}"))
    })?;
    if ending.code != 0 {
        return Err(ending.into());
    }
    super::print(format!("{}\n", ending.message).as_bytes())
}
