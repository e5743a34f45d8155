//! Listening: addresses are taken once, by whoever keeps them; accepted from by every thread.

mod accept;
mod bind;
mod claim;
mod error;
mod file;
mod handover;
mod listener;

pub(crate) use accept::accept;
pub use bind::{Bound, Holding, bind, probe};
pub use claim::{Claimant, claimant};
pub use error::BindError;
pub use file::SocketAccess;
pub use handover::BoundState;
pub use listener::{Company, Listener};
