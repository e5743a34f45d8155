//! Who listens on which TCP port of this machine, from `/proc`. Only for finding a free port and for explaining errors.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

/// A loopback port that nobody has at this moment.
pub(crate) fn free() -> io::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}

/// Why `port` cannot be had on loopback; `None` if it can.
pub(crate) fn taken(port: u16) -> Option<String> {
    let error = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).err()?;
    if error.kind() != io::ErrorKind::AddrInUse {
        return Some(format!("port `{port}` cannot be used: {error}"));
    }
    let holder = owner(port).map_or_else(
        || "another process".to_owned(),
        |(pid, name)| format!("process {pid} (`{name}`)"),
    );
    Some(format!(
        "port `{port}` is taken by {holder}: stop it, or change `port`"
    ))
}

/// The TCP ports on which these processes listen, each once, in order.
pub(crate) fn of_processes(pids: &[u32]) -> Vec<u16> {
    let listening = listening();
    let mut ports: Vec<u16> = pids
        .iter()
        .flat_map(|pid| socket_inodes(*pid))
        .filter_map(|inode| listening.get(&inode).copied())
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

fn owner(port: u16) -> Option<(u32, String)> {
    let listening = listening();
    for entry in fs::read_dir("/proc").ok()?.flatten() {
        let Some(pid) = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse().ok())
        else {
            continue;
        };
        if socket_inodes(pid).any(|inode| listening.get(&inode) == Some(&port)) {
            let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            return Some((pid, name.trim().to_owned()));
        }
    }
    None
}

/// Inode to port of every listening TCP socket.
fn listening() -> BTreeMap<u64, u16> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .flat_map(|file| {
            let text = fs::read_to_string(file).unwrap_or_default();
            text.lines().filter_map(parse_line).collect::<Vec<_>>()
        })
        .collect()
}

/// `sl local_address rem_address st ... inode`, the address as hex with the port after the colon.
fn parse_line(line: &str) -> Option<(u64, u16)> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().take(10).collect();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let (_, port) = fields.get(1)?.rsplit_once(':')?;
    Some((
        fields.get(9)?.parse().ok()?,
        u16::from_str_radix(port, 16).ok()?,
    ))
}

fn socket_inodes(pid: u32) -> impl Iterator<Item = u64> {
    let folder = fs::read_dir(format!("/proc/{pid}/fd"));
    folder.into_iter().flatten().flatten().filter_map(|entry| {
        let link = fs::read_link(entry.path()).ok()?;
        let inode = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?;
        inode.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_names_its_holder() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let reason = taken(port).unwrap();
        assert!(
            reason.contains(&format!("process {}", std::process::id())),
            "{reason}"
        );
        assert!(of_processes(&[std::process::id()]).contains(&port));
        drop(listener);
        assert_eq!(taken(free().unwrap()), None);
    }

    #[test]
    fn lines_of_the_kernel_are_read() {
        let listen = "   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 42 1 0";
        assert_eq!(parse_line(listen), Some((42, 3000)));
        let connected = listen.replace(" 0A ", " 01 ");
        assert_eq!(parse_line(&connected), None);
        assert_eq!(parse_line("garbage"), None);
    }
}
