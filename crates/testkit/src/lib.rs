//! Test harness: the real program with real apps, reads like a sentence.
//!
//! ```no_run
//! use mainstay_testkit::Mainstay;
//!
//! let mainstay = Mainstay::run("server.js").app("express4").flags(["-n", "2"]).start();
//! mainstay.get("/").expect(200).body_contains("express4");
//! assert!(mainstay.stop().success());
//! ```
//!
//! What may not be here: knowledge of our own crates (the program is a stranger with a command line), sleeps
//! that stand for "by then it will have happened", fixed ports, waits without an end. Everything started
//! here is killed and reaped when its value is dropped. A failing expectation panics at the test's own line and
//! prints what the program had written.

#![allow(
    clippy::missing_panics_doc,
    reason = "panicking is how a test harness reports"
)]
#![allow(
    clippy::return_self_not_must_use,
    reason = "expectations chain, and the last one of a chain is used by having been stated"
)]

mod authority;
mod bare;
mod built;
mod channel;
mod desync;
mod document;
mod ended;
mod eventually;
mod folder;
mod form;
mod home;
mod load;
mod mainstay;
mod message;
mod origin;
mod output;
mod packages;
mod ports;
mod processes;
mod redis;
mod response;
mod running;
mod script;
mod sentinels;
mod terminal;
mod wire;

pub use authority::{Authority, Certificate};
pub use bare::Bare;
pub use desync::{DesyncCase, desync_corpus};
pub use document::{Block, document_blocks};
pub use ended::Ended;
pub use eventually::{eventually, patience};
pub use folder::Folder;
pub use form::Form;
pub use home::Home;
pub use load::{Answer, Failed, Failure, Load, Loading, Outcome};
pub use mainstay::Mainstay;
pub use origin::{Origin, Received};
pub use output::Output;
pub use packages::{pm2, scanner_paths};
pub use ports::free_port;
pub use redis::Redis;
pub use response::{Ending, Response};
pub use running::Running;
pub use script::Script;
pub use sentinels::Sentinels;
pub use terminal::Terminal;
pub use wire::Wire;
