//! The keys that issuers publish, as they are known now. Fetches nothing: whoever can is told when that is wanted.
//!
//! While an issuer is away its last keys stay. A token that names a key nobody knows has them fetched anew, but seldom:
//! such tokens cost an attacker nothing.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{Notify, watch};

use super::key::{VerifyingKey, keys_of_set};

/// So long a request waits for keys that are being fetched.
const PATIENCE: Duration = Duration::from_secs(3);

/// More often than this nobody's tokens have keys fetched anew.
pub const SELDOM: Duration = Duration::from_secs(10);

/// The keys of one issuer. One for all threads of a gateway.
#[derive(Debug)]
pub struct KeySet {
    /// None until they were fetched for the first time.
    keys: watch::Sender<Option<Arc<[VerifyingKey]>>>,
    wanted: Notify,
    attempts: Mutex<Attempts>,
}

#[derive(Debug, Default)]
struct Attempts {
    last: Option<Instant>,
    is_running: bool,
}

/// Keys are being fetched as long as it lives.
#[derive(Debug)]
pub struct Attempt<'a>(&'a KeySet);

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        self.0.attempts().is_running = false;
    }
}

impl Default for KeySet {
    fn default() -> Self {
        Self {
            keys: watch::Sender::new(None),
            wanted: Notify::new(),
            attempts: Mutex::default(),
        }
    }
}

impl KeySet {
    /// The keys as they were fetched last.
    pub(super) fn keys(&self) -> Option<Arc<[VerifyingKey]>> {
        self.keys.borrow().clone()
    }

    /// Whether keys were fetched at all.
    pub(in super::super) fn is_known(&self) -> bool {
        self.keys.borrow().is_some()
    }

    /// Puts a set of keys (RFC 7517, 5) into the place of those before. Returns how many of them can verify.
    ///
    /// # Errors
    /// When it is no set, or holds more than 100 keys, or none that can verify: those before stay.
    pub fn publish(&self, bytes: &[u8]) -> Result<usize, &'static str> {
        let keys = keys_of_set(bytes).ok_or("it is no set of at most 100 keys")?;
        if keys.is_empty() {
            return Err("none of its keys can verify a signature");
        }
        let count = keys.len();
        self.keys.send_replace(Some(keys.into()));
        Ok(count)
    }

    /// Says that keys are being fetched: whoever needs them waits for that.
    pub fn begin(&self) -> Attempt<'_> {
        let mut attempts = self.attempts();
        attempts.is_running = true;
        attempts.last = Some(Instant::now());
        Attempt(self)
    }

    fn attempts(&self) -> std::sync::MutexGuard<'_, Attempts> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends when somebody met a token whose key is not known.
    pub async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// Asks for newer keys and waits a moment for them; they may come later, or never. Waits for nothing where they
    /// were fetched a moment ago.
    pub(in super::super) async fn renewed(&self) {
        let mut changes = self.keys.subscribe();
        {
            let attempts = self.attempts();
            let is_recent = attempts.last.is_some_and(|last| last.elapsed() < SELDOM);
            if is_recent && !attempts.is_running {
                return;
            }
        }
        self.wanted.notify_one();
        let _ = tokio::time::timeout(PATIENCE, changes.changed()).await;
    }
}

/// All sets that are known, by where they are published.
#[derive(Debug, Default)]
pub struct KeySets(Mutex<HashMap<String, Arc<KeySet>>>);

impl KeySets {
    /// The set that is published there. The same one for whoever asks.
    pub fn of(&self, url: &str) -> Arc<KeySet> {
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(sets.entry(url.to_owned()).or_default())
    }

    /// Forgets all but these.
    pub fn keep(&self, urls: &[&str]) {
        let mut sets = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sets.retain(|url, _| urls.contains(&url.as_str()));
    }
}
