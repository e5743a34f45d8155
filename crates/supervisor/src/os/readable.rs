//! A descriptor of ours in the runtime's poll set.

use std::io;
use std::os::fd::OwnedFd;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// Watches `descriptor` for becoming readable. The result owns it.
///
/// # Errors
/// When the system watches nothing more.
pub fn readable(descriptor: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` always answers with the same open descriptor and closes it only when it is dropped; inside
    // the `AsyncFd` nothing can move it out without ending the registration first.
    unsafe { AsyncFd::register_with_interest(descriptor, Interest::READABLE) }.map_err(Into::into)
}
