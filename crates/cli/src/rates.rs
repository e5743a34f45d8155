//! The memory in which rates are counted: made by the control plane, opened by every gateway. Counts nothing.

use std::io::{self, Read as _};
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use mainstay_pipeline::RateTable;
use mainstay_supervisor::os::{SharedWords, shared_memory};
use rustix::time::{ClockId, clock_gettime};

/// Makes the memory, with a secret of its own.
pub(crate) fn make() -> io::Result<OwnedFd> {
    let memory = shared_memory("mainstay-rates", RateTable::words())?;
    let mut secret = [[0; 8]; 2];
    std::fs::File::open("/dev/urandom")?.read_exact(secret.as_flattened_mut())?;
    let words = SharedWords::map(&memory)?;
    RateTable::prepare(words.as_ref(), secret.map(u64::from_ne_bytes)).map_err(io::Error::other)?;
    Ok(memory)
}

/// Opens what [`make`] made, here or in another process of this machine.
pub(crate) fn open(memory: impl AsFd) -> io::Result<RateTable> {
    let words = SharedWords::map(memory)?;
    RateTable::open(Arc::new(words), uptime()).map_err(io::Error::other)
}

/// By the clock that counts for every process of the machine alike.
fn uptime() -> Duration {
    let now = clock_gettime(ClockId::Monotonic);
    Duration::try_from(now).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_opens_again_and_is_small() {
        let memory = make().expect("memory");
        open(&memory).expect("a table");
        let clone = memory.try_clone().expect("a copy");
        open(clone).expect("the same");
        // pages are taken when they are written
        let held = rustix::fs::fstat(&memory).expect("a size").st_blocks * 512;
        assert!(held <= 64 * 1024, "{held}");
        assert!(open(std::fs::File::open("/dev/null").expect("a file")).is_err());
    }
}
