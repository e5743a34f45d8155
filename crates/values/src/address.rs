//! Where to listen, and where to connect, as people write it. Resolves and opens nothing.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use crate::text::travels_as_text;
use crate::{BadValue, canonical, host};

/// An address: `3000`, `:3000`, `0.0.0.0:80`, `[::]:80`, `localhost:3000`, `unix:/run/app.sock`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// Only a port. To listen: on every interface, both families. To connect: to this machine (loopback).
    Port(u16),
    /// An IP address and a port. `0.0.0.0` is IPv4 only, `[::]` both families, as Node does it.
    Socket(SocketAddr),
    /// A name to be resolved, and a port.
    Name {
        /// A host name in lower case; `localhost` means both loopback addresses.
        host: String,
        /// 0 to 65535; 0 asks the system for a free one when listening.
        port: u16,
    },
    /// A Unix socket by its path, at most 100 bytes long.
    Unix(PathBuf),
}

impl Address {
    /// The longest path of a Unix socket, in bytes. The kernel cuts longer ones off in silence
    /// (108 with the NUL); some room is left for suffixes.
    pub const LONGEST_UNIX_PATH: usize = 100;

    /// The port, unless it is a Unix socket.
    pub fn port(&self) -> Option<u16> {
        match self {
            Self::Port(port) | Self::Name { port, .. } => Some(*port),
            Self::Socket(address) => Some(address.port()),
            Self::Unix(_) => None,
        }
    }

    /// Whether listening on both would share out the connections between them: the same port, and
    /// the same interface or one of them every interface. Names are compared as they are.
    pub fn overlaps(&self, other: &Self) -> bool {
        let same_port = self.port() == other.port() && self.port() != Some(0);
        let everywhere = |address: &Self| match address {
            Self::Port(_) => true,
            Self::Socket(address) => address.ip().is_unspecified(),
            Self::Name { .. } | Self::Unix(_) => false,
        };
        let local = |address: &Self| matches!(address, Self::Name { .. }) && address.is_local();
        let loopback = |address: &Self| matches!(address, Self::Socket(_)) && address.is_local();
        match (self, other) {
            (Self::Unix(a), Self::Unix(b)) => a == b,
            (Self::Unix(_), _) | (_, Self::Unix(_)) => false,
            _ => {
                same_port
                    && (self == other
                        || everywhere(self)
                        || everywhere(other)
                        || (local(self) && loopback(other))
                        || (loopback(self) && local(other)))
            }
        }
    }

    /// Whether only this machine can reach it: loopback, `localhost` or a Unix socket.
    pub fn is_local(&self) -> bool {
        match self {
            Self::Port(_) => false,
            Self::Socket(address) => canonical(address.ip()).is_loopback(),
            Self::Name { host, .. } => host == "localhost" || host.ends_with(".localhost"),
            Self::Unix(_) => true,
        }
    }
}

impl FromStr for Address {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        if let Some(path) = text.strip_prefix("unix:") {
            return unix(path);
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            let rest = rest.trim_end_matches('/');
            return Err(if scheme.eq_ignore_ascii_case("http") {
                not_an_address().hint(format!("write `{rest}`"))
            } else {
                not_an_address().hint("only plain HTTP is spoken here; write its address alone")
            });
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self::Socket(address));
        }
        if text.starts_with(['/', '.']) {
            return Err(not_an_address().hint(format!("for a Unix socket write `unix:{text}`")));
        }
        if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
            let with_port = SocketAddr::new(ip, 3000);
            return Err(not_an_address().hint(format!("add a port: `{with_port}`")));
        }
        let Some((name, port)) = text.rsplit_once(':') else {
            return match read_port(text) {
                Some(port) => Ok(Self::Port(port)),
                None if host::is_name(text) => {
                    Err(not_an_address().hint(format!("add a port: `{text}:3000`")))
                }
                None => Err(not_an_address()),
            };
        };
        let Some(port) = read_port(port) else {
            return Err(not_an_address().hint("a port is a number from 0 to 65535"));
        };
        match name {
            "" => Ok(Self::Port(port)),
            "*" => Err(not_an_address().hint(format!("write `:{port}`"))),
            name if host::is_name(name) => Ok(Self::Name {
                host: name.to_ascii_lowercase(),
                port,
            }),
            _ => Err(not_an_address()),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Port(port) => write!(f, ":{port}"),
            Self::Socket(address) => write!(f, "{address}"),
            Self::Name { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

travels_as_text!(Address);

fn unix(path: &str) -> Result<Address, BadValue> {
    let path = path.strip_prefix("//").unwrap_or(path); // `unix:///run/app.sock`
    let fault = if path.is_empty() || path.ends_with('/') {
        "name the socket: `unix:/run/app.sock`"
    } else if path.starts_with('@') {
        "abstract sockets have no owner and no permissions; name a file"
    } else if path.len() > Address::LONGEST_UNIX_PATH {
        "the system cuts longer socket paths off; use at most 100 bytes"
    } else if path.contains('\0') {
        "a path has no NUL"
    } else {
        return Ok(Address::Unix(PathBuf::from(path)));
    };
    Err(not_an_address().hint(fault))
}

/// Digits only: `+80` and ` 80` parse as numbers elsewhere, and are typing mistakes here.
fn read_port(text: &str) -> Option<u16> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()))
        .then(|| text.parse().ok())
        .flatten()
}

fn not_an_address() -> BadValue {
    BadValue::new(
        "an address",
        "a port, an address with a port, or a Unix socket, such as `:3000`, `127.0.0.1:3000` or `unix:/run/app.sock`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints() {
        for (text, printed, local) in [
            ("3000", ":3000", false),
            (":3000", ":3000", false),
            (":0", ":0", false),
            ("0.0.0.0:80", "0.0.0.0:80", false),
            ("[::]:80", "[::]:80", false),
            ("[::1]:80", "[::1]:80", true),
            ("[::ffff:127.0.0.1]:80", "[::ffff:127.0.0.1]:80", true),
            ("127.0.0.1:8080", "127.0.0.1:8080", true),
            ("LocalHost:3000", "localhost:3000", true),
            ("api.internal:9000", "api.internal:9000", false),
            ("unix:/run/app.sock", "unix:/run/app.sock", true),
            ("unix:///run/app.sock", "unix:/run/app.sock", true),
            ("unix:app.sock", "unix:app.sock", true),
        ] {
            let address: Address = text.parse().expect(text);
            assert_eq!(
                (address.to_string().as_str(), address.is_local()),
                (printed, local),
                "{text}"
            );
            assert_eq!(printed.parse(), Ok(address), "{text}");
        }
    }

    #[test]
    fn refuses_the_rest_and_says_how() {
        let long = format!("unix:/{}", "a".repeat(100));
        for (text, hint) in [
            ("", None),
            ("a b:80", None),
            ("a:b:80", None),
            ("http://127.0.0.1:9000/", Some("write `127.0.0.1:9000`")),
            (
                "https://x:1",
                Some("only plain HTTP is spoken here; write its address alone"),
            ),
            (
                "/run/x.sock",
                Some("for a Unix socket write `unix:/run/x.sock`"),
            ),
            ("127.0.0.1", Some("add a port: `127.0.0.1:3000`")),
            ("::1", Some("add a port: `[::1]:3000`")),
            ("localhost", Some("add a port: `localhost:3000`")),
            ("*:80", Some("write `:80`")),
            (":65536", Some("a port is a number from 0 to 65535")),
            (":+80", Some("a port is a number from 0 to 65535")),
            ("localhost:", Some("a port is a number from 0 to 65535")),
            ("unix:", Some("name the socket: `unix:/run/app.sock`")),
            (
                long.as_str(),
                Some("the system cuts longer socket paths off; use at most 100 bytes"),
            ),
        ] {
            let complaint = text.parse::<Address>().expect_err(text);
            assert_eq!(complaint.hint.as_deref(), hint, "{text}");
        }
        assert!("70000".parse::<Address>().is_err());
    }

    #[test]
    fn overlaps() {
        for (a, b, expected) in [
            (":80", ":80", true),
            (":80", ":81", false),
            (":0", ":0", false),
            (":80", "127.0.0.1:80", true),
            ("0.0.0.0:80", "127.0.0.1:80", true),
            ("127.0.0.1:80", "127.0.0.2:80", false),
            ("localhost:80", "127.0.0.1:80", true),
            ("localhost:80", "10.0.0.1:80", false),
            ("unix:a", "unix:a", true),
            ("unix:a", "unix:b", false),
            ("unix:a", ":80", false),
        ] {
            let [x, y]: [Address; 2] = [a, b].map(|text| text.parse().expect(text));
            assert_eq!(
                (x.overlaps(&y), y.overlaps(&x)),
                (expected, expected),
                "{a} {b}"
            );
        }
    }
}
