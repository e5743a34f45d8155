//! Keeps the keys fresh that issuers of tokens publish: one task for each address, on the gateway's main thread.
//!
//! While an issuer is away its last keys stay in force, and it is asked again, more and more seldom. Verifies nothing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use mainstay_pipeline::jwt::{KeySet, KeySource, SELDOM};
use mainstay_pipeline::{Notices, Verification};
use mainstay_proxy::fetch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::protocol::GatewaySettings;

/// So often keys are fetched that nobody asks for.
const FRESH: Duration = Duration::from_mins(10);
/// The first pause after a failure; it doubles.
const PAUSE: Duration = Duration::from_secs(1);
/// The longest.
const LONGEST_PAUSE: Duration = Duration::from_mins(1);

/// Who is fetched from.
pub(super) struct Issuers {
    /// By address and authorities.
    tasks: HashMap<(String, Option<String>), JoinHandle<()>>,
    verification: Arc<Verification>,
    notices: Arc<Notices>,
}

impl Issuers {
    /// Nobody yet.
    pub(super) fn new(verification: Arc<Verification>, notices: Arc<Notices>) -> Self {
        Self {
            tasks: HashMap::new(),
            verification,
            notices,
        }
    }

    /// Fetches what these settings need, and nothing else any more.
    pub(super) fn serve(&mut self, settings: &GatewaySettings) {
        let sets = &self.verification.key_sets;
        let wanted = wanted(settings);
        self.tasks.retain(|known, task| {
            let stays = wanted.get(&known.0) == Some(&known.1);
            if !stays {
                task.abort();
            }
            stays
        });
        for (url, authorities) in &wanted {
            let key = (url.clone(), authorities.clone());
            self.tasks.entry(key).or_insert_with(|| {
                let set = sets.of(url);
                let (url, authorities) = (url.clone(), authorities.clone());
                tokio::spawn(keep_fresh(url, authorities, set, Arc::clone(&self.notices)))
            });
        }
        let urls: Vec<&str> = wanted.keys().map(String::as_str).collect();
        sets.keep(&urls);
    }
}

/// The addresses, each with the authorities that are believed there.
fn wanted(settings: &GatewaySettings) -> BTreeMap<String, Option<String>> {
    let fronts = settings.fronts.iter();
    let layers = fronts.flat_map(|front| {
        let own = front
            .routes
            .iter()
            .filter_map(|route| route.layers.as_deref());
        own.chain([&front.layers])
    });
    let tokens = layers.flat_map(|layers| &layers.auth.tokens);
    tokens
        .filter_map(|token| match &token.keys {
            KeySource::Fetched { url, authorities } => Some((url.clone(), authorities.clone())),
            KeySource::Secret(_) | KeySource::Public(_) => None,
        })
        .collect()
}

async fn keep_fresh(
    url: String,
    authorities: Option<String>,
    set: Arc<KeySet>,
    notices: Arc<Notices>,
) {
    let Ok(uri) = url.parse::<Uri>() else { return };
    let mut pause = PAUSE;
    loop {
        let outcome = {
            let _attempt = set.begin();
            match fetch(&uri, authorities.as_deref()).await {
                Ok(bytes) => set.publish(&bytes).map_err(str::to_owned),
                Err(error) => Err(error.to_string()),
            }
        };
        let next = match outcome {
            Ok(_) => {
                pause = PAUSE;
                FRESH
            }
            Err(error) => {
                notices.say(&url, || {
                    format!("the keys at {url} cannot be fetched ({error}); those that are known stay, and it is tried again")
                });
                let this = pause;
                pause = (pause * 2).min(LONGEST_PAUSE);
                this
            }
        };
        let now = Instant::now();
        tokio::select! {
            () = tokio::time::sleep_until(now + next) => {}
            // a token with a key that nobody knows: at once, but seldom
            () = set.wanted() => tokio::time::sleep_until(now + next.min(SELDOM)).await,
        }
    }
}
