//! `mainstay limits` and `mainstay unban`: how the running instance's limits on rates stand, and whom they forgive.

use std::fmt::Write as _;
use std::process::ExitCode;

use super::instance::Instance;
use crate::arguments::{Limits, Unban};
use crate::failure::Failure;
use crate::order::LimitState;
use crate::{Outcome, order, say};

pub(crate) fn limits(limits: &Limits) -> Outcome {
    let json = Instance::find(limits.which.name.as_deref())?.ask("/limits.json")?;
    if limits.json {
        return super::print(format!("{json}\n").as_bytes());
    }
    let states: Vec<LimitState> = serde_json::from_str(&json).map_err(|error| {
        Failure::machine(format!("the instance speaks another version: {error}"))
    })?;
    super::print(text(&states).as_bytes())
}

pub(crate) fn unban(unban: &Unban) -> Outcome {
    let wish = order::Unban {
        key: unban.key.clone(),
        policy: unban.policy.clone(),
    };
    let body = serde_json::to_vec(&wish).map_err(|error| Failure::internal("the wish", error))?;
    let instance = Instance::find(unban.which.name.as_deref())?;
    match instance.order("/unban", &body, say::note)? {
        Some(ending) if ending.code == 0 => {
            say::note(&ending.message);
            Ok(ExitCode::SUCCESS)
        }
        Some(ending) => Err(ending.into()),
        None => Err(Failure::cut_short(format!(
            "instance `{}` ended before it had done it",
            instance.name
        ))),
    }
}

/// One line for each policy.
fn text(states: &[LimitState]) -> String {
    if states.is_empty() {
        return "no rate limits\n".to_owned();
    }
    let mut rows = vec![
        [
            "limit", "rate", "by", "keys", "near", "used up", "banned", "refused",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for LimitState {
        rate,
        key,
        dry_run,
        state,
    } in states
    {
        let dry = if *dry_run { " (dry run)" } else { "" };
        let by = if key.is_empty() {
            "all".to_owned()
        } else {
            key.join("+")
        };
        let mut row = vec![state.name.clone(), format!("{rate}{dry}"), by];
        let counts = [
            state.keys,
            state.near,
            state.exhausted,
            state.banned,
            state.refused,
        ];
        row.extend(counts.iter().map(ToString::to_string));
        rows.push(row);
    }
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..rows[0].len()).filter_map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            let _ = write!(line, "{cell:width$}  ");
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
