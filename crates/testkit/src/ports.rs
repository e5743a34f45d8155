//! Ports for what insists on a number. Whatever can listen on port 0 should do that instead.

use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

/// Below the ports that the system gives out by itself (from 32768): nobody else stumbles upon them.
const FIRST: u16 = 20_000;
/// How many are tried.
const COUNT: u16 = 12_000;

/// A port of loopback that nobody has, and whose neighbour above nobody has either. Every test process begins to
/// look somewhere else, and never gives out the same twice.
#[must_use]
#[track_caller]
pub fn free_port() -> u16 {
    static GIVEN: AtomicU16 = AtomicU16::new(0);
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let begin = u16::try_from(std::process::id() % u32::from(COUNT / 2)).unwrap_or(0) * 2;
    (0..COUNT / 2)
        .map(|_| FIRST + (begin + GIVEN.fetch_add(2, Relaxed)) % COUNT)
        .find(|port| is_free(*port) && is_free(port + 1))
        .expect("two neighbouring ports are free")
}
