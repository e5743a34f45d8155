//! What workers write, as `mainstay logs` shows it: from memory and from files, once and as it comes.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use mainstay_testkit::{Folder, Form, Home, Mainstay, Running, eventually};
use serde_json::Value;

/// Says what it is told by the path of a request.
const APP: &str = "const http = require('http'); const worker = process.env.NODE_APP_INSTANCE;\n\
    console.log('began ' + worker);\n\
    http.createServer((request, response) => {\n\
      const word = decodeURIComponent(request.url.slice(1));\n\
      if (word === 'throw') console.error(new Error('boom').stack);\n\
      else if (word === 'json') console.log(JSON.stringify({ level: 50, time: 1795234506789, pid: 1, msg: 'no stock', item: 7 }));\n\
      else if (word === 'escape') console.log('\\x1b[31mred\\x1b[0m \\x1b[2Jgone');\n\
      else if (word === 'long') console.log('y'.repeat(70000));\n\
      else console.log(word);\n\
      response.end('ok');\n\
    }).listen(3000);";

fn home() -> Home {
    let home = Home::new();
    home.file("server.js", APP);
    home
}

#[track_caller]
fn does(home: &Home, line: &str) -> String {
    home.say(line).finish().expect_code(0).output
}

/// Where the only app of an instance answers.
#[track_caller]
fn address(home: &Home) -> String {
    let listed = does(home, "ls");
    let row = listed.lines().nth(1).expect("a row");
    row.split_whitespace()
        .last()
        .expect("an address")
        .to_owned()
}

/// What `mainstay logs WORDS --json` says, as objects.
#[track_caller]
fn objects(text: &str) -> Vec<Value> {
    let lines = text.lines().filter(|line| line.starts_with('{'));
    lines
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect()
}

#[track_caller]
fn messages(text: &str) -> Vec<String> {
    let said = objects(text);
    let texts = said
        .iter()
        .map(|said| said["message"].as_str().unwrap_or_default());
    texts.map(str::to_owned).collect()
}

fn logs(mainstay: &Running, words: &str) -> Mainstay {
    let start = Mainstay::say(["logs"]).beside(mainstay);
    words
        .split_whitespace()
        .fold(start, |said, word| said.flags([word]))
}

#[test]
fn an_instance_in_the_foreground_remembers_what_its_workers_wrote() {
    let mainstay = Mainstay::run("server.js")
        .file("server.js", APP)
        .flags(["-n", "2", "--name", "shop"])
        .start();
    mainstay.output_contains_eventually("began 0");
    mainstay.output_contains_eventually("began 1");
    for word in ["one", "throw", "json", "escape", "long", "last"] {
        let _ = mainstay.get(&format!("/{word}")).expect(200);
        if word == "throw" {
            // the two streams are two pipes: only what was read before comes before
            mainstay.output_contains_eventually("Error: boom");
        }
    }
    mainstay.output_contains_eventually("last");
    let all = logs(&mainstay, "--json --lines 100")
        .finish()
        .expect_code(0)
        .output;
    let said = objects(&all);
    let find = |part: &str| {
        let mut found = said.iter();
        let found = found.find(|said| {
            said["message"]
                .as_str()
                .is_some_and(|text| text.contains(part))
        });
        found.unwrap_or_else(|| panic!("no `{part}` in\n{all}"))
    };
    let thrown = find("Error: boom");
    assert_eq!(thrown["stream"], "err", "{thrown}");
    let text = thrown["message"].as_str().expect("text");
    assert!(text.contains("\n    at "), "the trace is one entry: {text}");
    assert_eq!(thrown["app"], "shop");
    assert!(
        thrown["worker"].is_u64() && thrown["time"].is_string(),
        "{thrown}"
    );
    let json = find("no stock");
    assert_eq!(json["level"], "error");
    assert_eq!(json["fields"]["item"], 7);
    assert_eq!(json["time"], "2026-11-21T04:15:06.789Z");
    assert!(find("began 0")["worker"] == 0 && find("began 1")["worker"] == 1);
    assert!(find("yyy … (cut")["message"].as_str().expect("text").len() < 70_000);

    let text = logs(&mainstay, "shop --lines 2")
        .finish()
        .expect_code(0)
        .output;
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains(" out │ last\n"), "{text}");
    let found = logs(&mainstay, "--grep ^red --raw").finish().expect_code(0);
    assert_eq!(
        found.output, "red gone\n",
        "as it was written; the harness shows no escapes"
    );
    let found = logs(&mainstay, "--grep ^red").finish().expect_code(0);
    assert!(
        found.output.ends_with("out │ red \u{fffd}[2Jgone\n"),
        "{}",
        found.output
    );
    let found = logs(&mainstay, "--err --json").finish().expect_code(0);
    assert_eq!(objects(&found.output).len(), 1);
    let found = logs(&mainstay, "--since 10m --json")
        .finish()
        .expect_code(0);
    assert!(messages(&found.output).len() >= 8, "{}", found.output);
    let found = logs(&mainstay, "--since 2100-01-01T00:00:00Z")
        .finish()
        .expect_code(0);
    assert_eq!(found.output, "");
    for (words, part) in [
        ("nobody", "is no app"),
        ("--since soon", "expected a time ago"),
        ("--grep (", "`--grep (`"),
    ] {
        let _ = logs(&mainstay, words).finish().expect_code(2).says([part]);
    }
}

#[test]
fn files_tell_what_the_instance_does_not_remember() {
    let home = home();
    does(&home, "start server.js --listen 127.0.0.1:0 --name shop");
    for number in 0..20 {
        let _ = home
            .get(&address(&home), &format!("/line{number}"))
            .expect(200);
    }
    eventually("the last line", || {
        home.log("shop", "shop-out.log")
            .contains("line19\n")
            .then_some(())
    });
    does(&home, "stop shop");
    let found = messages(&does(&home, "logs shop --json"));
    let expected: Vec<String> = (5..20).map(|number| format!("line{number}")).collect();
    assert_eq!(found, expected, "the last 15 of a stopped instance");
    assert_eq!(
        messages(&does(&home, "logs --json --lines 1 --out")),
        ["line19"]
    );
    assert_eq!(
        messages(&does(&home, "logs --json --lines 1 --err")),
        Vec::<String>::new()
    );
    // what is remembered is not enough: the file is read, and nothing is told twice
    does(&home, "start shop");
    let found = messages(&does(&home, "logs shop --json --lines 3"));
    assert_eq!(found, ["line18", "line19", "began 0"]);
    let folder = home.home().join("log").join("shop");
    fs::write(
        folder.join("shop-error.log"),
        "2020-01-01T00:00:00Z old\nno time\n2030-01-01 00:00:00: new\nof the new one\n",
    )
    .expect("a file");
    does(&home, "stop shop");
    let found = does(&home, "logs shop --json --since 2021-01-01T00:00:00Z");
    assert_eq!(
        messages(&found),
        ["new", "of the new one"].map(|text| if text == "new" {
            "2030-01-01 00:00:00: new".to_owned()
        } else {
            text.to_owned()
        })
    );
    assert!(found.contains("time = true"), "{found}");
}

#[test]
fn what_comes_is_followed_through_flushes_renames_and_restarts() {
    let home = home();
    does(&home, "start server.js --listen 127.0.0.1:0 --name shop");
    let follower = home.say("logs -f shop").start_until("began 0");
    let say = |word: &str| {
        let _ = home.get(&address(&home), &format!("/{word}")).expect(200);
        follower.output_contains_eventually(&format!("shop:0 out │ {word}\n"));
    };
    say("one");
    does(&home, "flush shop");
    say("two");
    let folder = home.home().join("log").join("shop");
    fs::rename(folder.join("shop-out.log"), folder.join("shop-out.1.log")).expect("a file");
    say("three");
    does(&home, "stop shop");
    follower.output_contains_eventually("`shop` does not run; waiting for it to start");
    does(&home, "start shop");
    follower.output_contains_eventually("`shop` runs again");
    say("four");
    let text = follower.output();
    for word in ["one", "two", "three", "four"] {
        let told = text.matches(&format!("│ {word}\n")).count();
        assert_eq!(told, 1, "{word} in\n{text}");
    }
    assert_eq!(text.matches("│ began 0\n").count(), 2, "{text}");
}

#[test]
fn a_reader_who_leaves_ends_it_without_a_word() {
    let home = home();
    does(&home, "start server.js --listen 127.0.0.1:0 --name shop");
    for number in 0..5 {
        let _ = home
            .get(&address(&home), &format!("/line{number}"))
            .expect(200);
    }
    let mainstay = home.say("ls").program().display().to_string();
    let line = format!("{mainstay} logs shop | head -n 1; echo ${{PIPESTATUS[0]}}");
    let ended = Mainstay::say(["-c", &line])
        .binary("/bin/bash")
        .env("MAINSTAY_HOME", home.home())
        .env("MAINSTAY_RUNTIME_DIR", "")
        .finish();
    assert!(ended.output.ends_with("\n0\n"), "{}", ended.output);
    assert_eq!(ended.output.lines().count(), 2, "{}", ended.output);
}

/// Each worker writes numbered lines whose length follows from their number, as fast as it can, and ends.
const FLOOD: &str = "const worker = process.env.NODE_APP_INSTANCE, count = Number(process.env.COUNT);\n\
    let number = 0;\n\
    const more = () => {\n\
      let text = '';\n\
      for (let line = 0; line < 500 && number < count; line += 1, number += 1)\n\
        text += worker + ' ' + number + ' ' + 'x'.repeat((number * 7919) % 400) + '\\n';\n\
      process.stdout.write(text);\n\
      if (number < count) setImmediate(more);\n\
    };\n\
    more();";

/// How many lines of about 200 bytes each of four workers writes: 20 MB in all, or a gigabyte.
fn lines_of_each() -> u64 {
    Form::asked().pick(25_000, 1_250_000)
}

fn flood_settings() -> String {
    format!(
        "name = \"flood\"\n[app.flood]\ncommand = \"node flood.js\"\nhttp = false\nworkers = 4\nautorestart = false\n\
         env.COUNT = \"{}\"\n",
        lines_of_each()
    )
}

/// Expects every line of every worker, whole, once and in its order.
#[track_caller]
fn is_whole(path: &Path) {
    let mut next = [0_u64; 4];
    let file = fs::File::open(path).expect("a file");
    for line in BufReader::new(file).lines() {
        let line = line.expect("text");
        let mut words = line.splitn(3, ' ');
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        let (Some(worker @ 0..4), Some(number)) = (number(), number()) else {
            panic!("a torn line: {line}");
        };
        let rest = words.next().unwrap_or_default();
        let length = usize::try_from(number * 7919 % 400).unwrap_or(usize::MAX);
        let is_filled = rest.bytes().all(|byte| byte == b'x');
        assert!(rest.len() == length && is_filled, "a torn line: {line}");
        let next = &mut next[usize::try_from(worker).unwrap_or(0)];
        assert_eq!(number, *next, "of worker {worker}");
        *next += 1;
    }
    assert_eq!(next, [lines_of_each(); 4]);
}

#[test]
fn a_flood_of_four_workers_through_a_pipe_tears_and_loses_no_line() {
    let folder = Folder::new();
    folder.write("flood.js", FLOOD);
    folder.write("mainstay.toml", &flood_settings());
    let mainstay = Mainstay::say([]).program().display().to_string();
    let line = format!("{mainstay} run 2>errors | cat >out");
    let run = Mainstay::say(["-c", &line]).binary("/bin/sh");
    let _ = run.typed_in(folder.path()).finish().expect_code(0);
    let read = |name| fs::read_to_string(folder.path().join(name)).expect("a file");
    assert!(!read("errors").contains("dropped"), "{}", read("errors"));
    is_whole(&folder.path().join("out"));
}

#[test]
fn a_flood_of_four_workers_into_a_file_tears_and_loses_no_line() {
    let home = Home::new();
    home.file("flood.js", FLOOD)
        .file("mainstay.toml", &flood_settings());
    does(&home, "start");
    eventually("the end of the instance", || {
        does(&home, "ls").contains("stopped").then_some(())
    });
    let said = home.log("flood", "mainstay.log");
    assert!(!said.contains("dropped"), "{said}");
    is_whole(&home.home().join("log").join("flood").join("flood-out.log"));
}

/// The reader stands still: the app goes on after five seconds, and what it wrote meanwhile is counted.
#[test]
fn a_reader_that_stands_still_costs_lines_that_are_counted_and_never_the_app() {
    // `writeSync` waits for room, where `console.log` of Node keeps what waits in memory
    const CHATTY: &str = "let number = 0; const fs = require('fs'), line = 'x'.repeat(1000);\n\
        const more = () => { for (let i = 0; i < 50; i += 1) fs.writeSync(1, number++ + ' ' + line + '\\n'); if (number < 20000) setImmediate(more); };\n\
        require('http').createServer((request, response) => {\n\
          if (request.url === '/flood') setImmediate(more);\n\
          if (request.url === '/end') fs.writeSync(1, 'the end\\n');\n\
          response.end(String(number));\n\
        }).listen(3000);";
    let mainstay = Mainstay::run("server.js").file("server.js", CHATTY).start();
    let reader = mainstay.follow();
    reader.hold();
    let _ = mainstay.get("/flood").expect(200);
    // more than every pipe, queue and memory between takes
    eventually("the app to write on", || {
        let written = mainstay.get("/").expect(200).text();
        (written == "20000").then_some(())
    });
    let told = logs(&mainstay, "--lines 1").finish().expect_code(0);
    assert!(
        told.output.contains("xxx"),
        "memory is told though nobody reads the output"
    );
    reader.release();
    let _ = mainstay.get("/end").expect(200);
    mainstay.output_contains_eventually("the end");
    mainstay
        .output_contains_eventually("lines of output were dropped, since nobody read them in time");
}

/// The times of these lines are ours, since the app writes none.
#[test]
fn output_goes_where_an_ecosystem_file_says() {
    let home = Home::new();
    home.file("app.js", "console.log('out of ' + process.env.pm_id); console.error('error'); setInterval(() => {}, 1000);");
    home.file(
        "ecosystem.config.js",
        "module.exports = { apps: [\n\
           { name: 'a', script: 'app.js', instances: 2, out_file: 'logs/out.log', error_file: '/dev/null', time: true },\n\
           { name: 'b', script: 'app.js', log_file: 'logs/both.log', log_type: 'json' },\n\
           { name: 'c', script: 'app.js', disable_logs: true },\n\
         ] };",
    );
    let said = does(&home, "start ecosystem.config.js --name shop");
    assert!(!said.contains("not carried over"), "{said}");
    let read =
        |name: &str| fs::read_to_string(home.path().join("logs").join(name)).unwrap_or_default();
    for id in [0, 1] {
        let text = eventually("a line of each worker", || {
            let text = read(&format!("out-{id}.log"));
            text.ends_with('\n').then_some(text)
        });
        let (time, line) = text.trim_end().split_once(": ").expect("a time");
        assert_eq!(line, format!("out of {id}"));
        assert_eq!((time.len(), &time[10..11]), (19, "T"), "{time}");
    }
    let both = eventually("two lines", || {
        let both = read("both.log");
        (both.lines().count() == 2).then_some(both)
    });
    let both = objects(&both);
    let out = both
        .iter()
        .find(|line| line["type"] == "out")
        .expect("a line");
    assert_eq!(
        (&out["message"], &out["app_name"], &out["process_id"]),
        (&"out of 2".into(), &"b".into(), &2.into())
    );
    assert!(out["timestamp"].is_string());
    assert_eq!(
        home.log("shop", "c-out.log") + &home.log("shop", "a-error.log"),
        ""
    );
    assert!(
        home.log("shop", "b-error.log")
            .contains("\"message\":\"error\"")
    );
    does(&home, "flush a");
    assert_eq!(read("out-0.log"), "");
    does(&home, "stop shop");
    let found = does(&home, "logs b --json --out");
    assert_eq!(messages(&found), ["out of 2"]);
    assert!(does(&home, "describe a").contains("logs/out-1.log"));
}

#[test]
fn reports_of_deaths_outlive_the_instance() {
    let home = Home::new();
    home.file(
        "server.js",
        "require('http').createServer((request, response) => {\n\
           if (request.url !== '/die') return response.end('well');\n\
           console.error('\\x1b[2Jlast words'); setTimeout(() => process.exit(3), 2500);\n\
         }).listen(3000)",
    );
    does(&home, "start server.js --listen 127.0.0.1:0 --name shop");
    let _ = home.get(&address(&home), "/die");
    let described = eventually("the death", || {
        let text = does(&home, "describe shop");
        text.contains("last death").then_some(text)
    });
    assert!(
        described.contains("shop:0 crash · exit status 3 · after"),
        "{described}"
    );
    // it took longer than gateways wait before they tell how busy workers are
    assert!(described.contains(" · with 1 request · "), "{described}");
    does(&home, "stop shop");
    for line in [
        "crashes",
        "crashes shop",
        "crashes --name shop",
        "describe shop",
    ] {
        assert!(does(&home, line).contains("exit status 3"), "{line}");
    }
    let file = home.home().join("state").join("shop").join("crashes.json");
    let mode = |path: &Path| {
        std::os::unix::fs::MetadataExt::mode(&fs::metadata(path).expect("there")) & 0o777
    };
    assert_eq!(
        (mode(&file), mode(file.parent().expect("a folder"))),
        (0o600, 0o700)
    );
    does(&home, "start shop");
    assert!(
        does(&home, "crashes").contains("exit status 3"),
        "of the life before"
    );
    does(&home, "delete shop");
    assert!(!file.exists());
    let _ = home.say("crashes").finish().expect_code(2);
}

/// On a pseudo-terminal; what it shows is handed on by Python.
#[track_caller]
fn on_a_terminal(words: &[&str]) -> Mainstay {
    let program = Mainstay::say([]).program().display().to_string();
    let spawn = "import pty, sys; sys.exit(pty.spawn(sys.argv[1:]) >> 8)";
    let start = Mainstay::say(["-c", spawn])
        .binary("python3")
        .flags([&program]);
    words.iter().fold(start, |said, word| said.flags([word]))
}

#[test]
fn a_terminal_gets_text_and_colours_and_nothing_that_it_acts_on() {
    let run = on_a_terminal(&[
        "run",
        "server.js",
        "--listen",
        "127.0.0.1:0",
        "--name",
        "shop",
    ]);
    let mainstay = run.file("server.js", APP).start();
    let _ = mainstay.get("/escape").expect(200);
    mainstay.output_contains_eventually("red \u{fffd}[2Jgone");
    let shown = on_a_terminal(&["logs", "--lines", "1", "--raw"]).beside(&mainstay);
    assert_eq!(
        shown.finish().expect_code(0).output.trim_end(),
        "red \u{fffd}[2Jgone"
    );
}
