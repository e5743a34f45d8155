//! Processes: start, watch, restart, stop, and their output. Does not know that workers speak HTTP, decides nothing
//! about traffic, prints nothing and reads no environment of its own.
//!
//! The face is [`Supervisor`]: it starts the workers of every app and tells what happens as [`Event`]s. Below it,
//! [`lifecycle`] decides (a pure function), a worker's driver acts, and [`process`] talks to the kernel.

pub mod cgroup;
pub mod count;
mod drain;
mod errand;
pub mod events;
pub mod footprint;
mod group;
pub mod guard;
mod handover;
mod heard;
mod hint;
mod hung;
pub mod identity;
pub mod launch;
pub mod lifecycle;
pub mod limits;
mod lines;
mod lives;
mod memory;
pub mod node;
mod numbers;
pub mod options;
pub mod os;
pub mod output;
mod plan;
pub mod ports;
pub mod probe;
pub mod process;
mod ready;
mod record;
mod release;
mod report;
mod running;
pub mod signal;
mod signs;
mod socket;
mod start_error;
mod strangers;
mod supervisor;
mod surroundings;
mod tree;
pub mod usage;
mod variables;
mod vigil;
mod worker;

pub use errand::{Errand, ErrandError};
pub use events::{Event, WorkerId};
pub use handover::{Descriptors, HandoverError, PutDown, SupervisorState};
pub use numbers::Numbers;
pub use options::AppOptions;
pub use probe::{Probed, Prober};
pub use supervisor::{StartError, Supervisor};
pub use surroundings::{Examined, Surroundings};
