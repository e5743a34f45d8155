//! The gateway process: carries traffic on sockets that it inherited, with settings that it is told.
//!
//! Holds nothing of the apps' environment and starts nothing. Ends when the control plane is gone.

mod access_lines;
mod caching;
mod descriptors;
mod issuers;
mod load;
mod metrics;
mod observers;
mod process;
mod store;
mod thread;
mod up;

pub(crate) use process::{ACCESS_FD, CONTROL_FD, FIRST_SOCKET_FD, FOLDER_FD, RATES_FD, main};
