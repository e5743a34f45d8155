//! Canary after canary under load: sound releases come in, broken ones of every kind do not, and no client notices.

use std::time::Duration;
use std::{fs, iter};

use mainstay_testkit::{Form, Load, Mainstay, Running};

use crate::support::{json, started, status};

/// What the file beside it says decides how it is broken.
const APP: &str = "
const [version, fault] = require('fs').readFileSync(__dirname + '/version', 'utf8').trim().split(' ');
if (fault === 'throws') throw new Error('no such table: users');
if (fault === 'lacks') require('a-package-that-is-not-there');
const server = require('http').createServer((request, response) => {
  request.resume();
  const answer = () => response.end(JSON.stringify({ version }));
  request.on('end', () => fault === 'slow' ? setTimeout(answer, 400) : answer());
});
if (fault === 'silent') setInterval(() => {}, 1000);
else server.listen(3000);
";

/// How a release may be broken without a wrong answer, and what the command says of it.
const FAULTS: [(&str, &str); 5] = [
    ("throws", "no such table: users"),
    ("slow", "answers took longer than 200ms"),
    ("silent", "within"),
    ("lacks", "a-package-that-is-not-there"),
    ("slow", "answers took longer than 200ms"),
];

/// Every fourth is broken: 2 of 8 in short, 5 of 20 and more in long.
#[test]
fn canaries_under_load_lose_nothing_and_the_broken_ones_stay_out() {
    let reloads = Form::asked().pick(8, 20);
    let mainstay = started(
        Mainstay::run("")
            .file("server.js", APP)
            .file("version", "0")
            .config(
                "[reload]\nsettle = \"1s\"\nshare = \"20%\"\nmax_latency = \"200ms\"\n\
                 [app.shop]\ncommand = \"node server.js\"\nworkers = 2\nstart_timeout = \"4s\"\n",
            ),
    );
    let load = Load::new()
        .gets(3)
        .posts(3)
        .thinking(Duration::from_millis(3))
        .on(mainstay.address());
    let mut faults = FAULTS.iter().cycle();
    let mut serves = 0;
    for number in 1..=reloads {
        let (fault, said) = if number % 4 == 2 {
            faults.next().expect("an endless list")
        } else {
            &("", "")
        };
        load.wait_for_answers(50);
        write(&mainstay, &format!("{number} {fault}"));
        let ended = Mainstay::say(["reload"]).beside(&mainstay).finish();
        if fault.is_empty() {
            let _ = ended.expect_code(0).says(["`shop` runs release"]);
            serves = number;
        } else {
            let _ = ended.expect_code(1).says(["did not hold", said]);
        }
        let versions: Vec<String> = iter::repeat_with(|| version(&mainstay)).take(6).collect();
        assert!(
            versions
                .iter()
                .all(|version| *version == serves.to_string()),
            "after reload {number} ({fault}): {versions:?}"
        );
        assert_eq!(status(&mainstay)["targets"][0]["ready"], 2);
    }
    load.wait_for_answers(50);
    load.stop().expect_no_failure();
}

fn write(mainstay: &Running, version: &str) {
    fs::write(mainstay.folder().join("version"), version).expect("the folder is ours");
}

fn version(mainstay: &Running) -> String {
    let answer = json(&mainstay.get("/").expect(200));
    answer["version"].as_str().expect("a version").to_owned()
}
