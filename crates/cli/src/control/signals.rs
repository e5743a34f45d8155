//! The signals that an instance listens to.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::timeout;

/// Ours from now on: SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2.
#[derive(Debug)]
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    /// None where it was switched off for us, as `nohup` does.
    hang_up: Option<Signal>,
    /// What a hang-up means here.
    hang_up_asks: Asked,
    /// The first means nothing here, nor may it end us. Log rotators send the second.
    users: [Signal; 2],
    /// What came while nobody could do anything about it.
    waiting: VecDeque<Asked>,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// The end; the second time, at once.
    End,
    /// A new release of every app.
    Reload,
    /// Somebody moved the log files away.
    Reopen,
}

impl Signals {
    /// Starts to listen for them.
    pub(super) fn new() -> io::Result<Self> {
        let hang_up = (!is_ignored(SignalKind::hangup()))
            .then(|| signal(SignalKind::hangup()))
            .transpose()?;
        // a terminal that is closed takes with it what runs in it; without one, it is how daemons are told to reload
        let meaning = if has_terminal() {
            Asked::End
        } else {
            Asked::Reload
        };
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up,
            hang_up_asks: meaning,
            users: [
                signal(SignalKind::user_defined1())?,
                signal(SignalKind::user_defined2())?,
            ],
            waiting: VecDeque::new(),
        })
    }

    /// Whether something has come, which [`Signals::next`] will tell.
    pub(super) async fn has_come(&mut self) -> bool {
        // a moment, in which the runtime takes in what the kernel has told
        if let Ok(asked) = timeout(Duration::from_millis(1), self.next()).await {
            self.waiting.push_front(asked);
        }
        !self.waiting.is_empty()
    }

    /// Waits for the next. Cancel-safe.
    pub(super) async fn next(&mut self) -> Asked {
        if let Some(asked) = self.waiting.pop_front() {
            return asked;
        }
        loop {
            let [first, second] = &mut self.users;
            tokio::select! {
                _ = self.terminate.recv() => return Asked::End,
                _ = self.interrupt.recv() => return Asked::End,
                () = received(&mut self.hang_up) => return self.hang_up_asks,
                _ = first.recv() => {}
                _ = second.recv() => return Asked::Reopen,
            }
        }
    }
}

async fn received(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Whether this process belongs to a terminal.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

fn is_ignored(kind: SignalKind) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    ignores(&status, kind.as_raw_value())
}

/// Reads the mask of ignored signals, signal 1 in the lowest bit.
fn ignores(status: &str, signal: i32) -> bool {
    status
        .lines()
        .find_map(|line| line.strip_prefix("SigIgn:"))
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mask_of_ignored_signals_is_read() {
        let status = "Name:\tx\nSigIgn:\t0000000000001001\nSigCgt:\tffffffffffffffff\n";
        for (signal, expected) in [(1, true), (2, false), (13, true), (15, false)] {
            assert_eq!(ignores(status, signal), expected, "{signal}");
        }
        assert!(!ignores("", 1));
    }
}
