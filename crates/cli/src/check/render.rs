//! What was found, as lines for people and as JSON for programs. Prints nothing.

use std::fmt::Write as _;

use mainstay_config::{Effective, InForce, Origins, Settings, Sources};
use mainstay_values::Problems;
use serde_json::{Value, json};

use super::{Finding, Level};
use crate::say;

/// For people.
pub(crate) fn text(headline: &str, found: &[Finding], origins: &Origins) -> String {
    let mut text = format!("{headline}\n");
    for finding in found {
        let mark = match &finding.level {
            Level::Error(_) => say::error_mark(),
            Level::Warning => say::warning_mark(),
            Level::Note => say::dim("note:"),
        };
        let _ = writeln!(text, "{mark} {}", indented(&finding.what));
        if let Some(cost) = &finding.cost {
            let _ = writeln!(text, "    cost: {cost}");
        }
        if let Some(hint) = &finding.hint {
            let _ = writeln!(text, "    hint: {hint}");
        }
        if let (Level::Error(_) | Level::Warning, false) =
            (&finding.level, finding.setting.is_empty())
        {
            let _ = writeln!(text, "    setting: {}", place(&finding.setting, origins));
        }
    }
    let (errors, warnings) = counts(found);
    let verdict = if errors == 0 {
        "it would start"
    } else {
        "it would NOT start"
    };
    let _ = writeln!(
        text,
        "{}, {}; {verdict}",
        counted(errors, "error"),
        counted(warnings, "warning")
    );
    text
}

fn place(setting: &str, origins: &Origins) -> String {
    format!("{setting} ({})", origins.of(setting))
}

fn indented(text: &str) -> String {
    text.replace('\n', "\n    ")
}

fn counts(found: &[Finding]) -> (usize, usize) {
    let count = |is: fn(&Level) -> bool| found.iter().filter(|one| is(&one.level)).count();
    (
        count(|level| matches!(level, Level::Error(_))),
        count(|level| matches!(level, Level::Warning)),
    )
}

fn counted(count: usize, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// Every setting in force, each with where it came from.
pub(crate) fn effective_lines(settings: &Settings, origins: &Origins) -> String {
    let lines: Vec<_> = settings
        .effective()
        .into_iter()
        .map(|Effective { path, value }| {
            let origin = origins.of(&path).to_string();
            (format!("{path} = {value}"), origin)
        })
        .collect();
    // one long policy must not push all origins off the screen
    let width = lines.iter().map(|(line, _)| line.chars().count());
    let width = width.filter(|width| *width <= 60).max().unwrap_or_default();
    lines
        .iter()
        .fold(String::new(), |mut text, (line, origin)| {
            let _ = writeln!(text, "{line:width$}  {}", say::dim(&format!("# {origin}")));
            text
        })
}

/// For programs. `settings` is given when they were asked for.
pub(crate) fn json(
    name: &str,
    found: &[Finding],
    origins: &Origins,
    settings: Option<&Settings>,
) -> Value {
    let findings: Vec<Value> = found
        .iter()
        .map(|finding| {
            let (level, code) = match &finding.level {
                Level::Error(failure) => ("error", Some(failure.code())),
                Level::Warning => ("warning", None),
                Level::Note => ("note", None),
            };
            let origin =
                (!finding.setting.is_empty()).then(|| origins.of(&finding.setting).to_string());
            json!({
                "level": level, "code": code, "setting": finding.setting, "origin": origin,
                "what": finding.what, "cost": finding.cost, "hint": finding.hint,
            })
        })
        .collect();
    let mut report = json!({
        "name": name,
        "problems": [],
        "findings": findings,
        "starts": counts(found).0 == 0,
    });
    if let Some(settings) = settings {
        report["settings"] = settings
            .effective()
            .iter()
            .map(|line| setting_json(line, origins))
            .collect();
    }
    report
}

/// A setting in force, for programs: what is not shown and what nobody said have no value.
pub(crate) fn setting_json(line: &Effective, origins: &Origins) -> Value {
    let Effective { path, value } = line;
    let shown = match value {
        InForce::Value(text) => Some(text),
        InForce::Unsaid(_) | InForce::Hidden => None,
    };
    let hidden = *value == InForce::Hidden;
    let origin = origins.of(path).to_string();
    json!({ "path": path, "value": shown, "hidden": hidden, "origin": origin })
}

/// Settings that are not sound, for programs.
pub(crate) fn problems_json(problems: &Problems, sources: Option<&Sources>) -> Value {
    let problems: Vec<Value> = problems
        .iter()
        .map(|problem| {
            let place = problem.place.as_ref();
            let spot = place
                .zip(sources)
                .and_then(|(place, sources)| sources.position(place));
            json!({
                "what": problem.what, "found": problem.found, "expected": problem.expected, "hint": problem.hint,
                "file": place.map(|place| &place.file),
                "line": spot.map(|(line, _)| line), "column": spot.map(|(_, column)| column),
            })
        })
        .collect();
    json!({ "problems": problems, "findings": [], "starts": false })
}
