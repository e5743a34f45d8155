//! Who listens where on this machine, from `/proc`. Only for finding a free port and for explaining errors.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use mainstay_values::Address;

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
    let address = Address::Socket((Ipv4Addr::LOCALHOST, port).into());
    let program = holder(&address).and_then(|holder| holder.program);
    let holder = program.map_or_else(
        || "another process".to_owned(),
        |Program { pid, name }| format!("process {pid} (`{name}`)"),
    );
    Some(format!(
        "port `{port}` is taken by {holder}: stop it, or change `port`"
    ))
}

/// Who listens on an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Its user.
    pub uid: u32,
    /// The first process that has the socket; `None`: we may not look, or it is not of this container.
    pub program: Option<Program>,
}

/// A process, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// Its id.
    pub pid: u32,
    /// The name of its program, at most 15 bytes long.
    pub name: String,
}

/// Who listens where this address could not be listened on; `None` if nobody can be seen there.
pub fn holder(address: &Address) -> Option<Holder> {
    if let Address::Unix(path) = address {
        return holder_of_file(path);
    }
    let listening = listening();
    let found: Vec<&Listening> = listening
        .iter()
        .filter(|found| Address::Socket(found.address).overlaps(address))
        .collect();
    let first = found.first()?;
    let program = owner(|inode| found.iter().any(|found| found.inode == inode));
    Some(Holder {
        uid: first.uid,
        program,
    })
}

fn holder_of_file(path: &Path) -> Option<Holder> {
    let uid = path.symlink_metadata().ok()?.uid();
    let text = fs::read_to_string("/proc/net/unix").unwrap_or_default();
    let inodes: Vec<u64> = text
        .lines()
        .filter_map(|line| parse_unix_line(line, path))
        .collect();
    let program = owner(|inode| inodes.contains(&inode));
    Some(Holder { uid, program })
}

/// The TCP ports on which these processes listen, each once, in order.
pub(crate) fn of_processes(pids: &[u32]) -> Vec<u16> {
    let listening: BTreeMap<u64, u16> = listening()
        .into_iter()
        .map(|found| (found.inode, found.address.port()))
        .collect();
    let mut ports: Vec<u16> = pids
        .iter()
        .flat_map(|pid| socket_inodes(*pid))
        .filter_map(|inode| listening.get(&inode).copied())
        .collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// The oldest process that has one of these sockets: those it shares them with mostly came of it.
fn owner(is_meant: impl Fn(u64) -> bool) -> Option<Program> {
    let mut pids: Vec<u32> = fs::read_dir("/proc")
        .ok()?
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .collect();
    pids.sort_unstable();
    let pid = pids
        .into_iter()
        .find(|pid| socket_inodes(*pid).any(&is_meant))?;
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    Some(Program {
        pid,
        name: name.trim().to_owned(),
    })
}

/// A listening TCP socket.
#[derive(Debug, PartialEq, Eq)]
struct Listening {
    address: SocketAddr,
    uid: u32,
    inode: u64,
}

fn listening() -> Vec<Listening> {
    ["/proc/net/tcp", "/proc/net/tcp6"]
        .into_iter()
        .flat_map(|file| {
            let text = fs::read_to_string(file).unwrap_or_default();
            text.lines().filter_map(parse_line).collect::<Vec<_>>()
        })
        .collect()
}

/// `sl local_address rem_address st tx:rx tr:tm retrnsmt uid timeout inode`, the address as hex with the port after the
/// colon (`proc_pid_net(5)`).
fn parse_line(line: &str) -> Option<Listening> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_whitespace().take(10).collect();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    let (ip, port) = fields.get(1)?.rsplit_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    Some(Listening {
        address: SocketAddr::new(parse_ip(ip)?, port),
        uid: fields.get(7)?.parse().ok()?,
        inode: fields.get(9)?.parse().ok()?,
    })
}

/// Words of 32 bits, each in the order of bytes of this machine.
fn parse_ip(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| u32::from_str_radix(hex.get(at..at + 8)?, 16).ok();
    match hex.len() {
        8 => Some(IpAddr::from(word(0)?.to_ne_bytes())),
        32 => {
            let mut bytes = [0; 16];
            for (index, part) in bytes.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(index * 8)?.to_ne_bytes());
            }
            Some(IpAddr::from(bytes))
        }
        _ => None,
    }
}

/// `Num RefCount Protocol Flags Type St Inode Path`: the inode, if it listens under this path.
fn parse_unix_line(line: &str, path: &Path) -> Option<u64> {
    const ACCEPTS: &str = "00010000";
    let mut fields = line.split_whitespace();
    let accepts = fields.nth(3)? == ACCEPTS;
    let inode = fields.nth(2)?.parse().ok()?;
    // a path may have blanks in it
    (accepts && line.ends_with(path.to_str()?)).then_some(inode)
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
    fn a_taken_path_names_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("with a blank.sock");
        let address = Address::Unix(path.clone());
        assert_eq!(holder(&address), None);
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        let program = holder(&address).unwrap().program.unwrap();
        assert_eq!(program.pid, std::process::id());
    }

    #[test]
    fn an_address_that_overlaps_is_held_and_another_is_not() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        for (address, is_held) in [
            (format!("127.0.0.1:{port}"), true),
            (format!(":{port}"), true),
            (format!("localhost:{port}"), true),
            (format!("127.0.0.2:{port}"), false),
        ] {
            let address: Address = address.parse().unwrap();
            assert_eq!(holder(&address).is_some(), is_held, "{address}");
        }
    }

    #[test]
    #[cfg(target_endian = "little")]
    fn lines_of_the_kernel_are_read() {
        let listen = "   0: 0100007F:0BB8 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 42 1 0";
        let read = |line: &str| {
            parse_line(line).map(|found| (found.address.to_string(), found.uid, found.inode))
        };
        assert_eq!(read(listen), Some(("127.0.0.1:3000".to_owned(), 1000, 42)));
        let six = listen.replace("0100007F", "00000000000000000000000001000000");
        assert_eq!(read(&six), Some(("[::1]:3000".to_owned(), 1000, 42)));
        let connected = listen.replace(" 0A ", " 01 ");
        assert_eq!(read(&connected), None);
        assert_eq!(read("garbage"), None);
        assert_eq!(parse_ip("é1"), None);
    }
}
