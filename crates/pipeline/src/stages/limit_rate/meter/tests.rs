use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

const MILLISECOND: u64 = 1_000;

fn meter(algorithm: Algorithm, limit: u32, window: u64) -> Meter {
    Meter::new(algorithm, limit, Duration::from_micros(window), 0, None)
}

/// Hits a meter at these times, and says which passed. What counts no more is forgotten, as the table does.
fn passed(meter: &Meter, times: impl IntoIterator<Item = u64>) -> Vec<bool> {
    let (mut memory, mut seen) = (0, 0);
    times
        .into_iter()
        .map(|now| {
            if now - seen > meter.horizon() {
                memory = 0;
            }
            let outcome = meter.hit(memory, now, 1);
            (memory, seen) = (outcome.memory, now);
            !matches!(outcome.verdict, Verdict::Refuse(_))
        })
        .collect()
}

#[test]
fn a_fixed_window_begins_at_the_first_hit() {
    let meter = meter(Algorithm::FixedWindow, 2, SECOND);
    let start = 777_777;
    let outcomes = passed(
        &meter,
        [
            start,
            start + 500_000,
            start + 900_000,
            start + 999_000,
            start + SECOND,
            start + SECOND + 1,
            start + SECOND + 2,
        ],
    );
    assert_eq!(outcomes, [true, true, false, false, true, true, false]);
}

#[test]
fn what_remains_and_when_is_told() {
    let meter = meter(Algorithm::FixedWindow, 3, 60 * SECOND);
    let mut memory = 0;
    let mut told = Vec::new();
    for now in [5 * SECOND, 6 * SECOND, 7 * SECOND, 8 * SECOND] {
        let outcome = meter.hit(memory, now, 1);
        memory = outcome.memory;
        told.push((outcome.remaining, seconds(outcome.reset)));
    }
    assert_eq!(told, [(2, 60), (1, 59), (0, 58), (0, 57)]);
}

#[test]
fn nginx_lets_21_pass_at_once_then_one_each_100_ms() {
    let meter = Meter::new(Algorithm::TokenBucket, 10, Duration::from_secs(1), 20, None);
    let start = 12_345_678;
    let at_once = passed(&meter, (0..40).map(|_| start));
    assert_eq!(at_once.iter().filter(|passed| **passed).count(), 21);
    assert!(at_once[..21].iter().all(|passed| *passed));
    let then = (0..=300).map(|step| start + step * 10 * MILLISECOND);
    let later = passed(&meter, (0..40).map(|_| start).chain(then.skip(1)));
    let times: Vec<usize> = (40..later.len()).filter(|index| later[*index]).collect();
    let steps: Vec<usize> = times.iter().map(|index| index - 39).collect();
    assert_eq!(steps, (1..=30).map(|each| each * 10).collect::<Vec<_>>());
}

#[test]
fn nginx_makes_the_burst_wait_its_turn() {
    let waits = |free| {
        let second = Duration::from_secs(1);
        let meter = Meter::new(Algorithm::TokenBucket, 10, second, 5, free);
        let mut memory = 0;
        (0..7)
            .map(|_| {
                let outcome = meter.hit(memory, SECOND, 1);
                memory = outcome.memory;
                match outcome.verdict {
                    Verdict::Pass => 0,
                    Verdict::Wait(micros) => micros / MILLISECOND,
                    Verdict::Refuse(_) => 9_999,
                }
            })
            .collect::<Vec<u64>>()
    };
    assert_eq!(waits(None), [0, 0, 0, 0, 0, 0, 9_999]);
    assert_eq!(waits(Some(0)), [0, 100, 200, 300, 400, 500, 9_999]);
    assert_eq!(waits(Some(3)), [0, 0, 0, 0, 100, 200, 9_999]);
}

#[test]
fn a_full_window_slides_out_evenly() {
    let meter = meter(Algorithm::SlidingWindow, 10, 10 * SECOND);
    let mut memory = 0;
    for _ in 0..10 {
        let outcome = meter.hit(memory, 10 * SECOND, 1);
        assert_eq!(outcome.verdict, Verdict::Pass);
        memory = outcome.memory;
    }
    // nothing before the window is over, then one a second
    let refused = meter.hit(memory, 19 * SECOND, 1);
    assert_eq!(refused.verdict, Verdict::Refuse(2 * SECOND));
    assert_eq!(meter.hit(memory, 21 * SECOND, 1).verdict, Verdict::Pass);
    assert_eq!(meter.hit(memory, 25 * SECOND, 1).remaining, 4);
    assert_eq!(meter.hit(memory, 40 * SECOND, 1).remaining, 9);
}

#[test]
fn a_clock_that_was_read_a_moment_earlier_begins_no_window() {
    for algorithm in [
        Algorithm::FixedWindow,
        Algorithm::SlidingWindow,
        Algorithm::TokenBucket,
    ] {
        let meter = meter(algorithm, 1, SECOND);
        let first = meter.hit(0, 10 * SECOND, 1);
        let second = meter.hit(first.memory, 10 * SECOND - 1, 1);
        assert!(
            matches!(second.verdict, Verdict::Refuse(_)),
            "{algorithm:?}"
        );
        let third = meter.hit(second.memory, 10 * SECOND + 1, 1);
        assert!(matches!(third.verdict, Verdict::Refuse(_)), "{algorithm:?}");
    }
}

#[test]
fn a_key_that_was_never_seen_begins_in_this_window() {
    let meter = meter(Algorithm::SlidingWindow, 1, SECOND);
    let now = 4_095 * SECOND;
    assert_eq!(meter.hit(0, now, 1).reset, SECOND);
}

#[test]
fn what_is_given_back_may_be_used_again_but_not_in_another_window() {
    for algorithm in [Algorithm::FixedWindow, Algorithm::SlidingWindow] {
        let meter = meter(algorithm, 1, SECOND);
        let first = meter.hit(0, SECOND, 1);
        let back = meter.give_back(first.memory, SECOND + 1, SECOND, 1);
        assert_eq!(meter.hit(back, SECOND + 2, 1).verdict, Verdict::Pass);
        let later = meter.hit(first.memory, 10 * SECOND, 1);
        let kept = meter.give_back(later.memory, 10 * SECOND, SECOND, 1);
        assert_eq!(kept, later.memory, "{algorithm:?}");
    }
    let second = Duration::from_secs(1);
    let bucket = Meter::new(Algorithm::TokenBucket, 1, second, 0, None);
    let first = bucket.hit(0, SECOND, 1);
    let back = bucket.give_back(first.memory, SECOND, SECOND, 1);
    assert_eq!(bucket.hit(back, SECOND, 1).verdict, Verdict::Pass);
}

#[test]
fn dear_requests_cost_more() {
    for (algorithm, burst) in [
        (Algorithm::FixedWindow, 0),
        (Algorithm::SlidingWindow, 0),
        (Algorithm::TokenBucket, 9),
    ] {
        let meter = Meter::new(algorithm, 10, Duration::from_secs(10), burst, None);
        let first = meter.hit(0, 100 * SECOND, 6);
        assert_eq!((first.verdict, first.remaining), (Verdict::Pass, 4));
        let second = meter.hit(first.memory, 100 * SECOND, 6);
        assert!(
            matches!(second.verdict, Verdict::Refuse(_)),
            "{algorithm:?}"
        );
        if algorithm != Algorithm::FixedWindow {
            let third = meter.hit(second.memory, 100 * SECOND, 4);
            assert_eq!((third.verdict, third.remaining), (Verdict::Pass, 0));
        }
    }
}

/// A run of hits: milliseconds since the one before.
fn runs() -> impl Strategy<Value = Vec<u64>> {
    prop::collection::vec(
        prop_oneof![4 => Just(0), 4 => 1..200u64, 1 => 200..5_000u64],
        1..200,
    )
}

fn times(gaps: &[u64], start: u64) -> Vec<u64> {
    gaps.iter()
        .scan(start, |now, gap| {
            *now += gap * MILLISECOND;
            Some(*now)
        })
        .collect()
}

proptest! {
    /// Against what express-rate-limit's memory store does, written down as simply as that.
    #[test]
    fn a_fixed_window_is_express_rate_limits(
        gaps in runs(), limit in 1..20u32, window in 1..2_000u64, start in 0..1u64 << 45,
    ) {
        let times = times(&gaps, start);
        let meter = meter(Algorithm::FixedWindow, limit, window * MILLISECOND);
        let (mut hits, mut reset) = (0, 0);
        let wanted: Vec<bool> = times.iter().map(|now| {
            let now = now / MILLISECOND;
            if reset <= now {
                (hits, reset) = (0, now + window);
            }
            hits += 1;
            hits <= limit
        }).collect();
        prop_assert_eq!(passed(&meter, times), wanted);
    }

    /// Against nginx's own sum in thousandths of a request, for rates that it can express.
    #[test]
    fn a_bucket_is_nginxs(
        gaps in runs(), rate in prop::sample::select(vec![1u64, 2, 4, 5, 10, 20, 50, 100, 500, 1000]),
        burst in 0..50u32, start in 1..1u64 << 45,
    ) {
        let times = times(&gaps, start);
        let meter = Meter::new(Algorithm::TokenBucket, rate as u32, Duration::from_secs(1), burst, None);
        let mut state: Option<(u64, i64)> = None;
        let wanted: Vec<bool> = times.iter().map(|now| {
            let now = now / MILLISECOND;
            let excess = state.map_or(0, |(then, excess)| {
                (excess - (rate * (now - then)).cast_signed() + 1_000).max(0)
            });
            let passes = excess <= i64::from(burst) * 1_000;
            if passes {
                state = Some((now, excess));
            }
            passes
        }).collect();
        prop_assert_eq!(passed(&meter, times), wanted);
    }

    /// Against a list of all hits that passed.
    #[test]
    fn a_sliding_window_is_two_counters(
        gaps in runs(), limit in 1..20u32, window in 1..2_000u64, start in 0..1u64 << 45,
    ) {
        let times = times(&gaps, start);
        let window = window * MILLISECOND;
        let meter = meter(Algorithm::SlidingWindow, limit, window);
        let mut counts: BTreeMap<u64, u64> = BTreeMap::new();
        let wanted: Vec<bool> = times.iter().map(|now| {
            let index = now / window;
            let count = |index: Option<u64>| index.and_then(|index| counts.get(&index)).copied().unwrap_or(0);
            let before = u128::from(count(index.checked_sub(1))) * u128::from(window - now % window);
            let sum = before + (u128::from(count(Some(index))) + 1) * u128::from(window);
            let passes = sum <= u128::from(limit) * u128::from(window);
            if passes {
                *counts.entry(index).or_default() += 1;
            }
            passes
        }).collect();
        let passed = passed(&meter, times.iter().copied());
        prop_assert_eq!(&passed, &wanted);
        // what it promises: never more than the limit in a window of the clock, never more than twice in any
        prop_assert!(counts.values().all(|count| *count <= u64::from(limit)));
        let let_through: Vec<u64> = times.iter().zip(&passed).filter(|(_, passed)| **passed).map(|(time, _)| *time).collect();
        for (index, first) in let_through.iter().enumerate() {
            let within = let_through[index..].iter().filter(|time| **time < first + window).count();
            prop_assert!(within <= 2 * limit as usize);
        }
    }

    /// Whoever waits as long as was said passes, and a moment earlier would not have.
    #[test]
    fn the_wait_is_neither_too_long_nor_too_short(
        gaps in runs(), limit in 1..20u32, burst in 0..20u32, window in 1..2_000u64, start in 1 << 30..1u64 << 45,
        algorithm in prop::sample::select(vec![Algorithm::SlidingWindow, Algorithm::FixedWindow, Algorithm::TokenBucket]),
    ) {
        let meter = Meter::new(algorithm, limit, Duration::from_millis(window), burst, None);
        let mut memory = 0;
        for now in times(&gaps, start) {
            let outcome = meter.hit(memory, now, 1);
            memory = outcome.memory;
            if let Verdict::Refuse(wait) = outcome.verdict {
                prop_assert!(wait > 0);
                // counts and windows are whole: one hit, one millisecond
                let later = now + wait + MILLISECOND;
                prop_assert!(!matches!(meter.hit(memory, later, 1).verdict, Verdict::Refuse(_)), "{wait}");
                if let Some(earlier) = (now + wait).checked_sub(MILLISECOND + 1).filter(|earlier| *earlier > now) {
                    prop_assert!(matches!(meter.hit(memory, earlier, 1).verdict, Verdict::Refuse(_)), "{wait}");
                }
            }
        }
    }
}
