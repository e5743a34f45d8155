//! What limits are made of: one policy each. Counts nothing.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use mainstay_values::{BadValue, Network, Rate, RequestPattern};
use serde::{Deserialize, Serialize};

use super::meter::{Algorithm, LONGEST_WINDOW, MOST_HITS};
use super::policy::are_meant;
use super::shared::{Sharing, WithoutStore};
use crate::{Enforcement, Exchange, Readings, Step};

/// One limit: for which requests, counted by what, and how many of them pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RatePolicy {
    /// Its name, in response headers and reports.
    pub name: String,
    /// The requests it is for; any of these. Empty: every request.
    pub requests: Vec<RequestPattern>,
    /// So many in so long; at most [`RatePolicy::MOST_HITS`] in at most [`RatePolicy::LONGEST_WINDOW`].
    pub rate: Rate,
    /// How hits are counted.
    pub algorithm: Algorithm,
    /// For a token bucket: hits beyond the first that may come at once.
    pub burst: u32,
    /// For a token bucket: hits of the burst that need not wait their turn. None: nobody waits.
    pub delay: Option<u32>,
    /// Whose budget it is: all of these together. Empty: one for everybody.
    pub key: Vec<KeyPart>,
    /// Leading bits of an IPv6 address that stand for one client, 32 to 128.
    pub ipv6_prefix: u8,
    /// What a request takes of the budget; at least 1.
    pub cost: u32,
    /// Answers that cost nothing in the end.
    pub skip: Skip,
    /// Whether it refuses.
    pub enforcement: Enforcement,
    /// Who is never counted nor refused.
    pub allow: Vec<Listed>,
    /// Who is always refused.
    pub deny: Vec<Listed>,
    /// Who is refused too often is refused everything of this policy for a time.
    pub ban: Option<BanOptions>,
    /// What clients are told of their budget.
    pub headers: Vec<QuotaHeaders>,
    /// Who counts together, where there is a store.
    pub sharing: Sharing,
    /// What holds while the store is away.
    pub without_store: WithoutStore,
}

impl RatePolicy {
    /// The most that a rate may allow in its window.
    pub const MOST_HITS: u32 = MOST_HITS;
    /// The longest window of a rate.
    pub const LONGEST_WINDOW: Duration = LONGEST_WINDOW;

    /// A limit on every client's requests of every kind.
    pub fn new(name: impl Into<String>, rate: Rate) -> Self {
        Self {
            name: name.into(),
            requests: Vec::new(),
            rate,
            algorithm: Algorithm::default(),
            burst: 0,
            delay: None,
            key: vec![KeyPart::Client],
            ipv6_prefix: 56,
            cost: 1,
            skip: Skip::default(),
            enforcement: Enforcement::default(),
            allow: Vec::new(),
            deny: Vec::new(),
            ban: None,
            headers: vec![QuotaHeaders::Draft8],
            sharing: Sharing::default(),
            without_store: WithoutStore::default(),
        }
    }

    /// Whether a request is counted by it, if it comes so far; lists of exceptions apart. A probe never is.
    pub fn is_for(&self, exchange: &Exchange) -> bool {
        let readings = Readings::of(exchange.uri.path());
        !exchange.is_probe && are_meant(&self.requests, exchange, &readings)
    }

    /// The step at which it is asked.
    pub fn step(&self) -> Step {
        if self.needs_identity() {
            Step::LimitIdentity
        } else {
            Step::LimitRate
        }
    }

    /// Whether it can only be asked once it is known who asks.
    pub fn needs_identity(&self) -> bool {
        self.key.iter().any(KeyPart::is_of_identity)
    }
}

/// Which answers cost nothing in the end. A success is a status below 400.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skip {
    /// Those of successes.
    pub successful: bool,
    /// Those of failures, and of requests whose client went away.
    pub failed: bool,
}

/// When a ban begins, and how long it lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BanOptions {
    /// So many refusals, in windows that follow each other.
    pub after: u32,
    /// Whole seconds, up to a year.
    pub lasts: Duration,
}

/// In which words clients are told of their budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QuotaHeaders {
    /// `RateLimit` and `RateLimit-Policy` of draft-ietf-httpapi-ratelimit-headers-08.
    Draft8,
    /// `RateLimit` and `RateLimit-Policy` of draft 07.
    Draft7,
    /// `RateLimit-Limit`, `-Remaining`, `-Reset` and `-Policy` of draft 06.
    Draft6,
    /// `X-RateLimit-Limit`, `-Remaining` and `-Reset`.
    Legacy,
    /// Nothing.
    None,
}

/// What tells one budget from another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum KeyPart {
    /// The client's address.
    Client,
    /// The route.
    Route,
    /// A header of the request, in lower case; the client's address where there is none.
    Header(String),
    /// A cookie; the client's address where there is none.
    Cookie(String),
    /// The verified API key.
    ApiKey,
    /// The verified user.
    User,
    /// A claim of the verified token.
    Claim(String),
}

impl KeyPart {
    /// Whether it is known only once it is known who asks.
    pub fn is_of_identity(&self) -> bool {
        matches!(self, Self::ApiKey | Self::User | Self::Claim(_))
    }
}

impl FromStr for KeyPart {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let (kind, name) = text.split_once(':').unwrap_or((text, ""));
        let is_token = !name.is_empty()
            && name.len() <= 128
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
        match (kind, is_token, name.is_empty()) {
            ("ip", _, true) => Ok(Self::Client),
            ("route", _, true) => Ok(Self::Route),
            ("api-key", _, true) => Ok(Self::ApiKey),
            ("user", _, true) => Ok(Self::User),
            ("header", true, _) => {
                let name = name.to_ascii_lowercase();
                if is_forwarding(&name) {
                    return Err(not_a_key().hint(
                        "anybody can send that header: `ip` is the client's address behind `trusted_proxies`",
                    ));
                }
                Ok(Self::Header(name))
            }
            ("cookie", true, _) => Ok(Self::Cookie(name.to_owned())),
            ("claim", true, _) => Ok(Self::Claim(name.to_owned())),
            ("header" | "cookie" | "claim", _, _) => {
                Err(not_a_key().hint(format!("name it: `{kind}:NAME`")))
            }
            _ => Err(not_a_key()),
        }
    }
}

/// Fields that say who asks, and that everybody can make up.
fn is_forwarding(name: &str) -> bool {
    name.starts_with("x-forwarded")
        || matches!(
            name,
            "forwarded"
                | "x-real-ip"
                | "x-client-ip"
                | "true-client-ip"
                | "cf-connecting-ip"
                | "via"
        )
}

impl fmt::Display for KeyPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client => f.write_str("ip"),
            Self::Route => f.write_str("route"),
            Self::ApiKey => f.write_str("api-key"),
            Self::User => f.write_str("user"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Claim(name) => write!(f, "claim:{name}"),
        }
    }
}

fn not_a_key() -> BadValue {
    BadValue::new(
        "what limits are counted by",
        "`ip`, `route`, `header:NAME`, `cookie:NAME`, `api-key`, `user` or `claim:NAME`",
    )
}

/// Somebody on a list of exceptions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Listed {
    /// Clients of a network.
    Network(Network),
    /// Whose budget has this key, word for word: several parts are joined by `|`.
    Key(String),
}

impl FromStr for Listed {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        match text.strip_prefix("key:") {
            Some("") => Err(not_listed()),
            Some(key) => Ok(Self::Key(key.to_owned())),
            None => text
                .parse()
                .map(Self::Network)
                .map_err(|cause| cause_of(&cause)),
        }
    }
}

fn cause_of(cause: &BadValue) -> BadValue {
    BadValue {
        hint: cause.hint.clone(),
        ..not_listed()
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => write!(f, "{network}"),
            Self::Key(key) => write!(f, "key:{key}"),
        }
    }
}

fn not_listed() -> BadValue {
    BadValue::new(
        "somebody to except",
        "an address, a range of them, or `key:` and a key, such as `10.0.0.0/8` or `key:partner-1`",
    )
}

/// Travels as it is written.
macro_rules! as_text {
    ($($type:ty),*) => {$(
        impl Serialize for $type {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

as_text!(KeyPart, Listed);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_lists_are_read_and_printed() {
        for text in [
            "ip",
            "route",
            "header:x-api-key",
            "cookie:sid",
            "api-key",
            "user",
            "claim:sub",
        ] {
            let part: KeyPart = text.parse().expect(text);
            assert_eq!(part.to_string(), text);
        }
        for text in [
            "",
            "ips",
            "header",
            "header:",
            "ip:x",
            "header:a b",
            "header:X-Forwarded-For",
            "claim:",
        ] {
            assert!(text.parse::<KeyPart>().is_err(), "{text}");
        }
        for text in ["10.0.0.0/8", "::1", "key:abc:d"] {
            let listed: Listed = text.parse().expect(text);
            assert_eq!(listed.to_string(), text);
        }
        for text in ["", "key:", "nobody"] {
            assert!(text.parse::<Listed>().is_err(), "{text}");
        }
    }
}
