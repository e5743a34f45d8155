//! What is done to the workers of an app without anybody asking: fresh ones for memory, by the clock, after changes of
//! files. Does nothing of it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use mainstay_values::{BadValue, Schedule, Size};
use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use crate::reader::Reader;
use crate::value::{Item, Value};

/// What is done to the workers of an app without anybody asking.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpkeepSettings {
    /// What a worker may take before it is replaced.
    pub max_memory: MaxMemory,
    /// When all are replaced. `None`: never.
    pub cron_restart: Option<Schedule>,
    /// Files and folders whose changes replace all, from the app's folder. Empty: none.
    pub watch: Vec<PathBuf>,
    /// Names (or paths) of files and folders that are not watched, `*` being any part of one.
    pub watch_ignore: Vec<String>,
    /// How long nothing more must have changed, 10 ms to an hour.
    pub watch_delay: Duration,
}

/// How much memory a worker, with all processes below it, may take before it is replaced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MaxMemory {
    /// Its part of nine tenths of what our control group may take; as much as it likes where there is no such limit.
    #[default]
    Share,
    /// As much as it likes.
    Unbounded,
    /// So much.
    Of(Size),
}

impl Default for UpkeepSettings {
    fn default() -> Self {
        Self {
            max_memory: MaxMemory::Share,
            cron_restart: None,
            watch: Vec::new(),
            watch_ignore: Vec::new(),
            // compilers write several files, one after the other
            watch_delay: Duration::from_millis(200),
        }
    }
}

impl Value for MaxMemory {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        match text {
            "none" => Ok(Self::Unbounded),
            "share" => Ok(Self::Share),
            text => match Size::from_text(text) {
                Ok(size) if size.as_bytes() >= LEAST_MEMORY => Ok(Self::Of(size)),
                Ok(_) => Err(BadValue::new(
                    "an amount of memory",
                    "`1mb` at least, or `none`",
                )),
                Err(cause) => Err(cause),
            },
        }
    }

    fn print(&self) -> String {
        match self {
            Self::Share => "share".to_owned(),
            Self::Unbounded => "none".to_owned(),
            Self::Of(size) => size.to_string(),
        }
    }
}

/// No program gets along with less.
const LEAST_MEMORY: u64 = 1 << 20;

impl Value for Schedule {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        text.parse()
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

pub(super) fn read(section: &Reader<'_>, upkeep: &mut UpkeepSettings) {
    section.set("max_memory", &mut upkeep.max_memory);
    upkeep.cron_restart = section.get("cron_restart");
    if let Some(item) = section.item("watch") {
        upkeep.watch = watched(&item);
    }
    if let Some(names) = section.list("watch_ignore") {
        upkeep.watch_ignore = names;
    }
    let bounds = Duration::from_millis(10)..=Duration::from_hours(1);
    section.set_within("watch_delay", &bounds, &mut upkeep.watch_delay);
}

/// `true` is the folder of the app.
fn watched(item: &Item<'_>) -> Vec<PathBuf> {
    match item.value.get_ref() {
        DeValue::Boolean(true) => vec![PathBuf::from(".")],
        DeValue::Boolean(false) => Vec::new(),
        _ => {
            let elements = item.elements();
            let paths = elements.iter().filter_map(String::read);
            paths.map(|path| Path::new(&path).to_path_buf()).collect()
        }
    }
}
