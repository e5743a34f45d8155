//! One policy, ready to be asked: whether a request is meant, whose budget it takes from, what is left of it.

use std::collections::HashSet;
use std::hash::Hash as _;
use std::sync::Arc;

use http::HeaderMap;
use mainstay_values::{Network, RequestPattern};

use super::fields::Fields;
use super::key::Key;
use super::meter::{Meter, Outcome, Verdict};
use super::options::{Listed, QuotaHeaders, RatePolicy, Skip};
use super::shared::{KeyHasher, SharedBudget, SharedKey, WithoutStore};
use super::table::{Ban, Hit, RateTable};
use crate::{Enforcement, Exchange, Readings, Step};

#[derive(Debug)]
pub(super) struct Policy {
    pub(super) name: String,
    pub(super) step: Step,
    /// In the table's directory.
    pub(super) number: u8,
    pub(super) meter: Meter,
    pub(super) key: Key,
    pub(super) skip: Skip,
    pub(super) enforcement: Enforcement,
    pub(super) fields: Fields,
    /// Where it is counted by several machines together.
    pub(super) shared: Option<Arc<SharedBudget>>,
    pub(super) without_store: WithoutStore,
    /// What tells its keys from those of others.
    id: u64,
    requests: Vec<RequestPattern>,
    pub(super) cost: u32,
    allow: List,
    deny: List,
    ban: Option<Ban>,
}

/// What a request came to.
#[derive(Clone, Copy)]
pub(super) enum Taken {
    /// The policy is not for it.
    Nothing,
    Denied,
    /// For so many seconds more.
    Banned(u32),
    Counted {
        key: u64,
        outcome: Outcome,
    },
}

impl Policy {
    pub(super) fn new(options: &RatePolicy, routes: &Arc<[String]>, table: &RateTable) -> Self {
        let (rate, algorithm) = (options.rate, options.algorithm);
        let (limit, window) = (rate.count.get(), rate.window);
        let meter = Meter::new(algorithm, limit, window, options.burst, options.delay);
        // a policy that keeps these keeps its counts, whatever else is written anew
        let id = table.hash(0, |hasher| {
            (&options.name, meter.signature()).hash(hasher);
            (&options.key, options.ipv6_prefix).hash(hasher);
            // a ban that was only noted is none once bans hold
            if options.ban.is_some() && options.enforcement == Enforcement::DryRun {
                "dry run".hash(hasher);
            }
        });
        Self {
            name: options.name.clone(),
            step: options.step(),
            number: table.number(id),
            key: Key::new(options.key.clone(), options.ipv6_prefix, Arc::clone(routes)),
            skip: options.skip,
            enforcement: options.enforcement,
            fields: match options.enforcement {
                Enforcement::Enforce => Fields::new(&options.headers, &options.name, &meter),
                // what does not hold is not told
                Enforcement::DryRun => Fields::new(&[QuotaHeaders::None], "", &meter),
            },
            shared: SharedBudget::of(options),
            without_store: options.without_store,
            id,
            requests: options.requests.clone(),
            cost: options.cost.clamp(1, meter.limit()),
            allow: List::new(&options.allow),
            deny: List::new(&options.deny),
            ban: options.ban.map(|ban| Ban {
                after: ban.after.max(1),
                lasts: ban.lasts,
            }),
            meter,
        }
    }

    /// Counts a request that is meant.
    pub(super) fn take(
        &self,
        table: &RateTable,
        exchange: &Exchange,
        headers: &HeaderMap,
        readings: &Readings<'_>,
        now: u64,
    ) -> Taken {
        if !are_meant(&self.requests, exchange, readings) || self.allow.has(self, exchange, headers)
        {
            return Taken::Nothing;
        }
        if self.deny.has(self, exchange, headers) {
            return Taken::Denied;
        }
        let key = self.key_of(table, exchange, headers);
        match table.hit(key, self.number, &self.meter, self.ban, now, self.cost) {
            Hit::Banned(seconds) => Taken::Banned(seconds),
            Hit::Counted(outcome) => {
                // the refusal is a failure itself
                if matches!(outcome.verdict, Verdict::Refuse(_)) && self.counts_refused_failures() {
                    self.give_back(table, key, now);
                }
                Taken::Counted { key, outcome }
            }
        }
    }

    /// What the table calls the key of a request.
    pub(super) fn key_of(
        &self,
        table: &RateTable,
        exchange: &Exchange,
        headers: &HeaderMap,
    ) -> u64 {
        table.hash(self.id, |hasher| self.key.write(exchange, headers, hasher))
    }

    /// What machines that share a store call the key of a request.
    pub(super) fn shared_key(&self, exchange: &Exchange, headers: &HeaderMap) -> SharedKey {
        let mut hasher = KeyHasher::default();
        (&self.name, self.meter.signature()).hash(&mut hasher);
        self.key.write(exchange, headers, &mut hasher);
        hasher.name()
    }

    fn counts_refused_failures(&self) -> bool {
        self.skip.failed && matches!(self.meter, Meter::Fixed { .. })
    }

    pub(super) fn give_back(&self, table: &RateTable, key: u64, then: u64) {
        table.give_back(key, &self.meter, then, self.cost);
    }

    /// A key that was written as text; none if it cannot be one of this policy.
    pub(super) fn typed_key(&self, table: &RateTable, text: &str) -> Option<u64> {
        let mut is_key = false;
        let key = table.hash(self.id, |hasher| {
            is_key = self.key.write_typed(text, hasher);
        });
        is_key.then_some(key)
    }
}

/// Whether a request is among these; all are where none is named.
pub(super) fn are_meant(
    requests: &[RequestPattern],
    exchange: &Exchange,
    readings: &Readings<'_>,
) -> bool {
    let (method, host) = (exchange.method.as_str(), || exchange.host_name());
    let mut known = requests.iter();
    requests.is_empty()
        || known.any(|known| known.matches(method, host, |path| readings.meet(path)))
}

/// Exceptions.
#[derive(Debug)]
struct List {
    networks: Vec<Network>,
    keys: HashSet<String>,
}

impl List {
    fn new(listed: &[Listed]) -> Self {
        let mut list = Self {
            networks: Vec::new(),
            keys: HashSet::new(),
        };
        for listed in listed {
            match listed {
                Listed::Network(network) => list.networks.push(*network),
                Listed::Key(key) => drop(list.keys.insert(key.clone())),
            }
        }
        list
    }

    fn has(&self, policy: &Policy, exchange: &Exchange, headers: &HeaderMap) -> bool {
        let client = exchange.client;
        self.networks.iter().any(|network| network.contains(client))
            || (!self.keys.is_empty() && self.keys.contains(&policy.key.text(exchange, headers)))
    }
}
