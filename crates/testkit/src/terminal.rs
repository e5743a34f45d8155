//! A program on a terminal of its own: what is seen there, and what is typed.

use std::fmt;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::num::NonZeroU16;
use std::os::fd::OwnedFd;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcgetattr, tcsetwinsize};

use crate::Folder;
use crate::eventually::{eventually, patience};

/// See the module. The program is killed with the value.
pub struct Terminal {
    master: File,
    child: Child,
    screen: Arc<Mutex<vt100::Parser>>,
    /// The other side, kept open so that its modes can be looked at when the program has ended.
    slave: OwnedFd,
    _folder: Folder,
}

impl Terminal {
    #[track_caller]
    pub(crate) fn start(mut command: Command, columns: u16, rows: u16, folder: Folder) -> Self {
        let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
        let master = openpt(flags).expect("a pseudo-terminal");
        grantpt(&master).expect("it is ours");
        unlockpt(&master).expect("it is ours");
        tcsetwinsize(&master, size(columns, rows)).expect("a size");
        let name = ptsname(&master, Vec::new()).expect("it has a name");
        let open = || {
            let mut options = File::options();
            options.read(true).write(true);
            options
                .open(name.to_str().expect("a path in ASCII"))
                .expect("the other side")
        };
        let child = command
            .env("TERM", "xterm-256color")
            .stdin(Stdio::from(open()))
            .stdout(Stdio::from(open()))
            .stderr(Stdio::from(open()))
            .spawn()
            .expect("setsid is there");
        let master = File::from(master);
        let screen = Arc::new(Mutex::new(parser(columns, rows)));
        let (mut reader, seen) = (master.try_clone().expect("a copy"), Arc::clone(&screen));
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length) = reader.read(&mut buffer) {
                if length == 0 {
                    return;
                }
                lock(&seen).process(&buffer[..length]);
            }
        });
        Self {
            master,
            child,
            screen,
            slave: open().into(),
            _folder: folder,
        }
    }

    /// What is to be seen now.
    pub fn text(&self) -> String {
        lock(&self.screen).screen().contents()
    }

    /// Waits until this is to be seen.
    #[track_caller]
    pub fn shows(&self, part: &str) -> &Self {
        self.becomes(part, |text| text.contains(part))
    }

    /// Waits until what is to be seen is so.
    #[track_caller]
    pub fn becomes(&self, what: &str, is: impl Fn(&str) -> bool) -> &Self {
        let end = std::time::Instant::now() + patience();
        loop {
            let text = self.text();
            if is(&text) {
                return self;
            }
            assert!(
                std::time::Instant::now() < end,
                "waited in vain for {what} on\n{text}"
            );
            thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Types this.
    #[track_caller]
    pub fn types(&self, text: &str) -> &Self {
        (&self.master)
            .write_all(text.as_bytes())
            .expect("somebody reads");
        self
    }

    /// It has another size from now on.
    #[track_caller]
    pub fn resize(&self, columns: u16, rows: u16) -> &Self {
        let (columns_seen, rows_seen) = (some(columns), some(rows));
        lock(&self.screen)
            .screen_mut()
            .set_size(rows_seen, columns_seen);
        tcsetwinsize(&self.master, size(columns, rows)).expect("a size");
        self
    }

    /// SIGTERM to the program.
    #[track_caller]
    pub fn terminate(&self) -> &Self {
        let pid = i32::try_from(self.child.id()).ok();
        let pid = pid.and_then(Pid::from_raw).expect("a process id");
        kill_process(pid, Signal::TERM).expect("it runs");
        self
    }

    /// Whether a picture lies over what was there before, and whether the terminal hands every key on.
    #[must_use]
    pub fn is_taken_over(&self) -> (bool, bool) {
        let picture = lock(&self.screen).screen().alternate_screen();
        let modes = tcgetattr(&self.slave).expect("a terminal");
        let is_raw = !modes
            .local_modes
            .contains(rustix::termios::LocalModes::ICANON);
        (picture, is_raw)
    }

    /// Waits for the program's end.
    #[track_caller]
    pub fn ended(&mut self) -> ExitStatus {
        eventually("the end of the program on the terminal", || {
            self.child.try_wait().ok().flatten()
        })
    }
}

impl fmt::Debug for Terminal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Terminal")
            .field("child", &self.child)
            .field("text", &self.text())
            .finish_non_exhaustive()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Of what a terminal has there is always something.
fn some(count: u16) -> NonZeroU16 {
    NonZeroU16::new(count).unwrap_or(NonZeroU16::MIN)
}

fn parser(columns: u16, rows: u16) -> vt100::Parser {
    vt100::Parser::new(some(rows), some(columns), 0)
}

fn size(columns: u16, rows: u16) -> Winsize {
    Winsize {
        ws_row: rows,
        ws_col: columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    }
}

fn lock(screen: &Mutex<vt100::Parser>) -> MutexGuard<'_, vt100::Parser> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}
