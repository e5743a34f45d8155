//! What an answer depends on that the steps behind the origin have looked at: told in `Vary` (RFC 9110, 12.5.5), once, on the way
//! out. Decides nothing.

use http::header::VARY;
use http::{HeaderMap, HeaderValue};

/// Request fields that our own steps have looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Varies(u8);

impl Varies {
    pub(crate) const NOTHING: Self = Self(0);
    /// What the client accepts decided the coding.
    pub(crate) const ACCEPT_ENCODING: Self = Self(1);
    /// The site whose page asks decided what it may read.
    pub(crate) const ORIGIN: Self = Self(2);

    pub(crate) fn add(&mut self, other: Self) {
        self.0 |= other.0;
    }

    pub(crate) const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    const fn text(self) -> &'static str {
        match (self.has(Self::ACCEPT_ENCODING), self.has(Self::ORIGIN)) {
            (true, true) => "Accept-Encoding, Origin",
            (true, false) => "Accept-Encoding",
            (false, true) => "Origin",
            (false, false) => "",
        }
    }

    /// As a line, where nobody else has said any of it.
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        if self != Self::NOTHING {
            out.extend_from_slice(b"vary: ");
            out.extend_from_slice(self.text().as_bytes());
            out.extend_from_slice(b"\r\n");
        }
    }

    /// Beside what is said already, in one line. `*` says more than any name.
    pub(crate) fn tell(self, headers: &mut HeaderMap) {
        let all = [
            (Self::ACCEPT_ENCODING, "accept-encoding"),
            (Self::ORIGIN, "origin"),
        ];
        let mut missing = Self::NOTHING;
        for (one, name) in all {
            if self.has(one) && !is_said(headers, name) {
                missing.add(one);
            }
        }
        if missing == Self::NOTHING {
            return;
        }
        let both = headers.get(VARY).and_then(|present| {
            let joined = [present.as_bytes(), b", ", missing.text().as_bytes()].concat();
            HeaderValue::from_bytes(&joined).ok()
        });
        match both {
            // the first line alone: others stay as they are
            Some(both) => {
                if let Some(first) = headers.get_mut(VARY) {
                    *first = both;
                }
            }
            None => drop(headers.insert(VARY, HeaderValue::from_static(missing.text()))),
        }
    }
}

fn is_said(headers: &HeaderMap, name: &str) -> bool {
    let lines = headers.get_all(VARY).iter();
    let mut names = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    names.any(|said| {
        let said = said.trim_ascii();
        said == b"*" || said.eq_ignore_ascii_case(name.as_bytes())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_already_is_not_said_again() {
        let both = {
            let mut both = Varies::ACCEPT_ENCODING;
            both.add(Varies::ORIGIN);
            both
        };
        for (varies, said, expected) in [
            (Varies::NOTHING, &[][..], &[][..]),
            (Varies::ORIGIN, &[], &["Origin"]),
            (both, &[], &["Accept-Encoding, Origin"]),
            (both, &["*"], &["*"]),
            (both, &["origin"], &["origin, Accept-Encoding"]),
            (
                both,
                &["Cookie", "ORIGIN"],
                &["Cookie, Accept-Encoding", "ORIGIN"],
            ),
            (
                Varies::ACCEPT_ENCODING,
                &["Cookie"],
                &["Cookie, Accept-Encoding"],
            ),
            (
                Varies::ACCEPT_ENCODING,
                &["a, Accept-Encoding"],
                &["a, Accept-Encoding"],
            ),
        ] {
            let mut headers = HeaderMap::new();
            for line in said {
                headers.append(VARY, HeaderValue::from_static(line));
            }
            varies.tell(&mut headers);
            let found: Vec<_> = headers.get_all(VARY).iter().collect();
            assert_eq!(found, expected, "{varies:?} {said:?}");
        }
    }
}
