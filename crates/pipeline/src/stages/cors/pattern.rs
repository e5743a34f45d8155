//! Which web origins are meant: one, all below a domain, those of a regular expression, or every one. Decides
//! nothing about them.

use std::fmt;
use std::str::FromStr;

use mainstay_values::BadValue;
use regex_lite::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Origins to match: `https://shop.example`, `https://*.shop.example` for every host below it, however deep,
/// `http://localhost:*` for every port, `/https://pr-\d+\.shop\.example/` for a regular expression that the whole
/// origin must match, `null`, or `*` for every origin there is.
///
/// Browsers send origins in lower case and without the scheme's usual port (RFC 6454, 6.2), and so they are kept.
#[derive(Clone, Debug)]
pub struct OriginPattern {
    /// As it is written, but in the form that browsers use.
    text: String,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    Any,
    Exact,
    Family(Family),
    Expression(Regex),
}

/// Origins that differ in a part of the host, or in the port.
#[derive(Clone, Debug)]
struct Family {
    scheme: String,
    host: String,
    hosts: Hosts,
    port: Port,
}

/// Whether the host itself is meant, or every one below it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hosts {
    Itself,
    Below,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Port {
    Any,
    /// None is the scheme's own, which is not written.
    One(Option<u16>),
}

/// No browser sends a longer one: a host has 253 bytes at most.
const LONGEST: usize = 300;

/// What a compiled expression may take.
const LARGEST_EXPRESSION: usize = 64 * 1024;

impl OriginPattern {
    /// Whether this origin, as a browser sent it, is meant. Takes time in proportion to its length, and does not
    /// allocate but for a regular expression.
    pub fn matches(&self, origin: &str) -> bool {
        if origin.len() > LONGEST {
            return false;
        }
        match &self.kind {
            Kind::Any => true,
            Kind::Exact => origin == self.text,
            Kind::Family(family) => family.matches(origin),
            Kind::Expression(expression) => expression.is_match(origin),
        }
    }

    /// Whether this is every origin there is.
    pub fn is_any(&self) -> bool {
        matches!(self.kind, Kind::Any)
    }

    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    fn expression(text: &str) -> Result<Self, BadValue> {
        let complaint = || {
            BadValue::new(
                "a regular expression",
                "one between slashes, such as `/https://pr-\\d+\\.shop\\.example/`",
            )
        };
        let Some(inner) = text[1..].strip_suffix('/') else {
            return Err(complaint().hint(
                "nothing may follow the last slash: origins are in lower case, and the whole of one must match",
            ));
        };
        if inner.is_empty() {
            return Err(complaint());
        }
        let expression = RegexBuilder::new(&format!("^(?:{inner})$"))
            .size_limit(LARGEST_EXPRESSION)
            .build()
            .map_err(|error| complaint().hint(error.to_string()))?;
        Ok(Self {
            text: text.to_owned(),
            kind: Kind::Expression(expression),
        })
    }
}

impl Family {
    fn matches(&self, origin: &str) -> bool {
        let Some((scheme, rest)) = origin.split_once("://") else {
            return false;
        };
        let (host, port) = match split_port(rest) {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        };
        let is_port = match &self.port {
            Port::Any => port.is_none_or(is_number),
            Port::One(wanted) => match port {
                None => wanted.is_none(),
                Some(port) => is_number(port) && port.parse().ok() == *wanted,
            },
        };
        scheme == self.scheme && is_port && self.has(host)
    }

    fn has(&self, host: &str) -> bool {
        match self.hosts {
            Hosts::Itself => host == self.host,
            Hosts::Below => host
                .strip_suffix(&self.host)
                .and_then(|rest| rest.strip_suffix('.'))
                .is_some_and(is_name),
        }
    }

    fn exact(&self) -> Option<String> {
        let (Hosts::Itself, Port::One(port)) = (self.hosts, &self.port) else {
            return None;
        };
        Some(match port {
            None => format!("{}://{}", self.scheme, self.host),
            Some(port) => format!("{}://{}:{port}", self.scheme, self.host),
        })
    }
}

impl FromStr for OriginPattern {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        if text.starts_with('/') {
            return Self::expression(text);
        }
        let kind = match text {
            "*" => Kind::Any,
            "null" => Kind::Exact,
            _ => {
                let family = family(&text.to_ascii_lowercase())?;
                if let Some(text) = family.exact() {
                    let kind = Kind::Exact;
                    return Ok(Self { text, kind });
                }
                return Ok(Self {
                    text: text.to_ascii_lowercase(),
                    kind: Kind::Family(family),
                });
            }
        };
        let text = text.to_owned();
        Ok(Self { text, kind })
    }
}

fn family(text: &str) -> Result<Family, BadValue> {
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(match text.split('/').next() {
            Some(host) if is_name(host) => not_an_origin().hint(format!("write `https://{host}`")),
            _ => not_an_origin(),
        });
    };
    if let Some((authority, _)) = rest.split_once(['/', '?', '#']) {
        let cure = format!("an origin has no path: write `{scheme}://{authority}`");
        return Err(not_an_origin().hint(cure));
    }
    let (host, port) = match split_port(rest) {
        None => (rest, Port::One(None)),
        Some((host, "*")) => (host, Port::Any),
        Some((host, port)) => match port.parse::<u16>() {
            Ok(port) if port > 0 => (host, Port::One(unusual(scheme, port))),
            _ => return Err(not_an_origin().hint("a port is a number from 1 to 65535, or `*`")),
        },
    };
    let (host, hosts) = match host.strip_prefix("*.") {
        Some(host) => (host, Hosts::Below),
        None => (host, Hosts::Itself),
    };
    if host == "*" {
        return Err(not_an_origin().hint("for every origin write `*` alone"));
    }
    if !host.is_ascii() {
        return Err(not_an_origin().hint("write the `xn--` form of the name, as browsers send it"));
    }
    let is_host = is_name(host) || hosts == Hosts::Itself && is_ipv6(host);
    if !is_scheme(scheme) || !is_host {
        return Err(not_an_origin());
    }
    Ok(Family {
        scheme: scheme.to_owned(),
        host: host.to_owned(),
        hosts,
        port,
    })
}

/// What follows the last colon, unless that belongs to an IPv6 address.
fn split_port(authority: &str) -> Option<(&str, &str)> {
    authority
        .rsplit_once(':')
        .filter(|(_, port)| !port.ends_with(']'))
}

/// The port, unless it is what the scheme means without one.
fn unusual(scheme: &str, port: u16) -> Option<u16> {
    let usual = matches!((scheme, port), ("http", 80) | ("https", 443));
    (!usual).then_some(port)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A scheme (RFC 3986, 3.1) in lower case: beside the usual ones apps in a shell of their own bring theirs.
fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"+-.".contains(&byte)
        })
}

fn is_name(text: &str) -> bool {
    text.len() <= 253
        && text.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        })
}

fn is_ipv6(text: &str) -> bool {
    let inner = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
    inner.is_some_and(|inner| inner.parse::<std::net::Ipv6Addr>().is_ok())
}

fn not_an_origin() -> BadValue {
    BadValue::new(
        "an origin",
        "one such as `https://shop.example`, `https://*.shop.example` for all hosts below it, `/…/` around a regular \
         expression, or `*`",
    )
}

impl PartialEq for OriginPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for OriginPattern {}

impl fmt::Display for OriginPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for OriginPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for OriginPattern {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_| de::Error::custom(format_args!("`{text}` is not an origin")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn origins_are_matched() {
        for (pattern, origin, expected) in [
            ("https://a.example", "https://a.example", true),
            ("https://a.example", "http://a.example", false),
            ("https://a.example", "https://a.example:8443", false),
            ("https://a.example", "https://a.example.evil.test", false),
            ("HTTPS://A.Example:443", "https://a.example", true),
            ("http://a.example:8080", "http://a.example:8080", true),
            ("https://*.a.example", "https://b.a.example", true),
            ("https://*.a.example", "https://c.b.a.example", true),
            ("https://*.a.example", "https://a.example", false),
            ("https://*.a.example", "https://.a.example", false),
            ("https://*.a.example", "https://evila.example", false),
            ("https://*.a.example", "https://evil.test/.a.example", false),
            ("https://*.a.example", "https://evil.test?.a.example", false),
            ("https://*.a.example", "https://u@b.a.example", false),
            ("https://*.a.example", "https://b.a.example:8443", false),
            ("https://*.a.example:8443", "https://b.a.example:8443", true),
            ("https://*.a.example:443", "https://b.a.example", true),
            ("http://localhost:*", "http://localhost", true),
            ("http://localhost:*", "http://localhost:5173", true),
            ("http://localhost:*", "http://localhost:", false),
            ("http://localhost:*", "http://localhost:1@evil.test", false),
            ("http://[::1]:3000", "http://[::1]:3000", true),
            ("http://[::1]", "http://[::1]", true),
            ("capacitor://localhost", "capacitor://localhost", true),
            ("null", "null", true),
            ("https://a.example", "null", false),
            ("*", "null", true),
            (
                r"/https://pr-\d+\.a\.example/",
                "https://pr-17.a.example",
                true,
            ),
            (
                r"/https:\/\/pr-\d+\.a\.example/",
                "https://pr-17.a.example",
                true,
            ),
            // the whole of it, though nobody wrote `^` and `$`
            (
                r"/https://a\.example/",
                "https://a.example.evil.test",
                false,
            ),
            (
                r"/a\.example|b\.example/",
                "https://evil.test/a.example",
                false,
            ),
        ] {
            let found = pattern.parse::<OriginPattern>().expect("a pattern");
            assert_eq!(found.matches(origin), expected, "{pattern} {origin}");
        }
    }

    #[test]
    fn what_cannot_be_an_origin_is_told_with_the_cure() {
        for (text, hint) in [
            ("a.example", "write `https://a.example`"),
            ("a.example/x", "write `https://a.example`"),
            (
                "https://a.example/",
                "an origin has no path: write `https://a.example`",
            ),
            ("https://*", "for every origin write `*` alone"),
            (
                "https://a.example:http",
                "a port is a number from 1 to 65535, or `*`",
            ),
            (
                "/a/i",
                "nothing may follow the last slash: origins are in lower case, and the whole of one must match",
            ),
        ] {
            let cause = text.parse::<OriginPattern>().expect_err(text);
            assert_eq!(cause.hint.as_deref(), Some(hint), "{text}");
        }
        for text in [
            "",
            "https://",
            "https://a..example",
            "https://a*.example",
            "/(/",
            "//",
            "https://a b",
        ] {
            assert!(text.parse::<OriginPattern>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_pattern_prints_as_what_parses_to_the_same(text in r"(https?|app)://(\*\.)?[a-zA-Z0-9.-]{1,20}(:[0-9*]{1,5})?") {
            if let Ok(pattern) = text.parse::<OriginPattern>() {
                prop_assert_eq!(pattern.to_string().parse::<OriginPattern>().expect("it printed it"), pattern);
            }
        }

        #[test]
        fn nothing_below_a_domain_is_anybody_elses(origin in r"https?://[a-z.:/@?#%-]{0,40}") {
            let pattern: OriginPattern = "https://*.a.example".parse().expect("a pattern");
            if pattern.matches(&origin) {
                let uri: http::Uri = origin.parse().expect("an address");
                prop_assert!(uri.host().is_some_and(|host| host.ends_with(".a.example")));
                prop_assert_eq!(uri.path(), "/");
            }
        }
    }
}
