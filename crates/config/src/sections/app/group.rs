//! What all workers of an app may have together, as `[app.NAME]` says it. Holds nobody to it.

use mainstay_supervisor::options::GroupLimits;
use mainstay_values::{BadValue, Problem, Size};
use toml::de::DeValue;

use crate::reader::Reader;
use crate::value::{Item, Value};

/// A number of CPUs, in thousandths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cpus(pub(crate) u32);

impl Cpus {
    /// The kernel shares out no less than a hundredth.
    const LEAST: Self = Self(10);
    /// More than any machine has.
    const MOST: Self = Self(4_096_000);
}

impl Value for Cpus {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        let complaint = || BadValue::new("a number of CPUs", "`0.5`, `2` or `\"150%\"`");
        let (number, decimals) = match text.strip_suffix('%') {
            Some(percent) => (percent, 1),
            None => (text, 3),
        };
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = |digits: &str| {
            (1..=9).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        if !is_number(whole) || !is_number(part) {
            return Err(complaint());
        }
        // what is finer than a thousandth is cut off
        let digits = part.chars().chain(std::iter::repeat('0')).take(decimals);
        let thousandths = whole.chars().chain(digits).collect::<String>().parse();
        thousandths.map(Self).map_err(|_| complaint())
    }

    fn print(&self) -> String {
        let (whole, part) = (self.0 / 1_000, self.0 % 1_000);
        let text = format!("{whole}.{part:03}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }

    fn toml(&self) -> String {
        self.print()
    }

    /// `1.5` too, and not in quotes.
    fn read(item: &Item<'_>) -> Option<Self> {
        let outcome = match item.value.get_ref() {
            DeValue::String(text) => Self::from_text(text),
            DeValue::Float(number) => Self::from_text(number.as_str()),
            DeValue::Integer(number) if number.radix() == 10 => Self::from_text(number.as_str()),
            _ => Self::from_text(""),
        };
        outcome.map_err(|cause| item.reject(cause)).ok()
    }
}

/// No program gets along with less.
const LEAST_MEMORY: Size = Size::mb(1);
/// More than any machine has.
const MOST_MEMORY: Size = Size::mb(1 << 30);

pub(super) fn read(section: &Reader<'_>, limits: &mut GroupLimits) {
    let sizes = LEAST_MEMORY..=MOST_MEMORY;
    let memory = section.get_within("memory_limit", &sizes);
    let high = section.get_within("memory_high", &sizes);
    if let (Some(memory), Some(high), Some(item)) = (memory, high, section.item("memory_high"))
        && high > memory
    {
        let problem = Problem::new(format!("`{}` is above `memory_limit`", item.path));
        item.push(problem.expected(format!("at most `{memory}`")));
    }
    limits.memory = memory.map(Size::as_bytes);
    limits.memory_high = high.map(Size::as_bytes);
    let cpus = section.get_within("cpu_limit", &(Cpus::LEAST..=Cpus::MOST));
    limits.cpu = cpus.map(|cpus| cpus.0);
    limits.pids = section.get_within("pids_limit", &(4..=4_194_304));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_cpus_are_read_and_printed_alike() {
        for (text, thousandths, printed) in [
            ("1", 1_000, "1"),
            ("1.5", 1_500, "1.5"),
            ("0.25", 250, "0.25"),
            ("150%", 1_500, "1.5"),
            ("12.5%", 125, "0.125"),
            ("2.0009", 2_000, "2"),
        ] {
            let read = Cpus::from_text(text).expect(text);
            assert_eq!(
                (read.0, read.print().as_str()),
                (thousandths, printed),
                "{text}"
            );
            assert_eq!(Cpus::from_text(printed), Ok(read), "{text}");
        }
        for text in [
            "",
            "%",
            ".5",
            "1.",
            "-1",
            "1e3",
            "inf",
            "1.5 cpus",
            "9999999999",
            "4294968",
        ] {
            assert!(Cpus::from_text(text).is_err(), "{text}");
        }
    }
}
