//! What clients are told of their budget: the response's fields, in the words of each draft. Counts nothing.
//!
//! Values as express-rate-limit writes them: draft-ietf-httpapi-ratelimit-headers 06, 07 and 08, and what was
//! there before.

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

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

    pub(super) fn write(&self, told: &Told, headers: &mut HeaderMap) {
        let Self {
            name,
            limit,
            window,
            ..
        } = self;
        let (remaining, reset) = (told.remaining, seconds(told.reset));
        for form in &self.forms {
            match form {
                QuotaHeaders::Draft8 => {
                    let partition = str::from_utf8(&told.partition).unwrap_or_default();
                    add(
                        headers,
                        RATE_LIMIT,
                        text(format_args!("\"{name}\"; r={remaining}; t={reset}")),
                    );
                    let policy =
                        format_args!("\"{name}\"; q={limit}; w={window}; pk=:{partition}:");
                    add(headers, POLICY, text(policy));
                }
                QuotaHeaders::Draft7 => {
                    headers.insert(POLICY, text(format_args!("{limit};w={window}")));
                    let state = format_args!("limit={limit}, remaining={remaining}, reset={reset}");
                    headers.insert(RATE_LIMIT, text(state));
                }
                QuotaHeaders::Draft6 => {
                    headers.insert(POLICY, text(format_args!("{limit};w={window}")));
                    headers.insert(LIMIT, (*limit).into());
                    headers.insert(REMAINING, remaining.into());
                    headers.insert(RESET, reset.into());
                }
                QuotaHeaders::Legacy => {
                    headers.insert(X_LIMIT, (*limit).into());
                    headers.insert(X_REMAINING, remaining.into());
                    headers.insert(X_RESET, epoch(told.reset).into());
                }
                QuotaHeaders::None => {}
            }
        }
    }
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

/// A value of visible ASCII: names of policies are letters, digits, `-` and `_`.
fn text(words: std::fmt::Arguments<'_>) -> HeaderValue {
    let mut bytes = Vec::with_capacity(64);
    let _ = bytes.write_fmt(words);
    HeaderValue::from_maybe_shared(bytes::Bytes::from(bytes))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
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
        Fields::new(forms, "login", &meter).write(&told, &mut headers);
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
