//! Host names to match requests by: exact, or everything below a domain. No resolving.

use std::cmp::Reverse;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::BadValue;
use crate::text::travels_as_text;

/// A host to match: `api.example.com`, an IP address, or `*.example.com` for every name below
/// `example.com`, however deep, but not itself (as nginx does it). Case does not matter.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPattern {
    below: Below,
    /// Lower case, without port and final dot; an IPv6 address in brackets.
    name: String,
}

/// Whether the name itself is meant, or what is below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Below {
    Itself,
    Subdomains,
}

impl HostPattern {
    /// Whether `host` (no port; a final dot is ignored) is meant. Does not allocate.
    pub fn matches(&self, host: &str) -> bool {
        let host = host.strip_suffix('.').unwrap_or(host);
        match self.below {
            Below::Itself => host.eq_ignore_ascii_case(&self.name),
            Below::Subdomains => {
                let Some(split) = host.len().checked_sub(self.name.len()) else {
                    return false;
                };
                let (label, name) = host.as_bytes().split_at(split);
                label.len() > 1
                    && label.ends_with(b".")
                    && name.eq_ignore_ascii_case(self.name.as_bytes())
            }
        }
    }

    /// Whether this is `*.name`.
    pub fn is_wildcard(&self) -> bool {
        self.below == Below::Subdomains
    }

    /// Sorts the most specific first: exact before wildcard, longer before shorter.
    pub fn rank(&self) -> impl Ord + use<> {
        (self.is_wildcard(), Reverse(self.name.len()))
    }
}

impl FromStr for HostPattern {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        if let Some((_, rest)) = text.split_once("://") {
            let host = rest.split('/').next().unwrap_or_default();
            return Err(not_a_host().hint(format!("write `{host}`")));
        }
        if text == "*" {
            return Err(not_a_host().hint("for every host leave `host` out"));
        }
        let (below, name) = match text.strip_prefix("*.") {
            Some(name) => (Below::Subdomains, name),
            None => (Below::Itself, text),
        };
        if below == Below::Itself
            && let Ok(ip) = name.trim_matches(['[', ']']).parse::<IpAddr>()
        {
            let name = match ip {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => format!("[{ip}]"),
            };
            return Ok(Self { below, name });
        }
        if let Some((host, port)) = name.rsplit_once(':')
            && port.bytes().all(|b| b.is_ascii_digit())
            && is_name(host)
        {
            return Err(not_a_host().hint("leave the port out: a host is matched on every port"));
        }
        if !name.is_ascii() {
            return Err(not_a_host().hint("write the `xn--` form of the name, as browsers send it"));
        }
        if name.contains('*') {
            return Err(not_a_host().hint("`*` may only stand for whole labels at the beginning"));
        }
        let name = name.strip_suffix('.').unwrap_or(name);
        if !is_name(name) {
            return Err(not_a_host());
        }
        Ok(Self {
            below,
            name: name.to_ascii_lowercase(),
        })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.below {
            Below::Itself => f.write_str(&self.name),
            Below::Subdomains => write!(f, "*.{}", self.name),
        }
    }
}

travels_as_text!(HostPattern);

/// Whether `text` can be a host name: labels of letters, digits, `-` and `_`, at most 63 bytes
/// each and 253 in all (RFC 1035 2.3.4; `_` is outside of it, but container networks use it).
pub(crate) fn is_name(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
        })
}

fn not_a_host() -> BadValue {
    BadValue::new(
        "a host",
        "a host name, such as `api.example.com`, or `*.example.com` for every name below it",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches() {
        for (pattern, host, expected) in [
            ("example.com", "example.com", true),
            ("example.com", "EXAMPLE.com.", true),
            ("example.com", "www.example.com", false),
            ("example.com", "example.com.evil.org", false),
            ("*.example.com", "www.example.com", true),
            ("*.Example.com", "a.b.EXAMPLE.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", ".example.com", false),
            ("*.example.com", "notexample.com", false),
            ("*.example.com", "é.example.com", true),
            ("*.example.com", "éxample.com", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("[::1]", "[::1]", true),
            ("0:0::1", "[::1]", true),
        ] {
            let pattern: HostPattern = pattern.parse().expect(pattern);
            assert_eq!(pattern.matches(host), expected, "{pattern} {host}");
        }
    }

    #[test]
    fn refuses_what_is_no_host() {
        for text in [
            "",
            "*",
            "*.",
            "a b",
            "http://x",
            "x:80",
            "a.*.com",
            "*x.com",
            "bücher.de",
            "a..b",
            "-a.com",
            "x/y",
            ".com",
        ] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn the_most_specific_sorts_first() {
        let mut patterns: Vec<HostPattern> = ["*.com", "*.example.com", "a.example.com"]
            .map(|text| text.parse().expect(text))
            .into();
        patterns.sort_by_key(HostPattern::rank);
        let sorted: Vec<String> = patterns.iter().map(ToString::to_string).collect();
        assert_eq!(sorted, ["a.example.com", "*.example.com", "*.com"]);
    }
}
