//! The cache with real apps, over the wire.

use mainstay_testkit::{Mainstay, Running, Wire, eventually};

/// Counts what reaches it, and says so.
const SERVER: &str = "let count = 0;\n\
    require('http').createServer((q, r) => {\n\
      const url = new URL(q.url, 'http://a');\n\
      const say = (fields, text) => { r.writeHead(200, { 'Content-Type': 'text/plain', ...fields }); r.end(text ?? `${++count}`); };\n\
      if (url.pathname === '/count') return say({}, `${count}`);\n\
      if (url.pathname === '/slow') return void setTimeout(() => { r.writeHead(200, { 'Cache-Control': 'max-age=60' }); r.write('slow '); setTimeout(() => r.end(`${++count}`), 100); }, 200);\n\
      if (url.pathname === '/text') { count += 1; return say({ 'Cache-Control': 'max-age=60', ETag: '\"t\"' }, 'the same words. '.repeat(200)); }\n\
      if (url.pathname === '/dies') { if (count++ > 0) return say({ 'Cache-Control': 'max-age=60' }, 'whole'); r.writeHead(200, { 'Cache-Control': 'max-age=60', 'Content-Length': 100 }); r.write('half'); return void setTimeout(() => process.kill(process.pid, 'SIGKILL'), 300); }\n\
      if (url.pathname === '/swr') return say({ 'Cache-Control': 'max-age=0, stale-while-revalidate=600' });\n\
      if (url.pathname === '/mine') return say({ 'Set-Cookie': 'a=b', 'Cache-Control': 'public, max-age=60' });\n\
      if (url.pathname === '/lasting') return say({ 'Cache-Control': 'max-age=3600' });\n\
      say({ 'Cache-Control': 'max-age=60', 'Cache-Tag': 'all, page' });\n\
    }).listen(3000);";

const CONFIG: &str = "[app.api]\ncommand = 'node server.js'\n[cache]\n";

fn running(config: &str) -> Running {
    Mainstay::run("")
        .file("server.js", SERVER)
        .config(config)
        .start()
}

#[test]
fn a_page_is_asked_for_once() {
    let running = running(CONFIG);
    let first = running.get("/page").expect(200).body_is("1");
    assert_eq!(
        first.header("cache-status"),
        Some("mainstay; fwd=uri-miss; fwd-status=200; ttl=60; stored")
    );
    let second = running.get("/page").expect(200).body_is("1");
    let status = second.header("cache-status").expect("it says what it did");
    assert!(status.starts_with("mainstay; hit; ttl="), "{status}");
    assert!(second.header("age").is_some());
    // another query, another page; cookies and credentials pass by
    running.get("/page?a").expect(200).body_is("2");
    running.get_with("/page", [("Cookie", "a=b")]).body_is("3");
    running
        .get_with("/page", [("Authorization", "Basic eDp5")])
        .body_is("4");
    // a change is seen
    running.post("/page", [], "x").body_is("5");
    running.get("/page").body_is("6");
    // what sets a cookie is never kept
    running.get("/mine").body_is("7");
    running.get("/mine").body_is("8");
}

#[test]
fn parts_conditions_and_codings_come_from_what_is_kept() {
    let running = running(CONFIG);
    let whole = running.get("/text").expect(200);
    assert_eq!(whole.body().len(), 3_200);
    running
        .get_with("/text", [("Range", "bytes=4-7")])
        .expect(206)
        .body_is("same");
    running
        .get_with("/text", [("If-None-Match", "\"t\"")])
        .expect(304);
    let encoded = running
        .get_with("/text", [("Accept-Encoding", "gzip")])
        .expect(200);
    assert_eq!(encoded.header("content-encoding"), Some("gzip"));
    let again = running
        .get_with("/text", [("Accept-Encoding", "gzip")])
        .expect(200);
    assert_eq!(again.body(), encoded.body());
    running.get("/count").body_is("1");
}

#[test]
fn many_at_once_are_one_request() {
    let running = running(CONFIG);
    let request = "GET /slow HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n";
    let mut wires: Vec<_> = (0..100).map(|_| running.connect()).collect();
    for wire in &mut wires {
        wire.send(request);
    }
    for mut wire in wires {
        wire.response().expect(200).body_is("slow 1");
    }
    running.get("/count").body_is("1");
}

#[test]
fn a_stale_page_is_fetched_anew_behind_its_use() {
    let running = running(CONFIG);
    running.get("/swr").body_is("1");
    // used at once, whatever its age, and replaced by what was fetched meanwhile
    eventually("a newer page", || {
        let text = running.get("/swr").expect(200).text();
        (text != "1").then_some(())
    });
}

#[test]
fn what_happened_is_in_log_and_metrics() {
    let running = running(&format!("{CONFIG}[log]\naccess = true\n"));
    running.get("/page").expect(200).body_is("1");
    running.get("/page").expect(200).body_is("1");
    running.get_with("/page", [("Cookie", "a=b")]).body_is("2");
    let text = crate::watching::admin(&running, "/metrics");
    for line in [
        "mainstay_cache_requests_total{result=\"hit\"} 1",
        "mainstay_cache_requests_total{result=\"miss\"} 1",
        "mainstay_cache_unused_total{reason=\"cookie\"} 1",
        "cache_hit_rate 50.00",
        "mainstay_cache_resources 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} in {text}");
    }
    eventually("the access lines", || {
        let lines = running.output();
        [
            "\"cache\":\"hit\"",
            "\"cache\":\"miss\"",
            "\"cache\":\"bypass\"",
        ]
        .iter()
        .all(|word| lines.contains(word))
        .then_some(())
    });
}

/// What a command about the cache says.
fn say<const N: usize>(running: &Running, words: [&str; N]) -> String {
    let ended = words
        .iter()
        .fold(Mainstay::say(["cache"]), |start, word| start.flags([word]));
    let ended = ended.beside(running).finish().expect_code(0);
    ended.output
}

#[test]
fn what_is_kept_can_be_seen_and_purged() {
    let running = running(CONFIG);
    for path in ["/shop/hats", "/shop/shoes", "/news?page=2"] {
        running.get(path).expect(200);
    }
    let listed = say(&running, ["list"]);
    assert!(
        listed.contains("/shop/hats") && listed.contains("3 URLs, "),
        "{listed}"
    );
    let listed: serde_json::Value =
        serde_json::from_str(&say(&running, ["list", "--prefix", "/shop/", "--json"]))
            .expect("JSON");
    assert_eq!(listed["resources"], 2);
    assert_eq!(listed["listed"][0]["answers"][0]["tags"][0], "all");

    for (words, said) in [
        (&["purge", "/shop/hats"][..], "forgot 1 kept answer\n"),
        (&["purge", "/shop/hats"], "nothing of that was kept"),
        (
            &["purge", "--pattern", "/news*", "--soft"],
            "1 kept answer: the app is asked",
        ),
        (&["purge", "--tag", "all"], "forgot 2 kept answers\n"),
    ] {
        let ended = words
            .iter()
            .fold(Mainstay::say(["cache"]), |start, word| start.flags([word]));
        let ended = ended.beside(&running).finish().expect_code(0);
        assert!(ended.output.contains(said), "{words:?}: {}", ended.output);
    }
    running.get("/shop/hats").body_is("4");
    let stats = say(&running, ["stats"]);
    assert!(
        stats.contains("kept: 1 URLs") && stats.contains("miss 4"),
        "{stats}"
    );
    assert!(say(&running, ["purge", "--all"]).contains("forgot 1 kept answer\n"));
    assert_eq!(say(&running, ["list"]), "nothing of that is kept\n");
    Mainstay::say(["cache", "purge"])
        .beside(&running)
        .finish()
        .expect_code(2)
        .says(["nothing to purge is named"]);
    Mainstay::say(["cache", "purge", "shop"])
        .beside(&running)
        .finish()
        .expect_code(2)
        .says(["nothing that is kept can be meant by `shop`"]);
}

#[test]
fn every_gateway_hears_of_a_purge() {
    let running = running(CONFIG);
    // one that waits for its last answer is still there, and would answer with what it keeps
    let mut held = running.connect();
    held.send("GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
    held.response().expect(200).body_is("1");
    let before = crate::support::gateway(&running, None);
    Mainstay::say(["reload", "--gateway"])
        .beside(&running)
        .finish()
        .expect_code(0);
    crate::support::gateway(&running, Some(before));
    assert!(say(&running, ["purge", "/page"]).contains("forgot 1 kept answer\n"));
    held.send("GET /page HTTP/1.1\r\nHost: a\r\n\r\n");
    held.response().expect(200).body_is("2");
}

#[test]
fn the_cache_says_why() {
    let running = running(CONFIG);
    let why = |words: &[&str]| {
        let start = Mainstay::say(["cache", "explain"]);
        let start = words.iter().fold(start, |start, word| start.flags([word]));
        start.beside(&running).finish().expect_code(0).output
    };
    let first = why(&["/page"]);
    assert!(
        first.contains("nothing was kept of this URL; its answer is kept, and fresh for ")
            && first.contains("kept of http://localhost")
            && first.contains("tags all, page"),
        "{first}"
    );
    assert!(why(&["/page"]).contains("a hit: it was kept here"));
    assert!(why(&["/mine"]).contains("its answer is not kept: it sets a cookie"));
    let cookie = why(&["/page", "-H", "Cookie: a=b"]);
    assert!(
        cookie.contains("the request carries cookies; `ignore_cookies`"),
        "{cookie}"
    );
    let sent = Mainstay::say(["explain", "/page", "--send"]);
    let sent = sent.beside(&running).finish().expect_code(0).output;
    assert!(sent.contains("cache: a hit: it was kept here"), "{sent}");
}

#[test]
fn a_worker_killed_in_the_middle_of_an_answer_gives_half_of_it_to_nobody_as_a_whole() {
    let running = running(CONFIG);
    let request = "GET /dies HTTP/1.1\r\nHost: api.example\r\nConnection: close\r\n\r\n";
    let mut wires: Vec<_> = (0..50).map(|_| running.connect()).collect();
    for wire in &mut wires {
        wire.send(request);
    }
    for mut wire in wires {
        let bytes = wire.read_to_end();
        let text = String::from_utf8_lossy(&bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        // what was begun is visibly cut off; what was not is one error, or an answer
        let is_cut = head.contains("content-length: 100") && body == "half";
        let is_error = head.starts_with("HTTP/1.1 502") || head.starts_with("HTTP/1.1 503");
        assert!(is_cut || is_error, "{text}");
    }
    // the next worker counts from the beginning, and dies as well; then nothing of either is kept
    running.get("/count").expect(200).body_is("0");
}

#[test]
fn what_is_changed_at_one_gateway_is_forgotten_by_the_other() {
    let running = running(CONFIG);
    let ask = |method: &str| {
        format!("{method} /lasting HTTP/1.1\r\nHost: api.example\r\nContent-Length: 0\r\n\r\n")
    };
    let text = |wire: &mut Wire, method: &str| {
        wire.send(ask(method));
        wire.response().expect(200).text()
    };
    // each waits for its last answer at the gateway that goes
    let mut held: Vec<Wire> = (0..40).map(|_| running.connect()).collect();
    for wire in &mut held {
        assert_eq!(text(wire, "GET"), "1");
    }
    let before = crate::support::gateway(&running, None);
    Mainstay::say(["reload", "--gateway"])
        .beside(&running)
        .finish()
        .expect_code(0);
    crate::support::gateway(&running, Some(before));
    // the one that comes keeps answers of its own
    let mut new = running.connect();
    assert_eq!(text(&mut new, "GET"), "2");
    assert_eq!(text(&mut held.pop().expect("one more"), "POST"), "3");
    eventually("the one that came knows", || {
        (text(&mut new, "GET") != "2").then_some(())
    });
    // and the other way round: what the one that goes has fetched meanwhile
    let old = text(&mut held.pop().expect("one more"), "GET");
    text(&mut new, "POST");
    eventually("the one that goes knows", || {
        (text(&mut held.pop().expect("one more"), "GET") != old).then_some(())
    });
}
