//! Origins behind sockets: who they are, which one is asked, how one is asked.

mod asking;
mod attempt;
mod budget;
mod endpoint;
mod forward;
mod group;
mod outgoing;
mod receive;
mod trial;
mod web_socket;

pub use endpoint::{Address, Endpoint, Tiding};
pub use forward::Upstreams;
pub use trial::{Tally, Trial};
