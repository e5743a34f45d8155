//! Answers that machines share, in Redis: the pipeline's questions, and what the store makes of them. Judges no answer, and reads none.
//!
//! Each resource has its keys in one slot of a cluster: its answers, for each the right to fetch it, which token was given last, and
//! when the resource was changed. Tokens are the server's microseconds, so they grow over lost data too, and say how old an answer is.
//! Beside them stand all purges by number: whoever asks for an answer learns the last number with it, and hears first what was missed.
//!
//! What is to be forgotten and could not be said yet is remembered here, and nothing that it may be about is used until it was.

mod news;
mod scripts;
mod unsaid;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mainstay_pipeline::{
    CacheMemory, Claim, Claimed, Later, Purge, Put, Right, Shared, SharedAnswers, SharedName,
    SharedPlace,
};
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

use self::scripts::{Keys, Reply};
use self::unsaid::Unsaid;
use crate::redis::{Listening, Redis, RedisOptions};
use crate::server::BadServer;

/// Whoever waits for another machine asks again at the latest after this time: what is said may be lost.
const AGAIN: Duration = Duration::from_millis(250);
/// Answers that are being put in at once; of more, some are not.
const UNDER_WAY: usize = 64;
/// How much may have been said and not yet heard here; of more, some is missed, which is found out by numbers.
const UNHEARD: usize = 4_096;

/// Whether all machines are to forget something that could not be said yet: it is lost with who knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Owing {
    /// All was said, or is just being said.
    #[default]
    Nothing,
    /// Something was not.
    Something,
}

/// Answers in one Redis. Clones share all of it.
#[derive(Clone, Debug)]
pub struct SharedCache(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    redis: Redis,
    /// Before each key and in the name of the channel.
    prefix: String,
    /// What this process keeps itself, which hears what others say.
    memory: Arc<CacheMemory>,
    /// Those who wait for a right that another machine has, by its key.
    waiting: Mutex<HashMap<Vec<u8>, Arc<Notify>>>,
    unsaid: Mutex<Unsaid>,
    owing: watch::Sender<Owing>,
    under_way: Semaphore,
    /// Only one catches up at a time.
    catching_up: tokio::sync::Mutex<()>,
    /// Tells what was said here from what others said.
    own: u64,
}

impl SharedCache {
    /// Begins to connect, on this runtime. Machines that say the same `name` share.
    ///
    /// # Errors
    /// [`BadServer`] when `address` is none.
    pub fn connect(
        address: &str,
        options: &RedisOptions,
        name: &str,
        memory: Arc<CacheMemory>,
    ) -> Result<Self, BadServer> {
        // what ends a hash tag, or begins one, would part a resource's keys
        let name: String = name
            .chars()
            .map(|letter| if "{}".contains(letter) { '_' } else { letter })
            .collect();
        let prefix = format!("mainstay:cache:{name}:");
        let (heard, said) = mpsc::channel(UNHEARD);
        let listening = Listening {
            channel: format!("{prefix}news"),
            heard,
        };
        let inner = Arc::new(Inner {
            redis: Redis::listen(address, options, listening)?,
            prefix,
            memory,
            waiting: Mutex::default(),
            unsaid: Mutex::default(),
            owing: watch::Sender::new(Owing::Nothing),
            under_way: Semaphore::new(UNDER_WAY),
            catching_up: tokio::sync::Mutex::default(),
            own: fastrand::u64(..),
        });
        tokio::spawn(news::hear(Arc::downgrade(&inner), said));
        Ok(Self(inner))
    }

    /// Its connection.
    pub fn redis(&self) -> &Redis {
        &self.0.redis
    }

    /// Whether something could not be said yet, and whenever that changes.
    pub fn owing(&self) -> watch::Receiver<Owing> {
        self.0.owing.subscribe()
    }
}

impl SharedAnswers for SharedCache {
    fn claim(&self, claim: Claim) -> Later<Claimed> {
        let inner = Arc::clone(&self.0);
        Box::pin(async move { inner.claim(claim).await })
    }

    fn keep(&self, resource: SharedName, answer: Option<SharedName>, right: Right, puts: Vec<Put>) {
        let inner = Arc::clone(&self.0);
        beside(async move {
            if let Ok(_permit) = inner.under_way.try_acquire() {
                for put in puts {
                    inner.put(&resource, answer.as_ref(), right, put).await;
                }
            }
            inner.release(&resource, answer.as_ref(), right, None).await;
        });
    }

    fn release(
        &self,
        resource: SharedName,
        answer: Option<SharedName>,
        right: Right,
        instead: Option<Put>,
    ) {
        let inner = Arc::clone(&self.0);
        beside(async move {
            inner
                .release(&resource, answer.as_ref(), right, instead)
                .await;
        });
    }

    fn forget(&self, place: SharedPlace) {
        let inner = Arc::clone(&self.0);
        let turn = inner.unsaid().forget(&place);
        beside(async move { inner.say_forgotten(&place, turn).await });
    }

    fn purge(&self, purge: Purge) -> Later<bool> {
        let inner = Arc::clone(&self.0);
        let turn = inner.unsaid().purge(purge);
        Box::pin(async move {
            inner.say_unsaid().await;
            !inner.unsaid().has_purge(turn)
        })
    }
}

impl Inner {
    fn unsaid(&self) -> MutexGuard<'_, Unsaid> {
        self.unsaid.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes whether something is owed. Whatever is said in time is none.
    fn note_owing(&self) {
        // under the lock, so that the last word is the right one
        let unsaid = self.unsaid();
        let now = if unsaid.is_empty() {
            Owing::Nothing
        } else {
            Owing::Something
        };
        self.owing.send_if_modified(|known| {
            let is_news = *known != now;
            *known = now;
            is_news
        });
    }

    async fn claim(&self, claim: Claim) -> Claimed {
        let end = Instant::now() + claim.patience;
        let keys = Keys::of(&self.prefix, &claim.resource, claim.answer.as_ref());
        loop {
            // what was forgotten here is not to come back from there
            if self.unsaid().is_about(&claim.resource) {
                return Claimed::Away;
            }
            let waiting = Waiting::new(self, &keys.right);
            let told = waiting.notify.notified();
            tokio::pin!(told);
            // from now on nothing that is said is missed
            told.as_mut().enable();
            let asked = tokio::join!(self.ask(&keys, claim.known), self.last_purge());
            let (Ok(reply), Ok(purges)) = asked else {
                return Claimed::Away;
            };
            if purges > self.memory.purges_known() {
                // whoever listens goes on with it, if it takes longer than a request may wait
                let caught_up = timeout(self.redis.budget(), self.catch_up()).await;
                if !matches!(caught_up, Ok(Ok(()))) {
                    return Claimed::Away;
                }
            }
            match reply {
                Reply::Found { token, age, bytes } => {
                    return Claimed::Found(Shared { token, age, bytes });
                }
                Reply::Ours { token } => return Claimed::Ours(Right { token, purges }),
                Reply::Taken => {}
            }
            let now = Instant::now();
            if now >= end {
                return Claimed::Taken;
            }
            let _ = timeout_at(end.min(now + AGAIN), told).await;
        }
    }
}

/// Nobody waits for it, and whoever wants it may do so where nothing runs any more.
fn beside(work: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(work);
    }
}

/// Somebody waits for a right that another machine has, as long as this value is there.
struct Waiting<'a> {
    inner: &'a Inner,
    key: &'a [u8],
    notify: Arc<Notify>,
}

impl<'a> Waiting<'a> {
    fn new(inner: &'a Inner, key: &'a [u8]) -> Self {
        let mut waiting = inner.waiting();
        let notify = Arc::clone(waiting.entry(key.to_vec()).or_default());
        Self { inner, key, notify }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        let mut waiting = self.inner.waiting();
        // the list's own, and this one
        if Arc::strong_count(&self.notify) <= 2 {
            waiting.remove(self.key);
        }
    }
}

impl Inner {
    fn waiting(&self) -> MutexGuard<'_, HashMap<Vec<u8>, Arc<Notify>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
