//! Budgets in a real Redis: what is taken, what is left, and that many who take at once never get more than there is.

use std::time::Duration;

use mainstay_store::{Budget, Counting, Redis, RedisOptions, Standing};
use mainstay_testkit as testkit;

async fn connect(server: &testkit::Redis) -> Redis {
    let options = RedisOptions {
        budget: testkit::patience(),
        authorities: None,
    };
    let redis = Redis::connect(&server.address(), &options).expect("an address");
    let mut standing = redis.standing();
    let there = standing.wait_for(|standing| *standing == Standing::There);
    drop(there.await.expect("a keeper"));
    redis
}

fn budget(counting: Counting, limit: u32, seconds: u64) -> Budget {
    Budget {
        counting,
        limit,
        window: Duration::from_secs(seconds),
    }
}

/// No window of this length is likely to end while a test runs.
const LONG: u64 = 20 * 86_400;

const ALL: [Counting; 3] = [
    Counting::Sliding,
    Counting::Fixed,
    Counting::Bucket { burst: 9 },
];

#[tokio::test]
async fn a_budget_is_spent_and_then_refused() {
    let server = testkit::Redis::start();
    let redis = connect(&server).await;
    for counting in ALL {
        let budget = budget(counting, 10, LONG);
        let key = format!("{counting:?}");
        for left in (0..10).rev() {
            let taken = budget
                .take(&redis, key.as_bytes(), 1, 1)
                .await
                .expect("an answer");
            assert_eq!((taken.hits, taken.remaining), (1, left), "{counting:?}");
        }
        let taken = budget
            .take(&redis, key.as_bytes(), 1, 1)
            .await
            .expect("an answer");
        assert_eq!((taken.hits, taken.remaining), (0, 0), "{counting:?}");
        assert!(
            taken.wait > Duration::from_secs(1) && taken.wait <= Duration::from_secs(2 * LONG),
            "{counting:?}: {taken:?}"
        );
        budget
            .give_back(&redis, key.as_bytes(), 2)
            .await
            .expect("an answer");
        let taken = budget
            .take(&redis, key.as_bytes(), 5, 1)
            .await
            .expect("an answer");
        assert_eq!(
            (taken.hits, taken.remaining),
            (2, 0),
            "{counting:?}: what is left is given"
        );
        let taken = budget
            .take(&redis, key.as_bytes(), 5, 1)
            .await
            .expect("an answer");
        assert_eq!(taken.hits, 0, "{counting:?}");
    }
}

#[tokio::test]
async fn fewer_than_the_least_are_not_taken() {
    let server = testkit::Redis::start();
    let redis = connect(&server).await;
    for counting in ALL {
        let budget = budget(counting, 10, LONG);
        let key = format!("{counting:?}");
        let taken = budget
            .take(&redis, key.as_bytes(), 8, 8)
            .await
            .expect("an answer");
        assert_eq!(taken.hits, 8, "{counting:?}");
        let taken = budget
            .take(&redis, key.as_bytes(), 3, 3)
            .await
            .expect("an answer");
        assert_eq!((taken.hits, taken.remaining), (0, 2), "{counting:?}");
    }
}

#[tokio::test]
async fn time_gives_back() {
    let server = testkit::Redis::start();
    let redis = connect(&server).await;
    for counting in ALL {
        let budget = Budget {
            counting,
            limit: 10,
            window: Duration::from_millis(200),
        };
        let key = format!("{counting:?}");
        budget
            .take(&redis, key.as_bytes(), 10, 1)
            .await
            .expect("an answer");
        // asked again and again: waiting for a condition, not for a time
        let end = std::time::Instant::now() + testkit::patience();
        while budget
            .take(&redis, key.as_bytes(), 10, 10)
            .await
            .expect("an answer")
            .hits
            < 10
        {
            assert!(std::time::Instant::now() < end, "{counting:?}");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn what_nobody_asks_for_is_forgotten_by_the_server() {
    let server = testkit::Redis::start();
    let redis = connect(&server).await;
    for counting in ALL {
        let budget = budget(counting, 10, LONG);
        let key = format!("{counting:?}");
        budget
            .take(&redis, key.as_bytes(), 1, 1)
            .await
            .expect("an answer");
        let expires = server.tell(&["PTTL", &key]).expect("an answer");
        let expires: i64 = expires.trim_start_matches(':').parse().expect("a number");
        assert!(
            expires > 0 && expires <= 2_000 * LONG.cast_signed() + 1,
            "{counting:?}: {expires}"
        );
    }
}

#[tokio::test]
async fn many_who_take_at_once_never_get_more_than_there_is() {
    let server = testkit::Redis::start();
    for counting in [
        Counting::Sliding,
        Counting::Fixed,
        Counting::Bucket { burst: 999 },
    ] {
        let budget = budget(counting, 1_000, LONG);
        let mut takers = Vec::new();
        for _ in 0..8 {
            let redis = connect(&server).await;
            takers.push(tokio::spawn(async move {
                let mut hits = 0;
                for _ in 0..60 {
                    hits += budget
                        .take(&redis, b"shared", 3, 1)
                        .await
                        .expect("an answer")
                        .hits;
                }
                hits
            }));
        }
        let mut sum = 0;
        for taker in takers {
            sum += taker.await.expect("no panic");
        }
        assert_eq!(sum, 1_000, "{counting:?}");
        server.tell(&["FLUSHALL"]).expect("told");
    }
}
