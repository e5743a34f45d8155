//! Real processes: node, sh and python under a real supervisor.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, in what tests share too"
)]

mod ends;
mod faults;
mod groups;
mod handover;
mod hung;
mod node;
mod others;
mod releases;
mod scene;
