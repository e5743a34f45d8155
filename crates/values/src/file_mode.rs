//! Permissions of a file, as `chmod` takes them. Changes no file.

use std::fmt;
use std::str::FromStr;

use crate::BadValue;
use crate::text::travels_as_text;

/// Who may read, write and execute a file: owner, group, others, one octal digit each. Written `0660` or `660`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileMode(u32);

impl FileMode {
    /// These bits; any beyond `0o777` are dropped.
    pub const fn new(bits: u32) -> Self {
        Self(bits & 0o777)
    }

    /// 0 to `0o777`.
    pub const fn bits(self) -> u32 {
        self.0
    }
}

impl FromStr for FileMode {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let wrong = || {
            BadValue::new(
                "a file mode",
                "three octal digits for owner, group and others, such as `\"0660\"`",
            )
        };
        let digits = match text.len() {
            4 => text.strip_prefix('0').ok_or_else(wrong)?,
            _ => text,
        };
        if digits.len() != 3 || !digits.bytes().all(|byte| matches!(byte, b'0'..=b'7')) {
            return Err(wrong());
        }
        let bits = u32::from_str_radix(digits, 8).map_err(|_| wrong())?;
        Ok(Self(bits))
    }
}

impl fmt::Display for FileMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04o}", self.0)
    }
}

travels_as_text!(FileMode);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_chmod_reads_and_prints_it() {
        for (text, bits) in [("0660", 0o660), ("660", 0o660), ("000", 0), ("0777", 0o777)] {
            let mode: FileMode = text.parse().expect(text);
            assert_eq!(mode.bits(), bits, "{text}");
            assert_eq!(mode.to_string().parse(), Ok(mode));
        }
        for text in [
            "",
            "66",
            "6600",
            "1777",
            "0o660",
            "680",
            "rw-rw----",
            "+66",
            "0660 ",
        ] {
            assert!(text.parse::<FileMode>().is_err(), "{text}");
        }
    }
}
