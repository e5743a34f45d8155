//! Who walks into traps is heard no more for a while. Knows no trap: the filter says who walked into one.
//!
//! Counted in the table of all threads and gateways, as a policy that an operator sees and may lift bans of.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use mainstay_values::word_of_proxies;

use super::options::RatePolicy;
use super::policy::Policy;
use super::table::{Hit, RateTable};
use crate::{Exchange, Standing};

/// Hits of traps by client, and who is banned for them.
#[derive(Debug)]
pub(crate) struct TrapBans {
    table: RateTable,
    policy: Policy,
    lasts: Duration,
}

impl TrapBans {
    /// Bans by this policy: whoever has used up its rate.
    pub(crate) fn new(policy: &RatePolicy, standing: &Standing) -> Self {
        let table = standing.rates().clone();
        Self {
            lasts: policy.ban.map_or(policy.rate.window, |ban| ban.lasts),
            policy: Policy::new(policy, &Arc::default(), &table),
            table,
        }
    }

    /// Whether a client is banned. Costs a look at one number as long as nobody ever was.
    pub(crate) fn hold(&self, exchange: &Exchange, headers: &HeaderMap) -> bool {
        if self.table.bans(self.policy.number) == 0 {
            return false;
        }
        let key = self.policy.key_of(&self.table, exchange, headers);
        let is_banned = self.table.banned(key, self.table.now()).is_some();
        if is_banned {
            self.table.note_refusal(self.policy.number);
        }
        is_banned
    }

    /// A client walked into a trap.
    pub(crate) fn caught(&self, exchange: &Exchange, headers: &HeaderMap) {
        if may_be_many(exchange) {
            return;
        }
        let Policy { number, meter, .. } = &self.policy;
        let key = self.policy.key_of(&self.table, exchange, headers);
        let now = self.table.now();
        let hit = self.table.hit(key, *number, meter, None, now, 1);
        if let Hit::Counted(outcome) = hit
            && outcome.remaining == 0
        {
            self.table.ban(key, *number, self.lasts, now);
        }
    }
}

/// Whether others may have the client's address too: it is a proxy's, ours or one that nobody told us of, or of a private
/// network, where proxies, container bridges and address translation make one of many. A ban would shut out all of them.
fn may_be_many(exchange: &Exchange) -> bool {
    exchange.client_is_proxy
        || word_of_proxies(exchange.client).is_some()
        || is_shared(exchange.client)
}

/// The addresses that carriers and clouds put in front of many (RFC 6598): 100.64.0.0/10.
fn is_shared(client: IpAddr) -> bool {
    const SHARED: u32 = Ipv4Addr::new(100, 64, 0, 0).to_bits();
    match client.to_canonical() {
        IpAddr::V4(client) => client.to_bits() >> 22 == SHARED >> 22,
        IpAddr::V6(_) => false,
    }
}
