//! Turns away by network, host, method, hidden file and scanner trap.
//!
//! - **Does**: looks at who asks, for which host, by which method, for which path in every reading of it; remembers who walks
//!   into traps.
//! - **Refuses**: 403 for a network and whoever is banned, 421 for a host, 405 for a method, 404 for a hidden file or a trap.
//! - **Deployment caveat**: networks are those of the client behind `trusted_proxies`. Behind a proxy that is not listed
//!   there everybody has its address, and a rule for networks means all or none.
//! - **Leaves alone**: queries and bodies. Which text in them is an attack only the app can know.

mod names;
mod options;
mod stage;
mod traps;

pub use options::{FilterOptions, HiddenFiles, MethodRule, Traps};
pub(crate) use stage::Filter;
