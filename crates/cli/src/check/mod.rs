//! What a start would meet on this machine, found out without starting, opening or writing anything.
//!
//! The questions are those that a start asks, through the same code, in the same order. What may not be here: a
//! question that leaves a trace.

mod addresses;
mod apps;
mod finding;
mod machine;
mod render;

use std::collections::BTreeMap;
use std::ffi::OsString;

pub(crate) use finding::{Finding, Level};
use mainstay_config::Settings;
use mainstay_config::ecosystem::Note;
pub(crate) use render::{effective_lines, json, problems_json, setting_json, text};

use crate::control::Origin;

/// What a start would be given.
pub(crate) struct Subject<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) origin: &'a Origin,
    /// What an ecosystem file says that is not taken over.
    pub(crate) notes: &'a [Note],
    /// The instance's name.
    pub(crate) name: &'a str,
    pub(crate) environment: BTreeMap<OsString, OsString>,
}

/// Everything worth saying, in the order of a start.
pub(crate) fn findings(subject: &Subject<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(subject.notes.iter().map(Finding::from));
    machine::runtime_folder(subject, &mut found);
    machine::gateway(subject, &mut found);
    machine::kernel(&mut found);
    for app in &subject.settings.apps {
        apps::app(subject, app, &mut found);
    }
    addresses::upstreams(subject.settings, &mut found);
    addresses::listeners(subject, &mut found);
    machine::protection(subject.settings, &mut found);
    machine::foreign_pages(subject.settings, &mut found);
    machine::file(subject, &mut found);
    found
}
