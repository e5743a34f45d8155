//! Rate limits of several machines in one real Redis: exactly, and by leases.

use std::sync::Arc;
use std::time::Duration;

use mainstay_pipeline::{
    Algorithm, SharedAnswer, SharedBudget, SharedBudgets as _, SharedTurn, Sharing,
};
use mainstay_store::{Redis, RedisOptions, SharedRates, Standing};
use mainstay_testkit as testkit;

const KEY: [u8; 16] = *b"one of the keys.";

async fn machine(server: &testkit::Redis) -> SharedRates {
    let options = RedisOptions {
        budget: testkit::patience(),
        authorities: None,
    };
    let redis = Redis::connect(&server.address(), &options).expect("an address");
    let mut standing = redis.standing();
    let there = standing.wait_for(|standing| *standing == Standing::There);
    drop(there.await.expect("a keeper"));
    SharedRates::new(redis)
}

fn budget(limit: u32, sharing: Sharing) -> Arc<SharedBudget> {
    Arc::new(SharedBudget {
        algorithm: Algorithm::SlidingWindow,
        limit,
        window: Duration::from_hours(20 * 24),
        burst: 0,
        sharing,
    })
}

async fn ask(machine: &SharedRates, budget: &Arc<SharedBudget>) -> SharedAnswer {
    let answer = match machine.take(budget, &KEY, 1) {
        SharedTurn::Now(answer) => answer,
        SharedTurn::Later(answer) => answer.await,
    };
    answer.expect("an answer")
}

#[tokio::test]
async fn three_machines_that_ask_each_time_pass_exactly_the_limit() {
    let server = testkit::Redis::start();
    let budget = budget(100, Sharing::Exact);
    let mut asking = Vec::new();
    for _ in 0..3 {
        let (machine, budget) = (machine(&server).await, Arc::clone(&budget));
        asking.push(tokio::spawn(async move {
            let mut passed = 0;
            for _ in 0..60 {
                passed += u32::from(ask(&machine, &budget).await.passes);
            }
            passed
        }));
    }
    let mut passed = 0;
    for machine in asking {
        passed += machine.await.expect("no panic");
    }
    assert_eq!(passed, 100);
}

#[tokio::test]
async fn machines_with_leases_hardly_ever_ask_and_never_pass_more() {
    let server = testkit::Redis::start();
    let budget = budget(1_000, Sharing::Leased);
    let machines = [machine(&server).await, machine(&server).await];
    let (mut passed, mut waited) = (0, 0);
    for turn in 0..1_400 {
        let machine = &machines[turn % 2];
        let answer = match machine.take(&budget, &KEY, 1) {
            SharedTurn::Now(answer) => answer,
            SharedTurn::Later(answer) => {
                waited += 1;
                answer.await
            }
        };
        passed += u32::from(answer.expect("an answer").passes);
        // what is asked for in the background gets its turn
        tokio::task::yield_now().await;
    }
    // at the end each may hold what it leased and the other lacks
    assert!((900..=1_000).contains(&passed), "{passed} passed");
    assert!(
        waited < passed / 4,
        "{waited} of {passed} waited for the store"
    );
}

#[tokio::test]
async fn what_is_given_back_can_be_taken_again() {
    let server = testkit::Redis::start();
    let machine = machine(&server).await;
    for sharing in [Sharing::Exact, Sharing::Leased] {
        server.tell(&["FLUSHALL"]).expect("told");
        let budget = budget(1, sharing);
        assert!(ask(&machine, &budget).await.passes);
        assert!(!ask(&machine, &budget).await.passes);
        machine.give_back(&budget, &KEY, 1);
        // it goes back in the background
        let end = std::time::Instant::now() + testkit::patience();
        while !ask(&machine, &budget).await.passes {
            assert!(std::time::Instant::now() < end, "{sharing:?}");
            tokio::task::yield_now().await;
        }
    }
}

#[tokio::test]
async fn a_store_that_is_away_answers_nothing_at_once() {
    let mut server = testkit::Redis::start();
    let machine = machine(&server).await;
    server.kill();
    let budget = budget(5, Sharing::Exact);
    // whoever asks first may find it out
    loop {
        match machine.take(&budget, &KEY, 1) {
            SharedTurn::Now(answer) => {
                assert_eq!(answer, None);
                break;
            }
            SharedTurn::Later(answer) => assert_eq!(answer.await, None),
        }
    }
}
