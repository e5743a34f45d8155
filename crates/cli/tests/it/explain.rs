//! `mainstay explain`: what happens to a request, from the settings and from a running instance.

use mainstay_testkit::{Mainstay, Origin, Running};
use serde_json::Value;

const SHOP: &str = "\
[upstream.shop]
server = \"127.0.0.1:9\"
[upstream.api]
server = \"127.0.0.1:9\"
[route.rest]
to = \"shop\"
[route.api]
path = \"/api\"
to = \"api\"
[headers]
x-frame-options = \"DENY\"
";

#[track_caller]
fn explain<const N: usize>(settings: &str, words: [&str; N]) -> String {
    let ended = Mainstay::say(["explain"])
        .file("mainstay.toml", settings)
        .flags(words)
        .finish();
    ended.expect_code(0).output
}

#[track_caller]
fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "expected to read `{part}` in\n{text}");
    }
}

#[test]
fn the_steps_stand_in_order_each_with_its_settings_and_their_lines() {
    let text = explain(SHOP, ["GET", "http://shop.example/api/carts?x=1"]);
    has(
        &text,
        &[
            "route `api` (mainstay.toml:7:8) leads to upstream `api`",
            "route.api.path = \"/api\"  # mainstay.toml:8:8",
            "headers.x-frame-options = \"DENY\"  # mainstay.toml:11:19",
            "limits.head = \"32kb\"  # preset",
        ],
    );
    assert!(!text.contains("route.rest"), "{text}");
    let place = |step: &str| text.find(&format!("{step}  ")).expect(step);
    assert!(place("identify") < place("route") && place("route") < place("headers"));
}

#[test]
fn what_no_app_sees_is_said() {
    let text = explain(SHOP, ["/.mainstay/ready"]);
    has(
        &text,
        &[
            "answered by Mainstay itself",
            "status 200",
            "route  not reached",
        ],
    );
    let hosts = SHOP.replace("path = ", "host = \"api.example\"\npath = ");
    let hosts = hosts.replace("[route.rest]\n", "[route.rest]\nhost = \"shop.example\"\n");
    let text = explain(&hosts, ["GET", "http://other.example/"]);
    has(
        &text,
        &["refused: wrong_host", "status 421", "origin  not reached"],
    );
    let long = format!("/{}", "x".repeat(10_000));
    has(&explain(SHOP, [&long]), &["status 414"]);
}

/// What it says as JSON.
#[track_caller]
fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("no JSON ({error}): {text}"))
}

#[test]
fn programs_are_told_the_same() {
    let told = parsed(&explain(
        SHOP,
        ["--json", "GET", "http://shop.example/api/carts"],
    ));
    assert_eq!(told["method"], "GET");
    assert_eq!(told["url"], "http://shop.example/api/carts");
    assert_eq!(told["route"]["name"], "api");
    assert_eq!(told["route"]["origin"], "mainstay.toml:7:8");
    assert_eq!(told["target"]["kind"], "upstream");
    assert_eq!(told["target"]["count"], 1);
    assert_eq!(
        (&told["status"], &told["refusal"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(told["sets"]["x-frame-options"], "DENY");
    let steps = told["steps"].as_array().expect("a list");
    let step = |name: &str| {
        let found = steps.iter().find(|step| step["step"] == name);
        found.unwrap_or_else(|| panic!("no step `{name}`"))
    };
    assert_eq!(steps[0]["step"], "identify");
    assert_eq!(step("route")["reached"], true);
    let settings = step("route")["settings"].as_array().expect("a list");
    let path = settings
        .iter()
        .find(|line| line["path"] == "route.api.path");
    let path = path.expect("the path of the route");
    assert_eq!(
        (&path["value"], &path["hidden"]),
        (&"\"/api\"".into(), &false.into())
    );
    assert_eq!(path["origin"], "mainstay.toml:8:8");

    let refused = parsed(&explain(
        SHOP,
        ["--json", &format!("/{}", "x".repeat(10_000))],
    ));
    assert_eq!(refused["status"], 414);
    assert!(refused["refusal"].is_string(), "{refused}");
    assert_eq!(refused["target"], Value::Null);
}

const LIMITED: &str = "\
[upstream.shop]
server = \"127.0.0.1:9\"
[rate_limit.client]
rate = \"1000/15m\"
[rate_limit.login]
match = \"POST /login\"
rate = \"5/15m\"
[rate_limit.tenant]
match = \"/API\"
rate = \"100/h\"
key = [\"claim:tenant\", \"route\"]
dry_run = true
[rate_limit.user]
match = \"/api\"
rate = \"9/s\"
key = \"user\"
[auth.users]
anna = \"$2y$04$CpBLmLQCpNG0OxvJ3nYzLOwkm9F7e2aSOk3i6DR1PRnN8WBRHrBJS\"
";

#[test]
fn the_rate_limits_that_count_it_are_listed_even_those_it_does_not_come_to() {
    let text = explain(LIMITED, ["GET", "http://shop.example/%61pi/carts"]);
    has(
        &text,
        &[
            "refused: no_credentials",
            "rate_limit.client.rate = \"1000/15m\"",
            "limit_identity  not reached; it would be counted by `tenant` (100/h by claim:tenant+route), `user` (9/s by user)",
        ],
    );
    assert!(!text.contains("rate_limit.login"), "{text}");
    let open = LIMITED.replace("[auth.users]\n", "[route.all]\nto = \"shop\"\n[route.in]\npath = \"/in\"\nto = \"shop\"\n[route.in.auth.users]\n");
    let text = explain(&open, ["GET", "http://shop.example/api"]);
    has(
        &text,
        &[
            "rate_limit.user.key = [\"user\"]",
            "rate_limit.tenant.dry_run = true",
        ],
    );

    let told = parsed(&explain(
        LIMITED,
        ["--json", "POST", "http://shop.example/login"],
    ));
    let limits = |told: &Value| {
        let limits = told["rate_limits"].as_array().expect("a list").clone();
        limits
            .iter()
            .map(|limit| format!("{} {} {}", limit["name"], limit["step"], limit["reached"]))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        limits(&told),
        [
            "\"client\" \"limit_rate\" true",
            "\"login\" \"limit_rate\" true"
        ]
    );
    assert_eq!(told["rate_limits"][1]["origin"], "mainstay.toml:5:13");
    // a probe is counted by none
    let told = parsed(&explain(LIMITED, ["--json", "/.mainstay/live"]));
    assert!(limits(&told).is_empty(), "{told}");
}

#[test]
fn a_request_that_is_none_is_refused_with_an_example() {
    for words in [&["GET", "shop"][..], &["G T", "/"], &[]] {
        let start = Mainstay::say(["explain"]);
        let start = words.iter().fold(start, |start, word| start.flags([word]));
        start.finish().expect_code(2).says(["write"]);
    }
}

const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nx-powered-by: Express\r\n\
                      connection: keep-alive\r\nkeep-alive: timeout=5\r\n\
                      referrer-policy: no-referrer\r\ncontent-length: 2\r\n\r\nhi";

/// An instance in front of an origin with headers of its own.
fn running(origin: &Origin) -> Running {
    let settings = format!(
        "[upstream.shop]\nserver = \"{}\"\n[headers]\nx-frame-options = \"DENY\"\n",
        origin.address()
    );
    Mainstay::run("").config(&settings).start()
}

#[test]
fn each_header_of_a_real_answer_has_its_author() {
    let origin = Origin::answers(ANSWER).start();
    let mainstay = running(&origin);
    let ended = Mainstay::say(["explain", "--send", "/x"])
        .beside(&mainstay)
        .finish()
        .expect_code(0);
    for (header, author) in [
        ("content-type: text/plain", "app (shop/"),
        ("referrer-policy: no-referrer", "app (shop/"),
        ("x-frame-options: DENY", "headers (mainstay.toml:4:19)"),
        ("x-content-type-options: nosniff", "headers (preset)"),
        ("x-request-id: ", "identify"),
    ] {
        let line = ended
            .output
            .lines()
            .find(|line| line.trim().starts_with(header));
        let line = line.unwrap_or_else(|| panic!("no `{header}` in\n{}", ended.output));
        assert!(line.contains(author), "{line}");
    }
    has(
        &ended.output,
        &[
            "200 OK",
            "x-powered-by of the app was taken out by headers",
            "identify → health → route",
        ],
    );
    let told = Mainstay::say(["explain", "--send", "--json", "/x"])
        .beside(&mainstay)
        .finish()
        .expect_code(0);
    let told = parsed(&told.output);
    assert_eq!(told["status"], 200);
    for (header, by, place) in [
        ("content-type", "app", Value::Null),
        ("x-frame-options", "headers", "mainstay.toml:4:19".into()),
        ("x-request-id", "identify", Value::Null),
        ("date", "connection", Value::Null),
    ] {
        let headers = told["headers"].as_array().expect("a list");
        let found = headers.iter().find(|field| field["name"] == header);
        let found = found.unwrap_or_else(|| panic!("no `{header}` in {told}"));
        assert_eq!(
            (&found["by"], &found["place"]),
            (&by.into(), &place),
            "{header}"
        );
    }
    let removed = told["removed"].as_array().expect("a list");
    let removed: Vec<_> = removed.iter().map(|field| &field["name"]).collect();
    assert_eq!(
        removed,
        ["x-powered-by"],
        "what ended with the app's connection is nobody's doing"
    );
    assert_eq!(told["route"], "default");
    let asked = origin.received();
    let head = asked[0].head.to_lowercase();
    assert!(
        !head.contains("mainstay-debug"),
        "the token reached the app: {head}"
    );
}

#[test]
fn the_token_opens_the_account_and_nothing_else_does() {
    let origin = Origin::answers(ANSWER).start();
    let mainstay = running(&origin);
    let ended = Mainstay::say(["explain", "--token"])
        .beside(&mainstay)
        .finish()
        .expect_code(0);
    let token = ended.output.trim();
    let told = |token: &str| {
        let response = mainstay
            .get_with("/", [("Mainstay-Debug", token)])
            .expect(200);
        let told = response.header("mainstay-debug").map(str::to_owned);
        told.map(|told| serde_json::from_str::<Value>(&told).expect("JSON"))
    };
    let account = told(token).expect("an account");
    assert_eq!(account["set"]["x-frame-options"], "headers");
    assert_eq!(told(&token.replace(char::is_numeric, "a")), None);
    assert_eq!(told(""), None);
    mainstay.output_lacks(token);
}

#[test]
fn the_token_and_the_lines_outlive_a_reload_and_a_gateway() {
    let origin = Origin::answers(ANSWER).start();
    let mainstay = running(&origin);
    let path = mainstay.folder().join("mainstay.toml");
    let settings = std::fs::read_to_string(&path).expect("the file");
    std::fs::write(&path, format!("# a line more\n{settings}")).expect("the folder is ours");
    for what in ["--settings", "--gateway"] {
        Mainstay::say(["reload", what])
            .beside(&mainstay)
            .finish()
            .expect_code(0);
    }
    Mainstay::say(["explain", "--send", "/"])
        .beside(&mainstay)
        .finish()
        .expect_code(0)
        .says(["headers (mainstay.toml:5:19)"]);
}

#[test]
fn a_difference_is_told_before_it_is_brought_in_and_changes_nothing() {
    let origin = Origin::answers(ANSWER).start();
    let mainstay = running(&origin);
    let diff = || Mainstay::say(["diff"]).beside(&mainstay).finish();
    let told = || {
        let diff = Mainstay::say(["diff", "--json"]).beside(&mainstay);
        parsed(&diff.finish().expect_code(0).output)
    };
    diff().expect_code(0).says(["nothing has changed"]);
    assert_eq!(told()["changed"], false);
    let path = mainstay.folder().join("mainstay.toml");
    let settings = std::fs::read_to_string(&path).expect("the file");
    let write = |text: &str| std::fs::write(&path, text).expect("the folder is ours");

    write(&settings.replace("DENY", "SAMEORIGIN"));
    diff().expect_code(0).says([
        "~ headers.x-frame-options: \"DENY\" → \"SAMEORIGIN\"  # mainstay.toml:4:19",
        "the running gateway takes the settings over; connections stay",
    ]);
    let same = told();
    let setting = serde_json::json!({
        "path": "headers.x-frame-options", "change": "changed", "hidden": false,
        "before": "\"DENY\"", "after": "\"SAMEORIGIN\"", "origin": "mainstay.toml:4:19",
    });
    assert_eq!(same["settings"], serde_json::json!([setting]));
    assert_eq!(
        (&same["changed"], &same["gateway"]),
        (&true.into(), &"told".into())
    );
    assert_eq!(same["apps"], serde_json::json!([]));
    let response = mainstay.get("/").expect(200);
    assert_eq!(response.header("x-frame-options"), Some("DENY"));

    write(&format!("{settings}[listen]\nthreads = 200\n"));
    diff().expect_code(0).says([
        "~ listen.threads: ",
        "the gateway is replaced, since it gets other threads",
    ]);
    assert_eq!(told()["gateway"], "resized");
    write("worker = 1\n");
    diff().expect_code(2).says(["`worker` is not a setting"]);
    write(&format!("user = \"www-data\"\n{settings}"));
    diff().expect_code(2).says(["`user` takes another start"]);
}
