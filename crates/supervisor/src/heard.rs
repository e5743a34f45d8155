//! What is known of one start of a worker, from whatever source: where it listens, and whether it is ready.

use crate::events::{Endpoint, ServerKind};
use crate::options::Ready;

/// What a start has told so far.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) ready_word: bool,
    pub(crate) listening: Option<Listening>,
    pub(crate) announced: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct Listening {
    pub(crate) pid: u32,
    pub(crate) endpoint: Endpoint,
    pub(crate) port: Option<u16>,
    pub(crate) address: Option<String>,
    pub(crate) server: Option<ServerKind>,
    pub(crate) trust: Option<bool>,
}

impl Listening {
    /// Process `pid` answers at `endpoint`; nothing else is known.
    pub(crate) fn at(pid: u32, endpoint: Endpoint, port: Option<u16>) -> Self {
        Self {
            pid,
            endpoint,
            port,
            address: None,
            server: None,
            trust: None,
        }
    }
}

impl Heard {
    /// Whether this is the moment: all that was waited for is there, and nobody has been told.
    pub(crate) fn is_news(&self, wanted: &Ready) -> bool {
        let word = self.ready_word || *wanted != Ready::Message;
        self.listening.is_some() && word && !self.announced
    }
}
