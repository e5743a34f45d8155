//! What systemd is told of us where it asks for it (`Type=notify`, `WatchdogSec=`): readiness, the end, and again and
//! again that the event loop turns. The protocol is that of `sd_notify(3)`: datagrams of `NAME=VALUE` lines.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// The way to whoever supervises us. There is none outside of systemd.
#[derive(Debug, Default)]
pub(super) struct Service {
    socket: Option<UnixDatagram>,
}

impl Service {
    /// As the environment says. Where a watchdog waits, it is fed from now on: call it inside the runtime whose event
    /// loop it is to watch.
    pub(super) fn find() -> Self {
        let socket = connect().ok();
        let watchdog = watchdog(|name| std::env::var(name).ok(), std::process::id());
        if let (Some(Ok(socket)), Some(period)) =
            (socket.as_ref().map(UnixDatagram::try_clone), watchdog)
        {
            tokio::spawn(async move {
                let mut ticks = tokio::time::interval(period);
                loop {
                    ticks.tick().await;
                    let _ = socket.send(b"WATCHDOG=1");
                }
            });
        }
        Self { socket }
    }

    /// What was started serves; `status` says how well, in one line.
    pub(super) fn ready(&self, status: &str) {
        self.say(&format!("READY=1\nSTATUS={status}"));
    }

    /// The end has begun.
    pub(super) fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=finishing what has begun");
    }

    fn say(&self, words: &str) {
        if let Some(socket) = &self.socket {
            // it is there to be told; whether it listens is its business
            let _ = socket.send(words.as_bytes());
        }
    }
}

fn connect() -> io::Result<UnixDatagram> {
    let name = std::env::var_os("NOTIFY_SOCKET").ok_or(io::ErrorKind::NotFound)?;
    let address = match name.as_bytes() {
        [b'@', name @ ..] => SocketAddr::from_abstract_name(name)?,
        [b'/', ..] => SocketAddr::from_pathname(&name)?,
        _ => return Err(io::ErrorKind::Unsupported.into()),
    };
    let socket = UnixDatagram::unbound()?;
    socket.connect_addr(&address)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// How often the watchdog is to be fed: twice in the time after which it bites. None where none is meant for us.
fn watchdog(find: impl Fn(&str) -> Option<String>, own: u32) -> Option<Duration> {
    let microseconds: u64 = find("WATCHDOG_USEC")?.parse().ok()?;
    let is_ours = find("WATCHDOG_PID").is_none_or(|pid| pid.parse() == Ok(own));
    let period = Duration::from_micros(microseconds / 2);
    (is_ours && !period.is_zero()).then_some(period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watchdog_of_ours_is_fed_twice_in_its_time() {
        let second = Some(Duration::from_secs(1));
        for (time, pid, period) in [
            (Some("2000000"), None, second),
            (Some("2000000"), Some("7"), second),
            (Some("2000000"), Some("8"), None),
            (Some("2000000"), Some("x"), None),
            (Some("0"), None, None),
            (Some("soon"), None, None),
            (None, None, None),
        ] {
            let find = |name: &str| {
                let found = match name {
                    "WATCHDOG_USEC" => time,
                    _ => pid,
                };
                found.map(str::to_owned)
            };
            assert_eq!(watchdog(find, 7), period, "{time:?} {pid:?}");
        }
    }
}
