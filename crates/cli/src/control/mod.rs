//! The control plane: owns the listening sockets, starts and watches everything else.
//!
//! Runs on the program's main thread, in one current-thread runtime: every fork happens there. Never
//! parses a byte from the internet.

mod admin;
mod beginning;
mod fronts;
mod gateways;
mod guard;
mod invocation;
mod members;
mod output;
mod own;
mod prober;
mod report;
mod run;
pub(crate) mod runtime_dir;
mod signals;
mod status;
mod surroundings;

pub(crate) use guard::main as guard;
pub(crate) use invocation::{Greeting, Invocation, become_control};
pub(crate) use run::main;
