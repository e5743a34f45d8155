//! How each kind of value is read from a file, the environment or a flag. Knows no section.

use std::fmt::Write as _;
use std::num::IntErrorKind;
use std::path::Path;
use std::time::Duration;

use mainstay_pipeline::{Enforcement, KeyPart, Listed};
use mainstay_store::StoreAddress;
use mainstay_values::{
    Address, BadValue, FileMode, HostPattern, NamePattern, Network, PathPattern, Problem, Rate,
    RequestPattern, Size, StatusPattern, TrustedProxies, format_duration, parse_duration,
};
use toml::Spanned;
use toml::de::DeValue;

use crate::report::Report;
use crate::word::{self, Word};

/// The most elements of a list, and sections of a kind.
pub(crate) const MOST_ELEMENTS: usize = 1_000;

/// A value in the file, with its path.
pub(crate) struct Item<'a> {
    pub(crate) path: String,
    pub(crate) value: &'a Spanned<DeValue<'a>>,
    pub(crate) report: &'a Report<'a>,
}

impl<'a> Item<'a> {
    pub(crate) fn reject(&self, cause: BadValue) {
        self.push(Problem::bad_value(&self.path, cause));
    }

    pub(crate) fn push(&self, problem: Problem) {
        self.report.push_at(self.value.span(), problem);
    }

    /// The elements of a list, the first thousand of them; anything else is a list of one.
    pub(crate) fn elements(&self) -> Vec<Item<'a>> {
        let element = |value: &'a Spanned<DeValue<'a>>| Item {
            path: self.path.clone(),
            value,
            report: self.report,
        };
        match self.value.get_ref().as_array() {
            Some(list) => list.iter().take(MOST_ELEMENTS).map(element).collect(),
            None => vec![element(self.value)],
        }
    }

    /// Refuses more elements or keys than anybody writes by hand, so that no rule that compares
    /// each with each takes long.
    pub(crate) fn bound(&self) {
        let count = match self.value.get_ref() {
            DeValue::Array(list) => list.len(),
            DeValue::Table(table) => table.len(),
            _ => 0,
        };
        if count > MOST_ELEMENTS {
            self.push(
                Problem::new(format!("`{}` has too many entries", self.path))
                    .expected(format!("at most {MOST_ELEMENTS}")),
            );
        }
    }

    /// The folder that a path written here is relative to.
    pub(crate) fn folder(&self) -> &'a Path {
        let folder = self.report.folder(&self.value.span());
        folder.unwrap_or(Path::new(""))
    }

    /// The text of the file that is named here, and its name for people. `None`: a problem has been reported, without
    /// a word of what is in the file.
    pub(crate) fn text_of_file(&self, longest: usize) -> Option<(String, String)> {
        let path = String::read(self)?;
        let sources = self.report.sources();
        let folder = self.report.folder(&self.value.span());
        let full = folder.unwrap_or(&sources.folder).join(&path);
        let text = sources.reachable.read(&full, longest).and_then(|bytes| {
            String::from_utf8(bytes).map_err(|_| std::io::Error::other("it is not UTF-8"))
        });
        match text {
            Ok(text) => Some((path, text)),
            Err(error) => {
                let problem = Problem::new(format!("cannot read `{path}`: {error}"));
                self.push(problem.expected("a file that whoever starts Mainstay may read"));
                None
            }
        }
    }

    pub(crate) fn is_list(&self) -> bool {
        self.value.get_ref().is_array()
    }

    pub(crate) fn is_false(&self) -> bool {
        self.value.get_ref().as_bool() == Some(false)
    }
}

/// A kind of value.
pub(crate) trait Value: Sized {
    /// From the environment or a flag, where everything is text.
    fn from_text(text: &str) -> Result<Self, BadValue>;

    /// As [`Value::from_text`] reads it.
    fn print(&self) -> String;

    /// As the file spells it.
    fn toml(&self) -> String {
        let text = self.print();
        let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if is_number { text } else { quoted(&text) }
    }

    /// From the file. `None`: a problem has been reported.
    fn read(item: &Item<'_>) -> Option<Self> {
        read_text(item)
    }
}

/// From the file, where everything that matters is in the text.
pub(crate) fn read_text<T: Value>(item: &Item<'_>) -> Option<T> {
    let outcome = match item.value.get_ref() {
        DeValue::String(text) => T::from_text(text),
        // `listen = 3000`, `trusted_proxies = 1`: a number is as good as its text.
        DeValue::Integer(number) if number.radix() == 10 => T::from_text(number.as_str()),
        other => Err(wrong_type::<T>(other)),
    };
    outcome.map_err(|cause| item.reject(cause)).ok()
}

/// A text as TOML spells it.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The general complaint of a kind, for a value whose type can never do.
fn wrong_type<T: Value>(value: &DeValue<'_>) -> BadValue {
    let cause = T::from_text("\0")
        .err()
        .unwrap_or_else(|| BadValue::new("a text", "text in quotes: `\"…\"`"));
    BadValue {
        hint: match value {
            DeValue::Array(_) => Some("write one value, not a list".to_owned()),
            DeValue::Table(_) => Some("write one value, not a section".to_owned()),
            _ => None,
        },
        ..cause
    }
}

macro_rules! value_by_from_str {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn from_text(text: &str) -> Result<Self, BadValue> {
                text.parse()
            }

            fn print(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

value_by_from_str!(
    HostPattern,
    KeyPart,
    Listed,
    NamePattern,
    Network,
    PathPattern,
    Rate,
    RequestPattern,
    Size,
    StatusPattern
);

/// Never shown: it may hold a password.
impl Value for StoreAddress {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        text.parse::<Self>()
            .map_err(|cause| BadValue::new("the address of a Redis", cause.to_string()))
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

impl Value for Address {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        text.parse()
    }

    fn print(&self) -> String {
        self.to_string()
    }

    /// A socket's path is relative to the file it is written in.
    fn read(item: &Item<'_>) -> Option<Self> {
        let mut address = read_text(item)?;
        if let Self::Unix(path) = &mut address {
            *path = item.folder().join(&*path);
        }
        Some(address)
    }
}

impl Value for FileMode {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        text.parse()
    }

    fn print(&self) -> String {
        self.to_string()
    }

    /// A number may not begin with 0.
    fn toml(&self) -> String {
        quoted(&self.print())
    }

    /// `0o660`, too.
    fn read(item: &Item<'_>) -> Option<Self> {
        let outcome = match item.value.get_ref() {
            DeValue::String(text) => Self::from_text(text),
            DeValue::Integer(number) if [8, 10].contains(&number.radix()) => {
                Self::from_text(number.as_str())
            }
            other => Err(wrong_type::<Self>(other)),
        };
        outcome.map_err(|cause| item.reject(cause)).ok()
    }
}

impl Value for Duration {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        parse_duration(text)
    }

    fn print(&self) -> String {
        format_duration(*self)
    }
}

impl Value for TrustedProxies {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        text.parse()
    }

    fn print(&self) -> String {
        self.to_string()
    }

    /// A list is read entry by entry, so that each wrong one is shown where it is.
    fn read(item: &Item<'_>) -> Option<Self> {
        if !item.is_list() {
            let outcome = match item.value.get_ref() {
                DeValue::String(text) => Self::from_text(text),
                DeValue::Integer(number) if number.radix() == 10 => {
                    Self::from_text(number.as_str())
                }
                DeValue::Boolean(true) => Self::listed(["true"]),
                DeValue::Boolean(false) => Self::listed(["false"]),
                other => Err(wrong_type::<Self>(other)),
            };
            return outcome.map_err(|cause| item.reject(cause)).ok();
        }
        let elements = item.elements();
        let mut entries = Vec::new();
        for element in &elements {
            let entry = match element.value.get_ref() {
                DeValue::String(text) => Self::listed([text.as_ref()]).map(|_| text.as_ref()),
                DeValue::Integer(number) => Self::listed([number.as_str()]).map(|_| ""),
                other => Err(wrong_type::<Self>(other)),
            };
            match entry {
                Ok(entry) => entries.push(entry),
                Err(cause) => element.reject(cause),
            }
        }
        (entries.len() == elements.len())
            .then(|| Self::listed(entries).ok())
            .flatten()
    }
}

impl Value for String {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        if text.contains('\0') {
            return Err(BadValue::new(
                "a text",
                "text in quotes without NUL: `\"…\"`",
            ));
        }
        Ok(text.to_owned())
    }

    fn print(&self) -> String {
        self.clone()
    }

    fn toml(&self) -> String {
        quoted(self)
    }

    fn read(item: &Item<'_>) -> Option<Self> {
        let outcome = match item.value.get_ref() {
            DeValue::String(text) => Self::from_text(text),
            other => Err(wrong_type::<Self>(other)),
        };
        outcome.map_err(|cause| item.reject(cause)).ok()
    }
}

/// An on/off setting. Its own type so that no setting is a bare bool without a name.
impl Value for bool {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        match text {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(BadValue::new("on or off", "`true` or `false`")),
        }
    }

    fn print(&self) -> String {
        self.to_string()
    }

    fn toml(&self) -> String {
        self.to_string()
    }

    fn read(item: &Item<'_>) -> Option<Self> {
        match item.value.get_ref() {
            DeValue::Boolean(value) => Some(*value),
            DeValue::String(text) if Self::from_text(text).is_ok() => {
                item.reject(not_a(Self::from_text("")).hint("remove the quotes"));
                None
            }
            _ => {
                item.reject(not_a(Self::from_text("")));
                None
            }
        }
    }
}

/// `dry_run = true` is a dry run.
impl Value for Enforcement {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        bool::from_text(text).map(enforcement)
    }

    fn print(&self) -> String {
        (*self == Self::DryRun).print()
    }

    fn toml(&self) -> String {
        self.print()
    }

    fn read(item: &Item<'_>) -> Option<Self> {
        bool::read(item).map(enforcement)
    }
}

fn enforcement(dry_run: bool) -> Enforcement {
    if dry_run {
        Enforcement::DryRun
    } else {
        Enforcement::Enforce
    }
}

fn not_a<T>(outcome: Result<T, BadValue>) -> BadValue {
    outcome
        .err()
        .unwrap_or_else(|| BadValue::new("a value", "a value"))
}

macro_rules! value_by_count {
    ($($type:ty),*) => {$(
        impl Value for $type {
            fn from_text(text: &str) -> Result<Self, BadValue> {
                let complaint = || BadValue::new("a count", "a whole number, such as `4`");
                if !text.bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(complaint());
                }
                text.parse::<Self>().map_err(|error| match error.kind() {
                    IntErrorKind::PosOverflow => complaint().hint(format!("at most {}", Self::MAX)),
                    _ => complaint(),
                })
            }

            fn print(&self) -> String {
                self.to_string()
            }

            fn read(item: &Item<'_>) -> Option<Self> {
                let outcome = match item.value.get_ref() {
                    DeValue::Integer(number) if number.radix() == 10 => {
                        Self::from_text(number.as_str())
                    }
                    DeValue::String(text) if Self::from_text(text).is_ok() => {
                        Err(not_a(Self::from_text("")).hint("remove the quotes"))
                    }
                    _ => Err(not_a(Self::from_text(""))),
                };
                outcome.map_err(|cause| item.reject(cause)).ok()
            }
        }
    )*};
}

value_by_count!(u8, u16, u32);

impl<T: Word> Value for T {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        word::read(text)
    }

    fn print(&self) -> String {
        word::print(*self).to_owned()
    }
}
