//! A budget that machines share, in Redis: what is asked of it, and what it answers. One round trip each.

use std::sync::LazyLock;
use std::time::Duration;

use redis::Script;

use crate::redis::Redis;
use crate::standing::Away;

static TAKE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("take.lua")));

/// How hits are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counting {
    /// The hits of the last window, whenever it is asked.
    Sliding,
    /// A window begins with the first hit in it.
    Fixed,
    /// A bucket that empties evenly; so many more than one fit into it at once.
    Bucket {
        /// Hits beyond the first that may come at once.
        burst: u32,
    },
}

/// So many hits in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How they are counted.
    pub counting: Counting,
    /// Hits, at least 1.
    pub limit: u32,
    /// In this time, at least 1 ms.
    pub window: Duration,
}

/// What was taken, and what is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Hits that are ours now; 0: fewer are left than were the least.
    pub hits: u32,
    /// Hits that are left to others, and to us another time.
    pub remaining: u32,
    /// Until the window ends, or the bucket is empty.
    pub reset: Duration,
    /// When nothing was taken: until the least could be.
    pub wait: Duration,
}

impl Budget {
    /// The most that can be taken at once.
    pub fn most(&self) -> u32 {
        match self.counting {
            Counting::Sliding | Counting::Fixed => self.limit,
            Counting::Bucket { burst } => burst.saturating_add(1),
        }
    }

    /// Takes up to `want` hits, and none if fewer than `least` are left.
    ///
    /// # Errors
    /// [`Away`] when the store did not answer. What it may have taken then is lost to everybody until its window ends.
    pub async fn take(
        &self,
        redis: &Redis,
        key: &[u8],
        want: u32,
        least: u32,
    ) -> Result<Taken, Away> {
        self.call(redis, key, i64::from(want), least).await
    }

    /// Gives back what was taken and does not count.
    ///
    /// # Errors
    /// [`Away`] when the store did not answer.
    pub async fn give_back(&self, redis: &Redis, key: &[u8], hits: u32) -> Result<(), Away> {
        let call = self.call(redis, key, -i64::from(hits), 0);
        call.await.map(|_| ())
    }

    async fn call(&self, redis: &Redis, key: &[u8], want: i64, least: u32) -> Result<Taken, Away> {
        let (kind, burst) = match self.counting {
            Counting::Sliding => ("sliding", 0),
            Counting::Fixed => ("fixed", 0),
            Counting::Bucket { burst } => ("bucket", burst),
        };
        let window = u64::try_from(self.window.as_micros()).unwrap_or(u64::MAX);
        let mut call = TAKE.key(key);
        call.arg(kind).arg(self.limit.max(1)).arg(window.max(1_000));
        call.arg(burst).arg(want).arg(least);
        let (hits, remaining, reset, pause): (i64, i64, i64, i64) = redis.script(&call).await?;
        let count = |number: i64| u32::try_from(number.max(0)).unwrap_or(u32::MAX);
        let time = |micros: i64| Duration::from_micros(u64::try_from(micros).unwrap_or(0));
        Ok(Taken {
            hits: count(hits),
            remaining: count(remaining),
            reset: time(reset),
            wait: time(pause),
        })
    }
}
