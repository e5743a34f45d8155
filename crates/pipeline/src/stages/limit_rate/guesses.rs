//! How often a client may be wrong about its password. Counts what failed, and nothing else: whoever is right, or is
//! remembered, takes from no budget.
//!
//! Counted in the table of all threads and gateways, as policies are.

use std::hash::Hash as _;
use std::net::{IpAddr, Ipv6Addr};

use mainstay_values::Rate;

use super::meter::{Algorithm, Meter, Verdict, seconds};
use super::table::{Hit, RateTable};
use crate::{Refusal, Standing};

/// One who has an IPv6 address has a network of them, commonly a /56.
const IPV6_PREFIX: u32 = 56;

/// The failures of each client.
#[derive(Debug)]
pub(crate) struct Guesses {
    table: RateTable,
    meter: Meter,
    number: u8,
    id: u64,
}

impl Guesses {
    /// So many failures in so long, by a sliding window.
    pub(crate) fn new(rate: Rate, standing: &Standing) -> Self {
        let table = standing.rates().clone();
        let limit = rate.count.get();
        let meter = Meter::new(Algorithm::SlidingWindow, limit, rate.window, 0, None);
        let id = table.hash(0, |hasher| {
            ("wrong passwords", meter.signature()).hash(hasher);
        });
        Self {
            number: table.number(id),
            table,
            meter,
            id,
        }
    }

    /// Whether a client may guess once more.
    ///
    /// # Errors
    /// 429, until enough of its failures are long ago.
    pub(crate) fn may_guess(&self, client: IpAddr) -> Result<(), Refusal> {
        let (key, now) = (self.key(client), self.table.now());
        let hit = self.table.hit(key, self.number, &self.meter, None, now, 1);
        let retry_after = match hit {
            Hit::Banned(retry_after) => retry_after,
            Hit::Counted(outcome) => match outcome.verdict {
                Verdict::Refuse(micros) => seconds(micros),
                Verdict::Pass | Verdict::Wait(_) => {
                    // nobody has failed yet
                    self.table.give_back(key, &self.meter, now, 1);
                    return Ok(());
                }
            },
        };
        self.table.note_refusal(self.number);
        Err(Refusal::RateLimited { retry_after })
    }

    /// A client was wrong.
    pub(crate) fn failed(&self, client: IpAddr) {
        let (key, now) = (self.key(client), self.table.now());
        let _ = self.table.hit(key, self.number, &self.meter, None, now, 1);
    }

    fn key(&self, client: IpAddr) -> u64 {
        let client = match client {
            IpAddr::V6(address) => {
                let bits = u128::from(address) & (u128::MAX << (128 - IPV6_PREFIX));
                IpAddr::V6(Ipv6Addr::from(bits))
            }
            IpAddr::V4(_) => client,
        };
        self.table.hash(self.id, |hasher| client.hash(hasher))
    }
}
