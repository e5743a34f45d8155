//! Whose word about the client is believed, in Express's grammar. Reads no header itself.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::text::travels_as_text;
use crate::{BadValue, Network, canonical, nearest};

/// More hops than any real chain has: a longer count means that a port was written by mistake.
const MOST_HOPS: u32 = 32;

/// Words for sets of networks.
const WORDS: [(&str, &[&str]); 4] = [
    ("loopback", &["127.0.0.1/8", "::1/128"]),
    ("linklocal", &["169.254.0.0/16", "fe80::/10"]),
    (
        "uniquelocal",
        &["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7"],
    ),
    // https://www.cloudflare.com/ips-v4 and /ips-v6, unchanged since 2023.
    (
        "cloudflare",
        &[
            "173.245.48.0/20",
            "103.21.244.0/22",
            "103.22.200.0/22",
            "103.31.4.0/22",
            "141.101.64.0/18",
            "108.162.192.0/18",
            "190.93.240.0/20",
            "188.114.96.0/20",
            "197.234.240.0/22",
            "198.41.128.0/17",
            "162.158.0.0/15",
            "104.16.0.0/13",
            "104.24.0.0/14",
            "172.64.0.0/13",
            "131.0.72.0/22",
            "2400:cb00::/32",
            "2606:4700::/32",
            "2803:f800::/32",
            "2405:b500::/32",
            "2405:8100::/32",
            "2a06:98c0::/29",
            "2c0f:f248::/32",
        ],
    ),
];

/// Which proxies in front of us are trusted to say who the client is: nobody (the default), the
/// nearest *n*, or those in a list of networks.
///
/// Written as a hop count (`1`) or a list of `loopback`, `linklocal`, `uniquelocal`,
/// `cloudflare`, addresses and ranges (`10.0.0.0/8`), separated by commas. The meaning is that of
/// Express's `trust proxy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedProxies(Rule);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Rule {
    Hops(u32),
    Listed {
        /// As written, for printing.
        words: Vec<String>,
        /// What the words stand for.
        networks: Vec<Network>,
    },
}

/// Who asks, as far as the trusted proxies vouch for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The nearest address that is not a trusted proxy, or the farthest one that was named.
    pub address: IpAddr,
    /// How many addresses nearer than the client were trusted, the socket's included. 0 means
    /// that the socket itself is the client, and no forwarded header may be believed.
    pub trusted_hops: usize,
    /// Why the walk ended there.
    pub ended: Walk,
}

/// Why the walk towards the client ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Walk {
    /// The address is not a trusted proxy: the client.
    Untrusted,
    /// No further address was named.
    Exhausted,
    /// What was named next is no address; the client is the proxy that passed it on.
    Garbage,
}

impl TrustedProxies {
    /// Trust nobody: the client is who holds the connection.
    pub const fn none() -> Self {
        Self(Rule::Hops(0))
    }

    /// Trust the nearest `count` addresses, the socket's included.
    pub const fn hops(count: u32) -> Self {
        Self(Rule::Hops(count))
    }

    /// Reads a list of words, addresses and ranges; an empty one trusts nobody.
    pub fn listed<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<Self, BadValue> {
        let mut words = Vec::new();
        let mut networks = Vec::new();
        for entry in entries {
            let entry = entry.trim();
            networks.extend(expand(entry)?);
            words.push(entry.to_ascii_lowercase());
        }
        Ok(if words.is_empty() {
            Self::none()
        } else {
            Self(Rule::Listed { words, networks })
        })
    }

    /// Whether nobody is trusted.
    pub fn is_none(&self) -> bool {
        self.0 == Rule::Hops(0)
    }

    /// Whether the address at this distance is a trusted proxy; the socket's has distance 0.
    pub fn trusts(&self, ip: IpAddr, hop: usize) -> bool {
        match &self.0 {
            Rule::Hops(count) => hop < *count as usize,
            Rule::Listed { networks, .. } => {
                let ip = canonical(ip);
                networks.iter().any(|network| network.contains(ip))
            }
        }
    }

    /// Walks from the socket towards the client as long as the addresses are trusted.
    ///
    /// `forwarded_for` gives the elements of `X-Forwarded-For` from right to left (nearest
    /// first); empty ones are passed over, ports and brackets are tolerated. It is not read
    /// further than needed: what an untrusted party wrote is never looked at.
    pub fn client(&self, socket: IpAddr, forwarded_for: &mut dyn Iterator<Item = &str>) -> Client {
        let mut client = Client {
            address: canonical(socket),
            trusted_hops: 0,
            ended: Walk::Untrusted,
        };
        let mut elements = forwarded_for.filter(|element| !element.trim().is_empty());
        while self.trusts(client.address, client.trusted_hops) {
            let Some(next) = elements.next() else {
                client.ended = Walk::Exhausted;
                break;
            };
            let Some(next) = parse_forwarded_address(next) else {
                client.ended = Walk::Garbage;
                break;
            };
            client.address = next;
            client.trusted_hops += 1;
        }
        client
    }
}

impl Default for TrustedProxies {
    fn default() -> Self {
        Self::none()
    }
}

/// The word for the networks of this address, if proxies usually stand there: many clients may look like it.
pub fn word_of_proxies(address: IpAddr) -> Option<&'static str> {
    let address = canonical(address);
    let holds = |network: &&str| {
        let network = network.parse::<Network>();
        network.is_ok_and(|network| network.contains(address))
    };
    let mut words = WORDS.iter();
    let found = words.find(|(_, networks)| networks.iter().any(&holds));
    found.map(|(word, _)| *word)
}

/// Reads an address as proxies write it: `192.0.2.1`, `192.0.2.1:4711` (Azure), `2001:db8::1`,
/// `[2001:db8::1]`, `[2001:db8::1]:4711`, each also in double quotes (RFC 7239 6). IPv4 inside
/// IPv6 is taken out.
pub fn parse_forwarded_address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let text = text
        .strip_prefix('"')
        .and_then(|inner| inner.strip_suffix('"'))
        .unwrap_or(text);
    // The longest possible is `[` + 45 + `]:65535`.
    if text.len() > 53 {
        return None;
    }
    let ip = if let Some(rest) = text.strip_prefix('[') {
        let (ip, port) = rest.split_once(']')?;
        if !(port.is_empty() || port.strip_prefix(':').is_some_and(is_port)) {
            return None;
        }
        IpAddr::V6(ip.parse().ok()?)
    } else if let Ok(ip) = text.parse() {
        ip
    } else {
        let (ip, port) = text.split_once(':')?;
        if !is_port(port) {
            return None;
        }
        IpAddr::V4(ip.parse().ok()?)
    };
    Some(canonical(ip))
}

fn is_port(text: &str) -> bool {
    (1..=5).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

impl FromStr for TrustedProxies {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::none());
        }
        if text.bytes().all(|b| b.is_ascii_digit()) {
            return match text.parse() {
                Ok(count) if count <= MOST_HOPS => Ok(Self::hops(count)),
                _ => Err(not_proxies().hint(format!("a hop count is from 0 to {MOST_HOPS}"))),
            };
        }
        Self::listed(text.split(','))
    }
}

impl fmt::Display for TrustedProxies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::Hops(count) => write!(f, "{count}"),
            Rule::Listed { words, .. } => f.write_str(&words.join(", ")),
        }
    }
}

travels_as_text!(TrustedProxies);

/// What one entry of a list stands for.
fn expand(entry: &str) -> Result<Vec<Network>, BadValue> {
    let known = WORDS
        .iter()
        .find(|(word, _)| word.eq_ignore_ascii_case(entry));
    if let Some((_, networks)) = known {
        return networks.iter().map(|network| network.parse()).collect();
    }
    let hint = match entry.to_ascii_lowercase().as_str() {
        "" => "remove the empty entry".to_owned(),
        "true" | "all" | "*" | "any" => {
            "whoever connects could then claim any address; name the proxies, or their number"
                .into()
        }
        "false" | "none" => "write `[]` to trust nobody".to_owned(),
        number if number.bytes().all(|b| b.is_ascii_digit()) => {
            "a hop count stands alone: `trusted_proxies = 1`".to_owned()
        }
        _ => match entry.parse::<Network>() {
            // As proxy-addr: a range of everything would believe the leftmost address, which the client writes.
            Ok(network) if network.prefix_length() == 0 => {
                "a prefix of 0 would trust the whole world".to_owned()
            }
            Ok(network) => return Ok(vec![network]),
            Err(cause) => match nearest(entry, WORDS.map(|(word, _)| word)) {
                Some(word) => format!("did you mean `{word}`?"),
                None => {
                    return Err(BadValue {
                        hint: cause.hint,
                        ..not_proxies()
                    });
                }
            },
        },
    };
    Err(not_proxies().hint(hint))
}

fn not_proxies() -> BadValue {
    BadValue::new(
        "a list of proxies",
        "a hop count, or `loopback`, `linklocal`, `uniquelocal`, `cloudflare`, addresses and ranges such as `10.0.0.0/8`",
    )
}

#[cfg(test)]
#[path = "trusted_proxies/tests.rs"]
mod tests;
