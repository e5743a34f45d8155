//! A bound that finds itself: how many requests a target can have under way before its answers take much longer. Pure: told
//! what was measured, it says what holds.
//!
//! The time of an answer at rest is the yardstick; while the median stays below [`TOLERANCE`] times that, and the bound is
//! in use, it grows by its square root; above, it shrinks in proportion. Under lasting load nobody can see the target at
//! rest: so from time to time the bound goes down to its least for a moment, and the yardstick is taken anew.

use std::time::{Duration, Instant};

/// Answers may take so many times as long as at rest.
const TOLERANCE: f64 = 2.0;
/// A judgement needs so many answers, and so much time.
const SAMPLES: usize = 20;
const WINDOW: Duration = Duration::from_millis(100);
/// Answers of one window that are kept to find their median.
const KEPT: usize = 64;
/// What it begins with, and what it stays within.
const FIRST: f64 = 32.0;
const LEAST: f64 = 4.0;
const MOST: f64 = 10_000.0;
/// So often the target is looked at with little on it, if it never is by itself.
const LOOK_EVERY: Duration = Duration::from_secs(30);
/// A look that brings few answers ends after this time, with the first one.
const LONGEST_LOOK: Duration = Duration::from_secs(1);
/// So much of the way to what a window says is gone at once.
const PACE: f64 = 0.3;

/// See the module.
#[derive(Debug)]
pub(crate) struct Adaptive {
    bound: f64,
    /// How long an answer takes at rest.
    at_rest: Option<Duration>,
    taken: Instant,
    window: Window,
    /// Since when the target is looked at with little on it.
    look: Option<Instant>,
}

#[derive(Debug)]
struct Window {
    since: Instant,
    kept: [Duration; KEPT],
    count: usize,
    /// The most that was under way.
    peak: usize,
}

impl Window {
    fn begin(now: Instant) -> Self {
        Self {
            since: now,
            kept: [Duration::ZERO; KEPT],
            count: 0,
            peak: 0,
        }
    }

    /// The median is not moved by a few answers that take long by nature.
    fn median(&mut self) -> Duration {
        let kept = &mut self.kept[..self.count.min(KEPT)];
        kept.sort_unstable();
        kept[kept.len() / 2]
    }
}

impl Adaptive {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            bound: FIRST,
            at_rest: None,
            taken: now,
            window: Window::begin(now),
            look: None,
        }
    }

    /// How many may be under way now.
    pub(crate) fn bound(&self) -> usize {
        let bound = if self.look.is_some() {
            LEAST
        } else {
            self.bound
        };
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "between its least and its most"
        )]
        let bound = bound as usize;
        bound
    }

    /// An answer took so long, while so many were under way.
    pub(crate) fn answered(&mut self, took: Duration, in_flight: usize, now: Instant) {
        if let Some(look) = self.look
            && now.checked_sub(took).is_some_and(|asked| asked < look)
        {
            // asked before: it tells of the load that there was
            return;
        }
        let window = &mut self.window;
        window.kept[window.count % KEPT] = took;
        window.count += 1;
        window.peak = window.peak.max(in_flight);
        let lasted = now.saturating_duration_since(window.since);
        let is_over = window.count >= SAMPLES && lasted >= WINDOW;
        if is_over || self.look.is_some() && lasted >= LONGEST_LOOK {
            let (median, peak) = (window.median(), window.peak);
            self.window = Window::begin(now);
            self.judge(median, peak, now);
        }
    }

    fn judge(&mut self, median: Duration, peak: usize, now: Instant) {
        if self.look.take().is_some() {
            self.rest(median, now);
            return;
        }
        let is_in_use = peak as f64 * 2.0 >= self.bound;
        let at_rest = match self.at_rest {
            Some(at_rest) if median >= at_rest && is_in_use => at_rest,
            // quicker than ever, or seen with little on it
            _ => {
                self.rest(median, now);
                median
            }
        };
        let ratio = TOLERANCE * at_rest.as_secs_f64() / median.as_secs_f64().max(f64::EPSILON);
        let goal = if ratio < 1.0 {
            self.bound * ratio.max(0.5)
        } else if is_in_use {
            self.bound + self.bound.sqrt()
        } else {
            self.bound
        };
        self.bound = (self.bound + (goal - self.bound) * PACE).clamp(LEAST, MOST);
        if now.saturating_duration_since(self.taken) >= LOOK_EVERY {
            self.look = Some(now);
        }
    }

    fn rest(&mut self, median: Duration, now: Instant) {
        self.at_rest = Some(median);
        self.taken = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A target that works on `width` requests at once, each for `service`; the others wait in it.
    struct Target {
        width: usize,
        service: Duration,
    }

    impl Target {
        fn takes(&self, in_flight: usize) -> Duration {
            let rounds = in_flight.div_ceil(self.width).max(1);
            self.service * u32::try_from(rounds).expect("few")
        }
    }

    /// Lets `offered` requests be under way for so long, as far as the bound allows. The least and most bound in the
    /// last tenth of the time.
    fn run(
        adaptive: &mut Adaptive,
        target: &Target,
        offered: usize,
        now: &mut Instant,
        time: Duration,
    ) -> (usize, usize) {
        let (begin, end) = (*now, *now + time);
        let (mut least, mut most) = (usize::MAX, 0);
        while *now < end {
            let in_flight = offered.min(adaptive.bound());
            let took = target.takes(in_flight);
            *now += took;
            for _ in 0..in_flight {
                adaptive.answered(took, in_flight, *now);
            }
            if *now - begin > time * 9 / 10 && adaptive.look.is_none() {
                least = least.min(adaptive.bound());
                most = most.max(adaptive.bound());
            }
        }
        (least, most)
    }

    const MINUTE: Duration = Duration::from_mins(1);

    fn target(width: usize) -> Target {
        Target {
            width,
            service: Duration::from_millis(10),
        }
    }

    #[test]
    fn under_a_flood_it_settles_near_what_the_target_can_do() {
        for width in [8, 20, 100] {
            let mut now = Instant::now();
            let mut adaptive = Adaptive::new(now);
            // an hour of it: the yardstick must not drift with the load
            for _ in 0..60 {
                let (least, most) = run(&mut adaptive, &target(width), 10_000, &mut now, MINUTE);
                assert!(least >= width, "{width}: {least} to {most}");
                assert!(most <= width * 4, "{width}: {least} to {most}");
            }
        }
    }

    #[test]
    fn it_does_not_grow_where_it_is_not_in_use() {
        let mut now = Instant::now();
        let mut adaptive = Adaptive::new(now);
        let bounds = run(&mut adaptive, &target(100), 3, &mut now, 10 * MINUTE);
        assert_eq!(bounds, (32, 32));
    }

    #[test]
    fn it_follows_a_target_that_becomes_slower_and_quicker() {
        let mut now = Instant::now();
        let mut adaptive = Adaptive::new(now);
        run(&mut adaptive, &target(100), 10_000, &mut now, 5 * MINUTE);
        let (_, most) = run(&mut adaptive, &target(10), 10_000, &mut now, 5 * MINUTE);
        assert!(most <= 40, "{most}");
        let (least, _) = run(&mut adaptive, &target(100), 10_000, &mut now, 5 * MINUTE);
        assert!(least >= 100, "{least}");
        // each answer takes ten times as long by itself: no reason to let fewer in for ever
        let slow = Target {
            width: 100,
            service: Duration::from_millis(100),
        };
        let (least, most) = run(&mut adaptive, &slow, 10_000, &mut now, 10 * MINUTE);
        assert!(least >= 100 && most <= 400, "{least} to {most}");
    }

    #[test]
    fn few_answers_that_take_long_by_nature_move_nothing() {
        let mut now = Instant::now();
        let mut adaptive = Adaptive::new(now);
        for number in 0..10_000_u32 {
            now += Duration::from_millis(2);
            let took = if number % 4 == 0 { 30_000 } else { 10 };
            adaptive.answered(Duration::from_millis(took), 20, now);
        }
        assert!(adaptive.bound() >= 32, "{}", adaptive.bound());
    }
}
