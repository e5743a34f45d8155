//! Reads one section: takes the keys it is asked for, records problems and goes on, refuses what
//! is left over. Knows no section by name.

use std::fmt::Write as _;
use std::ops::{Range, RangeInclusive};
use std::path::PathBuf;

use mainstay_values::{BadValue, Problem, nearest};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::key::{Key, Section};
use crate::report::Report;
use crate::sections::Layer;
use crate::value::{Item, MOST_ELEMENTS, Value};
use crate::word;

/// Names longer than this do not fit where names go: socket paths, metrics, log lines.
const LONGEST_NAME: usize = 32;

pub(crate) struct Reader<'a> {
    section: &'static Section,
    /// `app.api`; empty at the top of the file.
    path: String,
    /// Where the section is named.
    place: Range<usize>,
    table: &'a DeTable<'a>,
    report: &'a Report<'a>,
}

impl<'a> Reader<'a> {
    /// The top of the file.
    pub(crate) fn top(
        section: &'static Section,
        table: &'a DeTable<'a>,
        report: &'a Report<'a>,
    ) -> Self {
        Self {
            section,
            path: String::new(),
            place: 0..0,
            table,
            report,
        }
    }

    /// The value of a known key, unread. Notes its origin.
    pub(crate) fn item(&self, key: &'static str) -> Option<Item<'a>> {
        debug_assert!(
            self.keys().any(|known| known.name == key),
            "`{key}` is read but not among the keys of {}",
            self.section.heading
        );
        let (_, value) = self.table.iter().find(|(name, _)| name.get_ref() == key)?;
        let path = self.path_of(key);
        self.report.set_place(path.as_str(), value.span());
        let item = Item {
            path,
            value,
            report: self.report,
        };
        item.bound();
        Some(item)
    }

    /// The value of a key, if it is there and sound.
    pub(crate) fn get<T: Value>(&self, key: &'static str) -> Option<T> {
        T::read(&self.item(key)?)
    }

    /// The path behind a key, relative ones from the folder of the file they stand in.
    pub(crate) fn path_behind(&self, key: &'static str) -> Option<PathBuf> {
        let item = self.item(key)?;
        let path = String::read(&item)?;
        // without `.` and `/` at its end, which nobody wants to read in messages
        Some(item.folder().join(path).components().collect())
    }

    /// Puts the value of a key into its place, if it is there and sound.
    pub(crate) fn set<T: Value>(&self, key: &'static str, slot: &mut T) {
        if let Some(value) = self.get(key) {
            *slot = value;
        }
    }

    /// As [`Reader::set`], for a value that has bounds.
    pub(crate) fn set_within<T: Value + PartialOrd>(
        &self,
        key: &'static str,
        bounds: &RangeInclusive<T>,
        slot: &mut T,
    ) {
        if let Some(value) = self.get_within(key, bounds) {
            *slot = value;
        }
    }

    /// As [`Reader::get`], for a value that has bounds.
    pub(crate) fn get_within<T: Value + PartialOrd>(
        &self,
        key: &'static str,
        bounds: &RangeInclusive<T>,
    ) -> Option<T> {
        let item = self.item(key)?;
        let value = T::read(&item)?;
        if bounds.contains(&value) {
            return Some(value);
        }
        let (least, most) = (bounds.start().print(), bounds.end().print());
        item.push(
            Problem::new(format!("`{}` is out of range", item.path))
                .expected(format!("`{least}` to `{most}`")),
        );
        None
    }

    /// One value or a list of them; those that are sound.
    pub(crate) fn list<T: Value>(&self, key: &'static str) -> Option<Vec<T>> {
        let item = self.item(key)?;
        Some(item.elements().iter().filter_map(T::read).collect())
    }

    /// The section below a key.
    pub(crate) fn section(&self, key: &'static str, section: &'static Section) -> Option<Self> {
        let item = self.item(key)?;
        let Some(table) = item.value.get_ref().as_table() else {
            item.reject(BadValue::new(
                "a section",
                format!("`{}` with keys below it", section.heading),
            ));
            return None;
        };
        Some(Self {
            section,
            place: item.value.span(),
            path: item.path,
            table,
            report: self.report,
        })
    }

    /// The named sections below a key (`[app.NAME]`), in file order, each with its name.
    pub(crate) fn named(
        &self,
        key: &'static str,
        section: &'static Section,
    ) -> Vec<(String, Self)> {
        let Some(item) = self.item(key) else {
            return Vec::new();
        };
        let Some(table) = item.value.get_ref().as_table() else {
            item.reject(BadValue::new(
                "a section",
                format!("`{}`, one for each {key}", section.heading),
            ));
            return Vec::new();
        };
        let mut found = Vec::new();
        for (name, value) in in_file_order(table).into_iter().take(MOST_ELEMENTS) {
            // the switch of a layer that has named sections; what it means was seen to before
            let is_switch = name.get_ref() == Key::ENABLED.name && value.get_ref().is_bool();
            if is_switch && word::read::<Layer>(key).is_ok() {
                continue;
            }
            let path = format!("{}.{}", item.path, name.get_ref());
            let DeValue::Table(table) = value.get_ref() else {
                let (cure, bare) = (section.heading.replace("NAME", "web"), item.path.as_str());
                self.report.push_at(
                    name.span(),
                    Problem::new(format!("`{path}` is not a section"))
                        .expected(format!("`{}`, one for each {key}", section.heading))
                        .hint(format!("name it: `{cure}` instead of `[{bare}]`")),
                );
                continue;
            };
            self.report.set_place(path.as_str(), name.span());
            if !is_name(name.get_ref()) {
                self.report.push_at(
                    name.span(),
                    Problem::bad_value(name.get_ref(), not_a_name()),
                );
            }
            let reader = Self {
                section,
                path,
                place: name.span(),
                table,
                report: self.report,
            };
            found.push((name.get_ref().to_string(), reader));
        }
        found
    }

    /// All entries of the section as they are, for sections whose keys the user invents.
    pub(crate) fn entries(&self) -> Vec<(&'a Spanned<toml::de::DeString<'a>>, Item<'a>)> {
        in_file_order(self.table)
            .into_iter()
            .map(|(name, value)| {
                let path = self.path_of(name.get_ref());
                self.report.set_place(path.as_str(), value.span());
                let item = Item {
                    path,
                    value,
                    report: self.report,
                };
                (name, item)
            })
            .collect()
    }

    /// What came under one path is what others know by another.
    pub(crate) fn also_called(&self, path: &str, other: &str) {
        self.report.set_origin(other, self.report.origin(path));
    }

    /// A problem with the section as a whole.
    pub(crate) fn reject(&self, problem: Problem) {
        self.report.push_at(self.place.clone(), problem);
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Refuses every key that is not known. The last thing to do with a section.
    pub(crate) fn finish(self) {
        if self.has_switch() {
            // what it means was seen to before; that it is sound was not
            self.get::<bool>(Key::ENABLED.name);
        }
        for (name, _) in in_file_order(self.table) {
            if self.keys().any(|key| key.name == name.get_ref()) {
                continue;
            }
            let path = self.path_of(name.get_ref());
            let problem = Problem::new(format!("`{path}` is not a setting"));
            let problem = if self.report.is_full() {
                problem
            } else {
                self.explain(name.get_ref(), problem)
            };
            self.report.push_at(name.span(), problem);
        }
    }

    /// Adds what was probably meant: an alias, a near name, or all that there is.
    fn explain(&self, name: &str, problem: Problem) -> Problem {
        let keys = || self.keys().map(|key| key.name);
        let alias = self
            .section
            .aliases
            .iter()
            .find(|(alias, _)| *alias == name);
        if let Some((_, ours)) = alias {
            let is_sentence = ours.contains(' ');
            return problem.hint(if is_sentence {
                (*ours).to_owned()
            } else {
                format!("write `{ours}`")
            });
        }
        if let Some(near) = nearest(name, keys()) {
            return problem.hint(format!("did you mean `{near}`?"));
        }
        let mut expected = String::from("one of ");
        for (index, key) in keys().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            let _ = write!(expected, "{comma}`{key}`");
        }
        problem.expected(expected)
    }

    /// Its own, then `enabled` where there is such a switch.
    fn keys(&self) -> impl Iterator<Item = Key> {
        let switch = self.has_switch().then_some(Key::ENABLED);
        self.section.keys.iter().copied().chain(switch)
    }

    /// Every section has one but the file itself, and those whose keys the user invents.
    fn has_switch(&self) -> bool {
        !self.path.is_empty() && !self.section.keys.is_empty()
    }

    fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }
}

/// The entries of a table as they were written: the parser sorts them by name.
fn in_file_order<'a>(
    table: &'a DeTable<'a>,
) -> Vec<(
    &'a Spanned<toml::de::DeString<'a>>,
    &'a Spanned<DeValue<'a>>,
)> {
    let mut entries: Vec<_> = table.iter().collect();
    entries.sort_by_key(|(name, _)| name.span().start);
    entries
}

/// Whether `text` can name an app, an upstream, a route or an instance.
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= LONGEST_NAME
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// The complaint about a name.
pub(crate) fn not_a_name() -> BadValue {
    BadValue::new(
        "a name",
        format!(
            "letters, digits, `-` and `_`, beginning with a letter or digit, at most {LONGEST_NAME}"
        ),
    )
}
