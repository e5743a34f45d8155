//! A policy that is tried out: browsers report, the reports are collected, a policy is suggested, and it loads.

use mainstay_testkit::{Mainstay, Running, eventually};

/// An app that says which requests it saw.
const SERVER: &str = "require('http').createServer((request, response) => {\n\
    console.log('saw', request.method, request.url); response.end('hello');\n}).listen(3000);";

const CONFIG: &str = "[app.api]\ncommand = 'node server.js'\nworkers = 1\n\
                      [headers.csp]\nreport_only = true\nreport = true\nimg-src = [\"'self'\"]\n";

fn learning() -> Running {
    Mainstay::run("")
        .file("server.js", SERVER)
        .config(CONFIG)
        .start()
}

fn report(running: &Running, media_type: &str, body: &str) -> u16 {
    let length = body.len();
    let answer = running.request(format!(
        "POST /.mainstay/csp HTTP/1.1\r\nHost: shop.example\r\nContent-Type: {media_type}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    ));
    answer.status()
}

/// As browsers write it that know nothing newer.
fn old(directive: &str, blocked: &str) -> String {
    format!(
        r#"{{"csp-report":{{"document-uri":"https://shop.example/cart?token=secret","violated-directive":"{directive}","effective-directive":"{directive}","blocked-uri":"{blocked}","disposition":"report"}}}}"#
    )
}

/// As the others do.
fn new(directive: &str, blocked: &str) -> String {
    format!(
        r#"[{{"type":"csp-violation","age":1,"url":"https://shop.example/about","user_agent":"x","body":{{"documentURL":"https://shop.example/about?user=7","effectiveDirective":"{directive}","blockedURL":"{blocked}","disposition":"report"}}}}]"#
    )
}

fn told<const N: usize>(running: &Running, words: [&str; N]) -> String {
    let command = Mainstay::say(["csp"]).beside(running).flags(words);
    command.finish().expect_code(0).output
}

#[test]
fn a_policy_is_learned_from_what_browsers_report() {
    let running = learning();
    let answer = running.get("/").expect(200);
    let policy = answer
        .header("content-security-policy-report-only")
        .expect("a policy that is tried out");
    assert!(policy.ends_with(";report-uri /.mainstay/csp"), "{policy}");
    let _ = answer.header_absent("content-security-policy");

    let one = "application/csp-report";
    let several = "application/reports+json";
    for (media_type, body) in [
        (
            one,
            old("script-src-elem", "https://cdn.example/lib.js?v=1"),
        ),
        (
            several,
            new("script-src-elem", "https://cdn.example/other.js"),
        ),
        (several, new("script-src-elem", "inline")),
        (one, old("connect-src", "wss://live.example/socket")),
        (one, old("img-src", "chrome-extension://abc/x.png")),
    ] {
        assert_eq!(report(&running, media_type, &body), 204, "{body}");
    }
    let list = eventually("the reports", || {
        let list = told(&running, ["reports"]);
        list.contains("wss://live.example").then_some(list)
    });
    assert!(
        list.contains("script-src-elem  https://cdn.example  on /cart"),
        "{list}"
    );
    assert!(
        !list.contains("secret") && !list.contains("lib.js") && !list.contains("extension"),
        "{list}"
    );
    let suggested = told(&running, ["suggest"]);
    for line in [
        "[headers.csp]",
        "img-src = [\"'self'\"]",
        "connect-src = { add = [\"wss://live.example\"] }",
        "script-src = { add = [\"https://cdn.example\"] }",
        "# script-src would take 'unsafe-inline': 1 report on `/about`",
    ] {
        assert!(
            suggested.lines().any(|known| known == line),
            "{line} in\n{suggested}"
        );
    }
    running.output_lacks("saw POST");

    // what is suggested loads, and is what is sent then
    let config = format!("[app.api]\ncommand = 'node server.js'\nworkers = 1\n{suggested}");
    let next = Mainstay::run("").file("server.js", SERVER).config(&config);
    let answer = next.start().get("/").expect(200);
    let policy = answer.header("content-security-policy-report-only");
    assert!(policy.is_some_and(|policy| policy.contains("script-src 'self' https://cdn.example;")));
}

#[test]
fn what_is_no_report_is_refused_and_outlives_no_gateway() {
    let running = learning();
    let one = "application/csp-report";
    let large = "x".repeat(70 * 1024);
    for (media_type, body, status) in [
        (one, "no", 400),
        (one, "{}", 400),
        ("text/html", "{}", 415),
        (one, large.as_str(), 413),
    ] {
        assert_eq!(report(&running, media_type, body), status, "{media_type}");
    }
    // more than are looked at in a second: the others are not read, and nobody waits
    let body = old("img-src", "https://a.example/x");
    for _ in 0..10 {
        assert_eq!(report(&running, one, &body), 204);
    }
    eventually("the reports", || {
        told(&running, ["reports", "--json"])
            .contains("\"reports\":10")
            .then_some(())
    });
    running.kill_every("gateway");
    eventually("another gateway", || {
        (running
            .connect()
            .send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            .response()
            .status()
            == 200)
            .then_some(())
    });
    assert!(told(&running, ["reports", "--json"]).contains("\"reports\":10"));
    running.output_lacks("saw POST");
}

#[test]
fn a_flood_of_reports_is_dropped_unread_and_holds_nobody_up() {
    let running = learning();
    let mut flooding = running.connect();
    for batch in 0..50 {
        for number in 0..50 {
            let body = old("img-src", &format!("https://h{batch}-{number}.example/x"));
            let length = body.len();
            flooding.send(format!(
                "POST /.mainstay/csp HTTP/1.1\r\nHost: shop.example\r\n\
                 Content-Type: application/csp-report\r\nContent-Length: {length}\r\n\r\n{body}"
            ));
        }
        if batch % 10 == 0 {
            let _ = running.get("/").expect(200);
        }
        for _ in 0..50 {
            assert_eq!(flooding.response().status(), 204);
        }
    }
    let collected = eventually("what was dropped", || {
        let collected = told(&running, ["reports", "--json"]);
        let collected: serde_json::Value = serde_json::from_str(&collected).expect("JSON");
        (collected["dropped"].as_u64()? > 0).then_some(collected)
    });
    let kinds = collected["violations"].as_array().expect("a list").len();
    assert!((1..=2_000).contains(&kinds), "{kinds}");
    running.output_lacks("saw POST");
}
