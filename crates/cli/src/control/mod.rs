//! The control plane: owns the listening sockets, starts and watches everything else.
//!
//! Runs on the program's main thread, in one current-thread runtime: every fork happens there. Never
//! parses a byte from the internet.

mod admin;
mod autoscale;
mod background;
mod beginning;
mod by_hand;
mod caching;
mod changes;
mod coming_up;
mod crashes;
mod diff;
mod difference;
mod disabled;
mod fronts;
mod gateways;
mod grant;
mod guard;
mod handover;
mod hands;
mod invocation;
mod limits;
mod listed;
mod log_files;
mod members;
mod output;
mod own;
mod prober;
mod recent;
mod relay;
mod relieve;
mod reload;
mod reloads;
mod replace;
mod report;
mod roster;
mod run;
pub(crate) mod runtime_dir;
mod scaling;
mod seam;
mod serve;
mod service;
mod signals;
mod state;
mod status;
mod stop;
mod succession;
mod surroundings;
mod suspended;
mod trial;
mod upgrade;
mod upkeep;
mod violations;
mod waiting;
mod watch;

pub(crate) use background::{Background, log_files, start_control};
pub(crate) use beginning::gateway_settings;
pub(crate) use fronts::{decides_the_address, shared_addresses, socket_access};
pub(crate) use guard::main as guard;
pub(crate) use invocation::{Greeting, Invocation, Origin, become_control};
pub(crate) use log_files::file_name as log_file_name;
pub(crate) use members::Servers;
pub(crate) use prober::prober;
pub(crate) use run::main;
pub(crate) use surroundings::{gateway_identity, unguessable};
