//! The name and port that a request is for (RFC 9110, 7.2), checked more narrowly than URIs
//! allow: what could be read in two ways by a router and a worker is refused.

use std::net::Ipv6Addr;

use crate::Refused;

/// The longest name in the DNS, with its last dot.
const LONGEST_NAME: usize = 254;

/// Checks `host [ ":" port ]`: a name of letters, digits, `-`, `_`, `~` and single dots, or an
/// IPv6 address in brackets; a port from 0 to 65535. No userinfo, escapes, commas or spaces.
pub(crate) fn check_host(value: &[u8]) -> Result<(), Refused> {
    if is_host(value) {
        Ok(())
    } else {
        Err(Refused::Host)
    }
}

fn is_host(value: &[u8]) -> bool {
    if let Some(rest) = value.strip_prefix(b"[") {
        let Some(close) = memchr::memchr(b']', rest) else {
            return false;
        };
        let (address, after) = (&rest[..close], &rest[close + 1..]);
        return std::str::from_utf8(address).is_ok_and(|text| text.parse::<Ipv6Addr>().is_ok())
            && (after.is_empty() || after.strip_prefix(b":").is_some_and(is_port));
    }
    match memchr::memchr(b':', value) {
        Some(colon) => is_name(&value[..colon]) && is_port(&value[colon + 1..]),
        None => is_name(value),
    }
}

fn is_name(name: &[u8]) -> bool {
    let mut before = b'.'; // so that a name cannot begin with a dot, and is not empty
    for &byte in name {
        let fits = match byte {
            b'.' => before != b'.',
            b'-' | b'_' | b'~' => true,
            _ => byte.is_ascii_alphanumeric(),
        };
        if !fits {
            return false;
        }
        before = byte;
    }
    !name.is_empty() && name.len() <= LONGEST_NAME
}

fn is_port(port: &[u8]) -> bool {
    (1..=5).contains(&port.len())
        && port.iter().all(u8::is_ascii_digit)
        && std::str::from_utf8(port).is_ok_and(|text| text.parse::<u16>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let good = [
            "a",
            "example.com",
            "Example.COM.",
            "example.com:8080",
            "127.0.0.1:3000",
            "[::1]",
            "[2001:db8::1]:443",
            "my_app",
            "a.b:0",
            "xn--bcher-kva.example",
            "a:65535",
        ];
        let bad = [
            "",
            ":80",
            ".",
            ".a",
            "a..b",
            "a b",
            "a,b",
            "user@a",
            "a:",
            "a:x",
            "a:65536",
            "a:123456",
            "a:80:80",
            "a/b",
            "a?b",
            "a#b",
            "a%2eb",
            "[::1",
            "[::1]x",
            "[::1]:",
            "[::g]",
            "[fe80::1%25eth0]",
            "[v1.a]",
            "::1",
            "b\u{fc}cher",
            "a\\b",
            "a:+80",
            "*",
        ];
        for host in good {
            assert_eq!(check_host(host.as_bytes()), Ok(()), "`{host}`");
        }
        for host in bad {
            assert_eq!(check_host(host.as_bytes()), Err(Refused::Host), "`{host}`");
        }
        assert_eq!(check_host("a".repeat(255).as_bytes()), Err(Refused::Host));
    }
}
