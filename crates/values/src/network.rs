//! Networks: an address range as people write it. Opens nothing.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::{IpNet, Ipv4Net};

use crate::BadValue;
use crate::text::travels_as_text;

/// A range of addresses: `10.0.0.0/8`, `fd00::/8`, `10.0.0.0/255.0.0.0`, or one address.
///
/// An IPv4 address written inside IPv6 (`::ffff:10.0.0.1`, as dual-stack sockets report it) is
/// the IPv4 address, here and in what is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network(IpNet);

impl Network {
    /// Whether the address belongs to it.
    pub fn contains(&self, ip: IpAddr) -> bool {
        self.0.contains(&canonical(ip))
    }

    /// How many leading bits are fixed: 0 means every address of its family.
    pub fn prefix_length(&self) -> u8 {
        self.0.prefix_len()
    }
}

/// The address itself, with IPv4 inside IPv6 (`::ffff:1.2.3.4`) taken out.
pub fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

impl FromStr for Network {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let (address, range) = match text.split_once('/') {
            Some((address, range)) => (address, Some(range)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| not_a_network())?;
        let bits: u8 = if address.is_ipv4() { 32 } else { 128 };
        let length = match range {
            None => bits,
            Some(range) => match (range.parse::<u8>(), address) {
                (Ok(length), _) if length <= bits && !range.starts_with('+') => length,
                (_, IpAddr::V4(v4)) => range
                    .parse()
                    .ok()
                    .and_then(|mask| Ipv4Net::with_netmask(v4, mask).ok())
                    .map(|net| net.prefix_len())
                    .ok_or_else(|| not_a_network().hint("an IPv4 prefix is from 0 to 32"))?,
                _ => return Err(not_a_network().hint("an IPv6 prefix is from 0 to 128")),
            },
        };
        let (address, length) = match (canonical(address), address) {
            (IpAddr::V4(v4), IpAddr::V6(_)) if length >= 96 => (IpAddr::V4(v4), length - 96),
            _ => (address, length),
        };
        IpNet::new(address, length)
            .map(|net| Self(net.trunc()))
            .map_err(|_| not_a_network())
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() {
            write!(f, "{}", self.0.addr())
        } else {
            write!(f, "{}", self.0)
        }
    }
}

travels_as_text!(Network);

fn not_a_network() -> BadValue {
    BadValue::new(
        "a network",
        "an address or a range of them, such as `10.0.0.1` or `10.0.0.0/8`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_prints_and_contains() {
        for (text, printed, inside, outside) in [
            ("10.0.0.0/8", "10.0.0.0/8", "10.9.8.7", "11.0.0.1"),
            ("10.1.2.3/8", "10.0.0.0/8", "::ffff:10.9.8.7", "11.0.0.1"),
            ("10.0.0.0/255.0.0.0", "10.0.0.0/8", "10.0.0.1", "::1"),
            ("192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8", "10.1.1.1", "11.0.0.0"),
            ("fd00::/8", "fd00::/8", "fdff::1", "fe00::1"),
            ("::1", "::1", "::1", "127.0.0.1"),
        ] {
            let network: Network = text.parse().expect(text);
            assert_eq!(network.to_string(), printed);
            assert!(network.contains(inside.parse().expect(inside)), "{text}");
            assert!(!network.contains(outside.parse().expect(outside)), "{text}");
        }
        for text in [
            "",
            "10",
            "10.0.0.0/",
            "10.0.0.0/33",
            "10.0.0.0/+8",
            "::/129",
            "10.0.0.0/255.0.255.0",
            "::/255.0.0.0",
            "x/8",
            "10.0.0.256",
            "fe80::1%eth0",
        ] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
    }
}
