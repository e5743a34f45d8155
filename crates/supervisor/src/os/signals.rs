//! Signals that must not come while the program becomes another one: the new one has no handler yet, and would end. They
//! wait meanwhile. Handles none.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

/// Lets SIGTERM, SIGINT, SIGHUP, SIGUSR1 and SIGUSR2 wait from now on, for the calling thread. It lasts over an exec, and
/// no child that std starts inherits it.
///
/// # Errors
/// What the system says, which it never does.
pub fn hold_signals() -> io::Result<()> {
    change(libc::SIG_BLOCK)
}

/// Lets them come again, with those that have waited.
///
/// # Errors
/// As above.
pub fn hear_signals() -> io::Result<()> {
    change(libc::SIG_UNBLOCK)
}

const HELD: [libc::c_int; 5] = [
    libc::SIGTERM,
    libc::SIGINT,
    libc::SIGHUP,
    libc::SIGUSR1,
    libc::SIGUSR2,
];

fn change(how: libc::c_int) -> io::Result<()> {
    let mut set = MaybeUninit::uninit();
    // SAFETY: `set` is written by the first call before any other reads it, the numbers are signals, and the old mask
    // is not asked for.
    let error = unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        for signal in HELD {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        libc::pthread_sigmask(how, set.as_ptr(), ptr::null_mut())
    };
    match error {
        0 => Ok(()),
        error => Err(io::Error::from_raw_os_error(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocked() -> u64 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigBlk:"));
        u64::from_str_radix(mask.unwrap().trim(), 16).unwrap()
    }

    #[test]
    fn those_that_matter_wait_and_come_again() {
        let before = blocked();
        hold_signals().unwrap();
        let held = HELD.iter().fold(0, |mask, signal| mask | 1 << (signal - 1));
        assert_eq!(blocked(), before | held);
        hear_signals().unwrap();
        assert_eq!(blocked(), before & !held);
    }
}
