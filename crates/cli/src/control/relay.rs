//! A gateway's pipe of access lines, passed on line by line by a thread of its own; held between two lines while the program
//! becomes another one. Knows nothing of where lines go.

use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::{OwnedFd, RawFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread;
use std::time::{Duration, Instant};

use mainstay_supervisor::Descriptors;
use rustix::event::{PollFd, PollFlags, poll};
use serde::{Deserialize, Serialize};

/// What is read of a pipe at once, and the longest line that stays whole.
const ROOM: usize = 128 * 1024;
/// How often is looked whether it can be held.
const LOOK: Duration = Duration::from_millis(1);

/// See the module.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    /// Held while something is read and passed on.
    turn: Arc<Mutex<Turn>>,
    pipe: Arc<File>,
}

#[derive(Debug)]
struct Turn {
    /// The beginning of a line.
    begun: Vec<u8>,
    is_held: bool,
    is_over: bool,
}

/// A pipe on its way to the next program.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct RelayState {
    pipe: RawFd,
    begun: Vec<u8>,
}

impl Relay {
    /// Of a pipe whose first bytes are known already.
    pub(super) fn new(pipe: OwnedFd, begun: Vec<u8>) -> Self {
        let turn = Turn {
            begun,
            is_held: false,
            is_over: false,
        };
        Self {
            turn: Arc::new(Mutex::new(turn)),
            pipe: Arc::new(File::from(pipe)),
        }
    }

    /// Passes on whole lines until everybody who writes has closed the pipe. What a gateway leaves of a line when it dies is
    /// none, and is left out. It blocks.
    pub(super) fn run(&self, mut pass_on: impl FnMut(&[u8])) {
        let mut buffer = vec![0; ROOM];
        loop {
            let mut ready = [PollFd::new(&*self.pipe, PollFlags::IN)];
            if poll(&mut ready, None).is_err_and(|error| error != rustix::io::Errno::INTR) {
                return;
            }
            let mut turn = self.turn();
            if turn.is_held {
                drop(turn);
                thread::sleep(LOOK);
                continue;
            }
            if self
                .pass_on_some(&mut turn.begun, &mut buffer, &mut pass_on)
                .is_break()
            {
                turn.is_over = true;
                return;
            }
        }
    }

    fn pass_on_some(
        &self,
        begun: &mut Vec<u8>,
        buffer: &mut [u8],
        pass_on: &mut impl FnMut(&[u8]),
    ) -> std::ops::ControlFlow<()> {
        let filled = begun.len();
        buffer[..filled].copy_from_slice(begun);
        let filled = match (&*self.pipe).read(&mut buffer[filled..]) {
            Ok(0) => return std::ops::ControlFlow::Break(()),
            Ok(read) => filled + read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => filled,
            Err(_) => return std::ops::ControlFlow::Break(()),
        };
        let end = match buffer[..filled].iter().rposition(|byte| *byte == b'\n') {
            Some(newline) => newline + 1,
            None if filled == buffer.len() => filled,
            None => 0,
        };
        if end > 0 {
            pass_on(&buffer[..end]);
        }
        begun.clear();
        begun.extend_from_slice(&buffer[end..filled]);
        std::ops::ControlFlow::Continue(())
    }

    /// Whether nothing follows.
    pub(super) fn is_over(&self) -> bool {
        self.turn.try_lock().is_ok_and(|turn| turn.is_over)
    }

    /// Passes nothing on from now on. Whether that was possible within this time: whoever reads what is passed on may not.
    pub(super) fn hold(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        loop {
            match self.turn.try_lock() {
                Ok(mut turn) => {
                    turn.is_held = true;
                    return true;
                }
                Err(TryLockError::Poisoned(error)) => {
                    error.into_inner().is_held = true;
                    return true;
                }
                Err(TryLockError::WouldBlock) if Instant::now() < until => thread::sleep(LOOK),
                Err(TryLockError::WouldBlock) => return false,
            }
        }
    }

    /// Goes on.
    pub(super) fn go_on(&self) {
        self.turn().is_held = false;
    }

    /// What the next program must know, while it is held; none where nothing follows.
    pub(super) fn state(&self, descriptors: &mut Descriptors) -> io::Result<Option<RelayState>> {
        let turn = self.turn();
        if turn.is_over {
            return Ok(None);
        }
        Ok(Some(RelayState {
            pipe: descriptors.keep(self.pipe.try_clone()?.into()),
            begun: turn.begun.clone(),
        }))
    }

    pub(super) fn take_up(state: RelayState, descriptors: &mut Descriptors) -> io::Result<Self> {
        Ok(Self::new(descriptors.take(state.pipe)?, state.begun))
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::sync::mpsc::channel;

    use super::*;

    #[test]
    fn a_line_that_has_begun_is_whole_at_the_next_program() {
        let (reader, mut writer) = io::pipe().expect("a pipe");
        let relay = Relay::new(reader.into(), Vec::new());
        let (lines, passed) = channel::<Vec<u8>>();
        let running = relay.clone();
        let pass_on = move |bytes: &[u8]| drop(lines.send(bytes.to_vec()));
        thread::spawn(move || running.run(pass_on));
        writer.write_all(b"one\ntw").expect("written");
        assert_eq!(passed.recv().expect("a line"), b"one\n");
        assert!(relay.hold(Duration::from_secs(10)));
        writer.write_all(b"o\nthree").expect("written");
        let mut descriptors = Descriptors::default();
        let state = relay
            .state(&mut descriptors)
            .expect("a state")
            .expect("open");
        assert_eq!(state.begun, b"tw");
        let next = Relay::take_up(state, &mut descriptors).expect("taken");
        drop(writer);
        let mut rest = Vec::new();
        next.run(|bytes| rest.extend_from_slice(bytes));
        assert_eq!(rest, b"two\n", "what has no end is left out");
        assert!(next.is_over());
        assert_eq!(passed.try_recv().ok(), None);
    }
}
