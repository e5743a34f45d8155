//! Real processes: node, sh and python under a real supervisor.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, in what tests share too"
)]

mod ends;
mod node;
mod others;
mod scene;
