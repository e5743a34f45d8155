//! Limits on rates: shared by all that serve, kept when gateways come and go, not to be evaded.

use std::fs;
use std::thread;

use mainstay_testkit::{Mainstay, Redis, Running, eventually};

use crate::support::{gateway, started};

const APP: &str = "require('http').createServer((q, r) => r.end('hello')).listen(3000);";

fn with(settings: &str) -> Running {
    started(
        Mainstay::run("server.js")
            .file("server.js", APP)
            .config(settings),
    )
}

/// Asks so often, from eight connections at once; how many answers were well. The others must be 429.
#[track_caller]
fn passed(mainstay: &Running, requests: usize) -> usize {
    let ask = || {
        let statuses = (0..requests / 8).map(|_| mainstay.get("/").status());
        let refused = |status: &u16| *status == 429 || panic!("status {status}");
        statuses
            .filter(|status| *status == 200 || !refused(status))
            .count()
    };
    thread::scope(|scope| {
        let asking: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
        asking
            .into_iter()
            .map(|thread| thread.join().expect("answers"))
            .sum()
    })
}

#[test]
fn workers_and_threads_share_one_limit_that_outlives_gateways_and_settings() {
    // windows so long that none ends meanwhile
    let settings = "[listen]\nthreads = 2\n\n[app.web]\ncommand = \"node server.js\"\nworkers = 4\n\n\
                    [rate_limit.all]\nrate = \"100/20d\"\n";
    let mainstay = started(Mainstay::run("").file("server.js", APP).config(settings));
    assert_eq!(passed(&mainstay, 40), 40);
    let first = gateway(&mainstay, None);
    Mainstay::say(["reload", "--gateway"])
        .beside(&mainstay)
        .finish()
        .expect_code(0);
    let second = gateway(&mainstay, Some(first));
    assert_eq!(passed(&mainstay, 24), 24);
    mainstay.kill(second);
    gateway(&mainstay, Some(second));
    assert_eq!(passed(&mainstay, 80), 100 - 40 - 24);

    // more is allowed, and what was counted stays
    let more = settings.replace("100/20d", "110/20d") + "\n[rate_limit.other]\nrate = \"9/20d\"\n";
    fs::write(mainstay.folder().join("mainstay.toml"), more).expect("written");
    Mainstay::say(["reload", "--settings"])
        .beside(&mainstay)
        .finish()
        .expect_code(0);
    assert_eq!(passed(&mainstay, 40), 9);
}

#[test]
fn a_bucket_lets_its_burst_pass_at_once_as_nginx_does() {
    // so slowly that nothing comes back meanwhile: one, and the burst
    let mainstay = with("[rate_limit.one]\nrate = \"10/20d\"\nburst = 20\n");
    assert_eq!(passed(&mainstay, 64), 21);
}

#[test]
fn no_header_moves_a_clients_budget() {
    let mainstay = with("[rate_limit.all]\nrate = \"3/20d\"\n");
    for _ in 0..3 {
        let _ = mainstay.get("/").expect(200);
    }
    for name in [
        "X-Forwarded-For",
        "x-forwarded-for",
        "X-Forwarded_For",
        "Forwarded",
        "X-Real-IP",
        "X-Client-IP",
        "X-Cluster-Client-IP",
        "CF-Connecting-IP",
        "CF-Connecting-IPv6",
        "True-Client-IP",
        "Fastly-Client-IP",
        "X-Original-Forwarded-For",
        "X-Originating-IP",
        "X-Remote-IP",
        "X-Remote-Addr",
        "X-Forwarded",
        "X-Forwarded-Host",
        "X-Forwarded-By",
        "X-Azure-ClientIP",
        "Via",
        "Client-IP",
        "Host",
    ] {
        let value = if name == "Forwarded" {
            "for=198.51.100.7"
        } else {
            "198.51.100.7"
        };
        let refused = mainstay.get_with("/", [(name, value)]).expect(429);
        assert!(refused.header("retry-after").is_some(), "{name}");
    }
    mainstay.output_contains_eventually("share ONE budget of every rate limit");
}

#[test]
fn a_check_says_who_would_share_a_budget() {
    let settings = "listen = \"127.0.0.1:8080\"\n[app.web]\ncommand = \"node server.js\"\n[rate_limit.all]\nrate = \"3/m\"\n";
    let check = |settings: &str| {
        let check = Mainstay::say(["check"]).file("server.js", APP);
        check.config(settings).finish()
    };
    let words = "all clients look like the proxy in front and share one budget of `all`";
    let _ = check(settings).says([words]);
    let trusting = format!("trusted_proxies = [\"loopback\"]\n{settings}");
    let told = check(&trusting).output;
    assert!(!told.contains(words), "{told}");
}

#[test]
fn what_is_refused_says_so() {
    let mainstay = with(
        "[rate_limit.login]\nmatch = \"/login\"\nrate = \"1/20d\"\nban_after = 2\nban_for = \"1h\"\n",
    );
    let first = mainstay.get("/login").expect(200);
    let told = first.header("ratelimit").expect("a budget");
    assert!(told.starts_with("\"login\"; r=0; t="), "{told}");
    for _ in 0..2 {
        let refused = mainstay.get("/LOGIN").expect(429);
        assert!(
            refused.text().contains("Too many requests"),
            "{}",
            refused.text()
        );
    }
    // of the hour some seconds may have gone, where the machine is busy
    let banned = mainstay.get("/login").expect(429);
    let seconds = banned
        .header("retry-after")
        .and_then(|text| text.parse().ok());
    assert!(
        seconds.is_some_and(|seconds: u64| (3_000..=3_600).contains(&seconds)),
        "{}",
        banned.head
    );
    assert!(mainstay.get("/").expect(200).header("ratelimit").is_none());
    let states = Mainstay::say(["limits", "--json"])
        .beside(&mainstay)
        .finish()
        .expect_code(0);
    let states: serde_json::Value = serde_json::from_str(&states.output).expect("JSON");
    assert_eq!(
        (&states[0]["name"], &states[0]["banned"]),
        (&"login".into(), &1.into()),
        "{states}"
    );
    let unban = |key: &str| {
        Mainstay::say(["unban", key])
            .beside(&mainstay)
            .finish()
            .expect_code(0)
    };
    unban("192.0.2.1").says(["no limit remembers `192.0.2.1`"]);
    unban("127.0.0.1").says(["`127.0.0.1` is forgiven what it had used of login"]);
    mainstay.get("/login").expect(200);
    Mainstay::say(["limits"])
        .beside(&mainstay)
        .finish()
        .says(["login  1/20d  ip"]);
    Mainstay::say(["unban", "192.0.2.1", "--policy", "logni"])
        .beside(&mainstay)
        .finish()
        .expect_code(2)
        .says(["did you mean `login`?"]);
    mainstay.output_contains_eventually("\"reason\":\"rate_limited\"");
    mainstay.output_contains_eventually("\"reason\":\"rate_banned\"");
}

/// An instance of its own, as on a machine of its own, with this store.
fn with_store(store: &str, policy: &str) -> Running {
    // what is tested is who counts, not how fast a busy machine is
    let patience = "[timeouts]\nstore = \"5s\"\n\n";
    let settings = format!("store = \"{store}\"\n\n{patience}[rate_limit.all]\n{policy}\n");
    with(&settings)
}

#[test]
fn machines_with_one_store_share_a_limit_and_each_counts_alone_while_it_is_away() {
    let mut redis = Redis::start();
    let policy = "rate = \"20/20d\"\nshare = \"exact\"";
    let machines = [
        with_store(&redis.address(), policy),
        with_store(&redis.address(), policy),
    ];
    // a gateway may serve before it has found the store: then it counts alone
    for machine in &machines {
        eventually("the store to be asked", || {
            let _ = machine.get("/");
            let keys = redis.tell(&["DBSIZE"]).ok()?;
            (keys.trim_start_matches(':') != "0").then_some(())
        });
    }
    redis.tell(&["FLUSHALL"]).expect("told");
    let sum: usize = machines.iter().map(|machine| passed(machine, 16)).sum();
    assert_eq!(sum, 20);

    redis.kill();
    for machine in &machines {
        // what this machine has counted so far holds, and nobody gets an error
        passed(machine, 16);
        machine.output_contains_eventually("is away");
    }
    redis.again();
    for machine in &machines {
        machine.output_contains_eventually("is back");
    }
    let sum: usize = machines.iter().map(|machine| passed(machine, 16)).sum();
    assert_eq!(sum, 20);
}

#[test]
fn machines_that_lease_pass_at_most_a_block_each_beyond_the_limit() {
    let redis = Redis::start();
    let machines = [
        with_store(&redis.address(), "rate = \"1000/20d\""),
        with_store(&redis.address(), "rate = \"1000/20d\""),
    ];
    for machine in &machines {
        eventually("the store to be asked", || {
            let _ = machine.get("/");
            let keys = redis.tell(&["DBSIZE"]).ok()?;
            (keys.trim_start_matches(':') != "0").then_some(())
        });
    }
    // a block is a twentieth; one may be left of each machine from before
    redis.tell(&["FLUSHALL"]).expect("told");
    let sum: usize = thread::scope(|scope| {
        let asking = machines
            .each_ref()
            .map(|machine| scope.spawn(|| passed(machine, 800)));
        asking
            .into_iter()
            .map(|asking| asking.join().expect("answers"))
            .sum()
    });
    assert!((900..=1_000 + 2 * 50).contains(&sum), "{sum} passed");
}

#[test]
fn a_store_that_stalls_or_refuses_fails_no_request_that_is_open_and_passes_none_that_is_closed() {
    let redis = Redis::start();
    let open = with_store(
        &redis.address(),
        "rate = \"1/20d\"\nwithout_store = \"open\"",
    );
    let closed = with_store(
        &redis.address(),
        "rate = \"1000/20d\"\nshare = \"exact\"\nwithout_store = \"closed\"",
    );
    eventually("the store to be found", || {
        (closed.get("/").status() == 200).then_some(())
    });
    eventually("the store to be found", || {
        (open.get("/").status() == 429).then_some(())
    });
    redis.pause();
    for _ in 0..20 {
        let _ = open.get("/").expect(200);
        let _ = closed.get("/").expect(503);
    }
    redis.resume();
    eventually("the store to be back", || {
        (closed.get("/").status() == 200).then_some(())
    });
    eventually("the store to be back", || {
        (open.get("/").status() == 429).then_some(())
    });
}

#[test]
fn the_stores_password_is_shown_nowhere() {
    let redis = Redis::start_with(&["--requirepass", "s3cret"]);
    let address = redis.address().replace("redis://", "redis://:s3cret@");
    let mainstay = with_store(&address, "rate = \"1000/20d\"");
    let _ = mainstay.get("/").expect(200);
    for words in [
        ["check", "--explain"],
        ["status", "--json"],
        ["limits", "--json"],
    ] {
        let said = Mainstay::say(words).beside(&mainstay).finish();
        assert!(!said.output.contains("s3cret"), "{words:?}");
    }
    assert!(!mainstay.output().contains("s3cret"));
}
