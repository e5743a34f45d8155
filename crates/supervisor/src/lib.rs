//! Processes: start, watch, restart, stop, and their output. Does not know that workers speak HTTP, decides nothing
//! about traffic, prints nothing and reads no environment of its own.
//!
//! The face is [`Supervisor`]: it starts the workers of every app and tells what happens as [`Event`]s. Below it,
//! `lifecycle` decides (a pure function), a worker's driver acts, and [`process`] talks to the kernel.

pub mod events;
pub mod guard;
pub mod identity;
pub mod launch;
pub mod node;
pub mod options;
pub mod os;
pub mod output;
pub mod process;
pub mod signal;
mod supervisor;

pub use events::{Event, WorkerId};
pub use supervisor::{Children, StartError, Supervisor, Surroundings};
