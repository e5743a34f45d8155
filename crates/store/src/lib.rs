//! State that outlives a request or is shared by machines, behind small faces. Decides nothing about requests.
//!
//! A store may be slow, away, or wrong; nobody who asks it waits longer than its budget, and nobody asks one that is
//! known to be away. What holds meanwhile is for the caller to say.

// what speaks TLS takes its cryptography from here: without it the first `rediss://` would be a panic
use rustls as _;

mod address;
mod budget;
mod leases;
mod link;
mod rates;
mod redis;
mod server;

pub use address::StoreAddress;
pub use budget::{Budget, Counting, Taken};
pub use leases::{Decision, LARGEST, Leases, Told, block};
pub use link::{Away, Standing};
pub use rates::SharedRates;
pub use redis::{Redis, RedisOptions};
pub use server::{BadServer, Server};
