//! What is known of one start of a worker, from whatever source: where it listens, and whether it is ready.

use crate::events::{Endpoint, ServerKind};
use crate::options::{AppKind, Ready};

/// What a start has told so far.
#[derive(Debug, Default, serde::Serialize, serde::Deserialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "signs that come in any order"
)]
pub(crate) struct Heard {
    /// The app said `ready`.
    pub(crate) ready_word: bool,
    /// The line that was waited for was written.
    pub(crate) line: bool,
    /// It has run for so long without listening that nobody waits for that any more.
    pub(crate) silent: bool,
    /// It has run for as long as it should.
    pub(crate) alive: bool,
    /// It answered the request that was waited for.
    pub(crate) answer: bool,
    /// It listens on a port of its own choice, which the next start will want too.
    pub(crate) own_port: bool,
    pub(crate) listening: Option<Listening>,
    /// Everybody was told that it can be given work.
    pub(crate) announced: bool,
    /// It is given none any more.
    pub(crate) leaving: bool,
}

#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
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
    pub(crate) fn is_news(&self, kind: AppKind, wanted: &Ready) -> bool {
        let sign = match wanted {
            Ready::Listen => true,
            Ready::Alive => self.alive,
            Ready::Message => self.ready_word,
            Ready::Log(_) => self.line,
            Ready::Http(_) => self.answer,
        };
        let reachable = match kind {
            AppKind::Server => self.listening.is_some(),
            AppKind::Background => true,
            AppKind::Either => self.listening.is_some() || self.silent,
        };
        reachable && sign && !self.announced
    }
}
