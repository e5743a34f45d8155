//! What `ps` shows of a running instance, and what it must not.

use mainstay_testkit::Mainstay;

use crate::support::gateway;

const SECRET: &str = "tell-nobody";

#[test]
fn processes_say_what_they_are_and_nothing_that_was_typed() {
    let mainstay = Mainstay::run_testapp([])
        .flags(["--name", "shop", "--config", "mainstay.toml"])
        .file("mainstay.toml", "")
        .env("DATABASE_URL", SECRET)
        .start();
    mainstay.get("/").expect(200);
    let control = mainstay.pid().cast_signed();
    assert_eq!(mainstay.words_of(control), ["mainstay", "control", "shop"]);
    let below: Vec<Vec<String>> = mainstay
        .descendants()
        .into_iter()
        .map(|pid| mainstay.words_of(pid))
        .collect();
    for inner in ["gateway", "guard"] {
        let title = ["mainstay", inner, "shop"];
        let count = below.iter().filter(|words| **words == title).count();
        assert_eq!(count, 1, "{title:?} in {below:?}");
    }
    assert_eq!(below.len(), 3, "a worker beside them: {below:?}");
}

#[test]
fn the_gateway_never_holds_the_environment_of_the_app() {
    let mainstay = Mainstay::run_testapp([])
        .env("DATABASE_URL", SECRET)
        .start();
    let pid = gateway(&mainstay, None);
    let environment = std::fs::read(format!("/proc/{pid}/environ"));
    // As root it runs as somebody else, and its environment is still ours to read.
    let environment = environment.expect("a process of ours");
    assert!(
        !String::from_utf8_lossy(&environment).contains(SECRET),
        "the gateway reads bytes from the internet and must have nothing to give away"
    );
}
