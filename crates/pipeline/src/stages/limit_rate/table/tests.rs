use std::sync::Barrier;
use std::thread;

use super::super::meter::Algorithm;
use super::*;

const NOW: u64 = 1 << 40;

fn meter(algorithm: Algorithm, limit: u32) -> Meter {
    Meter::new(algorithm, limit, Duration::from_mins(15), limit - 1, None)
}

fn key(table: &RateTable, name: u64) -> u64 {
    table.hash(1, |hasher| hasher.write_u64(name))
}

fn passes(table: &RateTable, key: u64, meter: &Meter, now: u64) -> bool {
    match table.hit(key, 1, meter, None, now, 1) {
        Hit::Counted(outcome) => !matches!(outcome.verdict, Verdict::Refuse(_)),
        Hit::Banned(_) => false,
    }
}

/// Four threads hit keys at the same moment, each as often as the limit allows all of them: how many pass.
fn passed_by_four(
    algorithm: Algorithm,
    keys: u64,
    limit: u32,
    now: u64,
    table: &RateTable,
) -> usize {
    let meter = meter(algorithm, limit);
    let begin = Barrier::new(4);
    thread::scope(|scope| {
        let hit = || {
            let mut passed = 0;
            for name in 0..keys {
                begin.wait();
                let key = key(table, name);
                passed += (0..limit)
                    .filter(|_| passes(table, key, &meter, now))
                    .count();
            }
            passed
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(hit)).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no panic"))
            .sum()
    })
}

#[test]
fn threads_share_a_limit_exactly() {
    for algorithm in [
        Algorithm::SlidingWindow,
        Algorithm::FixedWindow,
        Algorithm::TokenBucket,
    ] {
        let table = RateTable::with_buckets(1 << 10);
        for (keys, limit) in [(2_000, 1), (1_000, 3), (20, 1_000)] {
            // new keys, and then such that were forgotten: both begin anew, for all threads at once
            for now in [NOW, NOW + (1 << 36)] {
                let passed = passed_by_four(algorithm, keys, limit, now, &table);
                assert_eq!(
                    passed,
                    keys as usize * limit as usize,
                    "{algorithm:?} {limit}"
                );
                assert_eq!(passed_by_four(algorithm, keys, limit, now, &table), 0);
            }
            for name in 0..keys {
                table.forget(key(&table, name));
            }
        }
    }
}

#[test]
fn a_million_keys_fit_and_keep_their_counts() {
    const _: () = assert!(RateTable::words() * 8 < 128 << 20);
    let (table, meter) = (
        RateTable::with_buckets(SHARED_BUCKETS),
        meter(Algorithm::SlidingWindow, 1),
    );
    for name in 0..1_000_000 {
        assert!(passes(&table, key(&table, name), &meter, NOW + name));
    }
    let forgotten = (0..1_000_000)
        .filter(|name| passes(&table, key(&table, *name), &meter, NOW + 2_000_000))
        .count();
    // those whose bucket was full, and those whom they took the place of when they came again
    assert!(forgotten < 2_500, "{forgotten}");
}

#[test]
fn the_oldest_makes_room_but_not_a_ban() {
    let (table, meter) = (RateTable::with_buckets(1), meter(Algorithm::FixedWindow, 1));
    let ban = Ban {
        after: 1,
        lasts: Duration::from_mins(10),
    };
    let banned = key(&table, 0);
    for _ in 0..2 {
        table.hit(banned, 1, &meter, Some(ban), NOW, 1);
    }
    let second = 1_000_000;
    for name in 1..16 {
        assert!(passes(
            &table,
            key(&table, name),
            &meter,
            NOW + name * second
        ));
    }
    let newest = NOW + 20 * second;
    assert!(passes(&table, key(&table, 16), &meter, newest));
    assert!(matches!(
        table.hit(banned, 1, &meter, None, newest, 1),
        Hit::Banned(580)
    ));
    // 1 was the oldest and is forgotten; in its turn it takes the place of 2
    assert!(!passes(&table, key(&table, 3), &meter, newest));
    assert!(passes(&table, key(&table, 1), &meter, newest));
}

#[test]
fn refusals_in_a_row_lead_to_a_ban_that_ends_or_is_lifted() {
    let (table, meter) = (RateTable::with_buckets(4), meter(Algorithm::FixedWindow, 2));
    let ban = Some(Ban {
        after: 3,
        lasts: Duration::from_hours(1),
    });
    let key = key(&table, 7);
    let hit = |now| table.hit(key, 1, &meter, ban, now, 1);
    let refused = |hit: Hit| matches!(hit, Hit::Counted(outcome) if matches!(outcome.verdict, Verdict::Refuse(_)));
    let second = 1_000_000;
    for _ in 0..2 {
        assert!(!refused(hit(NOW)));
    }
    for _ in 0..2 {
        assert!(refused(hit(NOW)));
    }
    // a window that stays within the limit forgets them
    for window in 1..=2 {
        assert!(!refused(hit(NOW + window * 900 * second)));
    }
    let now = NOW + 2 * 900 * second;
    assert!(!refused(hit(now)));
    assert!(refused(hit(now)) && refused(hit(now)) && refused(hit(now)));
    assert_eq!(hit(now), Hit::Banned(3_600));
    assert_eq!(hit(now + 3_599 * second), Hit::Banned(1));
    assert!(matches!(hit(now + 3_601 * second), Hit::Counted(_)));

    for _ in 0..6 {
        hit(now + 3_601 * second);
    }
    assert!(matches!(hit(now + 3_601 * second), Hit::Banned(_)));
    assert!(table.forget(key));
    assert!(!table.forget(key));
    assert!(!refused(hit(now + 3_601 * second)));
    assert_eq!(table.entry(1)[2].load(Relaxed), 2);
}

#[test]
fn counts_that_are_too_old_do_not_come_round() {
    let table = RateTable::with_buckets(4);
    let short = Meter::new(Algorithm::SlidingWindow, 1, Duration::from_secs(1), 0, None);
    let key = key(&table, 1);
    assert!(passes(&table, key, &short, NOW));
    assert!(!passes(&table, key, &short, NOW));
    // after 4096 windows the window has the same number again
    assert!(passes(&table, key, &short, NOW + 4_096 * 1_000_000));
}

#[test]
fn policies_keep_their_numbers() {
    let table = RateTable::with_buckets(1);
    assert_eq!(
        [table.number(11), table.number(22), table.number(11)],
        [1, 2, 1]
    );
    assert_eq!(
        (100..1_000).filter(|id| table.number(*id) == 0).count(),
        900 - 253
    );
}

#[test]
fn only_a_table_of_this_version_is_opened() {
    let words = |count: usize| -> Arc<Vec<AtomicU64>> {
        Arc::new(
            std::iter::repeat_with(AtomicU64::default)
                .take(count)
                .collect(),
        )
    };
    assert!(RateTable::open(words(0), Duration::ZERO).is_err());
    let some = words(FIRST_BUCKET + 3 * BUCKET);
    assert!(RateTable::open(some.clone(), Duration::ZERO).is_err());
    RateTable::prepare(&some, [1, 2]).expect("room");
    let table = RateTable::open(some, Duration::from_mins(1)).expect("a table");
    assert_eq!((table.buckets, table.secret), (2, [1, 2]));
    assert!(RateTable::prepare(&words(10), [1, 2]).is_err());
}

#[test]
fn how_policies_stand_is_told_without_keys() {
    let (table, meter) = (
        RateTable::with_buckets(4),
        meter(Algorithm::SlidingWindow, 10),
    );
    let now = table.now();
    for (name, hits) in [(1, 3), (2, 8), (3, 10), (4, 12)] {
        for _ in 0..hits {
            passes(&table, key(&table, name), &meter, now);
        }
    }
    let tally = table.tally(1, &meter, std::slice::from_ref(&(0..usize::MAX / 2)));
    assert_eq!((tally.keys, tally.near, tally.exhausted), (4, 1, 2));
    let halves = [
        0..FIRST_BUCKET + 2 * BUCKET,
        FIRST_BUCKET + 2 * BUCKET..FIRST_BUCKET + 4 * BUCKET,
    ];
    assert_eq!(table.tally(1, &meter, &halves), tally);
    assert_eq!(table.tally(1, &meter, &[]).keys, 0);
    assert_eq!(
        table.tally(2, &meter, std::slice::from_ref(&(0..usize::MAX / 2))),
        Tally::default()
    );
}
