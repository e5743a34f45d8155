//! What the `Connection`, `Upgrade` and `Keep-Alive` fields say about the connection itself.
//! Removing such fields before a message is passed on is the pipeline's work, but for the everyday ones, which are not
//! handed on at all.

use http::Version;

/// Whether the sender means to use the connection again (RFC 9112, 9.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// Another message may follow on this connection.
    KeepAlive,
    /// The connection ends with this message.
    Close,
}

/// What a request asks the connection to become (RFC 9110, 7.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// Nothing.
    None,
    /// A WebSocket by RFC 6455: `GET`, HTTP/1.1, `Connection: upgrade`, `Upgrade: websocket`,
    /// version 13.
    WebSocket,
    /// Something else, `h2c` for one. It is ignored, as the RFC allows, and must be stripped.
    Other,
}

/// The options of all `Connection` fields of one message that mean something here.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Options {
    close: Seen,
    keep_alive: Seen,
    pub(crate) upgrade: Seen,
}

/// Whether something was met.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Seen {
    #[default]
    No,
    Yes,
}

impl Options {
    /// Takes note of one `Connection` field.
    pub(crate) fn read(&mut self, value: &[u8]) {
        for option in elements(value) {
            // the lengths differ, so each element is compared once
            match option.len() {
                5 if option.eq_ignore_ascii_case(b"close") => self.close = Seen::Yes,
                7 if option.eq_ignore_ascii_case(b"upgrade") => self.upgrade = Seen::Yes,
                10 if option.eq_ignore_ascii_case(b"keep-alive") => self.keep_alive = Seen::Yes,
                _ => {}
            }
        }
    }

    /// What version and options say together.
    pub(crate) fn persistence(self, version: Version) -> Persistence {
        if self.close == Seen::Yes {
            Persistence::Close
        } else if version == Version::HTTP_11 || self.keep_alive == Seen::Yes {
            Persistence::KeepAlive
        } else {
            Persistence::Close
        }
    }
}

/// Whether a field says how long the connection lives, and nothing else: [`Options`] has all of it, and nobody behind the codec
/// needs to look for it and take it out.
pub(crate) fn is_spent(name: &str, value: &[u8]) -> bool {
    name.len() == 10
        && name.eq_ignore_ascii_case("connection")
        && (value.eq_ignore_ascii_case(b"keep-alive") || value.eq_ignore_ascii_case(b"close"))
}

/// The seconds in `Keep-Alive: timeout=5, max=100`, if they are there.
pub(crate) fn keep_alive_timeout(value: &[u8]) -> Option<u64> {
    elements(value).find_map(|parameter| {
        let (name, seconds) = parameter.split_at_checked(8)?;
        if !name.eq_ignore_ascii_case(b"timeout=") {
            return None;
        }
        std::str::from_utf8(seconds).ok()?.parse().ok()
    })
}

/// The elements of a comma-separated list, without the white space around them.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|&byte| byte == b',').map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn persistence_by_version_and_options() {
        use Persistence::{Close, KeepAlive};
        let table: &[(Version, &[&str], Persistence)] = &[
            (Version::HTTP_11, &[], KeepAlive),
            (Version::HTTP_11, &["close"], Close),
            (Version::HTTP_11, &["x, Close"], Close),
            (Version::HTTP_11, &["keep-alive", "close"], Close),
            (Version::HTTP_11, &["closed"], KeepAlive),
            (Version::HTTP_10, &[], Close),
            (Version::HTTP_10, &["Keep-Alive"], KeepAlive),
            (Version::HTTP_10, &["keep-alive, close"], Close),
        ];
        for (version, values, expected) in table {
            let mut options = Options::default();
            for value in *values {
                options.read(value.as_bytes());
            }
            assert_eq!(
                options.persistence(*version),
                *expected,
                "{version:?} {values:?}"
            );
        }
    }

    #[test]
    fn only_what_concerns_nobody_else_is_spent() {
        for (name, value, expected) in [
            ("Connection", "keep-alive", true),
            ("connection", "Close", true),
            ("connection", "close, x-own", false),
            ("connection", "upgrade", false),
            ("connection", "", false),
            ("keep-alive", "close", false),
        ] {
            assert_eq!(is_spent(name, value.as_bytes()), expected, "{name} {value}");
        }
    }

    #[test]
    fn keep_alive_timeouts() {
        let table: &[(&str, Option<u64>)] = &[
            ("timeout=5", Some(5)),
            ("max=100, Timeout=72", Some(72)),
            ("timeout=5, max=100", Some(5)),
            ("timeout=", None),
            ("timeout=-1", None),
            ("timeout=99999999999999999999", None),
            ("timeout", None),
            ("", None),
        ];
        for (value, expected) in table {
            assert_eq!(keep_alive_timeout(value.as_bytes()), *expected, "{value}");
        }
    }
}
