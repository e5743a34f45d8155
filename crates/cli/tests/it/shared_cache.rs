//! Machines that share a cache in a real Redis: one fetches for all, all forget together, and nobody waits for a store that is away.

use std::time::Duration;

use mainstay_testkit::{Bare, Load, Mainstay, Redis, Running, eventually};

/// Counts what reaches it, and says so. `/slow` takes its time.
const ORIGIN: &str = "let count = 0;\n\
    require('http').createServer((q, r) => {\n\
      const path = q.url.split('?')[0];\n\
      if (path === '/count') { r.end(`${count}`); return; }\n\
      const number = ++count;\n\
      const answer = () => {\n\
        const fields = { 'Cache-Control': path === '/private' ? 'private' : 'max-age=600', 'Cache-Tag': 'all' };\n\
        if (path === '/language') fields.Vary = 'Accept-Language';\n\
        r.writeHead(200, fields);\n\
        r.end(`${number} ${q.headers['accept-language'] ?? ''}`.trim());\n\
      };\n\
      if (path === '/slow') setTimeout(answer, 500); else answer();\n\
    }).listen(process.env.PORT);";

struct World {
    origin: Bare,
    redis: Redis,
}

impl World {
    fn new() -> Self {
        let app = Mainstay::run("").file("origin.js", ORIGIN);
        Self {
            origin: app.bare("exec node origin.js"),
            redis: Redis::start(),
        }
    }

    /// Another machine of the same name, that has found the store.
    fn machine(&self) -> Running {
        self.machine_with("")
    }

    /// The same with further lines of settings.
    fn machine_with(&self, lines: &str) -> Running {
        let config = format!(
            "name = \"shop\"\nstore = \"{}\"\n[timeouts]\nstore = \"1s\"\n[upstream.origin]\nserver = \"{}\"\n[cache]\n{lines}",
            self.redis.address(),
            self.origin.address()
        );
        let machine = Mainstay::run("").config(&config).start();
        self.finds_the_store(&machine);
        machine
    }

    fn finds_the_store(&self, machine: &Running) {
        // what was fetched here, and nowhere else, is put in; it is taken out again after this machine has forgotten it
        let mut number = 0;
        let own = format!("/found/{}/", machine.address().port());
        eventually("the store is used", || {
            number += 1;
            get(machine, &format!("{own}{number}"));
            (self.entries_about(&own) > Some(0)).then_some(())
        });
        let _ = self.redis.tell(&["FLUSHALL"]);
    }

    /// How many entries are about URLs that begin so.
    fn entries_about(&self, path: &str) -> Option<usize> {
        let script = "local found = 0 for _, key in ipairs(redis.call('KEYS', 'mainstay:cache:shop:*:a')) do \
                      if string.find(redis.call('HGET', key, 'v'), ARGV[1], 1, true) then found = found + 1 end end return found";
        let url = format!("http://shop.example{path}");
        let found = self.redis.tell(&["EVAL", script, "0", &url]).ok()?;
        found.trim().strip_prefix(':')?.parse().ok()
    }

    fn count(&self) -> usize {
        let mut wire = self.origin.connect();
        wire.send("GET /count HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
        wire.response().text().parse().expect("a number")
    }
}

fn ask(machine: &Running, path: &str, fields: &str) -> (String, String) {
    let request =
        format!("GET {path} HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n{fields}\r\n");
    let response = machine.request(request).expect(200);
    let status = response
        .header("cache-status")
        .unwrap_or_default()
        .to_owned();
    (response.text(), status)
}

fn get(machine: &Running, path: &str) -> String {
    ask(machine, path, "").0
}

/// Until this machine is given it from the store.
fn gets_from_the_store(machine: &Running, path: &str) -> String {
    let (text, status) = ask(machine, path, "");
    assert!(
        status.contains("; hit; ") && status.ends_with("; detail=store"),
        "{status}"
    );
    text
}

/// Until so many entries about this path have been put in.
fn is_kept(world: &World, path: &str, entries: usize) {
    eventually("answers in the store", || {
        (world.entries_about(path) == Some(entries)).then_some(())
    });
}

/// Until this machine says this of the store.
fn says(machine: &Running, word: &str) {
    eventually("a word about it", || {
        let said = format!("for the cache, is {word}");
        machine.output().contains(&said).then_some(())
    });
}

#[test]
fn a_thousand_misses_on_two_machines_are_one_request() {
    let world = World::new();
    let machines = [world.machine(), world.machine()];
    let before = world.count();
    let request = "GET /slow HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n";
    let mut wires: Vec<_> = (0..1_000)
        .map(|number| machines[number % 2].connect())
        .collect();
    for wire in &mut wires {
        wire.send(request);
    }
    let first = wires.remove(0).response().expect(200).text();
    for mut wire in wires {
        assert_eq!(wire.response().expect(200).text(), first);
    }
    assert_eq!(world.count() - before, 1);
}

#[test]
fn what_one_machine_fetched_all_have() {
    let world = World::new();
    let (one, other) = (world.machine(), world.machine());
    let first = get(&one, "/page");
    is_kept(&world, "/page", 1);
    assert_eq!(gets_from_the_store(&other, "/page"), first);
    // from now on it is its own
    let (again, status) = ask(&other, "/page", "");
    assert_eq!(again, first);
    assert!(!status.contains("store"), "{status}");
    // what depends on the request is told apart
    let (german, _) = ask(&one, "/language", "Accept-Language: de\r\n");
    is_kept(&world, "/language", 2);
    let (found, status) = ask(&other, "/language", "Accept-Language: de\r\n");
    assert_eq!(found, german);
    assert!(status.contains("detail=store"), "{status}");
    let (french, _) = ask(&other, "/language", "Accept-Language: fr\r\n");
    assert!(french.ends_with(" fr"), "{french}");
    // what is not kept is asked for by each
    assert_ne!(get(&one, "/private"), get(&other, "/private"));
}

#[test]
fn all_machines_forget_together() {
    let world = World::new();
    let (one, other) = (world.machine(), world.machine());
    let first = get(&one, "/page");
    is_kept(&world, "/page", 1);
    assert_eq!(gets_from_the_store(&other, "/page"), first);
    // by a change
    let request = "POST /page HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let _ = one.request(request).expect(200);
    eventually("the change is known", || {
        (get(&other, "/page") != first).then_some(())
    });
    // by a purge
    let second = get(&other, "/page");
    is_kept(&world, "/page", 1);
    Mainstay::say(["cache", "purge", "--tag", "all"])
        .beside(&one)
        .finish()
        .expect_code(0)
        .says(["all that share the store know of it"]);
    eventually("the purge is known", || {
        (get(&other, "/page") != second).then_some(())
    });
    assert_ne!(get(&one, "/page"), second);
}

#[test]
fn garbage_in_the_store_is_never_served() {
    let world = World::new();
    let (one, other) = (world.machine(), world.machine());
    let first = get(&one, "/page");
    is_kept(&world, "/page", 1);
    let script = "for _, key in ipairs(redis.call('KEYS', 'mainstay:cache:shop:*:a')) do redis.call('HSET', key, 'v', ARGV[1]) end return 1";
    world
        .redis
        .tell(&["EVAL", script, "0", "MSC\u{1}\u{1}whatever"])
        .expect("told");
    assert_ne!(get(&other, "/page"), first);
    // and what is right takes its place
    let fetched = get(&other, "/page");
    let third = world.machine();
    eventually("the right one", || {
        (get(&third, "/page") != first).then_some(())
    });
    assert_eq!(get(&other, "/page"), fetched);
}

#[test]
fn a_store_that_is_away_stops_nothing() {
    let mut world = World::new();
    let machine = world.machine();
    let load = Load::new().gets(4).path("/page?load").remembering();
    let load = load
        .thinking(Duration::from_millis(1))
        .on(machine.address());
    load.wait_for_answers(200);
    world.redis.pause();
    load.wait_for_answers(200);
    // whoever misses is answered too, and finds out that nobody is there
    for number in 0..5 {
        get(&machine, &format!("/missed/{number}"));
    }
    says(&machine, "away");
    world.redis.kill();
    load.wait_for_answers(200);
    get(&machine, "/missed/alone");
    Mainstay::say(["cache", "purge", "/missed/alone"])
        .beside(&machine)
        .finish()
        .expect_code(3)
        .says(["the store is away: other machines hear of it when it is back"]);
    world.redis.again();
    says(&machine, "back");
    let other = world.machine();
    // what one keeps that asked in a moment in which the store could not be asked is its own, so each is asked for once
    let mut number = 0;
    eventually("it is shared again", || {
        number += 1;
        let path = format!("/after/{number}");
        (get(&machine, &path) == get(&other, &path)).then_some(())
    });
    load.stop().expect_no_failure();
}

#[test]
fn what_was_changed_without_the_store_is_not_lost_with_the_gateway() {
    let world = World::new();
    let (one, other) = (world.machine(), world.machine());
    let first = get(&one, "/page");
    is_kept(&world, "/page", 1);
    assert_eq!(gets_from_the_store(&other, "/page"), first);
    // the answer stays there while nobody can reach it
    world.redis.pause();
    get(&one, "/missed");
    says(&one, "away");
    let request = "POST /page HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let _ = one.request(request).expect(200);
    // whatever the gateway had to say before this it has said
    crate::watching::admin(&one, "/metrics");
    let gateway = crate::support::gateway(&one, None);
    kill(gateway);
    crate::support::gateway(&one, Some(gateway));
    world.redis.resume();
    eventually("the change is known", || {
        (get(&other, "/page") != first).then_some(())
    });
    assert_ne!(get(&one, "/page"), first);
    one.output_contains_eventually("all machines that share the cache forget what they keep");
}

fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).expect("a process");
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).expect("it runs");
}

#[test]
fn a_route_of_which_each_machine_keeps_its_own_leaves_the_store_alone() {
    let world = World::new();
    let own = "[route.own]\npath = \"/own\"\nto = \"origin\"\ncache = { share = \"machine\" }\n[route.rest]\nto = \"origin\"\n";
    let (one, other) = (world.machine_with(own), world.machine_with(own));
    let first = get(&one, "/own/page");
    assert_ne!(get(&other, "/own/page"), first);
    // each keeps it, for all of its threads
    for _ in 0..20 {
        assert_eq!(get(&one, "/own/page"), first);
    }
    // what is put in comes behind the answer, in its turn: of this route nothing did
    let shared = get(&one, "/shared");
    is_kept(&world, "/shared", 1);
    assert_eq!(gets_from_the_store(&other, "/shared"), shared);
    assert_eq!(world.entries_about("/own"), Some(0));
    // and what changes here is forgotten here alone
    let kept = get(&other, "/own/page");
    let request = "POST /own/page HTTP/1.1\r\nHost: shop.example\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let _ = one.request(request).expect(200);
    assert_ne!(get(&one, "/own/page"), first);
    assert_eq!(get(&other, "/own/page"), kept);
}
