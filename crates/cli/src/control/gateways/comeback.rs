//! When a gateway that ended is started again. Pure: it is told the time, and starts nothing.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use crate::control::handover::{at, until};

/// A gateway that ends sooner than this after it began to accept died young, as does one that never did.
pub(super) const HEALTHY: Duration = Duration::from_secs(1);
/// A crash loop is over when one has accepted for so long.
pub(super) const RECOVERED: Duration = Duration::from_secs(5);
/// The pause after the second young death in a row; it doubles with each.
const SHORTEST: Duration = Duration::from_millis(50);
/// The longest pause: connections wait in the accept queues meanwhile.
const LONGEST: Duration = Duration::from_secs(5);
/// So many young deaths in a row are a crash loop.
const LOOP: u32 = 5;

/// Deaths, and what follows from them.
#[derive(Debug, Default)]
pub(super) struct Comeback {
    /// In a row.
    young_deaths: u32,
    /// Starts after a death, in all.
    restarts: u64,
    last_exit: Option<String>,
    /// When the next one is started.
    next: Option<Instant>,
}

/// The same for the next program.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct ComebackState {
    young_deaths: u32,
    restarts: u64,
    last_exit: Option<String>,
    next: Option<Duration>,
}

impl From<ComebackState> for Comeback {
    fn from(state: ComebackState) -> Self {
        Self {
            young_deaths: state.young_deaths,
            restarts: state.restarts,
            last_exit: state.last_exit,
            next: at(state.next),
        }
    }
}

/// What a death means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// It starts again after this pause.
    Again(Duration),
    /// The same, and by now it must be said aloud.
    Loop(Duration),
}

impl Comeback {
    /// One has died that had accepted for `lived`.
    pub(super) fn died(&mut self, now: Instant, lived: Duration, exit: String) -> Verdict {
        if lived >= self.healthy_after() {
            self.young_deaths = 0;
        } else {
            self.young_deaths += 1;
        }
        let pause = match self.young_deaths {
            0 | 1 => Duration::ZERO,
            several => SHORTEST
                .saturating_mul(1 << (several - 2).min(16))
                .min(LONGEST),
        };
        self.last_exit = Some(exit);
        self.next = Some(now + pause);
        if self.young_deaths == LOOP {
            Verdict::Loop(pause)
        } else {
            Verdict::Again(pause)
        }
    }

    pub(super) fn state(&self) -> ComebackState {
        ComebackState {
            young_deaths: self.young_deaths,
            restarts: self.restarts,
            last_exit: self.last_exit.clone(),
            next: until(self.next),
        }
    }

    /// When the next start is due.
    pub(super) fn due(&self) -> Option<Instant> {
        self.next
    }

    /// It is being started.
    pub(super) fn started(&mut self) {
        if self.next.take().is_some() {
            self.restarts += 1;
        }
    }

    /// Nobody is started any more.
    pub(super) fn cancel(&mut self) {
        self.next = None;
    }

    /// How long one must accept before it is trusted.
    pub(super) fn healthy_after(&self) -> Duration {
        if self.is_looping() {
            RECOVERED
        } else {
            HEALTHY
        }
    }

    /// One has lived long enough. Whether that ends a crash loop.
    pub(super) fn lives(&mut self) -> bool {
        let was_looping = self.is_looping();
        self.young_deaths = 0;
        was_looping
    }

    /// Whether somebody died young and nobody has shown yet that it is over.
    pub(super) fn is_watching(&self) -> bool {
        self.young_deaths > 0
    }

    /// Whether it dies again and again.
    pub(super) fn is_looping(&self) -> bool {
        self.young_deaths >= LOOP
    }

    /// Young deaths in a row.
    pub(super) fn young_deaths(&self) -> u32 {
        self.young_deaths
    }

    /// Starts after a death, in all.
    pub(super) fn restarts(&self) -> u64 {
        self.restarts
    }

    /// How the last one ended.
    pub(super) fn last_exit(&self) -> Option<&str> {
        self.last_exit.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const YOUNG: Duration = Duration::from_millis(100);

    fn verdicts(comeback: &mut Comeback, count: usize) -> Vec<Verdict> {
        let now = Instant::now();
        (0..count)
            .map(|_| comeback.died(now, YOUNG, "exit status 70".to_owned()))
            .collect()
    }

    #[test]
    fn the_first_comes_back_at_once_and_the_next_ever_later() {
        let mut comeback = Comeback::default();
        let again = |pause| Verdict::Again(Duration::from_millis(pause));
        assert_eq!(
            verdicts(&mut comeback, 6),
            [
                again(0),
                again(50),
                again(100),
                again(200),
                Verdict::Loop(Duration::from_millis(400)),
                again(800)
            ]
        );
        assert_eq!(
            verdicts(&mut comeback, 90).last(),
            Some(&Verdict::Again(LONGEST))
        );
    }

    #[test]
    fn one_that_lived_is_forgiven() {
        let mut comeback = Comeback::default();
        verdicts(&mut comeback, 4);
        let now = Instant::now();
        assert_eq!(
            comeback.died(now, HEALTHY, String::new()),
            Verdict::Again(Duration::ZERO)
        );
        assert_eq!(comeback.due(), Some(now));
    }

    #[test]
    fn a_crash_loop_is_over_when_one_lives() {
        let mut comeback = Comeback::default();
        verdicts(&mut comeback, 7);
        comeback.died(Instant::now(), HEALTHY, String::new());
        assert!(comeback.is_looping() && comeback.is_watching());
        assert!(comeback.lives());
        assert!(!comeback.is_looping() && !comeback.lives());
    }
}
