//! A bounded queue of pieces for one reader who may be slow: what does not fit is counted and left out. Whoever fills it
//! waits for nobody.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use tokio::sync::Notify;

/// Bytes that may wait.
const MOST: usize = 1024 * 1024;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    queue: Mutex<Queue>,
    came: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    pieces: VecDeque<Bytes>,
    bytes: usize,
    /// Left out since a piece was taken in last.
    missed: u64,
}

impl Feed {
    /// Adds a piece. Where some were left out before it, `gap` makes the piece that says how many.
    pub(crate) fn push(&self, piece: Bytes, gap: impl FnOnce(u64) -> Bytes) {
        let mut queue = self.locked();
        if queue.bytes + piece.len() > MOST {
            queue.missed += 1;
            return;
        }
        if queue.missed > 0 {
            let missed = std::mem::take(&mut queue.missed);
            queue.add(gap(missed));
        }
        queue.add(piece);
        drop(queue);
        self.came.notify_one();
    }

    /// The next piece. Cancel-safe; for one reader.
    pub(crate) async fn next(&self) -> Bytes {
        loop {
            if let Some(piece) = self.locked().take() {
                return piece;
            }
            self.came.notified().await;
        }
    }

    fn locked(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Queue {
    fn add(&mut self, piece: Bytes) {
        self.bytes += piece.len();
        self.pieces.push_back(piece);
    }

    fn take(&mut self) -> Option<Bytes> {
        let piece = self.pieces.pop_front()?;
        self.bytes -= piece.len();
        Some(piece)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_reader_learns_what_is_missing() {
        let feed = Feed::default();
        let gap = |missed: u64| Bytes::from(format!("gap {missed}"));
        let large = Bytes::from(vec![b'x'; MOST - 10]);
        for piece in [
            large.clone(),
            "too many bytes".into(),
            "as many bytes".into(),
        ] {
            feed.push(piece, gap);
        }
        assert_eq!(feed.next().await, large);
        feed.push("after".into(), gap);
        assert_eq!(feed.next().await, "gap 2");
        assert_eq!(feed.next().await, "after");
        assert_eq!(feed.locked().bytes, 0);
    }
}
