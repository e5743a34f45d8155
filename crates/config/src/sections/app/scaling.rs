//! A number of workers that follows the work: `workers = { min = 2, max = 8 }`. Scales nothing.

use std::time::Duration;

use mainstay_supervisor::options::{WorkerRange, Workers};
use mainstay_values::{Problem, format_duration};

use super::values::MOST_WORKERS;
use crate::key::{Key, Section};
use crate::reader::Reader;

/// Below `workers`, where it is more than a number or a word.
const SECTION: Section = Section {
    heading: "workers",
    doc: "As many workers as the work needs, within bounds.",
    keys: &[
        Key {
            name: "min",
            kind: "1 to 1024",
            default: "1",
            doc: "Never fewer.",
        },
        Key {
            name: "max",
            kind: "1 to 1024",
            default: "",
            doc: "Never more.",
        },
        Key {
            name: "calm",
            kind: "duration, 1s to 1h",
            default: "\"1m\"",
            doc: "How long one worker less must have been enough before there is one less.",
        },
    ],
    aliases: &[("minimum", "min"), ("maximum", "max"), ("cooldown", "calm")],
    example: "",
};

pub(super) fn read(app: &Reader<'_>, workers: &mut Workers) {
    let is_range = app
        .item("workers")
        .is_some_and(|item| item.value.get_ref().is_table());
    if !is_range {
        app.set("workers", workers);
        return;
    }
    let Some(section) = app.section("workers", &SECTION) else {
        return;
    };
    let counts = 1..=MOST_WORKERS;
    let min = section.get_within("min", &counts).unwrap_or(1);
    let is_open = section.item("max").is_none();
    let max = section.get_within("max", &counts);
    let mut range = WorkerRange::new(min, max.unwrap_or(min));
    let times = Duration::from_secs(1)..=Duration::from_hours(1);
    section.set_within("calm", &times, &mut range.calm);
    let path = section.path();
    if is_open {
        section.reject(
            Problem::new(format!("`{path}` has no `max`"))
                .expected("the most workers there may be: `{ min = 2, max = 8 }`"),
        );
    } else if max.is_some_and(|max| max < min) {
        section.reject(
            Problem::new(format!("`{path}` has a `max` below its `min`"))
                .expected(format!("`max` of {min} or more")),
        );
    }
    section.finish();
    *workers = Workers::Between(range);
}

/// `2..8`, for the environment and flags.
pub(super) fn from_text(text: &str) -> Option<Workers> {
    let (min, max) = text.split_once("..")?;
    let count = |text: &str| -> Option<u32> {
        let is_plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let count = text.parse().ok().filter(|_| is_plain)?;
        (1..=MOST_WORKERS).contains(&count).then_some(count)
    };
    let (min, max) = (count(min)?, count(max)?);
    (min <= max).then(|| Workers::Between(WorkerRange::new(min, max)))
}

pub(super) fn print(range: &WorkerRange) -> String {
    format!("{}..{}", range.min, range.max)
}

pub(super) fn toml(range: &WorkerRange) -> String {
    let calm = format_duration(range.calm);
    format!(
        "{{ min = {}, max = {}, calm = \"{calm}\" }}",
        range.min, range.max
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Value as _;

    #[test]
    fn a_range_is_written_in_one_word_too() {
        for (text, expected) in [
            ("2..8", Some((2, 8))),
            ("1..1", Some((1, 1))),
            ("8..2", None),
            ("0..2", None),
            ("1..2000", None),
            ("..2", None),
            ("+1..2", None),
            ("1..=2", None),
        ] {
            let found = Workers::from_text(text).ok();
            let expected = expected.map(|(min, max)| Workers::Between(WorkerRange::new(min, max)));
            assert_eq!(found, expected, "{text}");
            assert!(found.is_none_or(|found| found.print() == text));
        }
    }
}
