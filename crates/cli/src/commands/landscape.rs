//! All instances of this user: those that run, asked over their admin sockets, and those that are on record. Orders
//! nothing.

use std::collections::BTreeMap;
use std::path::Path;

use mainstay_supervisor::output::Stream;

use super::instance::Instance;
use crate::control::log_file_name;
use crate::failure::Failure;
use crate::listing::{ListedApp, Listing, LogFile};
use crate::say;
use crate::state::{Ids, Record};

/// One instance.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) name: String,
    /// None: it does not run.
    pub(super) running: Option<(Instance, Listing)>,
    /// None: it was never started in the background. An error: its record cannot be read.
    pub(super) record: Option<Result<Record, Failure>>,
    /// What it runs, or would run.
    pub(super) apps: Vec<ListedApp>,
}

/// All of them, by name; without `name`, of any.
pub(super) fn gather(name: Option<&str>) -> Vec<Known> {
    let mut all: BTreeMap<String, Known> = BTreeMap::new();
    for instance in Instance::all() {
        if name.is_none_or(|name| name == instance.name) {
            let listing = match instance.listing() {
                Ok(listing) => listing,
                // it has just ended
                Err(_) if !instance.is_there() => continue,
                Err(failure) => {
                    say::warning(&failure.message);
                    Listing::unknown(&instance.name)
                }
            };
            let known = Known {
                name: instance.name.clone(),
                apps: listing.apps.clone(),
                running: Some((instance, listing)),
                record: None,
            };
            all.insert(known.name.clone(), known);
        }
    }
    for (recorded, record) in Record::all() {
        if name.is_none_or(|name| name == recorded) {
            let known = all.entry(recorded.clone()).or_insert_with(|| Known {
                apps: record.as_ref().map(stopped_apps).unwrap_or_default(),
                name: recorded,
                running: None,
                record: None,
            });
            known.record = Some(record);
        }
    }
    all.into_values().collect()
}

/// The apps of an instance that does not run, as its record has them.
fn stopped_apps(record: &Record) -> Vec<ListedApp> {
    let mut numbers = Ids::recorded(&record.name);
    let apps = record.apps.iter().map(|app| {
        let mut ids = numbers.remove(&app.name).unwrap_or_default();
        ids.truncate(app.workers as usize);
        ListedApp {
            name: app.name.clone(),
            namespace: app.namespace.clone(),
            is_stopped: true,
            program: String::new(),
            folder: record.folder.clone(),
            wanted: app.workers,
            ready: 0,
            scaled: None,
            waits_for: Vec::new(),
            address: app.address.clone(),
            ids,
            workers: Vec::new(),
            files: app.files.clone(),
        }
    });
    apps.collect()
}

impl Known {
    /// The instance, for an order that only a running one can carry out.
    pub(super) fn instance(&self) -> Result<&Instance, Failure> {
        match &self.running {
            Some((instance, _)) => Ok(instance),
            None => Err(Failure::usage(format!(
                "instance `{0}` does not run; `mainstay start {0}` starts it",
                self.name
            ))),
        }
    }

    /// Whether it serves servers that run elsewhere.
    pub(super) fn has_upstreams(&self) -> bool {
        let running = self.running.as_ref();
        running.is_some_and(|(_, listing)| !listing.upstreams.is_empty())
    }

    /// Where its log files are, if it has any.
    pub(super) fn logs(&self) -> Option<&Path> {
        match (&self.running, &self.record) {
            (Some((_, listing)), _) => listing.logs.as_deref(),
            (None, Some(Ok(record))) => Some(&record.logs),
            _ => None,
        }
    }

    /// The log files of an app, if it has any.
    pub(super) fn files(&self, app: &ListedApp) -> Vec<LogFile> {
        // what was recorded by a version that did not say so
        let usual = || {
            let folder = self.logs()?;
            let file = |stream| LogFile {
                path: folder.join(log_file_name(&app.name, stream)),
                stream: Some(stream),
                worker: None,
            };
            Some([Stream::Stdout, Stream::Stderr].map(file).into())
        };
        match &app.files[..] {
            [] => usual().unwrap_or_default(),
            files => files.to_vec(),
        }
    }

    /// Whether something of it runs beside these apps.
    pub(super) fn runs_more_than(&self, apps: &[String]) -> bool {
        if self.has_upstreams() {
            return true;
        }
        let mut others = self.apps.iter().filter(|app| !apps.contains(&app.name));
        others.any(|app| !app.is_stopped)
    }
}
