//! Every kind of Redis that an address can name, as real servers: with users and passwords, over TLS, in another database,
//! behind sentinels, as a cluster. Each fault of the set-up is told in a sentence.

use std::time::Duration;

use mainstay_store::{Budget, Counting, Redis, RedisOptions, Standing};
use mainstay_testkit::{self as testkit, Authority, Sentinels, eventually};
use tokio::time::timeout;

fn connect_by(address: &str, authorities: Option<&Authority>) -> Redis {
    let options = RedisOptions {
        budget: testkit::patience(),
        authorities: authorities.map(|authority| authority.pem().to_owned()),
    };
    Redis::connect(address, &options).expect("an address")
}

fn connect(address: &str) -> Redis {
    connect_by(address, None)
}

async fn until(redis: &Redis, wanted: impl FnMut(&Standing) -> bool) -> Standing {
    let mut standing = redis.standing();
    let found = timeout(testkit::patience(), standing.wait_for(wanted)).await;
    found.expect("in time").expect("a keeper").clone()
}

async fn away(redis: &Redis) -> String {
    match until(redis, |standing| matches!(standing, Standing::Away(_))).await {
        Standing::Away(why) => why,
        other => panic!("{other:?}"),
    }
}

/// It is there, and does what budgets need.
async fn serves(redis: &Redis) {
    until(redis, |standing| *standing == Standing::There).await;
    for counting in [
        Counting::Sliding,
        Counting::Fixed,
        Counting::Bucket { burst: 4 },
    ] {
        let budget = Budget {
            counting,
            limit: 5,
            window: Duration::from_hours(1),
        };
        let key = format!("mainstay:rate:{counting:?}");
        let taken = budget.take(redis, key.as_bytes(), 2, 1).await;
        assert_eq!(taken.expect("an answer").hits, 2, "{counting:?}");
    }
}

fn with(server: &testkit::Redis, user: &str) -> String {
    server
        .address()
        .replace("redis://", &format!("redis://{user}@"))
}

#[tokio::test]
async fn one_with_a_password_refuses_another_and_none_and_shows_neither() {
    let server = testkit::Redis::start_with(&["--requirepass", "s3cret"]);
    for wrong in [with(&server, ":wr0ng"), server.address()] {
        assert_eq!(
            away(&connect(&wrong)).await,
            "it refuses the password, or the user"
        );
    }
    serves(&connect(&with(&server, ":s3cret"))).await;
}

#[tokio::test]
async fn a_user_needs_no_more_rights_than_are_said_and_lacks_none_in_silence() {
    let server = testkit::Redis::start();
    let rights = "+ping +time +get +set +hmget +hset +pexpire +evalsha +script|load";
    let allow = |name: &str, rights: &str| {
        let words = ["ACL", "SETUSER", name, "on", ">s3cret", "~mainstay:*"];
        let words: Vec<&str> = words.into_iter().chain(rights.split(' ')).collect();
        assert_eq!(server.tell(&words).expect("told"), "+OK");
    };
    allow("mainstay", rights);
    serves(&connect(&with(&server, "mainstay:s3cret"))).await;
    for right in rights.split(' ') {
        let others: Vec<&str> = rights.split(' ').filter(|other| *other != right).collect();
        server.tell(&["ACL", "DELUSER", "less"]).expect("told");
        server.tell(&["SCRIPT", "FLUSH"]).expect("told");
        allow("less", &others.join(" "));
        let why = away(&connect(&with(&server, "less:s3cret"))).await;
        assert!(
            why.starts_with("this user may not do what is needed"),
            "{right}: {why}"
        );
    }
    let why = away(&connect(&with(&server, "nobody:s3cret"))).await;
    assert_eq!(why, "it refuses the password, or the user");
}

#[tokio::test]
async fn another_database_is_another_world() {
    let server = testkit::Redis::start();
    serves(&connect(&format!("{}/3", server.address()))).await;
    let told = server.tell(&["INFO", "keyspace"]).expect("told");
    assert!(
        told.contains("db3:keys=") && !told.contains("db0"),
        "{told}"
    );
    let why = away(&connect(&format!("{}/99", server.address()))).await;
    assert!(!why.is_empty());
}

#[tokio::test]
async fn one_over_tls_is_believed_by_its_authority_and_name_alone() {
    let (ours, other) = (Authority::new(), Authority::new());
    let server = testkit::Redis::start_over_tls(&ours.certifies("localhost"));
    let address = server.tls_address("localhost");
    serves(&connect_by(&address, Some(&ours))).await;
    let unknown = "its certificate comes from an authority that is not believed here; `store_ca_file` names another";
    for authorities in [Some(&other), None] {
        assert_eq!(away(&connect_by(&address, authorities)).await, unknown);
    }
    let why = away(&connect_by(&server.tls_address("127.0.0.1"), Some(&ours))).await;
    assert!(
        why.contains("does not hold") && why.contains("127.0.0.1"),
        "{why}"
    );
    // the other port speaks no TLS: it waits for the end of what is no line to it
    let plain = server.address().replace("redis://", "rediss://");
    let why = away(&connect_by(&plain, Some(&ours))).await;
    assert!(why.starts_with("it did not answer"), "{why}");

    let server = testkit::Redis::start_over_tls(&ours.certified_once("localhost"));
    let why = away(&connect_by(&server.tls_address("localhost"), Some(&ours))).await;
    assert!(
        why.contains("does not hold") && why.contains("expired"),
        "{why}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_name_another_when_one_dies() {
    let mut watched = Sentinels::start();
    let redis = connect(&watched.address());
    serves(&redis).await;
    watched.first().kill();
    while redis.command::<String>(&redis::cmd("PING")).await.is_ok() {}
    away(&redis).await;
    tokio::task::block_in_place(|| watched.second_takes_over());
    until(&redis, |standing| *standing == Standing::There).await;
    // with what was counted before
    serves(&redis).await;
}

#[tokio::test]
async fn a_cluster_serves() {
    let server = testkit::Redis::start_cluster();
    let address = server.address().replace("redis://", "redis-cluster://");
    server
        .tell(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"])
        .expect("told");
    eventually("a cluster that stands", || {
        let told = server.tell(&["CLUSTER", "INFO"]).ok()?;
        told.contains("cluster_state:ok").then_some(())
    });
    serves(&connect(&address)).await;
}
