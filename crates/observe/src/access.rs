//! One request as a line of the access log: JSON, one object a line, always the same order of keys.
//!
//! Writes into a buffer that is handed in; sends nothing and keeps nothing. Values of query
//! parameters whose names speak of secrets are masked, since log lines travel far.

use std::{
    net::IpAddr,
    time::{Duration, SystemTime},
};

use crate::{TimestampCache, write_json_string};

/// What is known of an exchange when it is over.
#[derive(Debug)]
pub struct AccessRecord<'a> {
    /// The wall clock at the end.
    pub time: SystemTime,
    /// The request's id.
    pub request_id: &'a [u8],
    /// Who asked, after trusted proxies.
    pub client: IpAddr,
    /// The method as sent.
    pub method: &'a str,
    /// Host the request was for.
    pub host: &'a [u8],
    /// Path and query as sent.
    pub target: &'a str,
    /// Status sent; 499 when the client went away first.
    pub status: u16,
    /// Bytes of the response's body that were sent.
    pub bytes: u64,
    /// From the head's first byte to the last byte sent.
    pub duration: Duration,
    /// How long the origin took to its response head; none if it was not asked.
    pub origin_duration: Option<Duration>,
    /// The route's name.
    pub route: &'a str,
    /// Who asked, where that was verified.
    pub user: Option<&'a str>,
    /// Which worker or server answered.
    pub origin: Option<&'a str>,
    /// What the cache did, in a word.
    pub cache: Option<&'a str>,
    /// Why the request was refused or broken off, in a word.
    pub reason: Option<&'a str>,
    /// Why a layer on a dry run would have refused it, in a word.
    pub dry_run: Option<&'a str>,
    /// The client's `User-Agent`.
    pub user_agent: Option<&'a [u8]>,
}

impl AccessRecord<'_> {
    /// Appends the line with its line end.
    pub fn write(&self, out: &mut Vec<u8>, clock: &mut TimestampCache) {
        out.extend_from_slice(b"{\"time\":\"");
        clock.write_rfc3339(out, self.time);
        out.extend_from_slice(b"\",\"request_id\":");
        write_json_string(out, self.request_id);
        out.extend_from_slice(b",\"client\":\"");
        write_address(out, self.client);
        out.extend_from_slice(b"\",\"method\":");
        write_json_string(out, self.method.as_bytes());
        out.extend_from_slice(b",\"host\":");
        write_json_string(out, self.host);
        out.extend_from_slice(b",\"path\":");
        write_target(out, self.target);
        out.extend_from_slice(b",\"status\":");
        write_number(out, u64::from(self.status));
        out.extend_from_slice(b",\"bytes\":");
        write_number(out, self.bytes);
        out.extend_from_slice(b",\"duration_ms\":");
        write_milliseconds(out, self.duration);
        if let Some(duration) = self.origin_duration {
            out.extend_from_slice(b",\"origin_ms\":");
            write_milliseconds(out, duration);
        }
        out.extend_from_slice(b",\"route\":");
        write_json_string(out, self.route.as_bytes());
        for (key, value) in [
            (&b",\"user\":"[..], self.user.map(str::as_bytes)),
            (b",\"origin\":", self.origin.map(str::as_bytes)),
            (b",\"cache\":", self.cache.map(str::as_bytes)),
            (b",\"reason\":", self.reason.map(str::as_bytes)),
            (b",\"dry_run\":", self.dry_run.map(str::as_bytes)),
            (b",\"user_agent\":", self.user_agent),
        ] {
            if let Some(value) = value {
                out.extend_from_slice(key);
                write_json_string(out, value);
            }
        }
        out.extend_from_slice(b"}\n");
    }
}

pub(crate) fn write_number(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Milliseconds with three decimals: whole microseconds.
fn write_milliseconds(out: &mut Vec<u8>, duration: Duration) {
    let microseconds = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    write_number(out, microseconds / 1_000);
    let rest = microseconds % 1_000;
    let digit = |n: u64| b'0' + u8::try_from(n % 10).unwrap_or(0);
    out.extend_from_slice(&[b'.', digit(rest / 100), digit(rest / 10), digit(rest)]);
}

pub(crate) fn write_address(out: &mut Vec<u8>, address: IpAddr) {
    match address {
        IpAddr::V4(address) => {
            for (index, octet) in address.octets().into_iter().enumerate() {
                if index > 0 {
                    out.push(b'.');
                }
                out.extend_from_slice(itoa::Buffer::new().format(octet).as_bytes());
            }
        }
        IpAddr::V6(address) => out.extend_from_slice(address.to_string().as_bytes()),
    }
}

/// Parameters whose values are never written: lower-case, compared without case.
const SECRET_PARAMETERS: [&str; 14] = [
    "access_token",
    "api_key",
    "apikey",
    "auth",
    "client_secret",
    "code",
    "id_token",
    "key",
    "password",
    "refresh_token",
    "secret",
    "sig",
    "signature",
    "token",
];

/// Whether values of a query parameter of this name are masked in access lines.
pub fn is_masked(parameter: &str) -> bool {
    SECRET_PARAMETERS
        .iter()
        .any(|secret| parameter.eq_ignore_ascii_case(secret))
}

pub(crate) fn write_target(out: &mut Vec<u8>, target: &str) {
    let Some((path, query)) = target.split_once('?') else {
        return write_json_string(out, target.as_bytes());
    };
    let is_secret = |pair: &str| {
        pair.split_once('=')
            .is_some_and(|(name, value)| !value.is_empty() && is_masked(name))
    };
    if !query.split('&').any(is_secret) {
        return write_json_string(out, target.as_bytes());
    }
    let mut masked = String::with_capacity(target.len());
    masked.push_str(path);
    for (index, pair) in query.split('&').enumerate() {
        masked.push(if index == 0 { '?' } else { '&' });
        match pair.split_once('=') {
            Some((name, _)) if is_secret(pair) => {
                masked.push_str(name);
                masked.push_str("=***");
            }
            _ => masked.push_str(pair),
        }
    }
    write_json_string(out, masked.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(target: &str) -> String {
        let record = AccessRecord {
            time: SystemTime::UNIX_EPOCH,
            request_id: b"abc",
            client: IpAddr::from([192, 0, 2, 7]),
            method: "GET",
            host: b"example.com",
            target,
            status: 200,
            bytes: 12,
            duration: Duration::from_micros(12_034),
            origin_duration: Some(Duration::from_micros(900)),
            user: Some("anna"),
            route: "default",
            origin: Some("api/0"),
            cache: None,
            reason: None,
            dry_run: None,
            user_agent: Some(b"curl \"8\""),
        };
        let mut out = Vec::new();
        record.write(&mut out, &mut TimestampCache::default());
        String::from_utf8(out).expect("a log line is UTF-8")
    }

    #[test]
    fn a_line_has_every_field_in_order() {
        assert_eq!(
            record("/a?b=c"),
            "{\"time\":\"1970-01-01T00:00:00.000Z\",\"request_id\":\"abc\",\"client\":\"192.0.2.7\",\"method\":\"GET\",\
             \"host\":\"example.com\",\"path\":\"/a?b=c\",\"status\":200,\"bytes\":12,\"duration_ms\":12.034,\
             \"origin_ms\":0.900,\"route\":\"default\",\"user\":\"anna\",\"origin\":\"api/0\",\"user_agent\":\"curl \\\"8\\\"\"}\n"
        );
    }

    #[test]
    fn secrets_in_queries_are_masked() {
        for (target, path) in [
            ("/r?token=abc&x=1", "/r?token=***&x=1"),
            ("/r?x=1&API_KEY=abc", "/r?x=1&API_KEY=***"),
            ("/r?token=&tokens=1", "/r?token=&tokens=1"),
        ] {
            let line = record(target);
            assert!(line.contains(&format!("\"path\":\"{path}\"")), "{line}");
        }
    }
}
