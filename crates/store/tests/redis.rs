//! A real Redis that goes away, stalls, refuses and comes back: nobody waits longer than the budget, and everybody finds
//! back by himself.

use std::time::Duration;

use mainstay_store::{Away, Redis, RedisOptions, Standing};
use mainstay_testkit as testkit;
use redis::cmd;
use tokio::time::{Instant, timeout};

const BUDGET: Duration = Duration::from_millis(200);

fn connect(address: &str) -> Redis {
    Redis::connect(address, &RedisOptions { budget: BUDGET }).expect("an address")
}

/// Waits until it stands as wanted.
async fn until(redis: &Redis, wanted: impl FnMut(&Standing) -> bool) -> Standing {
    let mut standing = redis.standing();
    let found = timeout(testkit::patience(), standing.wait_for(wanted)).await;
    found.expect("in time").expect("a keeper").clone()
}

async fn there(redis: &Redis) {
    until(redis, |standing| *standing == Standing::There).await;
}

async fn away(redis: &Redis) -> String {
    match until(redis, |standing| matches!(standing, Standing::Away(_))).await {
        Standing::Away(why) => why,
        other => panic!("{other:?}"),
    }
}

async fn ask(redis: &Redis) -> Result<String, Away> {
    redis.command(&cmd("PING")).await
}

#[tokio::test]
async fn a_server_that_dies_is_found_again() {
    let mut server = testkit::Redis::start();
    let redis = connect(&server.address());
    there(&redis).await;
    assert_eq!(ask(&redis).await.as_deref(), Ok("PONG"));
    for _ in 0..2 {
        server.kill();
        // whoever asks first may find it out
        while ask(&redis).await.is_ok() {}
        away(&redis).await;
        assert_eq!(
            ask(&redis).await,
            Err(Away::Known),
            "nobody waits for one that is known to be away"
        );
        server.again();
        there(&redis).await;
        assert_eq!(ask(&redis).await.as_deref(), Ok("PONG"));
    }
}

#[tokio::test]
async fn a_server_that_stalls_costs_three_budgets_and_no_more() {
    let server = testkit::Redis::start();
    let redis = connect(&server.address());
    there(&redis).await;
    server.pause();
    let begun = Instant::now();
    for _ in 0..3 {
        assert_eq!(ask(&redis).await, Err(Away::Slow));
    }
    assert!(begun.elapsed() >= 3 * BUDGET);
    assert_eq!(ask(&redis).await, Err(Away::Known));
    assert!(away(&redis).await.contains("did not answer within"));
    server.resume();
    there(&redis).await;
    assert_eq!(ask(&redis).await.as_deref(), Ok("PONG"));
}

#[tokio::test]
async fn one_that_is_absent_at_first_is_found_later() {
    let mut server = testkit::Redis::start();
    server.kill();
    let redis = connect(&server.address());
    assert_eq!(away(&redis).await, "nobody listens there");
    server.again();
    there(&redis).await;
}

#[tokio::test]
async fn a_server_that_takes_no_writes_counts_as_away_until_it_does() {
    let master = testkit::Redis::start();
    let server = testkit::Redis::start();
    server
        .tell(&["REPLICAOF", "127.0.0.1", &master.port().to_string()])
        .expect("told");
    let redis = connect(&server.address());
    assert_eq!(away(&redis).await, "it is a replica, which takes no writes");
    server.tell(&["REPLICAOF", "NO", "ONE"]).expect("told");
    there(&redis).await;

    server
        .tell(&["CONFIG", "SET", "maxmemory", "1"])
        .expect("told");
    let mut write = cmd("SET");
    write.arg("key").arg("value");
    assert_eq!(redis.command::<()>(&write).await, Err(Away::Failed));
    assert_eq!(away(&redis).await, "it has no memory left");
    server
        .tell(&["CONFIG", "SET", "maxmemory", "0"])
        .expect("told");
    there(&redis).await;
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_shown() {
    let server = testkit::Redis::start_with(&["--requirepass", "s3cret"]);
    let wrong = server.address().replace("redis://", "redis://:wr0ng@");
    let redis = connect(&wrong);
    let why = away(&redis).await;
    assert!(!why.contains("wr0ng"), "{why}");
    let right = server.address().replace("redis://", "redis://:s3cret@");
    there(&connect(&right)).await;
}

#[tokio::test]
async fn a_script_that_the_server_forgot_is_sent_again() {
    let server = testkit::Redis::start();
    let redis = connect(&server.address());
    there(&redis).await;
    let script = redis::Script::new("return ARGV[1] + 1");
    for _ in 0..2 {
        let mut call = script.prepare_invoke();
        call.arg(41);
        assert_eq!(redis.script::<u32>(&call).await, Ok(42));
        server.tell(&["SCRIPT", "FLUSH"]).expect("told");
    }
}

#[tokio::test]
async fn a_wrong_script_does_not_cost_the_connection() {
    let server = testkit::Redis::start();
    let redis = connect(&server.address());
    there(&redis).await;
    let script = redis::Script::new("return 'text'");
    assert_eq!(
        redis.script::<u32>(&script.prepare_invoke()).await,
        Err(Away::Failed)
    );
    assert!(redis.is_there());
}

#[tokio::test]
async fn tls_to_one_that_speaks_none_ends_in_a_sentence() {
    let server = testkit::Redis::start();
    // it speaks no TLS at all: what matters is that the attempt ends in a sentence
    let redis = connect(&server.address().replace("redis://", "rediss://"));
    let why = away(&redis).await;
    assert!(!why.is_empty());
}
