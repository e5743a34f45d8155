//! What is kept: answers by resource, weighed by their bytes, and who is fetching what. Judges no answer.
//!
//! All changes of one resource happen under the lock of its flights, so that what is removed is not put back by somebody who was
//! just fetching it. Looking up takes none of these locks. No lock is held across an await.

use std::cell::Cell;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use mainstay_values::Size;
use quick_cache::{Lifecycle, OptionsBuilder, Weighter};
use tokio::sync::{mpsc, watch};

use super::flight::{Flight, Landing, Ticket};
use super::key::{Key, Place, Secret, Selection};
use super::passing::Passing;
use super::purge::{Extent, Purge, PurgeMode};
use super::stored::Stored;
use super::terms::Unkept;
use super::together::{Purges, SharedPlace};
use crate::{Coding, Scheme};

/// Answers of one resource that are kept; one more takes the place of the oldest.
const MOST_VARIANTS: usize = 16;
/// Locks for flights. More than there are cores, few enough to walk through.
const SHARDS: usize = 32;
/// A part of the store holds so much at least, so that the largest answers fit several times.
const LEAST_PART: u64 = 16 * 1024 * 1024;
/// What is expected of an answer on average: tables grow if it is less.
const USUAL: u64 = 4 * 1024;

/// What a kept answer costs beside its bytes: its own record, its count, and what the allocator rounds up.
const STORED_COST: usize = size_of::<Stored>() + size_of::<Variant>() + 64;
/// What a resource costs beside its answers: its record, its place in the table, the ghosts of others.
const RESOURCE_COST: usize = size_of::<Resource>() + size_of::<(Key, Arc<Resource>)>() + 80;

/// The memory of a cache, shared by all threads of a gateway.
#[derive(Debug)]
pub struct CacheMemory {
    resources: Resources,
    flights: Box<[Mutex<Flights>]>,
    /// Resources with answers are not among them.
    passing: Passing,
    next_flight: AtomicU64,
    pub(super) secret: Secret,
    /// Bytes of answers that are just coming, which are not in the store yet.
    filling: AtomicU64,
    capacity: AtomicU64,
    /// Of all machines that share.
    purges: Mutex<Purges>,
    /// Resources that went for others.
    evicted: Arc<AtomicU64>,
    /// Who else on this machine is to hear of changes, if anybody.
    told: Mutex<Option<mpsc::UnboundedSender<SharedPlace>>>,
}

type Resources = quick_cache::sync::Cache<Key, Arc<Resource>, ByBytes, KeyHashing, Evictions>;
type Flights = HashMap<Key, Vec<Flight>, KeyHashing>;
type KeyHashing = BuildHasherDefault<KeyHasher>;

/// Keys are hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for part in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..part.len()].copy_from_slice(part);
            self.0 ^= u64::from_ne_bytes(word);
        }
    }

    fn write_u128(&mut self, number: u128) {
        self.0 = number as u64;
    }
}

#[derive(Clone, Debug)]
struct ByBytes;

impl Weighter<Key, Arc<Resource>> for ByBytes {
    fn weight(&self, _: &Key, resource: &Arc<Resource>) -> u64 {
        resource.weight
    }
}

#[derive(Clone, Debug)]
struct Evictions(Arc<AtomicU64>);

impl Lifecycle<Key, Arc<Resource>> for Evictions {
    type RequestState = ();

    fn on_evict(&self, (): &mut (), _: Key, _: Arc<Resource>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// What is known of a resource.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) url: Box<str>,
    /// The one that came last first.
    pub(super) variants: Box<[Variant]>,
    pub(super) weight: u64,
}

/// One answer of a resource.
#[derive(Clone, Debug)]
pub(super) struct Variant {
    pub(super) stored: Arc<Stored>,
    pub(super) selection: Option<Arc<Selection>>,
    /// In the order of [`Coding::ALL`]; empty where a coding makes it no smaller.
    encoded: Option<Box<[Option<Bytes>; 3]>>,
}

impl Variant {
    pub(super) fn new(stored: Arc<Stored>, selection: Option<Arc<Selection>>) -> Self {
        Self {
            stored,
            selection,
            encoded: None,
        }
    }

    /// The same body under another head.
    pub(super) fn under(&self, stored: Arc<Stored>, selection: Option<Arc<Selection>>) -> Self {
        Self {
            stored,
            selection,
            encoded: self.encoded.clone(),
        }
    }

    pub(super) fn coding(&self, coding: Coding) -> Option<&Bytes> {
        self.encoded.as_ref()?[coding as usize].as_ref()
    }

    fn weight(&self) -> usize {
        let encoded = self.encoded.iter().flat_map(|all| all.iter().flatten());
        let encoded: usize = encoded
            .map(|body| body.len() + size_of::<Bytes>() * 3)
            .sum();
        let selection = self.selection.as_ref().map_or(0, |selection| {
            size_of::<Selection>() + selection.names().len() * 32
        });
        STORED_COST + self.stored.len() + encoded + selection
    }
}

impl Resource {
    fn new(url: Box<str>, variants: Box<[Variant]>) -> Self {
        let answers: usize = variants.iter().map(Variant::weight).sum();
        let weight = (RESOURCE_COST + url.len() + answers) as u64;
        Self {
            url,
            variants,
            weight,
        }
    }
}

/// What a request that found nothing to be answered with is to do.
#[derive(Debug)]
pub(super) enum Begin {
    /// Something has changed meanwhile: look again.
    Again,
    /// Fetch it.
    Lead(Ticket),
    /// Somebody does.
    Wait(watch::Receiver<Landing>),
}

/// Whether others may wait for what one fetches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Company {
    Welcome,
    Alone,
}

impl CacheMemory {
    /// What it holds where nothing else is said.
    pub const USUAL_CAPACITY: Size = Size::mb(64);

    /// Memory for so many bytes.
    ///
    /// # Panics
    /// Never: the store is made of all that it asks for.
    pub fn new(capacity: Size) -> Self {
        let capacity = capacity.as_bytes();
        let evicted = Arc::<AtomicU64>::default();
        let parts = (capacity / LEAST_PART).clamp(1, 64).next_power_of_two() as usize;
        let options = OptionsBuilder::new()
            .estimated_items_capacity((capacity / USUAL).max(16) as usize)
            .weight_capacity(capacity)
            .shards(parts)
            .build()
            .expect("both capacities are given");
        Self {
            resources: Resources::with_options(
                options,
                ByBytes,
                KeyHashing::default(),
                Evictions(Arc::clone(&evicted)),
            ),
            passing: Passing::new(),
            flights: (0..SHARDS).map(|_| Mutex::default()).collect(),
            next_flight: AtomicU64::new(0),
            secret: Secret::random(),
            filling: AtomicU64::new(0),
            capacity: AtomicU64::new(capacity),
            purges: Mutex::default(),
            evicted,
            told: Mutex::default(),
        }
    }

    /// Holds so many bytes from now on. What is too much goes as new comes in.
    pub fn resize(&self, capacity: Size) {
        let capacity = capacity.as_bytes();
        if self.capacity.swap(capacity, Relaxed) != capacity {
            self.resources.set_capacity(capacity);
        }
    }

    /// Bytes it may hold.
    pub fn capacity(&self) -> u64 {
        self.capacity.load(Relaxed)
    }

    /// Bytes it holds.
    pub fn bytes(&self) -> u64 {
        self.resources.weight()
    }

    /// Resources it knows.
    pub fn len(&self) -> usize {
        self.resources.len()
    }

    /// Whether it knows none.
    pub fn is_empty(&self) -> bool {
        self.resources.is_empty()
    }

    /// Resources that went for others.
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    pub(super) fn find(&self, key: Key) -> Option<Arc<Resource>> {
        self.resources.get(&key)
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, Flights> {
        // other bits than those by which the store divides itself
        let shard = &self.flights[(key.low() >> 59) as usize % SHARDS];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to fetch, unless somebody does. `seen` is what was found before.
    pub(super) fn begin(
        self: &Arc<Self>,
        key: Key,
        digest: u128,
        seen: Option<&Arc<Resource>>,
        company: Company,
    ) -> Begin {
        let mut shard = self.shard(key);
        if company == Company::Welcome {
            let now = self.resources.peek(&key);
            if now.as_ref().map(Arc::as_ptr) != seen.map(Arc::as_ptr) {
                return Begin::Again;
            }
            let mut flights = shard.get(&key).into_iter().flatten();
            if let Some(flight) = flights.find(|flight| flight.digest == digest && flight.is_joined)
            {
                return Begin::Wait(flight.landing.subscribe());
            }
        }
        let flight = Flight {
            id: self.next_flight.fetch_add(1, Relaxed),
            digest,
            is_joined: company == Company::Welcome,
            landing: watch::Sender::new(Landing::Pending),
            is_outdated: Arc::new(AtomicBool::new(false)),
        };
        let ticket = Ticket::new(self, key, &flight);
        shard.entry(key).or_default().push(flight);
        Begin::Lead(ticket)
    }

    /// A flight is over: nobody joins it any more.
    pub(super) fn end(&self, key: Key, id: u64) {
        let mut shard = self.shard(key);
        if let Some(flights) = shard.get_mut(&key) {
            flights.retain(|flight| flight.id != id);
            if flights.is_empty() {
                shard.remove(&key);
            }
        }
    }

    /// Keeps an answer, unless its resource was changed since it was asked for.
    pub(super) fn keep(&self, ticket: &Ticket, url: &str, variant: &Variant) -> Result<(), Unkept> {
        let _shard = self.shard(ticket.key);
        if ticket.is_outdated() {
            return Err(Unkept::Outdated);
        }
        let known = self.resources.peek(&ticket.key);
        let others = known.iter().flat_map(|known| known.variants.iter());
        let others = others.filter(|known| known.selection != variant.selection);
        let now = variant.stored.head.came;
        let others = others.filter(|known| !known.stored.is_over(now));
        let variants = std::iter::once(variant.clone())
            .chain(others.cloned())
            .take(MOST_VARIANTS);
        let resource = Resource::new(url.into(), variants.collect());
        self.resources.insert(ticket.key, Arc::new(resource));
        self.passing.remove(ticket.key);
        if let Some(hold) = ticket.held() {
            hold.keep(url, variant);
        }
        Ok(())
    }

    /// Remembers that answers of this resource are not kept; answers that are kept stay.
    pub(super) fn pass(&self, ticket: &Ticket, now: Instant) {
        let _shard = self.shard(ticket.key);
        if !ticket.is_outdated() && self.resources.peek(&ticket.key).is_none() {
            self.passing.add(ticket.key, now);
        }
    }

    /// Whether answers of this resource were not kept lately: whoever asks for it waits for nobody.
    pub(super) fn is_passing(&self, key: Key, now: Instant) -> bool {
        self.passing.has(key, now)
    }

    /// The next answer of this resource is to be met as if none had been turned away.
    pub(super) fn welcome(&self, key: Key) {
        self.passing.remove(key);
    }

    /// Adds a coding of an answer's body, if the answer is still there. Empty: it makes it no smaller.
    pub(super) fn add_coding(&self, key: Key, stored: &Arc<Stored>, coding: Coding, body: Bytes) {
        let _shard = self.shard(key);
        let Some(known) = self.resources.peek(&key) else {
            return;
        };
        let mut variants = known.variants.to_vec();
        let Some(variant) = variants
            .iter_mut()
            .find(|variant| Arc::ptr_eq(&variant.stored, stored))
        else {
            return;
        };
        variant.encoded.get_or_insert_default()[coding as usize] = Some(body);
        let resource = Resource::new(known.url.clone(), variants.into());
        self.resources.insert(key, Arc::new(resource));
    }

    pub(super) fn purges(&self) -> MutexGuard<'_, Purges> {
        self.purges.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a resource that was changed on another machine.
    pub fn forget(&self, place: &SharedPlace) {
        let scheme = if place.scheme == Scheme::Https.as_str() {
            Scheme::Https
        } else {
            Scheme::Http
        };
        let here = Place {
            scheme,
            host: &place.host,
            port: place.port,
        };
        self.invalidate(Key::of(self.secret, &place.target, here, &place.path));
    }

    /// From now on whatever requests change here is told, too: others on this machine keep answers of their own.
    pub fn tell_changes(&self, to: Option<mpsc::UnboundedSender<SharedPlace>>) {
        *self.told() = to;
    }

    /// A request has changed a resource.
    pub(super) fn tell_change(&self, place: impl FnOnce() -> SharedPlace) {
        if let Some(told) = &*self.told() {
            let _ = told.send(place());
        }
    }

    fn told(&self) -> MutexGuard<'_, Option<mpsc::UnboundedSender<SharedPlace>>> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets a resource, since it was changed; what is just fetched of it is not kept.
    pub(super) fn invalidate(&self, key: Key) {
        let mut shard = self.shard(key);
        outdate(shard.remove(&key));
        self.resources.remove(&key);
        self.passing.remove(key);
    }

    /// Forgets whatever a purge is about, or takes it for stale. How many answers that were.
    pub fn purge(&self, purge: &Purge) -> usize {
        // whatever is fetched now may be from before; only a URL's own flights can be told from others
        for shard in &self.flights {
            let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
            shard
                .drain()
                .for_each(|(_, flights)| outdate(Some(flights)));
        }
        let count = Cell::new(0);
        let is_meant = |resource: &Resource, variant: &Variant| match &purge.extent {
            Extent::Tag(tag) => super::purge::has_tag(&variant.stored.head, tag),
            extent => extent.is_about(&resource.url),
        };
        match purge.mode {
            PurgeMode::Soft => {
                for (_, resource) in self.resources.iter() {
                    let variants = resource.variants.iter();
                    for variant in variants.filter(|variant| is_meant(&resource, variant)) {
                        variant.stored.purge();
                        count.set(count.get() + 1);
                    }
                }
            }
            PurgeMode::Hard => self.resources.retain(|_, resource| {
                let variants = resource.variants.iter();
                let meant = variants
                    .filter(|variant| is_meant(resource, variant))
                    .count();
                count.set(count.get() + meant);
                // of answers of one resource that have different tags, all go
                meant == 0
            }),
        }
        count.get()
    }

    /// All that is known now.
    pub(super) fn resources(&self) -> impl Iterator<Item = Arc<Resource>> {
        self.resources.iter().map(|(_, resource)| resource)
    }

    /// Counts bytes that are coming. Whether there is room for them.
    pub(super) fn reserve(&self, bytes: u64) -> bool {
        let before = self.filling.fetch_add(bytes, Relaxed);
        before + bytes <= self.capacity() / 2
    }

    pub(super) fn release(&self, bytes: u64) {
        self.filling.fetch_sub(bytes, Relaxed);
    }
}

fn outdate(flights: Option<Vec<Flight>>) {
    for flight in flights.into_iter().flatten() {
        flight.is_outdated.store(true, Relaxed);
    }
}
