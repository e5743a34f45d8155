//! What another program says, within bounds of time and length. What it means is not found out here.

use std::io::{self, Read};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

/// The longest that is read of either stream, in bytes.
pub(crate) const LONGEST: u64 = 4 << 20;

/// What a program wrote before it ended.
pub(crate) struct Said {
    /// Standard output.
    pub(crate) out: Vec<u8>,
    /// Standard error.
    pub(crate) complaint: Vec<u8>,
    pub(crate) cut: Cut,
}

/// Whether there would have been more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cut {
    /// That was all.
    Not,
    /// It had its time.
    Late,
    /// It said too much.
    Long,
}

/// Waits until it has said all, or has had its time; then it is gone, with what it started in its process group.
pub(crate) fn outcome(mut command: Command, patience: Duration) -> io::Result<Said> {
    let deadline = Instant::now() + patience;
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()?;
    let out = collect(child.stdout.take())?;
    let complaint = collect(child.stderr.take())?;
    let first = out.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    let is_late = matches!(first, Err(RecvTimeoutError::Timeout));
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        // one that has ended is still ours to wait for, so the number is nobody else's
        let _ = kill_process_group(group, Signal::KILL);
    }
    child.wait()?;
    let last = |receiver: &Receiver<Vec<u8>>| receiver.recv_timeout(LAST_WORDS);
    let out = first.or_else(|_| last(&out)).unwrap_or_default();
    let cut = match (is_late, out.len() as u64 >= LONGEST) {
        (_, true) => Cut::Long,
        (true, false) => Cut::Late,
        (false, false) => Cut::Not,
    };
    Ok(Said {
        out,
        complaint: last(&complaint).unwrap_or_default(),
        cut,
    })
}

/// A process that left the group may keep a pipe open for ever.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// Reads a pipe to its end on a thread of its own. A reader that has enough closes it.
fn collect(pipe: Option<impl Read + Send + 'static>) -> io::Result<Receiver<Vec<u8>>> {
    let (sender, receiver) = channel();
    thread::Builder::new()
        .name("what is said".to_owned())
        .spawn(move || {
            let mut bytes = Vec::new();
            if let Some(pipe) = pipe {
                let _ = pipe.take(LONGEST).read_to_end(&mut bytes);
            }
            let _ = sender.send(bytes);
        })?;
    Ok(receiver)
}
