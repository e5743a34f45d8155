//! What a command asks of a running instance, and what it is told while that is done. Does nothing of it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use bytes::Bytes;
use mainstay_config::Layer;
use mainstay_pipeline::{Extent, RateState};
use mainstay_proxy::Address;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

use crate::failure::Failure;
use crate::protocol::PurgeKnown;

/// The field of every answer that names the version of the program that gives it.
pub(crate) const VERSION_FIELD: &str = "mainstay-version";

/// What a reload is to bring in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Order {
    /// A new release of every app, and the settings as they are now.
    #[default]
    Everything,
    /// A new release of these apps, and the settings as they are now.
    Apps(Vec<String>),
    /// The settings as they are now: what did not change in them stays.
    Settings,
    /// A new gateway on the same sockets; the settings stay.
    Gateway,
    /// This program in the place of the present one; without one, what is now in its file.
    Upgrade(Option<PathBuf>),
    /// After that: a gateway and a guard of the new program.
    Upgraded {
        /// The version before.
        before: String,
    },
    /// Fresh workers for these apps, from the settings that are in force.
    Fresh(Vec<String>, Fresh),
    /// A successor for one worker, from its release.
    Relieve {
        app: String,
        release: u32,
        index: u32,
        incarnation: u32,
        way: Relief,
    },
    /// Of these apps the old workers end before the new ones start; those that were stopped start.
    Restart(Vec<String>),
    /// One worker of an app ends and starts again.
    Worker { app: String, index: u32 },
    /// These apps were stopped, and start again with the settings as they are now.
    Start(Vec<String>),
    /// The workers of these apps end; they stay listed.
    Stop(Vec<String>),
    /// The workers of these apps end, and they are no longer listed.
    Delete(Vec<String>),
    /// An app gets another number of workers, until the settings say another.
    Scale { app: String, count: Count },
    /// An app that is scaled by its work gets this number of workers.
    Fit {
        app: String,
        workers: u32,
        why: String,
    },
}

/// Why workers are to be fresh.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Fresh {
    /// By `cron_restart`.
    Clock,
    /// A watched file has changed.
    Changed(String),
}

impl Fresh {
    /// What happened.
    pub(crate) fn sentence(&self) -> String {
        match self {
            Self::Clock => "it is time for fresh workers (`cron_restart`)".to_owned(),
            Self::Changed(file) => format!("`{file}` has changed (`watch`)"),
        }
    }
}

/// When a successor starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Relief {
    /// Before the end of the one that it follows: no request waits.
    Before,
    /// After it: there is no memory for both.
    After,
}

impl Relief {
    /// `room` is what may be taken and what is taken, in bytes, where that is bounded; `taken` what the one takes that
    /// has to go. A fresh one is expected to need half of it.
    pub(crate) fn of(room: Option<(u64, u64)>, taken: u64) -> Self {
        match room {
            Some((limit, all)) if limit.saturating_sub(all) < taken / 2 => Self::After,
            _ => Self::Before,
        }
    }
}

impl Order {
    /// Whether it is about this app by its name.
    pub(crate) fn names(&self, app: &str) -> bool {
        match self {
            Self::Apps(names)
            | Self::Fresh(names, _)
            | Self::Restart(names)
            | Self::Start(names)
            | Self::Stop(names)
            | Self::Delete(names) => names.iter().any(|name| name == app),
            Self::Worker { app: named, .. }
            | Self::Relieve { app: named, .. }
            | Self::Scale { app: named, .. }
            | Self::Fit { app: named, .. } => named == app,
            Self::Everything
            | Self::Settings
            | Self::Gateway
            | Self::Upgrade(_)
            | Self::Upgraded { .. } => false,
        }
    }

    /// Whether it brings in what is written now, and not what an operator wishes of single apps.
    pub(crate) fn is_reload(&self) -> bool {
        matches!(
            self,
            Self::Everything | Self::Apps(_) | Self::Settings | Self::Gateway
        )
    }
}

/// A number of workers, by itself or by what is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Count {
    /// So many.
    To(u32),
    /// So many more.
    More(u32),
    /// So many fewer.
    Fewer(u32),
    /// As many as the settings say.
    Written,
}

impl Count {
    /// Reads `3`, `+2`, `-1` or `auto`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let number = |digits: &str| {
            let is_plain = digits.bytes().all(|byte| byte.is_ascii_digit());
            is_plain.then(|| digits.parse().ok()).flatten()
        };
        if text == "auto" {
            return Some(Self::Written);
        }
        match text.as_bytes().first()? {
            b'+' => number(&text[1..]).map(Self::More),
            b'-' => number(&text[1..]).map(Self::Fewer),
            _ => number(text).map(Self::To),
        }
    }

    /// How many that are, at least one, where there were `present`.
    pub(crate) fn of(self, present: u32) -> Option<u32> {
        let count = match self {
            Self::To(count) => Some(count),
            Self::More(more) => present.checked_add(more),
            Self::Fewer(fewer) => present.checked_sub(fewer),
            Self::Written => Some(present),
        };
        count.filter(|count| *count > 0)
    }
}

/// A signal for workers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signalling {
    pub(crate) app: String,
    /// None: every worker of it.
    pub(crate) index: Option<u32>,
    /// As `Signal::parse` reads it.
    pub(crate) signal: String,
}

/// A layer is to be left out, whatever the settings say.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Disable {
    pub(crate) layer: Layer,
    /// How long. None: until it is enabled.
    pub(crate) for_ms: Option<u64>,
}

/// New requests are to be kept out, or let in again.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Suspend {
    /// They wait.
    Pause {
        for_ms: u64,
        /// How long one of them may.
        deadline_ms: u64,
    },
    /// Ends a pause.
    Resume,
    /// They are refused.
    Maintenance {
        /// None: until it is ended.
        for_ms: Option<u64>,
    },
    /// Ends maintenance.
    Reopen,
}

/// Whose use of limits is to be forgotten.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unban {
    /// As `key` of the policy makes it: an address, or a header's value.
    pub(crate) key: String,
    /// None: every policy.
    pub(crate) policy: Option<String>,
}

/// How one limit stands.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LimitState {
    /// `100/15m`.
    pub(crate) rate: String,
    /// What it is counted by.
    pub(crate) key: Vec<String>,
    /// It refuses nobody.
    pub(crate) dry_run: bool,
    #[serde(flatten)]
    pub(crate) state: RateState,
}

/// Which kept answers are to be told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CacheList {
    pub(crate) extent: Extent,
    /// So many resources in full.
    pub(crate) most: usize,
}

/// What came of a purge.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Purged {
    /// Answers that were forgotten, or are stale now.
    pub(crate) answers: u64,
    /// Who knows of it.
    pub(crate) known: PurgeKnown,
    /// Gateways that did not say that they have done it.
    pub(crate) silent: usize,
}

/// How the cache stands.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct CacheCounts {
    /// Requests by what came of them.
    pub(crate) requests: BTreeMap<String, u64>,
    /// Requests that it did nothing about, or whose answers were not kept, by reason.
    pub(crate) unused: BTreeMap<String, u64>,
    /// Of a hundred that may be answered from what is kept, how many were.
    pub(crate) hit_rate: Option<f64>,
    /// Of memory that kept answers take.
    pub(crate) bytes: u64,
    /// URLs of which answers are kept.
    pub(crate) resources: u64,
    /// Those that went for others.
    pub(crate) evictions: u64,
}

/// What it takes to ask how an instance answers: for its own user alone.
#[derive(Serialize, Deserialize)]
pub(crate) struct Insight {
    /// For `Mainstay-Debug`.
    pub(crate) token: String,
    /// Where requests are taken.
    pub(crate) addresses: Vec<Address>,
    /// Where each setting in force that somebody gave came from.
    pub(crate) places: BTreeMap<String, String>,
}

/// What a reload would change.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Comparison {
    /// In words, or why it cannot be told.
    pub(crate) ending: Ending,
    /// For programs; null if it cannot be told.
    pub(crate) difference: serde_json::Value,
}

/// One line of an answer that is told bit by bit.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Told {
    /// Something was done.
    Progress(String),
    /// Everything was, or it failed: nothing follows.
    Done(Ending),
}

/// How an order ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ending {
    /// As in the table of exit codes; 0 is well.
    pub(crate) code: u8,
    /// What came of it, or why it failed; may have several lines.
    pub(crate) message: String,
    /// Whether the program that comes next is to be asked: this one has not begun with it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) ask_next: bool,
}

impl Ending {
    pub(crate) fn well(message: impl Into<String>) -> Self {
        Self {
            code: 0,
            message: message.into(),
            ask_next: false,
        }
    }

    /// Another program takes this one's place.
    pub(crate) fn ask_next() -> Self {
        let failure = Failure::cut_short("Mainstay is upgraded just now; ask again");
        Self {
            ask_next: true,
            ..failure.into()
        }
    }
}

impl From<Failure> for Ending {
    fn from(failure: Failure) -> Self {
        Self {
            code: failure.code(),
            message: failure.message,
            ask_next: false,
        }
    }
}

/// Whoever asked. May have gone away meanwhile, which changes nothing.
#[derive(Clone, Debug)]
pub(crate) struct Asker(UnboundedSender<Bytes>);

impl Asker {
    pub(crate) fn new(pieces: UnboundedSender<Bytes>) -> Self {
        Self(pieces)
    }

    /// Says what happens.
    pub(crate) fn progress(&self, sentence: &str) {
        self.tell(&Told::Progress(sentence.to_owned()));
    }

    /// Says how it ended.
    pub(crate) fn done(self, ending: &Ending) {
        self.tell(&Told::Done(ending.clone()));
    }

    fn tell(&self, told: &Told) {
        if let Ok(mut line) = serde_json::to_vec(told) {
            line.push(b'\n');
            let _ = self.0.send(line.into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_successor_comes_first_where_there_is_room_for_both() {
        for (room, taken, expected) in [
            (None, 500, Relief::Before),
            (Some((1000, 700)), 500, Relief::Before),
            (Some((1000, 800)), 500, Relief::After),
            (Some((1000, 1100)), 10, Relief::After),
        ] {
            assert_eq!(Relief::of(room, taken), expected, "{room:?}, {taken}");
        }
    }

    #[test]
    fn a_count_is_absolute_or_relative_and_never_none() {
        for (text, present, expected) in [
            ("3", 1, Some(3)),
            ("+2", 1, Some(3)),
            ("-2", 3, Some(1)),
            ("-3", 3, None),
            ("-4", 3, None),
            ("0", 3, None),
            ("auto", 3, Some(3)),
        ] {
            let count = Count::parse(text).expect("a count");
            assert_eq!(count.of(present), expected, "{text}");
        }
        for text in ["", "+", "-", "++1", "+-1", "1.5", "max", "99999999999"] {
            assert_eq!(Count::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_answer_survives_the_way_to_the_command() {
        let (sender, mut lines) = tokio::sync::mpsc::unbounded_channel();
        let asker = Asker::new(sender);
        asker.progress("api: 1 of 2");
        let ending = Ending::from(Failure::app("no\nreally"));
        asker.done(&ending);
        let mut read = || {
            let line = lines.blocking_recv().expect("a line");
            assert_eq!(line.split(|byte| *byte == b'\n').count(), 2);
            serde_json::from_slice::<Told>(&line).expect("JSON")
        };
        assert_eq!(read(), Told::Progress("api: 1 of 2".to_owned()));
        assert_eq!(read(), Told::Done(ending));
    }
}
