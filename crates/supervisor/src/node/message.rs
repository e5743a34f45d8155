//! What a Node worker says: the preload's lines on the control FIFO, and PM2's words on Node's own channel. The
//! worker is not trusted: lines are bounded, and whatever is not understood is counted and passed over.

use serde::{Deserialize, Serialize};

use crate::events::{NodeStats, ServerKind};

/// The longest line we take; a worker that sends longer ones is not our preload.
pub(crate) const LONGEST: usize = 64 * 1024;

/// A message of the preload script.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "mainstay", rename_all = "snake_case")]
pub(crate) enum Message {
    Listening {
        pid: u32,
        port: u16,
        address: String,
        server: ServerKind,
        trust: Option<bool>,
    },
    ExtraPort {
        port: u16,
        given_up: bool,
    },
    RandomPort,
    Refused {
        port: u16,
        server: ServerKind,
    },
    Cluster,
    /// The event loop turns.
    Beat {
        /// A debugger is attached, which may stop it at any time.
        #[serde(default)]
        inspected: bool,
    },
    Stats(NodeStats),
}

/// A line of the FIFO; `None` for garbage.
pub(crate) fn read(line: &[u8]) -> Option<Message> {
    serde_json::from_slice(line).ok()
}

/// Whether a line of Node's channel is `process.send('ready')`.
pub(crate) fn is_ready(line: &[u8]) -> bool {
    line == br#""ready""#
}

/// Bytes to lines, bounded: a line that grows too long is thrown away whole.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct LineReader {
    pub(crate) buffer: Vec<u8>,
    skipping: bool,
    /// Lines that were too long.
    pub(crate) garbage: u64,
}

impl LineReader {
    /// Takes the next complete line out of the buffer, without its end. After `None` there is room for a read.
    pub(crate) fn next_line(&mut self) -> Option<Vec<u8>> {
        while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let mut line: Vec<u8> = self.buffer.drain(..=end).collect();
            line.pop();
            if !std::mem::take(&mut self.skipping) {
                return Some(line);
            }
        }
        if self.buffer.len() > LONGEST {
            self.garbage += u64::from(!self.skipping);
            self.skipping = true;
            self.buffer = Vec::new();
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_and_garbage_is_not() {
        let listening = read(br#"{"mainstay":"listening","pid":7,"port":3000,"address":"::","server":"http","trust":null}"#);
        assert_eq!(
            listening,
            Some(Message::Listening {
                pid: 7,
                port: 3000,
                address: "::".into(),
                server: ServerKind::Http,
                trust: None
            })
        );
        assert_eq!(
            read(br#"{"mainstay":"cluster","pid":1}"#),
            Some(Message::Cluster)
        );
        let beat = read(br#"{"mainstay":"beat","pid":1}"#);
        assert_eq!(beat, Some(Message::Beat { inspected: false }));
        let stats = read(br#"{"mainstay":"stats","pid":1,"lag":1.5,"rss":10,"new":1}"#);
        assert!(matches!(stats, Some(Message::Stats(stats)) if stats.rss == 10));
        for garbage in [
            &b""[..],
            b"hello",
            b"{}",
            br#"{"mainstay":"unheard"}"#,
            br#"{"mainstay":"listening","port":70000}"#,
            b"\xff\xfe",
        ] {
            assert_eq!(read(garbage), None);
        }
        assert!(is_ready(b"\"ready\""));
        assert!(!is_ready(b"{\"type\":\"ready\"}"));
    }

    #[test]
    fn endless_lines_are_thrown_away() {
        let mut reader = LineReader::default();
        let mut seen = Vec::new();
        for chunk in [&vec![b'x'; LONGEST + 1][..], b"yyy", b"\nok\n", b"half"] {
            reader.buffer.extend_from_slice(chunk);
            seen.extend(std::iter::from_fn(|| reader.next_line()));
        }
        assert_eq!(seen, [b"ok"]);
        assert_eq!(reader.garbage, 1);
        assert_eq!(reader.buffer, b"half");
    }

    proptest::proptest! {
        #[test]
        fn no_line_makes_it_panic(line: Vec<u8>) {
            let _ = read(&line);
        }
    }
}
