//! Descriptors that a parent left open for us, known by number only. Nothing is opened here.

use std::io;
use std::os::fd::{BorrowedFd, FromRawFd as _, OwnedFd, RawFd};
use std::sync::Mutex;

use rustix::io::{FdFlags, fcntl_getfd, fcntl_setfd};

/// Numbers already given out: each may have one owner only.
static TAKEN: Mutex<Vec<RawFd>> = Mutex::new(Vec::new());

/// Takes ownership of descriptor `number`, which the parent process opened for us, and marks it close-on-exec so
/// that our own children do not get it by accident.
///
/// Call it early in `main`, before the program opens descriptors of its own.
///
/// # Errors
/// `InvalidInput` for 0, 1 and 2, `AlreadyExists` the second time, and the kernel's `EBADF` when nothing is open there.
pub fn inherited_fd(number: RawFd) -> io::Result<OwnedFd> {
    if number < 3 {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            format!("descriptor {number} is a standard stream"),
        ));
    }
    let mut taken = TAKEN
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    if taken.contains(&number) {
        return Err(io::Error::new(
            io::ErrorKind::AlreadyExists,
            format!("descriptor {number} already has an owner"),
        ));
    }
    // SAFETY: the borrow lasts for the two calls below only, which fail cleanly if nothing is open there.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    let flags = fcntl_getfd(borrowed)?;
    fcntl_setfd(borrowed, flags | FdFlags::CLOEXEC)?;
    taken.push(number);
    // SAFETY: it is open (checked above), came from the parent by its number, and `TAKEN` makes us its only owner.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Another descriptor for what the parent, or the program that we were before, left open under this number; that one
/// stays open too. It is ours alone and close-on-exec.
///
/// # Errors
/// The kernel's `EBADF` when nothing is open there.
pub(crate) fn duplicate(number: RawFd) -> io::Result<OwnedFd> {
    if number < 0 {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // SAFETY: the borrow lasts for the call below only, which fails cleanly if nothing is open there.
    let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
    Ok(rustix::io::fcntl_dupfd_cloexec(borrowed, 3)?)
}

/// Marks every descriptor but the standard streams close-on-exec. Whoever started us may have left some open without
/// meaning to; what a child of ours shall have it gets by name.
pub fn keep_from_children() {
    let numbers: Vec<RawFd> = std::fs::read_dir("/proc/self/fd")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|number| *number > 2)
        .collect();
    for number in numbers {
        // SAFETY: the borrow lasts for the calls below, which fail cleanly if the number was closed since, and set a
        // flag that all of our descriptors have anyway.
        let borrowed = unsafe { BorrowedFd::borrow_raw(number) };
        if let Ok(flags) = fcntl_getfd(borrowed) {
            let _ = fcntl_setfd(borrowed, flags | FdFlags::CLOEXEC);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::IntoRawFd as _;

    use super::*;

    #[test]
    fn a_descriptor_is_given_out_once() {
        // High, so that no other test's descriptor can have the number.
        let (read, _write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC).unwrap();
        let number = rustix::io::fcntl_dupfd_cloexec(&read, 700)
            .unwrap()
            .into_raw_fd();
        let owned = inherited_fd(number).unwrap();
        assert!(fcntl_getfd(&owned).unwrap().contains(FdFlags::CLOEXEC));
        assert_eq!(
            inherited_fd(number).unwrap_err().kind(),
            io::ErrorKind::AlreadyExists
        );
    }

    #[test]
    fn standard_streams_and_closed_numbers_are_refused() {
        assert_eq!(
            inherited_fd(1).unwrap_err().kind(),
            io::ErrorKind::InvalidInput
        );
        assert!(inherited_fd(900).is_err());
    }
}
