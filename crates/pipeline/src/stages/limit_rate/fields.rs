//! What clients are told of their budget: the response's fields, in the words of each draft. Counts nothing.
//!
//! Values as express-rate-limit writes them: draft-ietf-httpapi-ratelimit-headers 06, 07 and 08, and what was
//! there before.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};

use super::meter::{Meter, seconds};
use super::options::QuotaHeaders;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");
const X_LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const X_REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const X_RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// The names of all fields that tell of budgets.
pub(super) const NAMES: [HeaderName; 8] = [
    RATE_LIMIT,
    POLICY,
    LIMIT,
    REMAINING,
    RESET,
    X_LIMIT,
    X_REMAINING,
    X_RESET,
];

/// How a client's budget stands, as far as it is told.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told {
    pub(super) remaining: u32,
    /// Microseconds.
    pub(super) reset: u64,
    /// See [`super::key::partition`]; only where it is told.
    pub(super) partition: [u8; 16],
}

/// The words of one policy.
#[derive(Debug)]
pub(super) struct Fields {
    forms: Vec<QuotaHeaders>,
    name: String,
    limit: u32,
    window: u32,
}

impl Fields {
    pub(super) fn new(forms: &[QuotaHeaders], name: &str, meter: &Meter) -> Self {
        let said = |form: &&QuotaHeaders| **form != QuotaHeaders::None;
        Self {
            forms: forms.iter().filter(said).copied().collect(),
            name: name.to_owned(),
            limit: meter.limit(),
            window: seconds(meter.window()),
        }
    }

    /// Whether nothing is told.
    pub(super) fn are_none(&self) -> bool {
        self.forms.is_empty()
    }

    /// Whether the partition is told.
    pub(super) fn need_partition(&self) -> bool {
        self.forms.contains(&QuotaHeaders::Draft8)
    }

    /// The fields in a map.
    pub(super) fn write(&self, told: &Told, headers: &mut HeaderMap) {
        self.each(told, |name, place, words| {
            let mut value = Vec::with_capacity(64);
            write_words(words, &mut value);
            // visible ASCII: names of policies are letters, digits, `-` and `_`
            let Ok(value) = HeaderValue::from_maybe_shared(Bytes::from(value)) else {
                return;
            };
            match place {
                Place::Beside => add(headers, name, value),
                Place::Instead => drop(headers.insert(name, value)),
            }
        });
    }

    /// The fields as they are sent, where nobody else has said any of them.
    pub(super) fn write_out(&self, told: &Told, out: &mut Vec<u8>) {
        self.each(told, |name, _, words| {
            out.extend_from_slice(name.as_str().as_bytes());
            out.extend_from_slice(b": ");
            write_words(words, out);
            out.extend_from_slice(b"\r\n");
        });
    }

    /// Names each field, where it goes, and what it says.
    fn each(&self, told: &Told, mut tell: impl FnMut(HeaderName, Place, &[Word<'_>])) {
        use Place::{Beside, Instead};
        let name = Word::Text(&self.name);
        let number = |number: u32| Word::Number(u64::from(number));
        let (limit, window) = (number(self.limit), number(self.window));
        let (remaining, reset) = (number(told.remaining), number(seconds(told.reset)));
        for form in &self.forms {
            match form {
                QuotaHeaders::Draft8 => {
                    let partition = str::from_utf8(&told.partition).unwrap_or_default();
                    let state = [Q, name, Word::Text("\"; r="), remaining, T, reset];
                    tell(RATE_LIMIT, Beside, &state);
                    let partition = [Word::Text("; pk=:"), Word::Text(partition), Word::Text(":")];
                    let [key, partition, end] = partition;
                    let quota = Word::Text("\"; q=");
                    tell(
                        POLICY,
                        Beside,
                        &[
                            Q,
                            name,
                            quota,
                            limit,
                            Word::Text("; w="),
                            window,
                            key,
                            partition,
                            end,
                        ],
                    );
                }
                QuotaHeaders::Draft7 => {
                    tell(POLICY, Instead, &[limit, Word::Text(";w="), window]);
                    let state = [
                        Word::Text("limit="),
                        limit,
                        Word::Text(", remaining="),
                        remaining,
                        Word::Text(", reset="),
                        reset,
                    ];
                    tell(RATE_LIMIT, Instead, &state);
                }
                QuotaHeaders::Draft6 => {
                    tell(POLICY, Instead, &[limit, Word::Text(";w="), window]);
                    tell(LIMIT, Instead, &[limit]);
                    tell(REMAINING, Instead, &[remaining]);
                    tell(RESET, Instead, &[reset]);
                }
                QuotaHeaders::Legacy => {
                    tell(X_LIMIT, Instead, &[limit]);
                    tell(X_REMAINING, Instead, &[remaining]);
                    tell(X_RESET, Instead, &[Word::Number(epoch(told.reset))]);
                }
                QuotaHeaders::None => {}
            }
        }
    }
}

/// What a value is put together of: every answer has others, so none is formatted that could be copied.
#[derive(Clone, Copy)]
enum Word<'a> {
    Text(&'a str),
    Number(u64),
}

const Q: Word<'static> = Word::Text("\"");
const T: Word<'static> = Word::Text("; t=");

fn write_words(words: &[Word<'_>], out: &mut Vec<u8>) {
    for word in words {
        match word {
            Word::Text(text) => out.extend_from_slice(text.as_bytes()),
            Word::Number(number) => {
                out.extend_from_slice(itoa::Buffer::new().format(*number).as_bytes());
            }
        }
    }
}

/// What becomes of a field of the same name that the app sent.
#[derive(Clone, Copy)]
enum Place {
    /// It stays where it speaks of the app's own policies in the same words.
    Beside,
    /// Ours takes its place.
    Instead,
}

/// Beside what the app says of its own policies in the same words; in the place of what it says in others.
fn add(headers: &mut HeaderMap, name: HeaderName, value: HeaderValue) {
    let is_alike = headers
        .get(&name)
        .is_some_and(|said| said.as_bytes().starts_with(b"\""));
    if is_alike {
        headers.append(name, value);
    } else {
        headers.insert(name, value);
    }
}

/// The wall clock's second in which so many microseconds will have passed, rounded up.
fn epoch(micros: u64) -> u64 {
    let then = SystemTime::now() + Duration::from_micros(micros);
    let since = then.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_secs() + u64::from(since.subsec_nanos() > 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::limit_rate::Algorithm;

    fn written(forms: &[QuotaHeaders], before: &[(&'static str, &'static str)]) -> Vec<String> {
        let meter = Meter::new(Algorithm::FixedWindow, 5, Duration::from_mins(15), 0, None);
        let told = Told {
            remaining: 4,
            reset: 899_000_001,
            partition: *b"MTJjYTE3YjQ5YWYy",
        };
        let mut headers = HeaderMap::new();
        for (name, value) in before {
            headers.insert(*name, HeaderValue::from_static(value));
        }
        let fields = Fields::new(forms, "login", &meter);
        fields.write(&told, &mut headers);
        if before.is_empty() {
            let mut out = Vec::new();
            fields.write_out(&told, &mut out);
            let out = String::from_utf8(out).expect("text");
            assert_eq!(out.lines().count(), headers.len());
            for line in out.lines() {
                let (name, value) = line.split_once(": ").expect("a field");
                assert_eq!(headers[name], value);
            }
        }
        let line = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{name}: {}", value.to_str().expect("text"))
        };
        let mut lines: Vec<String> = headers.iter().map(line).collect();
        lines.sort();
        lines
    }

    #[test]
    fn each_draft_has_its_words() {
        assert_eq!(
            written(&[QuotaHeaders::Draft8], &[]),
            [
                "ratelimit-policy: \"login\"; q=5; w=900; pk=:MTJjYTE3YjQ5YWYy:",
                "ratelimit: \"login\"; r=4; t=900",
            ]
        );
        assert_eq!(
            written(&[QuotaHeaders::Draft7], &[]),
            [
                "ratelimit-policy: 5;w=900",
                "ratelimit: limit=5, remaining=4, reset=900"
            ]
        );
        assert_eq!(
            written(&[QuotaHeaders::Draft6], &[]),
            [
                "ratelimit-limit: 5",
                "ratelimit-policy: 5;w=900",
                "ratelimit-remaining: 4",
                "ratelimit-reset: 900",
            ]
        );
        let legacy = written(&[QuotaHeaders::Legacy], &[]);
        assert_eq!(
            legacy[..2],
            ["x-ratelimit-limit: 5", "x-ratelimit-remaining: 4"]
        );
        assert!(legacy[2].starts_with("x-ratelimit-reset: "));
        assert!(written(&[QuotaHeaders::None], &[]).is_empty());
    }

    #[test]
    fn the_app_is_never_contradicted() {
        let alike = written(
            &[QuotaHeaders::Draft8],
            &[("ratelimit", "\"app\"; r=9; t=1")],
        );
        assert_eq!(alike.len(), 3);
        let others = written(
            &[QuotaHeaders::Draft8],
            &[("ratelimit", "limit=9, remaining=9, reset=1")],
        );
        assert_eq!(others.len(), 2);
        let replaced = written(&[QuotaHeaders::Legacy], &[("x-ratelimit-limit", "9")]);
        assert_eq!(replaced[0], "x-ratelimit-limit: 5");
    }
}
