//! What several modules ask of an app's answer.

use std::collections::BTreeSet;

use mainstay_testkit::{Mainstay, Response, Running, eventually};
use serde_json::Value;

/// The answer as JSON.
#[track_caller]
pub(crate) fn json(response: &Response) -> Value {
    serde_json::from_slice(&response.body)
        .unwrap_or_else(|error| panic!("no JSON ({error}): {}", response.text()))
}

/// Asks until that many different processes have answered, each time well.
#[track_caller]
pub(crate) fn workers_answer(mainstay: &Running, app: &str, count: usize) {
    let mut pids = BTreeSet::new();
    eventually("answers of every worker", || {
        let answer = json(&mainstay.get("/").expect(200));
        assert_eq!(answer["app"], app);
        pids.insert(answer["pid"].as_i64());
        (pids.len() >= count).then_some(())
    });
    assert_eq!(
        pids.len(),
        count,
        "more workers answered than were asked for"
    );
}

/// Configuration of one trusted hop in front: the test's own connection.
pub(crate) const TRUSTING: &str = "trusted_proxies = [\"loopback\"]\n";

/// Expects what a load balancer in front says of the client to arrive under the app's own names.
#[track_caller]
pub(crate) fn sees_the_client(mainstay: &Running) {
    let fields = [
        ("Host", "shop.example"),
        ("X-Forwarded-For", "198.51.100.7"),
        ("X-Forwarded-Proto", "https"),
    ];
    let answer = json(&mainstay.get_with("/", fields).expect(200));
    assert_eq!(answer["ip"], "198.51.100.7", "{answer}");
    assert_eq!(answer["protocol"], "https", "{answer}");
    assert_eq!(answer["hostname"], "shop.example", "{answer}");
}

/// What `mainstay status --json` says of a program.
#[track_caller]
pub(crate) fn status(mainstay: &Running) -> Value {
    let ended = Mainstay::say(["status", "--json"])
        .beside(mainstay)
        .finish();
    let ended = ended.expect_code(0);
    serde_json::from_str(&ended.output)
        .unwrap_or_else(|error| panic!("no JSON ({error}): {}", ended.output))
}

/// Starts it, and waits until every worker is ready.
#[track_caller]
pub(crate) fn started(mainstay: Mainstay) -> Running {
    let mainstay = mainstay.start();
    eventually("every worker", || {
        let status = status(&mainstay);
        let targets = status["targets"].as_array().expect("a list");
        let all = targets
            .iter()
            .all(|target| target["ready"] == target["wanted"]);
        all.then_some(())
    });
    mainstay
}

/// The gateway's process id, once there is one other than `but`.
#[track_caller]
pub(crate) fn gateway(mainstay: &Running, but: Option<i32>) -> i32 {
    eventually("a gateway", || {
        let pid = status(mainstay)["gateway_pid"].as_i64();
        pid.and_then(|pid| i32::try_from(pid).ok())
            .filter(|pid| Some(*pid) != but)
    })
}
