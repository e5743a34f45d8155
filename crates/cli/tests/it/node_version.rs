//! The version of Node that a project wants, beside the one that would run it.

use mainstay_testkit::Mainstay;

const SERVER: &str = "require('http').createServer((_, r) => r.end('there')).listen(3000)";

#[test]
fn another_node_than_is_wanted_is_said_and_refuses_nothing() {
    let mainstay = Mainstay::run("server.js")
        .file("server.js", SERVER)
        .file(".nvmrc", "1.2.3\n")
        .start();
    mainstay.output_contains_eventually(".nvmrc` wants Node 1.2.3, and the one that runs it is ");
    assert_eq!(mainstay.get("/").expect(200).text(), "there");
    let check = Mainstay::say(["check"])
        .config("listen = \"127.0.0.1:0\"\n[app.web]\ncommand = \"node server.js\"\n")
        .file("server.js", SERVER)
        .file(".nvmrc", "1.2.3\n")
        .finish();
    let check = check.expect_code(0).output;
    assert!(check.contains(".nvmrc` wants Node 1.2.3"), "{check}");
    assert_eq!(mainstay.output().matches("wants Node").count(), 1);
    assert!(mainstay.stop().success());
}

#[test]
fn an_app_that_does_not_come_up_is_told_of_the_other_node_first() {
    let ended = Mainstay::run("server.js")
        .file("server.js", "require('node:no-such-module')")
        .file("package.json", "{\"engines\":{\"node\":\">=1 <2\"}}")
        .finish()
        .expect_code(1);
    let hint = ended
        .output
        .find("hint: `")
        .map(|begin| &ended.output[begin..]);
    let hint = hint.unwrap_or_else(|| panic!("no such hint: {}", ended.output));
    let other = hint.find("package.json` wants Node >=1 <2");
    let usual = hint.find("this version of Node does not have that module");
    assert!(other.is_some() && other < usual, "{}", ended.output);
}

#[test]
fn a_node_that_is_wanted_and_a_word_that_is_not_understood_are_not_spoken_of() {
    for wanted in [">=1", "lts/*", "what the build image has"] {
        let mainstay = Mainstay::run("server.js")
            .file("server.js", SERVER)
            .file(".node-version", wanted)
            .start();
        assert_eq!(mainstay.get("/").expect(200).text(), "there");
        let output = mainstay.follow();
        assert!(mainstay.stop().success());
        assert!(!output.text().contains("wants Node"), "{wanted}");
    }
}
