//! Origins behind sockets: who they are, which one is asked, how one is asked.

mod asking;
mod attempt;
mod budget;
mod endpoint;
mod forward;
mod group;
mod outgoing;
mod receive;

pub use endpoint::{Address, Endpoint};
pub use forward::Upstreams;
