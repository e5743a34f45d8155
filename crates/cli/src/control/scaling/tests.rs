//! The decision over simulated time: what it does with a load, and what it must never do.

use proptest::prelude::*;

use super::*;

const CALM: Duration = Duration::from_mins(1);

fn range(min: u32, max: u32) -> WorkerRange {
    WorkerRange::new(min, max)
}

/// An app that has as much to do as `load` workers could, looked at once a second.
struct Simulated {
    scaler: Scaler,
    range: WorkerRange,
    workers: u32,
    now: Duration,
    room: Room,
    /// When it changed, and to what.
    changes: Vec<(u64, u32)>,
}

impl Simulated {
    fn new(range: WorkerRange) -> Self {
        Self {
            scaler: Scaler::default(),
            range,
            workers: range.min,
            now: Duration::ZERO,
            room: Room::Enough,
            changes: Vec::new(),
        }
    }

    fn second(&mut self, busy: f64, waited: Duration) -> Verdict {
        self.now += Duration::from_secs(1);
        let look = Look {
            workers: self.workers,
            ready: self.workers,
            busy: busy.min(1.0),
            waited,
            room: self.room,
        };
        let verdict = self.scaler.look(self.now, self.range, &look);
        if let Verdict::To(workers, _) = verdict {
            self.workers = workers;
            self.changes.push((self.now.as_secs(), workers));
        }
        verdict
    }

    fn load(&mut self, load: f64, seconds: u64) {
        for _ in 0..seconds {
            self.second(load / f64::from(self.workers), Duration::ZERO);
        }
    }
}

#[test]
fn load_that_stays_brings_workers_one_by_one_and_its_end_takes_them_away() {
    let mut app = Simulated::new(range(2, 4));
    app.load(10.0, 30);
    assert_eq!(
        app.changes,
        [(3, 3), (8, 4)],
        "and no more than there may be"
    );
    app.load(0.1, 200);
    assert_eq!(app.changes[2..], [(92, 3), (153, 2)]);
    app.load(0.0, 1_000);
    assert_eq!(app.workers, 2, "never fewer than there must be");
}

#[test]
fn a_moment_says_nothing() {
    let mut app = Simulated::new(range(1, 4));
    for _ in 0..20 {
        app.load(1.0, 1);
        app.load(0.3, 3);
    }
    assert_eq!(app.changes, []);
    app.load(1.0, 3);
    assert_eq!(app.workers, 2);
    // an easy time that is not long enough
    for _ in 0..10 {
        app.load(0.1, CALM.as_secs() - 5);
        app.load(1.2, 5);
    }
    assert_eq!(app.workers, 2);
}

#[test]
fn requests_that_wait_ask_for_one_more_though_workers_have_little_to_do() {
    let mut app = Simulated::new(range(1, 4));
    let verdicts: Vec<_> = (0..3).map(|_| app.second(0.1, LONG_WAIT)).collect();
    let expected = Verdict::To(2, Reason::Waited(LONG_WAIT));
    assert_eq!(verdicts, [Verdict::Stay, Verdict::Stay, expected]);
}

#[test]
fn a_step_down_that_is_regretted_is_tried_more_and_more_rarely() {
    let mut app = Simulated::new(range(1, 2));
    for _ in 0..40_000 {
        let waited = if app.workers == 1 {
            LONG_WAIT
        } else {
            Duration::ZERO
        };
        app.second(0.1, waited);
    }
    let downs: Vec<u64> = app
        .changes
        .iter()
        .filter(|(_, workers)| *workers == 1)
        .map(|(at, _)| *at)
        .collect();
    assert!(downs.len() < 18, "{downs:?}");
    let pauses = downs.windows(2).map(|pair| pair[1] - pair[0]);
    assert!(pauses.collect::<Vec<_>>().is_sorted());
}

#[test]
fn who_is_missing_is_waited_for() {
    let mut scaler = Scaler::default();
    for second in 0..100 {
        let look = Look {
            workers: 2,
            ready: 1,
            busy: 1.0,
            waited: LONG_WAIT,
            room: Room::Enough,
        };
        let verdict = scaler.look(Duration::from_secs(second), range(1, 4), &look);
        assert_eq!(verdict, Verdict::Stay);
    }
}

#[test]
fn without_memory_nobody_comes_and_that_is_said_once() {
    let mut app = Simulated::new(range(1, 4));
    app.room = Room::TooLittle;
    let verdicts: Vec<_> = (0..60).map(|_| app.second(1.0, Duration::ZERO)).collect();
    let said = verdicts.iter().filter(|verdict| **verdict != Verdict::Stay);
    assert_eq!(
        said.collect::<Vec<_>>(),
        [&Verdict::NoRoom(Reason::Busy(1.0))]
    );
    app.room = Room::Enough;
    app.load(1.0, 1);
    assert_eq!(app.workers, 2);
}

#[test]
fn after_a_failure_it_takes_its_time() {
    let mut app = Simulated::new(range(1, 4));
    app.load(1.0, 3);
    app.workers = 1;
    app.scaler.failed(app.now);
    app.changes.clear();
    app.load(1.0, 60);
    assert_eq!(app.changes[0], (33, 2));
}

proptest! {
    /// Under a load that stays, give or take a fifth, the number goes to one place and stays there.
    #[test]
    fn a_load_that_stays_never_makes_it_go_both_ways(
        (min, more) in (1_u32..6, 0_u32..12),
        load in 0.0_f64..16.0,
        noise in proptest::collection::vec(0.83_f64..1.2, 64),
        start in 0_u32..12,
    ) {
        let range = range(min, min + more);
        let mut app = Simulated::new(range);
        app.workers = (min + start).min(range.max);
        let first = app.workers;
        for second in 0..1_500_usize {
            let busy = load / f64::from(app.workers) * noise[second % noise.len()];
            app.second(busy, Duration::ZERO);
        }
        let numbers: Vec<u32> = std::iter::once(first)
            .chain(app.changes.iter().map(|(_, workers)| *workers))
            .collect();
        let up = numbers.windows(2).all(|pair| pair[1] == pair[0] + 1);
        let down = numbers.windows(2).all(|pair| pair[1] + 1 == pair[0]);
        prop_assert!(up || down, "{numbers:?}");
        prop_assert!(numbers.iter().all(|count| (range.min..=range.max).contains(count)));
    }

    /// Whatever is seen: within the bounds, one step at a time, and not faster than it may be.
    #[test]
    fn whatever_comes_steps_are_small_slow_and_within_the_bounds(
        seen in proptest::collection::vec((0.0_f64..1.0, 0_u64..300, 0_u32..3), 1..400),
        (min, more) in (1_u32..4, 0_u32..6),
    ) {
        let range = range(min, min + more);
        let (mut scaler, mut workers) = (Scaler::default(), min);
        let mut last_up = None;
        for (second, (busy, waited, missing)) in (0_u64..).zip(seen) {
            let look = Look {
                workers,
                ready: workers.saturating_sub(missing),
                busy,
                waited: Duration::from_millis(waited),
                room: Room::Enough,
            };
            let verdict = scaler.look(Duration::from_secs(second), range, &look);
            if let Verdict::To(next, _) = verdict {
                prop_assert_eq!(next.abs_diff(workers), 1);
                prop_assert!((range.min..=range.max).contains(&next));
                if next > workers {
                    prop_assert!(last_up.is_none_or(|last| second >= last + UP_EVERY.as_secs()));
                    last_up = Some(second);
                }
                workers = next;
            }
        }
    }
}
