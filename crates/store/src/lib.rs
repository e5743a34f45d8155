//! State that outlives a request or is shared by machines, behind small faces. Decides nothing about requests.
//!
//! A store may be slow, away, or wrong; nobody who asks it waits longer than its budget, and nobody asks one that is
//! known to be away. What holds meanwhile is for the caller to say.

mod address;
mod answers;
mod budget;
mod failure;
mod leases;
mod link;
mod rates;
mod redis;
mod server;
mod standing;

pub use address::StoreAddress;
pub use answers::{Owing, SharedCache};
pub use budget::{Budget, Counting, Taken};
pub use leases::{Decision, LARGEST, Leases, Told, block};
pub use rates::SharedRates;
pub use redis::{Redis, RedisOptions};
pub use server::{BadServer, Sentinels, Server};
pub use standing::{Away, Standing};
