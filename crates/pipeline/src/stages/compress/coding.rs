//! Content codings, and which of them a client would like (RFC 9110 12.5.3). Encodes nothing.

use http::HeaderValue;
use serde::{Deserialize, Serialize};

/// A content coding that answers can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    /// Zstandard (RFC 8878).
    Zstd,
    /// Brotli (RFC 7932).
    Br,
    /// gzip (RFC 1952).
    Gzip,
}

impl Coding {
    /// All of them, the one that costs least for what it saves first.
    pub const ALL: [Self; 3] = [Self::Zstd, Self::Br, Self::Gzip];

    /// Its name in fields.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Zstd => "zstd",
            Self::Br => "br",
            Self::Gzip => "gzip",
        }
    }

    /// The same as a field's value.
    pub(super) const fn value(self) -> HeaderValue {
        HeaderValue::from_static(self.name())
    }
}

/// Members of one field that are read; what comes after them is not.
const MOST_MEMBERS: usize = 32;

/// What a client says of one coding: its weight in thousandths. None: it says nothing.
#[derive(Clone, Copy, Debug, Default)]
struct Weights {
    /// In the order of [`Coding::ALL`].
    codings: [Option<u16>; 3],
    identity: Option<u16>,
    any: Option<u16>,
}

/// The coding a client likes best of those offered; of equal ones the first. None: none is wanted, or plain is liked
/// better.
pub(super) fn choose<'a>(
    accepted: impl IntoIterator<Item = &'a HeaderValue>,
    offered: &[Coding],
) -> Option<Coding> {
    let mut weights = Weights::default();
    let lines = accepted.into_iter().map(HeaderValue::as_bytes);
    let members = lines.flat_map(|line| line.split(|&byte| byte == b','));
    for member in members.take(MOST_MEMBERS) {
        weights.read(member.trim_ascii());
    }
    let plain = weights.identity.unwrap_or(0);
    let mut best = None;
    for &coding in offered {
        let weight = weights.of(coding);
        let is_better = best.is_none_or(|(most, _)| weight > most);
        if weight > 0 && weight >= plain && is_better {
            best = Some((weight, coding));
        }
    }
    best.map(|(_, coding)| coding)
}

impl Weights {
    fn read(&mut self, member: &[u8]) {
        let (name, parameters) = match memchr::memchr(b';', member) {
            Some(end) => (member[..end].trim_ascii_end(), &member[end + 1..]),
            None => (member, &b""[..]),
        };
        let Some(weight) = weight(parameters) else {
            return; // what cannot be read is as if it were not there
        };
        let slot = match name {
            b"*" => &mut self.any,
            _ if name.eq_ignore_ascii_case(b"identity") => &mut self.identity,
            // an old name of the same
            _ if name.eq_ignore_ascii_case(b"x-gzip") => &mut self.codings[Coding::Gzip as usize],
            _ => {
                let known = Coding::ALL
                    .into_iter()
                    .find(|coding| name.eq_ignore_ascii_case(coding.name().as_bytes()));
                let Some(coding) = known else { return };
                &mut self.codings[coding as usize]
            }
        };
        *slot = Some(weight);
    }

    fn of(&self, coding: Coding) -> u16 {
        self.codings[coding as usize].or(self.any).unwrap_or(0)
    }
}

/// `q=0.5` as thousandths; 1000 without one. None if it is not a weight (RFC 9110 12.4.2).
fn weight(parameters: &[u8]) -> Option<u16> {
    let mut parameters = parameters
        .split(|&byte| byte == b';')
        .map(<[u8]>::trim_ascii);
    let weight = parameters.find(|parameter| {
        let (name, rest) = parameter.split_at(parameter.len().min(1));
        name.eq_ignore_ascii_case(b"q") && rest.trim_ascii_start().starts_with(b"=")
    });
    let Some(weight) = weight else {
        return Some(1_000);
    };
    let text = weight[1..].trim_ascii_start()[1..].trim_ascii_start();
    let (whole, fraction) = match text {
        [whole, b'.', fraction @ ..] => (*whole, fraction),
        [whole] => (*whole, &b""[..]),
        _ => return None,
    };
    if fraction.len() > 3 || !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let mut thousandths = 0;
    for place in 0..3 {
        let digit = fraction.get(place).map_or(0, |digit| digit - b'0');
        thousandths = thousandths * 10 + u16::from(digit);
    }
    match (whole, thousandths) {
        (b'0', thousandths) => Some(thousandths),
        (b'1', 0) => Some(1_000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(accepted: &str) -> Option<&'static str> {
        let value = HeaderValue::from_str(accepted).expect("a value");
        choose([&value], &Coding::ALL).map(Coding::name)
    }

    #[test]
    fn what_the_client_likes_best_is_chosen() {
        for (accepted, coding) in [
            ("gzip", Some("gzip")),
            ("gzip, deflate", Some("gzip")),
            ("gzip, deflate, br", Some("br")),
            ("gzip, deflate, br, zstd", Some("zstd")),
            ("GZIP", Some("gzip")),
            ("x-gzip", Some("gzip")),
            ("br;q=0.5, gzip;q=0.8", Some("gzip")),
            ("br;q=0.8, gzip;q=0.8", Some("br")),
            ("gzip ; q = 0.001", Some("gzip")),
            ("gzip;q=0", None),
            ("gzip;q=0.000, br", Some("br")),
            ("*", Some("zstd")),
            ("*;q=0.5, zstd;q=0", Some("br")),
            ("*;q=0", None),
            ("identity", None),
            ("identity, gzip;q=0.5", None),
            ("identity;q=0.5, gzip;q=0.5", Some("gzip")),
            ("identity;q=0, gzip;q=0.1", Some("gzip")),
            ("deflate, compress", None),
            ("", None),
            (",,gzip,", Some("gzip")),
            ("gzip;q=2", None),
            ("gzip;q=0.1234", None),
            ("gzip;q=", None),
            ("gzip;q", Some("gzip")),
            ("gzipped", None),
        ] {
            assert_eq!(chosen(accepted), coding, "{accepted:?}");
        }
    }

    #[test]
    fn only_what_is_offered_is_chosen() {
        let value = HeaderValue::from_static("gzip, br, zstd");
        assert_eq!(choose([&value], &[Coding::Gzip]), Some(Coding::Gzip));
        assert_eq!(choose([&value], &[]), None);
    }

    #[test]
    fn lines_count_together() {
        let (one, two) = (
            HeaderValue::from_static("gzip;q=0.5"),
            HeaderValue::from_static("br"),
        );
        assert_eq!(choose([&one, &two], &Coding::ALL), Some(Coding::Br));
    }

    proptest::proptest! {
        #[test]
        fn no_value_is_a_panic(bytes in proptest::collection::vec(0x20_u8..0x7f, 0..200)) {
            let value = HeaderValue::from_bytes(&bytes).expect("visible");
            let _ = choose([&value], &Coding::ALL);
        }
    }
}
