//! What other machines say, and what is said to them later than it should have been. Keeps nothing.

use std::sync::Weak;
use std::time::Duration;

use mainstay_pipeline::{Purge, SharedPlace};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::{Inner, Owing};
use crate::redis::Heard;
use crate::standing::Away;

/// So often it is asked whether a purge was missed: a connection may be dead without a word, and what is said on it lost.
const LOOK: Duration = Duration::from_secs(5);
/// Texts of purges and places are no longer.
const LONGEST: usize = 64 * 1024;

/// Hears, for as long as anybody holds the rest.
pub(super) async fn hear(inner: Weak<Inner>, mut said: mpsc::Receiver<Heard>) {
    loop {
        let heard = timeout(LOOK, said.recv()).await;
        let Some(inner) = inner.upgrade() else { return };
        match heard {
            Ok(None) => return,
            Ok(Some(Heard::Said(text))) => inner.on_said(&text).await,
            // it was found, lost, or silent for a while
            Ok(Some(Heard::Began | Heard::Ended)) | Err(_) => {
                if !inner.unsaid().is_empty() {
                    inner.say_unsaid().await;
                }
                let _ = inner.look().await;
            }
        }
    }
}

impl Inner {
    async fn on_said(&self, text: &[u8]) {
        let Some((what, rest)) = text.split_first().filter(|_| text.len() <= LONGEST) else {
            return;
        };
        match what {
            b'p' => drop(self.look().await),
            b'r' => {
                if let Some(notify) = self.waiting().get(rest) {
                    notify.notify_waiters();
                }
            }
            b'f' => {
                let own = format!("{:016x}", self.own);
                let Some((who, place)) = rest.split_at_checked(own.len()) else {
                    return;
                };
                let place = serde_json::from_slice::<SharedPlace>(place);
                if let Ok(place) = place
                    && who != own.as_bytes()
                {
                    self.memory.forget(&place);
                }
            }
            // of a version that says more
            _ => {}
        }
    }

    /// Asks whether there were purges that are not known here.
    async fn look(&self) -> Result<(), Away> {
        if self.last_purge().await? > self.memory.purges_known() {
            self.catch_up().await?;
        }
        Ok(())
    }

    /// Purges here whatever was purged elsewhere.
    pub(super) async fn catch_up(&self) -> Result<(), Away> {
        let _alone = self.catching_up.lock().await;
        let (purges, base) = self.purges().await?;
        self.memory.purges_forgotten(base);
        for (number, text) in purges {
            match serde_json::from_str::<Purge>(&text) {
                Ok(purge) => self.memory.purge_by_number(number, &purge),
                // of a version that purges in more ways: whatever it means, it is not used
                Err(_) => self.memory.purges_forgotten(number),
            }
        }
        Ok(())
    }

    /// Says what could not be said before.
    pub(super) async fn say_unsaid(&self) {
        let saying = self.say_all();
        tokio::pin!(saying);
        // what is said in time was never owed
        if timeout(self.redis.budget(), &mut saying).await.is_err() {
            self.note_owing();
            saying.await;
        }
        self.note_owing();
    }

    async fn say_all(&self) {
        loop {
            let (purges, changes) = self.unsaid().some();
            if purges.is_empty() && changes.is_empty() {
                return;
            }
            for (turn, purge) in purges {
                let text = serde_json::to_string(&purge).unwrap_or_default();
                if self.note_purge(&text).await.is_err() {
                    return;
                }
                self.unsaid().purge_was_said(turn);
            }
            for (turn, place) in changes {
                if self.forget(&place).await.is_err() {
                    return;
                }
                self.unsaid().change_was_said(&place.name(), turn);
            }
        }
    }

    /// Says one change; if nobody hears it now it is said later.
    pub(super) async fn say_forgotten(&self, place: &SharedPlace, turn: u64) {
        let saying = self.forget(place);
        tokio::pin!(saying);
        let said = if let Ok(said) = timeout(self.redis.budget(), &mut saying).await {
            said
        } else {
            self.note_owing();
            saying.await
        };
        if said.is_ok() {
            self.unsaid().change_was_said(&place.name(), turn);
        }
        // of others that are just being said it is noted when they are not
        if said.is_err() || *self.owing.borrow() == Owing::Something {
            self.note_owing();
        }
    }
}
