//! Bytes between sockets: listeners, client connections, upstream pool, balancing, forwarding.
//!
//! One thread, one runtime, nothing shared on the way of a request but counters. Decides nothing that
//! `mainstay-pipeline` could decide.

mod client;
mod counters;
mod curfew;
mod deadline;
mod drain;
mod fetch;
mod link;
mod listen;
mod options;
mod stream;
mod thread;
mod turns;
mod upstream;

pub use counters::Counters;
pub use drain::{DrainOptions, Listening};
pub use fetch::{FetchError, fetch};
pub use listen::{
    BindError, Bound, BoundState, Claimant, Company, Holding, Listener, SocketAccess, bind,
    claimant, probe,
};
pub use options::{ClientOptions, Options, UpstreamOptions};
pub use thread::{Serving, Thread, Workshop};
pub use upstream::{Address, Endpoint, Tally, Tiding, Trial, Upstreams};
