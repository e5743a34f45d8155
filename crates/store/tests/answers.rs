//! Answers of several machines in one real Redis: who may fetch, whose answer counts, and what is to be forgotten.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mainstay_pipeline::{
    CacheMemory, Claim, Claimed, Extent, Purge, PurgeMode, Put, Right, SharedAnswers as _,
    SharedName, SharedPlace,
};
use mainstay_store::{RedisOptions, SharedCache, Standing};
use mainstay_testkit as testkit;

struct Machine {
    cache: SharedCache,
    memory: Arc<CacheMemory>,
}

async fn machine(address: &str) -> Machine {
    let options = RedisOptions {
        budget: testkit::patience(),
        authorities: None,
    };
    let memory = Arc::new(CacheMemory::new(CacheMemory::USUAL_CAPACITY));
    let cache = SharedCache::connect(address, &options, "shop", Arc::clone(&memory));
    let machine = Machine {
        cache: cache.expect("an address"),
        memory,
    };
    machine.is_there().await;
    machine
}

impl Machine {
    async fn is_there(&self) {
        let mut standing = self.cache.redis().standing();
        let there = standing.wait_for(|standing| *standing == Standing::There);
        let there = tokio::time::timeout(testkit::patience(), there);
        drop(there.await.expect("in time").expect("a keeper"));
    }

    async fn claim(&self, patience: Duration) -> Claimed {
        self.claim_of(place().name(), None, patience).await
    }

    async fn claim_of(
        &self,
        resource: SharedName,
        known: Option<u64>,
        patience: Duration,
    ) -> Claimed {
        let claim = Claim {
            resource,
            answer: None,
            known,
            patience,
        };
        self.cache.claim(claim).await
    }

    async fn has_right(&self) -> Right {
        match self.claim(testkit::patience()).await {
            Claimed::Ours(right) => right,
            other => panic!("{other:?}"),
        }
    }

    fn keep(&self, right: Right, text: &'static str) {
        let put = Put {
            answer: None,
            bytes: Bytes::from_static(text.as_bytes()),
            lifetime: Duration::from_mins(1),
        };
        self.cache.keep(place().name(), None, right, vec![put]);
    }

    /// Until it is found.
    async fn finds(&self, text: &str) -> u64 {
        let end = std::time::Instant::now() + testkit::patience();
        loop {
            if let Claimed::Found(found) = self.claim(Duration::ZERO).await
                && found.bytes == text.as_bytes()
            {
                return found.token;
            }
            assert!(std::time::Instant::now() < end, "never found {text}");
            tokio::task::yield_now().await;
        }
    }
}

fn place() -> SharedPlace {
    SharedPlace {
        target: "api".to_owned(),
        scheme: "http".to_owned(),
        host: "shop.example".to_owned(),
        port: 80,
        path: "/hats".to_owned(),
    }
}

fn everything() -> Purge {
    Purge {
        extent: Extent::All,
        mode: PurgeMode::Hard,
    }
}

/// Until something holds.
async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let end = std::time::Instant::now() + testkit::patience();
    while !holds() {
        assert!(std::time::Instant::now() < end, "never: {what}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn one_fetches_and_all_who_wait_are_given_it() {
    let server = testkit::Redis::start();
    let (one, other) = (
        machine(&server.address()).await,
        machine(&server.address()).await,
    );
    let right = one.has_right().await;
    assert!(matches!(other.claim(Duration::ZERO).await, Claimed::Taken));
    let cache = other.cache.clone();
    let waiting = tokio::spawn(async move {
        let claim = Claim {
            resource: place().name(),
            answer: None,
            known: None,
            patience: testkit::patience(),
        };
        cache.claim(claim).await
    });
    tokio::task::yield_now().await;
    one.keep(right, "hats");
    match waiting.await.expect("no panic") {
        Claimed::Found(found) => {
            assert_eq!((&found.bytes[..], found.token), (&b"hats"[..], right.token));
            assert!(found.age < testkit::patience());
        }
        other => panic!("{other:?}"),
    }
    // who knows it and wants a younger one is given the right to fetch it
    let again = other
        .claim_of(place().name(), Some(right.token), Duration::ZERO)
        .await;
    assert!(matches!(again, Claimed::Ours(newer) if newer.token > right.token));
}

#[tokio::test]
async fn whoever_gives_up_makes_room_for_the_next() {
    let server = testkit::Redis::start();
    let (one, other) = (
        machine(&server.address()).await,
        machine(&server.address()).await,
    );
    let right = one.has_right().await;
    one.cache.release(place().name(), None, right, None);
    let next = other.has_right().await;
    assert!(next.token > right.token);
}

#[tokio::test]
async fn who_comes_late_overwrites_nothing_newer() {
    let server = testkit::Redis::start();
    let (one, other) = (
        machine(&server.address()).await,
        machine(&server.address()).await,
    );
    let late = one.has_right().await;
    // its time is over, as it is for a machine that stood still
    let resource = u128::from_be_bytes(place().name());
    let key = format!("mainstay:cache:shop:{{{resource:032x}}}:r");
    assert_eq!(server.tell(&["DEL", &key]).expect("told").trim(), ":1");
    let newer = other.has_right().await;
    // before the newer one has come, and after
    one.keep(late, "old hats");
    other.keep(newer, "new hats");
    assert_eq!(one.finds("new hats").await, newer.token);
    one.keep(late, "old hats");
    one.cache.release(place().name(), None, late, None);
    for _ in 0..20 {
        assert_eq!(other.finds("new hats").await, newer.token);
    }
}

#[tokio::test]
async fn what_was_changed_is_forgotten_on_all_machines() {
    let server = testkit::Redis::start();
    let (one, other) = (
        machine(&server.address()).await,
        machine(&server.address()).await,
    );
    let right = one.has_right().await;
    one.keep(right, "hats");
    other.finds("hats").await;
    let fetching = one.claim_of(place().name(), Some(right.token), testkit::patience());
    let Claimed::Ours(fetching) = fetching.await else {
        panic!("it is not there")
    };
    other.cache.forget(place());
    // what was being fetched meanwhile may be from before
    let end = std::time::Instant::now() + testkit::patience();
    loop {
        match other.claim(Duration::ZERO).await {
            Claimed::Away | Claimed::Taken => {}
            Claimed::Found(found) => panic!("{found:?}"),
            Claimed::Ours(_) => break,
        }
        one.keep(fetching, "hats from before");
        assert!(std::time::Instant::now() < end, "never forgotten");
        tokio::task::yield_now().await;
    }
    one.keep(fetching, "hats from before");
    assert!(!matches!(
        one.claim(Duration::ZERO).await,
        Claimed::Found(_)
    ));
}

#[tokio::test]
async fn purges_reach_all_machines_by_what_is_said_and_by_their_number() {
    let server = testkit::Redis::start();
    let (one, other) = (
        machine(&server.address()).await,
        machine(&server.address()).await,
    );
    assert!(one.cache.purge(everything()).await);
    eventually("the purge is known there", || {
        other.memory.purges_known() > 0
    })
    .await;
    // one that hears nothing: it learns the number with the next thing that it asks
    let key = "mainstay:cache:shop:purges";
    let text = serde_json::to_string(&everything()).expect("JSON");
    let number = other.memory.purges_known() + 1_000_000;
    for field in ["n", &number.to_string()] {
        let value = if field == "n" {
            number.to_string()
        } else {
            text.clone()
        };
        server.tell(&["HSET", key, field, &value]).expect("told");
    }
    let right = other.has_right().await;
    assert_eq!(
        (right.purges, other.memory.purges_known()),
        (number, number)
    );
    // who comes when older ones are known nowhere any more has to forget all
    let newest = (number + 1_000_000).to_string();
    server
        .tell(&["HSET", key, "b", &newest, "n", &newest])
        .expect("told");
    let _ = one.claim(Duration::ZERO).await;
    assert_eq!(one.memory.purges_known().to_string(), newest);
}

#[tokio::test]
async fn a_store_that_is_away_is_told_later_and_used_only_then() {
    let mut server = testkit::Redis::start();
    let machine = machine(&server.address()).await;
    let right = machine.has_right().await;
    machine.keep(right, "hats");
    machine.finds("hats").await;
    server.kill();
    // whoever asks first may find it out
    while !matches!(machine.claim(Duration::ZERO).await, Claimed::Away) {}
    machine.cache.forget(place());
    assert!(!machine.cache.purge(everything()).await);
    server.again();
    eventually("the purge is known", || machine.memory.purges_known() > 0).await;
    // nothing more is kept back
    eventually("it may be asked", || machine.cache.redis().is_there()).await;
    let end = std::time::Instant::now() + testkit::patience();
    while matches!(machine.claim(Duration::ZERO).await, Claimed::Away) {
        assert!(std::time::Instant::now() < end, "never used again");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_is_in_a_cluster_s_slots_is_found_there_too() {
    let server = testkit::Redis::start_cluster();
    server
        .tell(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"])
        .expect("told");
    let state = || server.tell(&["CLUSTER", "INFO"]).unwrap_or_default();
    eventually("a cluster that stands", || {
        state().contains("cluster_state:ok")
    })
    .await;
    let address = server.address().replace("redis://", "redis-cluster://");
    let (one, other) = (machine(&address).await, machine(&address).await);
    let right = one.has_right().await;
    one.keep(right, "hats");
    other.finds("hats").await;
    assert!(one.cache.purge(everything()).await);
    eventually("the purge is known there", || {
        other.memory.purges_known() > 0
    })
    .await;
}
