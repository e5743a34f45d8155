//! Where the output of an app goes in the background, and in which form. Writes nothing.

use std::path::{Path, PathBuf};

use mainstay_values::{BadValue, DatePattern};
use serde::{Deserialize, Serialize};
use toml::de::DeValue;

use crate::reader::Reader;
use crate::value::Value;

/// Where the output of an app goes in the background, and in which form.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutputSettings {
    /// Standard output.
    pub out: LogPlace,
    /// Standard error.
    pub error: LogPlace,
    /// Both. `None`: nowhere.
    pub combined: Option<LogPlace>,
    /// Whether workers have files of their own.
    pub sharing: LogSharing,
    /// What stands in front of each line. `None`: nothing.
    pub stamp: Option<DatePattern>,
    /// What a line becomes.
    pub form: LogForm,
}

/// Where lines go.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogPlace {
    /// To a file in the instance's folder of log files.
    #[default]
    Usual,
    /// Nowhere.
    Nowhere,
    /// To this file.
    At(PathBuf),
}

/// Who writes to a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogSharing {
    /// All workers of the app.
    #[default]
    Shared,
    /// One worker: its id is in the name.
    PerWorker,
}

/// What a line becomes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogForm {
    /// What the app wrote.
    #[default]
    Text,
    /// An object of JSON: `message`, `timestamp`, `type`, `process_id`, `app_name`.
    Json,
}

impl OutputSettings {
    /// The stamp of a line in a file of text.
    pub fn stamp(&self) -> Option<&DatePattern> {
        self.stamp.as_ref().filter(|_| self.form == LogForm::Text)
    }
}

impl Value for LogForm {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(BadValue::new("a form of log lines", "`text` or `json`")),
        }
    }

    fn print(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Json => "json".to_owned(),
        }
    }
}

impl Value for DatePattern {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        text.parse()
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

/// What means nowhere, in PM2's words too.
pub(crate) fn is_nowhere(text: &str) -> bool {
    matches!(text, "none" | "NULL" | "/dev/null")
}

pub(super) fn read(section: &Reader<'_>, output: &mut OutputSettings) {
    if let Some(place) = place(section, "out_file") {
        output.out = place;
    }
    if let Some(place) = place(section, "error_file") {
        output.error = place;
    }
    output.combined = place(section, "log_file").filter(|place| *place != LogPlace::Nowhere);
    if let Some(false) = section.get("merge_logs") {
        output.sharing = LogSharing::PerWorker;
    }
    output.stamp = section.get("log_date_format");
    if let Some(true) = section.get("time") {
        output.stamp.get_or_insert_with(DatePattern::usual);
    }
    section.set("log_type", &mut output.form);
}

fn place(section: &Reader<'_>, key: &'static str) -> Option<LogPlace> {
    let item = section.item(key)?;
    match item.value.get_ref() {
        DeValue::Boolean(true) => return Some(LogPlace::Usual),
        DeValue::Boolean(false) => return Some(LogPlace::Nowhere),
        _ => {}
    }
    let text = String::read(&item)?;
    if text.is_empty() || text.contains('\0') {
        item.reject(BadValue::new("a file", "a path, or `none`"));
        return None;
    }
    if is_nowhere(&text) {
        return Some(LogPlace::Nowhere);
    }
    let path = item.folder().join(Path::new(&text));
    Some(LogPlace::At(path.components().collect()))
}
