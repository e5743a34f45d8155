//! What is asked of Redis about answers, each in one round trip, and what it says. Decides nothing.

use std::sync::LazyLock;
use std::time::Duration;

use bytes::Bytes;
use mainstay_pipeline::{Put, Right, SharedName, SharedPlace};
use redis::{Script, cmd};

use super::Inner;
use crate::standing::Away;

macro_rules! script {
    ($name:ident, $file:literal) => {
        static $name: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!($file)));
    };
}

script!(CLAIM, "claim.lua");
script!(KEEP, "keep.lua");
script!(RELEASE, "release.lua");
script!(FORGET, "forget.lua");
script!(PURGE, "purge.lua");

/// How long a right to fetch holds. Whoever is slower does so for itself; a machine that died is waited for no longer.
pub(super) const RIGHT: Duration = Duration::from_secs(5);
/// What is put in may take so long: nobody waits for it, and it may be large.
const PATIENCE: Duration = Duration::from_secs(1);
/// Purges that are kept; of more, the older half is forgotten, and all that was fetched before it.
const MOST_PURGES: usize = 1_000;

/// What Redis says to a claim.
#[derive(Debug)]
pub(super) enum Reply {
    Found {
        token: u64,
        age: Duration,
        bytes: Bytes,
    },
    Ours {
        token: u64,
    },
    Taken,
}

/// Where all that belongs to one answer stands.
pub(super) struct Keys {
    pub(super) answer: Vec<u8>,
    pub(super) right: Vec<u8>,
    last: Vec<u8>,
    changed: Vec<u8>,
    awaited: Vec<u8>,
}

impl Keys {
    pub(super) fn of(prefix: &str, resource: &SharedName, answer: Option<&SharedName>) -> Self {
        let resource = format!("{prefix}{{{:032x}}}:", u128::from_be_bytes(*resource));
        let answer = answer.map_or(String::new(), |answer| {
            format!("{:032x}:", u128::from_be_bytes(*answer))
        });
        let own = |what: &str| format!("{resource}{answer}{what}").into_bytes();
        Self {
            answer: own("a"),
            right: own("r"),
            last: own("l"),
            awaited: own("w"),
            changed: format!("{resource}c").into_bytes(),
        }
    }
}

fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Inner {
    pub(super) fn channel(&self) -> String {
        format!("{}news", self.prefix)
    }

    fn purges_key(&self) -> String {
        format!("{}purges", self.prefix)
    }

    pub(super) async fn ask(&self, keys: &Keys, known: Option<u64>) -> Result<Reply, Away> {
        let mut call = CLAIM.key(&keys.answer);
        for key in [&keys.right, &keys.last, &keys.changed, &keys.awaited] {
            call.key(key);
        }
        call.arg(known.map_or(String::new(), |token| token.to_string()));
        call.arg(milliseconds(RIGHT));
        let (what, token, age, bytes): (u8, String, String, Vec<u8>) =
            self.redis.script(&call).await?;
        let number = |text: &str| text.parse::<u64>().map_err(|_| Away::Failed);
        Ok(match what {
            0 => Reply::Ours {
                token: number(&token)?,
            },
            1 => Reply::Found {
                token: number(&token)?,
                age: Duration::from_micros(number(&age)?),
                bytes: bytes.into(),
            },
            _ => Reply::Taken,
        })
    }

    /// The number of the last purge; 0 without any.
    pub(super) async fn last_purge(&self) -> Result<u64, Away> {
        let mut call = cmd("HGET");
        call.arg(self.purges_key()).arg("n");
        let number: Option<u64> = self.redis.command(&call).await?;
        Ok(number.unwrap_or(0))
    }

    /// All purges that are kept, by number, and the last that is not.
    pub(super) async fn purges(&self) -> Result<(Vec<(u64, String)>, u64), Away> {
        let mut call = cmd("HGETALL");
        call.arg(self.purges_key());
        let fields: Vec<(String, String)> = self.redis.command_within(PATIENCE, &call).await?;
        let mut base = 0;
        let mut purges = Vec::new();
        for (field, text) in fields {
            match (field.as_str(), field.parse()) {
                ("b", _) => base = text.parse().unwrap_or(0),
                (_, Ok(number)) => purges.push((number, text)),
                (_, Err(_)) => {}
            }
        }
        purges.sort_unstable();
        Ok((purges, base))
    }

    pub(super) async fn put(
        &self,
        resource: &SharedName,
        held: Option<&SharedName>,
        right: Right,
        put: Put,
    ) {
        let keys = Keys::of(&self.prefix, resource, put.answer.as_ref());
        // whoever got the same right since is newer, whatever it is for
        let held = Keys::of(&self.prefix, resource, held);
        let mut call = KEEP.key(&keys.answer);
        call.key(&held.last).key(&keys.changed);
        call.arg(right.token.to_string());
        call.arg(milliseconds(put.lifetime).max(1));
        call.arg(&put.bytes[..]);
        // what could not be put in is fetched by the next who wants it
        let _: Result<u8, Away> = self.redis.script_within(PATIENCE, &call).await;
    }

    pub(super) async fn release(
        &self,
        resource: &SharedName,
        answer: Option<&SharedName>,
        right: Right,
        instead: Option<Put>,
    ) {
        let keys = Keys::of(&self.prefix, resource, answer);
        let mut call = RELEASE.key(&keys.right);
        call.key(&keys.awaited).key(&keys.answer);
        call.arg(right.token.to_string()).arg(self.channel());
        call.arg([b"r", &keys.right[..]].concat());
        match &instead {
            Some(put) => call
                .arg(milliseconds(put.lifetime).max(1))
                .arg(&put.bytes[..]),
            None => call.arg(0).arg(""),
        };
        // its time ends by itself
        let _: Result<u8, Away> = self.redis.script_within(PATIENCE, &call).await;
    }

    pub(super) async fn forget(&self, place: &SharedPlace) -> Result<(), Away> {
        let keys = Keys::of(&self.prefix, &place.name(), None);
        let said = serde_json::to_string(place).unwrap_or_default();
        let mut call = FORGET.key(&keys.changed);
        call.key(&keys.answer).key(&keys.last);
        call.arg(self.channel());
        call.arg(format!("f{:016x}{said}", self.own));
        self.redis.script_within(PATIENCE, &call).await
    }

    pub(super) async fn note_purge(&self, text: &str) -> Result<(), Away> {
        let mut call = PURGE.key(self.purges_key());
        call.arg(text).arg(self.channel()).arg("p").arg(MOST_PURGES);
        self.redis.script_within(PATIENCE, &call).await
    }
}
