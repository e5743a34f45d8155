//! One message as it came, and how it ended.
//!
//! What may not be here: forgiveness. A message that was cut off is never taken for a whole one.

use std::fmt;

/// How a message ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// As its framing said.
    Whole,
    /// With the connection, in order, for want of any framing.
    Closed,
    /// Visibly broken: why.
    Broken(String),
}

/// A request or a response.
#[derive(Clone)]
pub(crate) struct Message {
    pub(crate) start: String,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    pub(crate) ending: Ending,
}

impl Message {
    /// The head's lines, without a body yet.
    pub(crate) fn from_head(head: &str) -> Self {
        let mut lines = head.split("\r\n").filter(|line| !line.is_empty());
        let start = lines.next().unwrap_or_default().to_owned();
        Self {
            start,
            fields: lines.map(field).collect(),
            body: Vec::new(),
            trailers: Vec::new(),
            ending: Ending::Whole,
        }
    }

    /// A response's status; 0 if there is none.
    pub(crate) fn status(&self) -> u16 {
        let code = self.start.split(' ').nth(1);
        code.and_then(|code| code.parse().ok()).unwrap_or(0)
    }

    /// The first field of that name.
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(other, _)| other.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Expects this status and an end that is none by accident.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert!(
            self.status() == status && !matches!(self.ending, Ending::Broken(_)),
            "expected a whole {status}, got {self:?}"
        );
        self
    }

    /// Expects a message that anybody can see is not whole.
    #[track_caller]
    pub(crate) fn expect_broken(self) -> Self {
        assert!(
            matches!(self.ending, Ending::Broken(_)),
            "expected a broken message, got {self:?}"
        );
        self
    }

    /// Whether it says that the connection ends with it.
    pub(crate) fn says_close(&self) -> bool {
        self.field("connection")
            .is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.text();
        let shown: String = text.chars().take(200).collect();
        write!(f, "{:?} {:?} {shown:?} ", self.start, self.fields)?;
        write!(
            f,
            "({} bytes) {:?} {:?}",
            text.len(),
            self.trailers,
            self.ending
        )
    }
}

/// A line as name and value.
pub(crate) fn field(line: &str) -> (String, String) {
    let (name, value) = line.split_once(':').unwrap_or((line, ""));
    (name.to_owned(), value.trim().to_owned())
}
