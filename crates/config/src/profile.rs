//! `[profile.NAME]`: what the file says differently in one environment, laid over the rest of the file before it is read.
//!
//! Every value keeps its place, so that problems and origins point into the profile. What may not be here: the meaning
//! of any key.

use mainstay_values::{Problem, nearest};
use toml::de::{DeTable, DeValue};

use crate::merge::lay_over;
use crate::overrides;
use crate::reader::{is_name, not_a_name};
use crate::report::Report;
use crate::sections;
use crate::source::Sources;

/// More profiles than these are a mistake; each is checked, chosen or not.
const MOST_PROFILES: usize = 32;

/// Keys that decide what the file is, and so cannot depend on it.
const NOT_IN_A_PROFILE: [&str; 3] = ["include", "name", "profile"];

/// The file with the chosen profile laid over it. Those that are not chosen are checked too: their day comes.
pub(crate) fn apply<'a>(
    mut table: DeTable<'a>,
    sources: &Sources,
    report: &Report<'_>,
) -> DeTable<'a> {
    let profiles = take(&mut table, report);
    let chosen = chosen(sources, &profiles, report);
    for (name, overlay) in &profiles {
        if Some(name) != chosen.as_ref() {
            check(&table, overlay, report);
        }
    }
    let overlay = profiles
        .into_iter()
        .find(|(name, _)| Some(name) == chosen.as_ref());
    if let Some((_, overlay)) = overlay {
        lay_over(&mut table, overlay);
    }
    table
}

/// Takes the profiles out of the file, in its order.
fn take<'a>(table: &mut DeTable<'a>, report: &Report<'_>) -> Vec<(String, DeTable<'a>)> {
    let Some(section) = table.remove("profile") else {
        return Vec::new();
    };
    let span = section.span();
    let not_a_section = || {
        Problem::new("`profile` is not a section")
            .expected("`[profile.NAME]`, one for each environment")
    };
    let DeValue::Table(section) = section.into_inner() else {
        report.push_at(span, not_a_section());
        return Vec::new();
    };
    if section.len() > MOST_PROFILES {
        let problem = Problem::new("`profile` has too many entries");
        report.push_at(span, problem.expected(format!("at most {MOST_PROFILES}")));
    }
    let mut entries: Vec<_> = section.into_iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    let mut profiles = Vec::new();
    for (name, value) in entries.into_iter().take(MOST_PROFILES) {
        if !is_name(name.get_ref()) {
            let problem = Problem::bad_value(name.get_ref(), not_a_name());
            report.push_at(name.span(), problem);
        }
        let DeValue::Table(mut overlay) = value.into_inner() else {
            report.push_at(name.span(), not_a_section());
            continue;
        };
        let path = format!("profile.{}", name.get_ref());
        for key in NOT_IN_A_PROFILE {
            if let Some((found, _)) = overlay.remove_entry(key) {
                report.push_at(
                    found.span(),
                    Problem::new(format!("`{path}.{key}` cannot stand in a profile"))
                        .hint(format!("write `{key}` at the top of the file")),
                );
            }
        }
        report.set_place(path, name.span());
        profiles.push((name.get_ref().to_string(), overlay));
    }
    profiles
}

/// The one that `--env` or `MAINSTAY_ENV` names.
fn chosen(
    sources: &Sources,
    profiles: &[(String, DeTable<'_>)],
    report: &Report<'_>,
) -> Option<String> {
    let (name, origin) = overrides::profile(sources)?;
    let names = || profiles.iter().map(|(name, _)| name.as_str());
    if names().any(|known| known == name) {
        return Some(name);
    }
    let problem = Problem::new(format!("there is no profile `{name}`"));
    let listed: Vec<String> = names().map(|known| format!("`{known}`")).collect();
    let problem = match (nearest(&name, names()), listed.is_empty()) {
        (Some(near), _) => problem.hint(format!("did you mean `{near}`?")),
        (None, false) => problem.expected(format!("one of {}", listed.join(", "))),
        (None, true) => problem.hint(
            "the file has none; write `[profile.production]`, and below it what differs there",
        ),
    };
    report.push_from(&origin, problem);
    None
}

/// Reads the file as it would be with this profile, for its problems only.
fn check(table: &DeTable<'_>, overlay: &DeTable<'_>, report: &Report<'_>) {
    let mut whole = table.clone();
    lay_over(&mut whole, overlay.clone());
    sections::check(&whole, report);
}
