//! Asking a worker whether it is well, by whatever it speaks. The supervisor does not know HTTP: the program lends it
//! somebody who does.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use crate::events::Endpoint;

/// What a worker answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Probed {
    /// As it should: a status below 500.
    Well,
    /// Something else.
    Unwell,
    /// Nothing: it let nobody connect, or closed the connection.
    Silent,
}

/// The answer to one question. It may take for ever, and be dropped before it comes.
pub type Answer = Pin<Box<dyn Future<Output = Probed> + Send>>;

/// Who asks: given where a worker answers and a path there, says how it answered.
#[derive(Clone)]
pub struct Prober(Arc<dyn Fn(Endpoint, String) -> Answer + Send + Sync>);

impl Prober {
    /// Asks by calling `ask`.
    pub fn new<F>(ask: impl Fn(Endpoint, String) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Probed> + Send + 'static,
    {
        Self(Arc::new(move |endpoint, path| {
            Box::pin(ask(endpoint, path))
        }))
    }

    /// Asks until the answer is good. Cancel it when it has taken too long.
    pub(crate) async fn until_well(self, endpoint: Endpoint, path: String) {
        let mut pause = FIRST_PAUSE;
        loop {
            let asked = (self.0)(endpoint.clone(), path.clone());
            if timeout(PATIENCE, asked).await == Ok(Probed::Well) {
                return;
            }
            sleep_until(Instant::now() + pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }
}

/// An app that just began to listen is often well in a moment; one that waits for its database is not asked to death.
const FIRST_PAUSE: Duration = Duration::from_millis(20);
const LAST_PAUSE: Duration = Duration::from_millis(500);
/// One that has not answered by then may still be waiting for what it needs; it is asked again.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks one worker for as long as it runs whether it is still there. A question stays open until it is answered: one that
/// is slow is not given more to do.
pub(crate) struct Pulse {
    prober: Prober,
    endpoint: Endpoint,
    path: String,
    every: Duration,
    /// The question that has no answer yet.
    asking: Option<Answer>,
    /// The first question since its last answer.
    silent_since: Option<Instant>,
    next: Instant,
}

/// How long a worker has been silent, as of now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Silence {
    pub(crate) lasted: Duration,
    /// So late we were ourselves.
    pub(crate) late: Duration,
}

impl Pulse {
    /// For a worker that may be silent for as long as `limit`.
    pub(crate) fn new(prober: Prober, endpoint: Endpoint, path: String, limit: Duration) -> Self {
        let every = (limit / 8).clamp(Duration::from_millis(50), Duration::from_secs(4));
        Self {
            prober,
            endpoint,
            path,
            every,
            asking: None,
            silent_since: None,
            next: Instant::now() + every,
        }
    }

    /// Waits until there is a silence to be told, and again every while as long as it lasts. Cancel-safe.
    pub(crate) async fn silence(&mut self) -> Silence {
        loop {
            tokio::select! {
                biased;
                probed = answered(&mut self.asking) => {
                    self.asking = None;
                    if probed != Probed::Silent {
                        self.silent_since = None;
                    }
                }
                () = sleep_until(self.next) => {
                    let late = self.next.elapsed();
                    self.next = Instant::now() + self.every;
                    if self.asking.is_none() {
                        let asked = (self.prober.0)(self.endpoint.clone(), self.path.clone());
                        self.asking = Some(asked);
                    }
                    let since = *self.silent_since.get_or_insert_with(Instant::now);
                    let lasted = since.elapsed();
                    if lasted > self.every / 2 {
                        return Silence { lasted, late };
                    }
                }
            }
        }
    }
}

async fn answered(asking: &mut Option<Answer>) -> Probed {
    match asking {
        Some(asking) => asking.await,
        None => std::future::pending().await,
    }
}

impl fmt::Debug for Prober {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Prober")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    fn pulse(
        ask: impl Fn(usize) -> Option<Probed> + Send + Sync + 'static,
    ) -> (Pulse, Arc<AtomicUsize>) {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let prober = Prober::new(move |_, _| {
            let answer = ask(count.fetch_add(1, SeqCst));
            async move {
                match answer {
                    Some(answer) => answer,
                    None => std::future::pending().await,
                }
            }
        });
        let endpoint = Endpoint::Unix("/nowhere".into());
        let pulse = Pulse::new(prober, endpoint, "/live".into(), Duration::from_secs(32));
        (pulse, asked)
    }

    #[tokio::test(start_paused = true)]
    async fn a_silence_is_told_again_and_again_and_one_question_stays_open() {
        let (mut pulse, asked) = pulse(|_| None);
        for seconds in [4, 8, 12] {
            let silence = pulse.silence().await;
            let expected = Duration::from_secs(seconds);
            let about = expected..expected + Duration::from_millis(50);
            assert!(about.contains(&silence.lasted), "{silence:?}");
            assert!(silence.late < Duration::from_millis(50), "{silence:?}");
        }
        assert_eq!(asked.load(SeqCst), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_answers_is_never_told_whatever_it_says() {
        let (mut pulse, asked) = pulse(|count| Some([Probed::Well, Probed::Unwell][count % 2]));
        let told = timeout(Duration::from_mins(10), pulse.silence()).await;
        assert!(told.is_err(), "{told:?}");
        assert!(asked.load(SeqCst) > 100);
    }

    #[tokio::test(start_paused = true)]
    async fn one_that_refuses_connections_is_asked_again_and_an_answer_ends_the_silence() {
        let (mut pulse, _) = pulse(|count| {
            Some(if count == 2 {
                Probed::Unwell
            } else {
                Probed::Silent
            })
        });
        let mut lasted = Vec::new();
        for _ in 0..3 {
            lasted.push(pulse.silence().await.lasted.as_secs());
        }
        assert_eq!(lasted, [4, 8, 4]);
    }
}
