//! What the cache does on a route. Stores nothing.

use std::time::Duration;

use mainstay_values::Size;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::memory::CacheMemory;

/// Options of this stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CacheOptions {
    /// Whether anything is done.
    pub state: CacheState,
    /// The most bytes that are kept, in all routes together: what the whole file says counts.
    pub memory: Size,
    /// How long answers are fresh that say nothing of it. None: they are not kept.
    pub ttl: Option<Duration>,
    /// The same for 404 and 410.
    pub negative: Option<Duration>,
    /// Whether an answer's `Last-Modified` is taken for a word about how long it is fresh.
    pub heuristic: Heuristic,
    /// How long after that an answer may still be used, while it is fetched anew or the origin fails, where it says nothing.
    pub stale: Duration,
    /// Who keeps the same, where there is a store.
    pub reach: Reach,
    /// The largest body that is kept.
    pub object_limit: Size,
    /// Whether answers without a tag get one.
    #[serde(default)]
    pub validators: Validators,
    /// What becomes of requests that carry `Cookie` or `Authorization`, or whose sender was verified.
    pub credentials: Credentials,
    /// Whether clients may ask for fresher answers, or none from here (`Cache-Control` of requests).
    pub requests: RequestDirectives,
    /// What of a query tells answers apart; the rest does not reach the origin.
    pub query: QueryRule,
    /// Whether the order of parameters tells answers apart.
    pub query_order: QueryOrder,
    /// Request fields that tell answers apart, in lower case, whether `Vary` names them or not.
    pub key_headers: Vec<String>,
    /// Cookies that tell answers apart; a request with no others counts as one without.
    pub key_cookies: Vec<String>,
    /// Cookies that mean nothing to the origin: where an answer may be shared it does not get them. `*` at the end for any.
    pub ignore_cookies: Vec<String>,
    /// What is shared though it should not be.
    pub sharing: Vec<UnsafeSharing>,
}

/// Whether the cache does anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CacheState {
    /// Nothing is kept, nothing answered.
    #[default]
    Off,
    /// It does.
    On,
}

/// Who keeps the same, where there is a store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// All machines of that name: each uses what others fetched, and one fetches for all.
    #[default]
    Machines,
    /// Each machine for itself.
    Machine,
}

/// Whether answers that do not say how long they are fresh may be taken to be so for a tenth of their age (RFC 9111, 4.2.2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Heuristic {
    /// They are not kept.
    #[default]
    Off,
    /// They are, for a day at most.
    On,
}

/// By what clients can ask whether an answer has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Validators {
    /// By what the origin says.
    #[default]
    Origin,
    /// Where it says no `ETag`, by a weak one that is made of the kept body.
    Weak,
}

/// What becomes of requests that may be one person's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Credentials {
    /// They go to the origin, and their answers are not kept.
    #[default]
    Pass,
    /// They share answers that say `public`, `s-maxage` or, for `Authorization`, `must-revalidate` (RFC 9111, 3.5).
    Share,
}

/// Whether directives of requests count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RequestDirectives {
    /// They do.
    #[default]
    Heed,
    /// They do not, but for `only-if-cached`: no client can make the origin work.
    Ignore,
}

/// Which parameters of a query count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryRule {
    /// All.
    #[default]
    All,
    /// These; `*` at the end for any.
    Only(Vec<String>),
    /// All but these; `*` at the end for any.
    Without(Vec<String>),
}

/// Whether `?a=1&b=2` and `?b=2&a=1` are two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryOrder {
    /// They are.
    #[default]
    Kept,
    /// They are not: the origin gets them sorted.
    Sorted,
}

/// What may be shared against all reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnsafeSharing {
    /// Answers that set cookies, without these cookies.
    SetCookie,
    /// Answers that say `private`.
    Private,
    /// Answers that say `no-store`.
    NoStore,
    /// Answers to requests with cookies, as if these had none.
    Cookie,
}

impl CacheOptions {
    /// Nothing is done.
    pub fn off() -> Self {
        Self::default()
    }

    /// What origins say explicitly is believed.
    pub fn on() -> Self {
        Self {
            state: CacheState::On,
            ..Self::default()
        }
    }

    /// Tells options by which answers are judged from others. How much is kept does not count.
    pub(super) fn fingerprint(&self) -> u64 {
        let judging = Self {
            memory: CacheMemory::USUAL_CAPACITY,
            ..self.clone()
        };
        let text = serde_json::to_vec(&judging).unwrap_or_default();
        let mut number = [0; 8];
        number.copy_from_slice(&Sha256::digest(text)[..8]);
        u64::from_be_bytes(number)
    }

    /// Whether this is shared though it should not be.
    pub(super) fn shares(&self, what: UnsafeSharing) -> bool {
        self.sharing.contains(&what)
    }
}

impl Default for CacheOptions {
    fn default() -> Self {
        Self {
            state: CacheState::Off,
            memory: CacheMemory::USUAL_CAPACITY,
            ttl: None,
            negative: None,
            heuristic: Heuristic::Off,
            stale: Duration::ZERO,
            reach: Reach::Machines,
            object_limit: Size::mb(1),
            validators: Validators::Origin,
            credentials: Credentials::Pass,
            requests: RequestDirectives::Heed,
            query: QueryRule::All,
            query_order: QueryOrder::Kept,
            key_headers: Vec::new(),
            key_cookies: Vec::new(),
            ignore_cookies: Vec::new(),
            sharing: Vec::new(),
        }
    }
}

/// Whether one of the names, `*` at the end of which stands for any rest, is this one.
pub(super) fn any_is(patterns: &[String], name: &[u8]) -> bool {
    patterns.iter().any(|pattern| {
        let pattern = pattern.as_bytes();
        match pattern.strip_suffix(b"*") {
            Some(beginning) => name.starts_with(beginning),
            None => name == pattern,
        }
    })
}
