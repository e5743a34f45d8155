//! A real Redis that goes away, stalls, refuses and comes back: nobody waits longer than the budget, and everybody finds
//! back by himself.

use std::time::Duration;

use mainstay_store::{Away, Redis, RedisOptions, Standing};
use mainstay_testkit as testkit;
use redis::cmd;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout};

const BUDGET: Duration = Duration::from_millis(200);

fn connect(address: &str) -> Redis {
    let options = RedisOptions {
        budget: BUDGET,
        authorities: None,
    };
    Redis::connect(address, &options).expect("an address")
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
async fn a_server_that_stalls_costs_each_who_had_asked_one_budget_and_nobody_after() {
    let server = testkit::Redis::start();
    let redis = connect(&server.address());
    there(&redis).await;
    server.pause();
    let begun = Instant::now();
    let (first, second) = tokio::join!(ask(&redis), ask(&redis));
    assert_eq!([first, second], [Err(Away::Slow), Err(Away::Slow)]);
    assert!(begun.elapsed() >= BUDGET);
    // before it is said to be away it is tried, and nobody waits for that either
    assert_eq!(ask(&redis).await, Err(Away::Known));
    let why = away(&redis).await;
    assert_eq!(
        why,
        "it did not answer within 200 ms, nor a ping within 250 ms"
    );
    assert_eq!(ask(&redis).await, Err(Away::Known));
    server.resume();
    there(&redis).await;
    assert_eq!(ask(&redis).await.as_deref(), Ok("PONG"));
}

#[tokio::test]
async fn a_server_that_is_late_once_is_asked_again_without_a_word() {
    let server = testkit::Redis::start();
    let redis = connect(&server.address());
    let mut standing = redis.standing();
    // it blocks this connection: the ping behind it waits as well, until something comes
    let mut late = cmd("BLPOP");
    late.arg("nothing").arg(0);
    // where the machine keeps all of us waiting, it is late twice
    for _ in 0..10 {
        there(&redis).await;
        standing.mark_unchanged();
        assert_eq!(redis.command::<()>(&late).await, Err(Away::Slow));
        assert_eq!(ask(&redis).await, Err(Away::Known));
        server
            .tell(&["RPUSH", "nothing", "something"])
            .expect("told");
        let begun = Instant::now();
        while ask(&redis).await.is_err() {
            assert!(begun.elapsed() < testkit::patience());
            tokio::task::yield_now().await;
        }
        if !standing.has_changed().expect("a keeper") {
            return;
        }
    }
    panic!("each time it was said to be away");
}

/// What a server far away is like: each word takes its time.
async fn delayed(port: u16, delay: Duration) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut server = TcpStream::connect(("127.0.0.1", port)).await?;
                let (mut said, mut told) = ([0; 4_096], [0; 4_096]);
                loop {
                    let (from, into, count) = tokio::select! {
                        count = client.read(&mut said) => (&said, &mut server, count?),
                        count = server.read(&mut told) => (&told, &mut client, count?),
                    };
                    if count == 0 {
                        return Ok::<_, std::io::Error>(());
                    }
                    tokio::time::sleep_until(Instant::now() + delay).await;
                    into.write_all(&from[..count]).await?;
                }
            });
        }
    });
    format!("redis://{address}")
}

#[tokio::test]
async fn a_server_that_is_always_late_is_away_and_says_how_late() {
    let server = testkit::Redis::start();
    let address = delayed(server.port(), Duration::from_millis(60)).await;
    let options = RedisOptions {
        budget: Duration::from_millis(100),
        authorities: None,
    };
    let redis = Redis::connect(&address, &options).expect("an address");
    let why = away(&redis).await;
    assert!(
        why.starts_with("it takes 1")
            && why.ends_with("ms to answer, and requests wait 100 ms at most"),
        "{why}"
    );
    assert_eq!(ask(&redis).await, Err(Away::Known));
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
