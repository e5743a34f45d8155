//! What is kept, for people who ask. Changes nothing of it.

use std::time::Instant;

use http::HeaderName;
use serde::{Deserialize, Serialize};

use super::memory::{CacheMemory, Resource, Variant};
use super::purge::{self, Extent};
use super::usage::Standing;

/// A longer text of all URLs together is not told: an answer has to fit into a message.
const MOST_TEXT: usize = 4 * 1024 * 1024;
/// Tags of one answer that are told.
const MOST_TAGS: usize = 32;

/// Resources of which answers are kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// How many there are of those that were asked about.
    pub resources: u64,
    /// Bytes of memory that they take.
    pub bytes: u64,
    /// Some of them, by URL.
    pub listed: Vec<KeptResource>,
}

/// What is kept of a resource.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptResource {
    /// With scheme and host.
    pub url: String,
    /// Bytes of memory that its answers take.
    pub bytes: u64,
    /// Its answers, the one that came last first.
    pub answers: Vec<KeptAnswer>,
}

/// An answer that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// Its status.
    pub status: u16,
    /// Bytes of its body as the origin sent it.
    pub bytes: u64,
    /// Seconds since the origin made it.
    pub age: u32,
    /// Seconds that it stays fresh; below zero for how long it has not been.
    pub fresh_for: i64,
    /// Seconds after that in which it is used while it is fetched anew.
    pub stale_while_revalidate: u32,
    /// Seconds after that in which it is used when the origin fails.
    pub stale_if_error: u32,
    /// The origin is asked each time whether it holds.
    pub always_validates: bool,
    /// A soft purge has ended its time.
    pub purged: bool,
    /// Request fields that it depends on.
    pub vary: Vec<String>,
    /// What it says in `Cache-Tag` and `Surrogate-Key`.
    pub tags: Vec<String>,
}

impl CacheMemory {
    /// What is kept of whatever is meant: at most so many resources in full.
    pub fn inventory(&self, extent: &Extent, most: usize) -> Inventory {
        let now = Instant::now();
        let mut inventory = Inventory::default();
        let (mut text, mut found) = (0, Vec::new());
        for resource in self.resources() {
            if !is_meant(&resource, extent) {
                continue;
            }
            inventory.resources += 1;
            inventory.bytes += resource.weight;
            text += resource.url.len();
            if text <= MOST_TEXT {
                found.push(resource);
            }
        }
        found.sort_by(|one, other| one.url.cmp(&other.url));
        let listed = found.iter().take(most);
        inventory.listed = listed.map(|known| KeptResource::of(known, now)).collect();
        inventory
    }
}

fn is_meant(resource: &Resource, extent: &Extent) -> bool {
    let mut variants = resource.variants.iter();
    match extent {
        Extent::Tag(tag) => variants.any(|variant| purge::has_tag(&variant.stored.head, tag)),
        extent => extent.is_about(&resource.url),
    }
}

impl KeptResource {
    fn of(resource: &Resource, now: Instant) -> Self {
        let variants = resource.variants.iter();
        Self {
            url: resource.url.to_string(),
            bytes: resource.weight,
            answers: variants
                .map(|variant| KeptAnswer::of(variant, now))
                .collect(),
        }
    }
}

impl KeptAnswer {
    fn of(variant: &Variant, now: Instant) -> Self {
        let stored = &variant.stored;
        let (head, terms) = (&stored.head, stored.head.terms);
        let age = head.age(now);
        let is_purged = stored.standing() == Standing::Purged;
        let lifetime = if is_purged {
            terms.lifetime.min(age)
        } else {
            terms.lifetime
        };
        let selection = variant.selection.iter();
        let names = selection.flat_map(|selection| selection.names());
        Self {
            status: head.status.as_u16(),
            bytes: stored.body.len() as u64,
            age,
            fresh_for: i64::from(lifetime) - i64::from(age),
            stale_while_revalidate: terms.while_revalidate,
            stale_if_error: terms.if_error,
            always_validates: terms.always_validates(),
            purged: is_purged,
            vary: names.map(HeaderName::to_string).collect(),
            tags: purge::tags(head)
                .take(MOST_TAGS)
                .map(|tag| String::from_utf8_lossy(tag).into_owned())
                .collect(),
        }
    }
}
