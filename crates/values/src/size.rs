//! Sizes in bytes as people write them: `5mb`, `512kb`, `64KiB`. No policy.

use std::fmt;
use std::str::FromStr;

use crate::BadValue;
use crate::text::travels_as_text;

/// Units from large to small. One kb is 1024 bytes, as in the body limits of the Node world
/// (`express.json({ limit: '100kb' })`) and in nginx; `kb` and `KiB` are the same.
const UNITS: [(&str, u64); 5] = [
    ("tb", 1 << 40),
    ("gb", 1 << 30),
    ("mb", 1 << 20),
    ("kb", 1 << 10),
    ("b", 1),
];

/// A number of bytes. Written `5mb`, `512kb`, `64KiB`, `1.5mb` or `1024` (bytes), in any case;
/// 1 kb = 1024 bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(u64);

impl Size {
    /// A size of so many bytes.
    pub const fn bytes(bytes: u64) -> Self {
        Self(bytes)
    }

    /// A size of so many kb of 1024 bytes; saturates.
    pub const fn kb(count: u64) -> Self {
        Self(count.saturating_mul(1 << 10))
    }

    /// A size of so many mb of 1024 × 1024 bytes; saturates.
    pub const fn mb(count: u64) -> Self {
        Self(count.saturating_mul(1 << 20))
    }

    /// In bytes.
    pub const fn as_bytes(self) -> u64 {
        self.0
    }

    /// In bytes, for lengths of buffers; saturates where a `usize` is smaller.
    pub fn as_len(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for Size {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let digits = text
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        let unit = unit.trim_start().to_ascii_lowercase();
        let length = match unit.as_str() {
            "" | "b" => 1,
            "k" | "kb" | "kib" => 1 << 10,
            "m" | "mb" | "mib" => 1 << 20,
            "g" | "gb" | "gib" => 1 << 30,
            "t" | "tb" | "tib" => 1 << 40,
            _ => return Err(not_a_size()),
        };
        count(number, length).map(Self).ok_or_else(not_a_size)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, length) = UNITS
            .into_iter()
            .find(|(_, length)| self.0 != 0 && self.0.is_multiple_of(*length))
            .unwrap_or(("b", 1));
        write!(f, "{}{name}", self.0 / length)
    }
}

travels_as_text!(Size);

/// `number` × `length`; a fraction of a byte is cut off, as Node does.
fn count(number: &str, length: u64) -> Option<u64> {
    let (whole, fraction) = match number.split_once('.') {
        Some((whole, fraction)) if !whole.is_empty() && (1..=6).contains(&fraction.len()) => {
            (whole, fraction)
        }
        Some(_) => return None,
        None => (number, ""),
    };
    let whole = whole.parse::<u64>().ok()?.checked_mul(length)?;
    if fraction.is_empty() {
        return Some(whole);
    }
    let scale = 10_u128.pow(u32::try_from(fraction.len()).ok()?);
    let part = u128::from(fraction.parse::<u64>().ok()?) * u128::from(length) / scale;
    whole.checked_add(u64::try_from(part).ok()?)
}

fn not_a_size() -> BadValue {
    BadValue::new(
        "a size",
        "a number with a unit of bytes, such as `5mb`, `512kb` or `64KiB`",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_and_prints() {
        for (text, bytes, printed) in [
            ("0", 0, "0b"),
            ("1024", 1024, "1kb"),
            ("1500b", 1500, "1500b"),
            ("512kb", 524_288, "512kb"),
            ("64KiB", 65_536, "64kb"),
            ("5mb", 5_242_880, "5mb"),
            ("5 MB", 5_242_880, "5mb"),
            ("1.5mb", 1_572_864, "1536kb"),
            ("10g", 10_737_418_240, "10gb"),
            ("1tb", 1 << 40, "1tb"),
        ] {
            let size: Size = text.parse().expect(text);
            assert_eq!(
                (size.as_bytes(), size.to_string().as_str()),
                (bytes, printed)
            );
        }
        for text in [
            "",
            "mb",
            "-1",
            "1.mb",
            ".5mb",
            "1e3",
            "5 megs",
            "99999999tb",
            "1.1.1",
        ] {
            assert!(text.parse::<Size>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn prints_what_it_reads(bytes: u64) {
            prop_assert_eq!(Size::bytes(bytes).to_string().parse(), Ok(Size::bytes(bytes)));
        }
    }
}
