//! One app of an ecosystem file: its fields, each read as the type it must have. What they mean is not here.

use std::cell::RefCell;
use std::time::Duration;

use mainstay_values::{Problem, Problems, parse_duration};
use serde_json::{Map, Value};

use super::command;
use super::fields;

/// Fields that are not taken over for one reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// What it is about, in backticks, each once.
    pub what: Vec<String>,
    /// Why it is not taken over, or what stands in its place.
    pub why: String,
}

/// What is wrong with a file, and what is lost of it.
pub(super) struct Complaints {
    file: String,
    problems: RefCell<Vec<Problem>>,
    notes: RefCell<Vec<Note>>,
}

impl Complaints {
    pub(super) fn new(file: &str) -> Self {
        Self {
            file: file.to_owned(),
            problems: RefCell::default(),
            notes: RefCell::default(),
        }
    }

    pub(super) fn push(&self, problem: Problem) {
        let problem = match problem.found {
            Some(_) => problem,
            None => problem.found(self.file.clone()),
        };
        self.problems.borrow_mut().push(problem);
    }

    pub(super) fn note(&self, what: String, why: String) {
        let mut notes = self.notes.borrow_mut();
        match notes.iter_mut().find(|note| note.why == why) {
            Some(note) if note.what.contains(&what) => {}
            Some(note) => note.what.push(what),
            None => notes.push(Note {
                what: vec![what],
                why,
            }),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.problems.borrow().is_empty()
    }

    pub(super) fn finish(self) -> Result<Vec<Note>, Problems> {
        /// Nobody corrects more at once.
        const MOST: usize = 50;
        let found = self.problems.into_inner();
        if found.is_empty() {
            return Ok(self.notes.into_inner());
        }
        let more = found.len().saturating_sub(MOST);
        let mut problems = Problems::new();
        problems.extend(found.into_iter().take(MOST));
        if more > 0 {
            problems.push(Problem::new(format!("and {more} more")));
        }
        Err(problems)
    }
}

/// One app as it stands in the file.
pub(super) struct Entry<'a> {
    /// `apps[1]`; empty where the file is one app.
    at: String,
    fields: &'a Map<String, Value>,
    complaints: &'a Complaints,
    /// What it is called in the file.
    pub(super) given: String,
    /// What it is called with us: as names of sections may be, and no other's.
    pub(super) name: String,
}

/// A field with its value.
pub(super) struct Found<'a> {
    /// Where it stands: `apps[1].max_memory_restart`.
    pub(super) place: String,
    pub(super) value: &'a Value,
}

impl<'a> Entry<'a> {
    pub(super) fn new(
        at: String,
        fields: &'a Map<String, Value>,
        complaints: &'a Complaints,
    ) -> Self {
        Self {
            at,
            fields,
            complaints,
            given: String::new(),
            name: String::new(),
        }
    }

    pub(super) fn is_called(&self, name: &str) -> bool {
        self.given == name || self.name == name
    }

    /// Where the app stands, or a field of it.
    pub(super) fn place(&self, field: &str) -> String {
        match (self.at.as_str(), field) {
            ("", field) => field.to_owned(),
            (at, "") => at.to_owned(),
            (at, field) => format!("{at}.{field}"),
        }
    }

    /// Every field as it was written, but those that say nothing.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'a str, &'a Value)> {
        let said = self.fields.iter().filter(|(_, value)| !value.is_null());
        said.map(|(name, value)| (name.as_str(), value))
    }

    /// A field by its name or by any other that PM2 takes for it.
    pub(super) fn find(&self, name: &str) -> Option<Found<'a>> {
        fields::names_of(name).find_map(|written| {
            let value = self.fields.get(written).filter(|value| !value.is_null())?;
            Some(Found {
                place: self.place(written),
                value,
            })
        })
    }

    /// Text; a number is as good.
    pub(super) fn text(&self, name: &str) -> Option<(String, String)> {
        let found = self.find(name)?;
        let text = match found.value {
            Value::String(text) if !text.contains('\0') => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return self.reject(&found, "a text", "text in quotes"),
        };
        Some((text, found.place))
    }

    /// On or off.
    pub(super) fn switch(&self, name: &str) -> Option<(bool, String)> {
        let found = self.find(name)?;
        let switch = match found.value {
            Value::Bool(switch) => *switch,
            Value::String(text) if text == "true" => true,
            Value::String(text) if text == "false" => false,
            _ => return self.reject(&found, "on or off", "`true` or `false`"),
        };
        Some((switch, found.place))
    }

    /// A time in milliseconds.
    pub(super) fn time(&self, name: &str) -> Option<(Duration, String)> {
        let found = self.find(name)?;
        let time = match found.value {
            // as PM2 writes `min_uptime`: `1h`, `5m`, `10s`
            Value::String(text) if whole(found.value).is_none() => parse_duration(text).ok(),
            value => whole(value).map(Duration::from_millis),
        };
        match time {
            Some(time) => Some((time, found.place)),
            None => self.reject(&found, "a time", "milliseconds, such as `5000`"),
        }
    }

    /// Words: a list of them, or a text that is split as a shell would.
    pub(super) fn words(&self, name: &str) -> Option<(Vec<String>, String)> {
        let found = self.find(name)?;
        let words = match found.value {
            Value::String(text) => command::split(text),
            Value::Array(list) => list.iter().map(word).collect(),
            value => word(value).map(|word| vec![word]),
        };
        match words {
            Some(words) if words.iter().all(|word| !word.contains('\0')) => {
                Some((words, found.place))
            }
            _ => self.reject(&found, "a list of words", "text, or a list of texts"),
        }
    }

    /// Refuses the value of a field.
    pub(super) fn reject<T>(&self, found: &Found<'_>, wanted: &str, expected: &str) -> Option<T> {
        self.complain(
            found,
            Problem::new(format!(
                "`{}` of app `{}` is not {wanted}",
                last(&found.place),
                self.given
            ))
            .expected(expected),
        );
        None
    }

    /// A complaint about the value of a field, which is shown.
    pub(super) fn complain(&self, found: &Found<'_>, problem: Problem) {
        /// The longest value that is shown, in characters.
        const LONGEST: usize = 60;
        let mut shown: String = found.value.to_string().chars().take(LONGEST).collect();
        if found.value.to_string().chars().count() > LONGEST {
            shown.push('…');
        }
        // whatever is said to an app may be a password
        let is_secret = last(&found.place) != found.place && found.place.contains(".env");
        if is_secret {
            "(not shown)".clone_into(&mut shown);
        }
        let place = format!("{} {}: {shown}", self.complaints.file, found.place);
        self.complaints.push(problem.found(place));
    }

    /// A complaint about the app as a whole.
    pub(super) fn complain_about_all(&self, problem: Problem) {
        let place = format!("{} {}", self.complaints.file, self.at);
        self.complaints.push(problem.found(place.trim_end()));
    }

    /// A field that is not taken over.
    pub(super) fn note(&self, field: &str, why: &str) {
        let shown = match field.find(':') {
            Some(_) => format!("`{field}` of `{}`", self.given),
            None => format!("`{field}`"),
        };
        self.complaints.note(shown, why.to_owned());
    }
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(value) => Some(value.to_string()),
        _ => None,
    }
}

/// A whole number that is not negative; its text will do.
pub(super) fn whole(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| {
            let number = number.as_f64().filter(|number| *number >= 0.0)?;
            #[expect(clippy::cast_sign_loss, reason = "it is not negative")]
            (number < 9e15).then_some(number.round() as u64)
        }),
        Value::String(text) if text.len() < 16 => text.parse().ok(),
        _ => None,
    }
}

/// The field of a place.
fn last(place: &str) -> &str {
    place.rsplit('.').next().unwrap_or(place)
}
