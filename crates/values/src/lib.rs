//! Values as people write them: durations, sizes, addresses, hosts, paths, networks, secrets, and
//! complaints about them.
//!
//! Parses and prints. Opens nothing, resolves nothing, reads no file, environment or clock, and
//! depends on nothing of ours.

mod address;
mod bad_value;
mod date_pattern;
mod duration;
mod file_mode;
mod host;
mod name_pattern;
mod nearest;
mod network;
mod path;
mod problem;
mod rate;
mod request_pattern;
mod schedule;
mod secret;
mod size;
mod status;
mod text;
mod trusted_proxies;

pub use address::Address;
pub use bad_value::BadValue;
pub use date_pattern::DatePattern;
pub use duration::{format_duration, parse_duration};
pub use file_mode::FileMode;
pub use host::HostPattern;
pub use name_pattern::NamePattern;
pub use nearest::nearest;
pub use network::{Network, canonical};
pub use path::PathPattern;
pub use problem::{Place, Problem, Problems};
pub use rate::Rate;
pub use request_pattern::RequestPattern;
pub use schedule::Schedule;
pub use secret::Secret;
pub use size::Size;
pub use status::StatusPattern;
pub use trusted_proxies::{Client, TrustedProxies, Walk, parse_forwarded_address, word_of_proxies};
