//! What goes wrong before and around serving: slow starts, deaf ears, floods, leaked children.

use std::io::{self, Write as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::thread;

use crate::options::Options;

/// Marks that the arrangements below were made already.
const REARRANGED: &str = "TESTAPP_REARRANGED";

/// Some things only a shell can do for a program without unsafe code: ignore a signal (it stays ignored over exec), and
/// move descriptor 3 to standard input, from where it can be owned. So we execute ourselves again through one.
#[expect(
    clippy::disallowed_methods,
    reason = "this is a program of its own, and asks about its own mark"
)]
pub(crate) fn rearrange(options: &Options) -> io::Result<()> {
    let deaf = options.on("ignore-sigterm");
    if std::env::var_os(REARRANGED).is_some() || (options.listen_fds == 0 && !deaf) {
        return Ok(());
    }
    let trap = if deaf { "trap '' TERM; " } else { "" };
    let socket = if options.listen_fds > 0 {
        " <&3 3<&-"
    } else {
        ""
    };
    let error = Command::new("/bin/sh")
        .arg("-c")
        .arg(format!("{trap}exec \"$0\" \"$@\"{socket}"))
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env(REARRANGED, "1")
        .exec();
    Err(error)
}

pub(crate) fn before_listening(options: &Options) -> io::Result<()> {
    if options.on("long-lines") {
        let line = vec![b'x'; 1 << 20];
        io::stderr().write_all(&line)?;
        io::stderr().write_all(b"\n")?;
    }
    for _ in 0..options.number("leak-children").unwrap_or(0) {
        leak_child(options)?;
    }
    if let Some(delay) = options.milliseconds("slow-start") {
        thread::sleep(delay);
    }
    if options.on("fail-start") {
        return Err(io::Error::other("cannot start: asked to fail"));
    }
    Ok(())
}

pub(crate) fn after_listening(options: &Options) {
    if options.on("flood") {
        thread::spawn(|| {
            let mut number = 0_u64;
            while writeln!(io::stdout(), "flood {number}: {}", "~".repeat(100)).is_ok() {
                number += 1;
            }
        });
    }
    if let Some(delay) = options.milliseconds("crash-in") {
        thread::spawn(move || {
            thread::sleep(delay);
            crash();
        });
    }
}

/// A process in a session of its own: neither our end nor a signal to our group reaches it.
fn leak_child(options: &Options) -> io::Result<()> {
    let mut command = Command::new("setsid");
    command.args(["sleep", "1000"]).stdin(Stdio::null());
    if !options.on("keep-pipe") {
        command.stdout(Stdio::null()).stderr(Stdio::null());
    }
    let child = command.spawn()?;
    writeln!(io::stdout(), "testapp: leaked {}", child.id())
}

/// Ends at once, as a bug would, without a word to anybody.
#[expect(
    clippy::disallowed_methods,
    clippy::exit,
    reason = "crashing is what this program is for"
)]
pub(crate) fn crash() -> ! {
    std::process::exit(1)
}
