//! Layers out of the way while the program runs, and back: by hand, or when their time is over.

use std::fs;

use mainstay_testkit::{Ended, Mainstay, Running, eventually};
use serde_json::Value;

use crate::support::{gateway, started, status};

const APP: &str = "require('http').createServer((q, r) => r.end('hello')).listen(3000);";
const DENY: &str = "[headers]\nx-frame-options = \"DENY\"\n";

fn say<const N: usize>(mainstay: &Running, words: [&str; N]) -> Ended {
    Mainstay::say(words).beside(mainstay).finish()
}

fn with(settings: &str) -> Running {
    started(
        Mainstay::run("server.js")
            .file("server.js", APP)
            .config(settings),
    )
}

/// The header that the layer sets; waits until it is this.
#[track_caller]
fn sends(mainstay: &Running, header: Option<&str>) {
    eventually("the header", || {
        let response = mainstay.get("/").expect(200);
        (response.header("x-frame-options") == header).then_some(())
    });
}

#[test]
fn a_disabled_layer_stays_so_through_reload_and_another_gateway_until_it_is_enabled() {
    let mainstay = with(DENY);
    sends(&mainstay, Some("DENY"));
    say(&mainstay, ["disable", "headers"])
        .expect_code(0)
        .says(["layer `headers` is disabled until `mainstay enable headers`"]);
    sends(&mainstay, None);
    mainstay.output_contains_eventually("layer `headers` is disabled until");
    say(&mainstay, ["status"]).says(["layer headers DISABLED · until `mainstay enable headers`"]);

    let file = mainstay.folder().join("mainstay.toml");
    fs::write(file, DENY.replace("DENY", "SAMEORIGIN")).expect("written");
    say(&mainstay, ["reload", "--settings"]).expect_code(0);
    sends(&mainstay, None);
    say(&mainstay, ["reload", "--gateway"]).expect_code(0);
    sends(&mainstay, None);
    let first = gateway(&mainstay, None);
    mainstay.kill(first);
    gateway(&mainstay, Some(first));
    sends(&mainstay, None);

    say(&mainstay, ["enable", "headers"])
        .expect_code(0)
        .says(["layer `headers` is as the settings say again"]);
    sends(&mainstay, Some("SAMEORIGIN"));
    assert_eq!(status(&mainstay)["disabled"], Value::Array(Vec::new()));
}

#[test]
fn it_ends_by_itself_and_says_how_long_it_will_last() {
    let mainstay = with(DENY);
    say(&mainstay, ["disable", "headers", "--for", "30m"])
        .expect_code(0)
        .says(["layer `headers` is disabled for 30m"]);
    let disabled = &status(&mainstay)["disabled"][0];
    assert_eq!(disabled["layer"], "headers");
    let left = disabled["left_ms"].as_u64().expect("a number");
    assert!((1..=1_800_000).contains(&left), "{disabled}");
    assert!(disabled["since_ms"].is_u64(), "{disabled}");

    say(&mainstay, ["disable", "headers", "--for=1s"]).expect_code(0);
    mainstay.output_contains_eventually(
        "layer `headers` is as the settings say again: its time is over",
    );
    sends(&mainstay, Some("DENY"));
    assert_eq!(status(&mainstay)["disabled"], Value::Array(Vec::new()));
}

#[test]
fn what_cannot_be_meant_is_told() {
    let mainstay = with("without = [\"health\"]\n");
    for (words, told) in [
        (&["disable", "header"][..], "did you mean `headers`?"),
        (
            &["disable", "framing"],
            "`framing` is not a layer: expected `health`, ",
        ),
        (&["enable", "everything"], "`everything` is not a layer"),
        (&["enable", "headers"], "layer `headers` is not disabled"),
        (
            &["enable", "health"],
            "the settings leave it out (mainstay.toml:1:11): change them",
        ),
        (
            &["disable", "headers", "--for", "soon"],
            "`--for` is not a duration",
        ),
        (
            &["disable", "headers", "--for", "40d"],
            "`--for 40d` is out of range: expected `1s` to `30d`",
        ),
    ] {
        let command = Mainstay::say([]).beside(&mainstay);
        let command = words
            .iter()
            .fold(command, |command, word| command.flags([word]));
        command.finish().expect_code(2).says([told]);
    }
    say(&mainstay, ["disable", "health"])
        .expect_code(0)
        .says(["the settings leave it out as well (mainstay.toml:1:11)"]);
    say(&mainstay, ["enable", "health"])
        .expect_code(0)
        .says(["no longer disabled, but left out by the settings (mainstay.toml:1:11)"]);
}
