//! The last lines of each app, for `mainstay logs`, and who wants to hear the next ones. Bounded in everything; waits for
//! nobody.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use mainstay_supervisor::WorkerId;
use mainstay_supervisor::output::{Line, LineEnd, Stream};

use crate::clock;
use crate::feed::Feed;
use crate::said::{LogWish, Remembered, Said, Word};

/// Lines that are kept of each app, and their bytes: a screen or two of each, and what came before a crash.
const KEPT: usize = 2_000;
const KEPT_BYTES: usize = 256 * 1024;
/// Who may follow at once.
const FOLLOWERS: usize = 16;

/// See the module.
#[derive(Debug)]
pub(super) struct Recent {
    began_ms: u64,
    /// Lines since the beginning.
    count: u64,
    apps: BTreeMap<Arc<str>, Tail>,
    followers: Vec<Follower>,
}

#[derive(Debug)]
struct Tail {
    lines: VecDeque<Kept>,
    bytes: usize,
    /// Since then nothing is missing.
    since_ms: u64,
}

#[derive(Debug)]
struct Kept {
    number: u64,
    at_ms: u64,
    worker: WorkerId,
    stream: Stream,
    bytes: Box<[u8]>,
    is_continued: bool,
    end: LineEnd,
}

#[derive(Debug)]
struct Follower {
    wish: LogWish,
    feed: Arc<Feed>,
}

/// What is known at the moment of a question.
#[derive(Debug)]
pub(super) struct Remembrance {
    pub(super) began_ms: u64,
    pub(super) apps: Vec<Remembered>,
    /// Each a [`Word`] as JSON, oldest first.
    pub(super) lines: Vec<u8>,
    /// What comes, if that is wanted. None for one follower too many.
    pub(super) feed: Option<Arc<Feed>>,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            began_ms: clock::milliseconds(),
            count: 0,
            apps: BTreeMap::new(),
            followers: Vec::new(),
        }
    }
}

impl Recent {
    /// A line has come.
    pub(super) fn add(&mut self, line: &Line) {
        self.count += 1;
        let kept = Kept {
            number: self.count,
            at_ms: milliseconds(line.at),
            worker: line.worker.clone(),
            stream: line.stream,
            bytes: without_newline(&line.bytes).into(),
            is_continued: line.is_continued,
            end: line.end,
        };
        self.tell(&kept);
        let tail = self
            .apps
            .entry(Arc::clone(&line.worker.app))
            .or_insert(Tail {
                lines: VecDeque::new(),
                bytes: 0,
                since_ms: self.began_ms,
            });
        tail.add(kept);
    }

    /// What is remembered, and what comes if that is wanted.
    pub(super) fn ask(&mut self, wish: LogWish) -> Remembrance {
        let meant = self.apps.iter().filter(|(app, _)| wish.means(app));
        let apps = meant.clone().map(|(app, tail)| Remembered {
            app: app.to_string(),
            since_ms: tail.since_ms,
        });
        let apps = apps.collect();
        let mut kept: Vec<&Kept> = meant.flat_map(|(_, tail)| &tail.lines).collect();
        kept.sort_unstable_by_key(|kept| kept.number);
        let lines = kept.iter().flat_map(|kept| kept.told()).collect();
        self.followers
            .retain(|follower| Arc::strong_count(&follower.feed) > 1);
        let feed = (wish.follow && self.followers.len() < FOLLOWERS).then(Arc::<Feed>::default);
        if let Some(feed) = &feed {
            let feed = Arc::clone(feed);
            self.followers.push(Follower { wish, feed });
        }
        Remembrance {
            began_ms: self.began_ms,
            apps,
            lines,
            feed,
        }
    }

    /// Nobody asks for this app any more.
    pub(super) fn forget(&mut self, app: &str) {
        self.apps.remove(app);
    }

    fn tell(&mut self, kept: &Kept) {
        if self.followers.is_empty() {
            return;
        }
        // those who went away hold it no longer
        self.followers
            .retain(|follower| Arc::strong_count(&follower.feed) > 1);
        let mut told: Option<Bytes> = None;
        for follower in &self.followers {
            if follower.wish.means(&kept.worker.app) {
                let told = told.get_or_insert_with(|| kept.told().into());
                follower
                    .feed
                    .push(told.clone(), |missed| written(&Word::Missed(missed)).into());
            }
        }
    }
}

impl Tail {
    fn add(&mut self, kept: Kept) {
        self.bytes += kept.bytes.len();
        self.lines.push_back(kept);
        while self.lines.len() > KEPT || self.bytes > KEPT_BYTES {
            let Some(gone) = self.lines.pop_front() else {
                return;
            };
            self.bytes -= gone.bytes.len();
            // another line of the same moment may be gone too
            self.since_ms = gone.at_ms + 1;
        }
    }
}

impl Kept {
    /// As a [`Word`].
    fn told(&self) -> Vec<u8> {
        written(&Word::Line(Said {
            number: self.number,
            at_ms: self.at_ms,
            app: self.worker.app.to_string(),
            worker: self.worker.index,
            stream: self.stream,
            text: String::from_utf8_lossy(&self.bytes).into_owned(),
            is_continued: self.is_continued,
            end: self.end,
        }))
    }
}

/// A line of JSON.
pub(super) fn written(word: &Word) -> Vec<u8> {
    let mut line = serde_json::to_vec(word).unwrap_or_default();
    line.push(b'\n');
    line
}

fn without_newline(bytes: &[u8]) -> &[u8] {
    bytes.strip_suffix(b"\n").unwrap_or(bytes)
}

fn milliseconds(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(app: &str, number: u64, bytes: usize) -> Kept {
        Kept {
            number,
            at_ms: number * 10,
            worker: WorkerId {
                app: app.into(),
                release: 1,
                index: 0,
                incarnation: 0,
            },
            stream: Stream::Stdout,
            bytes: vec![b'x'; bytes].into(),
            is_continued: false,
            end: LineEnd::Newline,
        }
    }

    fn add(recent: &mut Recent, kept: Kept) {
        recent.tell(&kept);
        let tail = recent.apps.entry(Arc::clone(&kept.worker.app));
        tail.or_insert(Tail {
            lines: VecDeque::new(),
            bytes: 0,
            since_ms: 1,
        })
        .add(kept);
    }

    fn numbers(remembrance: &Remembrance) -> Vec<u64> {
        let words = remembrance.lines.split(|byte| *byte == b'\n');
        let words = words.filter(|word| !word.is_empty());
        words
            .map(|word| match serde_json::from_slice(word).unwrap() {
                Word::Line(said) => said.number,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    #[test]
    fn what_is_remembered_is_bounded_and_says_since_when() {
        let mut recent = Recent::default();
        add(&mut recent, kept("quiet", 1, 10));
        for number in 2..=2_500 {
            add(&mut recent, kept("loud", number, 1_000));
        }
        let all = recent.ask(LogWish::default());
        assert_eq!(all.apps[0].since_ms, 25_001 - 2_620, "of loud, 262 lines");
        assert_eq!(all.apps[1].since_ms, 1, "of quiet, all");
        let found = numbers(&all);
        assert_eq!((found[0], found[1], found.len()), (1, 2_239, 263));
        let quiet = recent.ask(LogWish {
            apps: vec!["quiet".to_owned()],
            follow: false,
        });
        assert_eq!(numbers(&quiet), [1]);
        recent.forget("loud");
        assert_eq!(numbers(&recent.ask(LogWish::default())), [1]);
    }

    #[tokio::test]
    async fn who_follows_hears_what_comes_until_he_leaves() {
        let mut recent = Recent::default();
        let wish = LogWish {
            apps: vec!["api".to_owned()],
            follow: true,
        };
        let follower = recent.ask(wish.clone());
        add(&mut recent, kept("web", 1, 1));
        add(&mut recent, kept("api", 2, 1));
        let feed = follower.feed.expect("room for a follower");
        let heard = String::from_utf8(feed.next().await.to_vec()).unwrap();
        assert!(heard.contains("\"number\":2"), "{heard}");
        drop(feed);
        add(&mut recent, kept("api", 3, 1));
        assert_eq!(recent.followers.len(), 0);
        let all: Vec<_> = (0..=FOLLOWERS).map(|_| recent.ask(wish.clone())).collect();
        let heard = all.iter().filter(|one| one.feed.is_some());
        assert_eq!(heard.count(), FOLLOWERS);
    }
}
