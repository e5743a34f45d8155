//! What an app said when it failed, as a line of the error log: JSON, one object a line, told apart from access lines
//! by `"type":"error"`.
//!
//! Writes into a buffer that is handed in. An app's words are anybody's words: they are escaped, and bounded.

use std::net::IpAddr;
use std::time::SystemTime;

use crate::access::{write_address, write_number, write_target};
use crate::json::write_json_string_within;
use crate::{TimestampCache, write_json_string};

/// An answer of an app that was replaced.
#[derive(Debug)]
pub struct ErrorRecord<'a> {
    /// The wall clock when the answer had come.
    pub time: SystemTime,
    /// The request's id, which the client was told.
    pub request_id: &'a [u8],
    /// Who asked, after trusted proxies.
    pub client: IpAddr,
    /// The method as sent.
    pub method: &'a str,
    /// Host the request was for.
    pub host: &'a [u8],
    /// Path and query as sent; secrets in it are masked.
    pub target: &'a str,
    /// Status of the answer.
    pub status: u16,
    /// The route's name.
    pub route: &'a str,
    /// Who asked, where that was verified.
    pub user: Option<&'a str>,
    /// Which worker or server answered.
    pub origin: Option<&'a str>,
    /// What the answer showed, in a word.
    pub leak: &'a str,
    /// The answer's `Content-Type`.
    pub content_type: Option<&'a [u8]>,
    /// The beginning of its body, without content codings.
    pub body: &'a [u8],
    /// Earlier ones that were not written, since there were too many.
    pub dropped_before: u64,
}

impl ErrorRecord<'_> {
    /// The most bytes that a body takes in a line, escaped. A line with all else still passes a pipe in one piece.
    pub const LONGEST_BODY: usize = 64 * 1024;

    /// Appends the line with its line end.
    pub fn write(&self, out: &mut Vec<u8>, clock: &mut TimestampCache) {
        out.extend_from_slice(b"{\"type\":\"error\",\"time\":\"");
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
        for (key, value) in [
            (&b",\"route\":"[..], Some(self.route.as_bytes())),
            (b",\"user\":", self.user.map(str::as_bytes)),
            (b",\"origin\":", self.origin.map(str::as_bytes)),
            (b",\"leak\":", Some(self.leak.as_bytes())),
            (b",\"content_type\":", self.content_type),
        ] {
            if let Some(value) = value {
                out.extend_from_slice(key);
                write_json_string(out, value);
            }
        }
        if self.dropped_before > 0 {
            out.extend_from_slice(b",\"dropped_before\":");
            write_number(out, self.dropped_before);
        }
        out.extend_from_slice(b",\"body\":");
        if write_json_string_within(out, self.body, Self::LONGEST_BODY).is_cut() {
            out.extend_from_slice(b",\"cut\":true");
        }
        out.extend_from_slice(b"}\n");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(body: &[u8], dropped_before: u64) -> String {
        let record = ErrorRecord {
            time: SystemTime::UNIX_EPOCH,
            request_id: b"abc",
            client: IpAddr::from([192, 0, 2, 7]),
            method: "POST",
            host: b"example.com",
            target: "/orders?token=x&page=2",
            status: 500,
            route: "default",
            user: Some("anna"),
            origin: Some("api/0"),
            leak: "trace",
            content_type: Some(b"text/html"),
            body,
            dropped_before,
        };
        let mut out = Vec::new();
        record.write(&mut out, &mut TimestampCache::default());
        String::from_utf8(out).expect("a log line is UTF-8")
    }

    #[test]
    fn a_line_has_every_field_in_order() {
        assert_eq!(
            line(b"Error: \x1b[31m\n at x", 0),
            "{\"type\":\"error\",\"time\":\"1970-01-01T00:00:00.000Z\",\"request_id\":\"abc\",\"client\":\"192.0.2.7\",\
             \"method\":\"POST\",\"host\":\"example.com\",\"path\":\"/orders?token=***&page=2\",\"status\":500,\
             \"route\":\"default\",\"user\":\"anna\",\"origin\":\"api/0\",\"leak\":\"trace\",\"content_type\":\"text/html\",\
             \"body\":\"Error: \\u001b[31m\\n at x\"}\n"
        );
        assert!(line(b"", 3).contains(",\"dropped_before\":3,\"body\":\"\"}"));
    }

    #[test]
    fn a_body_is_bounded_however_it_is_escaped() {
        for byte in [b'a', 0, 0xff] {
            let line = line(&vec![byte; 300_000], 0);
            assert!(line.len() < ErrorRecord::LONGEST_BODY + 1_000);
            assert!(line.ends_with("\",\"cut\":true}\n"));
        }
    }
}
