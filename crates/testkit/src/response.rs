//! An answer as it came over the wire, and what a test may expect of it.
//!
//! What may not be here: forgiveness. The message is read strictly and its end is judged, so that an answer
//! that was cut off is never taken for a whole one.

use crate::Output;

/// How a response ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By its own framing: length reached, last chunk seen, or no body allowed.
    Complete,
    /// By the end of the connection, for want of any framing.
    Closed,
    /// Visibly broken: why.
    Broken(String),
}

/// One response.
#[derive(Clone, Debug)]
pub struct Response {
    /// Head as received, without the empty line.
    pub head: String,
    /// Body with chunking removed.
    pub body: Vec<u8>,
    /// Trailer lines as received.
    pub trailers: Vec<(String, String)>,
    /// How it ended.
    pub ending: Ending,
    /// What the program writes, for the message of a failure.
    pub(crate) context: Output,
}

impl Response {
    /// The status code; 0 for a head that has none.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .unwrap_or(0)
    }

    /// Header fields in order.
    pub fn headers(&self) -> impl Iterator<Item = (&str, &str)> {
        self.head
            .split("\r\n")
            .skip(1)
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name, value.trim()))
    }

    /// The first field of that name, in any spelling.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }

    /// The body, byte for byte.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Expects this status and a message that ended cleanly.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        let whole = !matches!(self.ending, Ending::Broken(_));
        assert!(
            self.status() == status && whole,
            "expected a whole response {status}, got {}",
            self.shown()
        );
        self
    }

    /// Expects a message that is visibly broken: cut off before its framing says it ends.
    #[track_caller]
    pub fn expect_broken(self) -> Self {
        assert!(
            matches!(self.ending, Ending::Broken(_)),
            "expected a broken response, got {}",
            self.shown()
        );
        self
    }

    /// Expects the body to contain this.
    #[track_caller]
    pub fn body_contains(self, part: &str) -> Self {
        assert!(
            self.text().contains(part),
            "expected a body with `{part}`, got {}",
            self.shown()
        );
        self
    }

    /// Expects the body to lack this.
    #[track_caller]
    pub fn body_lacks(self, part: &str) -> Self {
        assert!(
            !self.text().contains(part),
            "expected a body without `{part}`, got {}",
            self.shown()
        );
        self
    }

    /// Expects exactly this body.
    #[track_caller]
    pub fn body_is(self, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref();
        assert!(
            self.body == body,
            "expected the body `{}`, got {}",
            String::from_utf8_lossy(body),
            self.shown()
        );
        self
    }

    /// Expects exactly one field of that name, with this value.
    #[track_caller]
    pub fn header_is(self, name: &str, value: &str) -> Self {
        let all: Vec<&str> = self
            .headers()
            .filter(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect();
        assert!(
            all == [value],
            "expected `{name}: {value}` once, found {all:?} in {}",
            self.shown()
        );
        self
    }

    /// Expects no field of that name.
    #[track_caller]
    pub fn header_absent(self, name: &str) -> Self {
        assert!(
            self.header(name).is_none(),
            "expected no `{name}` in {}",
            self.shown()
        );
        self
    }

    fn shown(&self) -> String {
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(2000)]);
        format!(
            "({:?})\n{}\n\n{body}\n{}",
            self.ending,
            self.head.replace("\r\n", "\n"),
            self.context.text()
        )
    }
}
