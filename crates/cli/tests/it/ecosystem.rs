//! PM2's ecosystem files run as they are.

use std::collections::BTreeSet;

use mainstay_testkit::{Mainstay, Running, eventually, free_port};

/// The file of the guides, to the letter.
const GUIDE: &str = include_str!("ecosystem/guide.config.js");

/// An Express app as PM2's users write them: it says when it is ready, asks which one it is, and ends on SIGINT.
const SERVER: &str = "
const app = require('express')();
const { NODE_APP_INSTANCE, NODE_ENV, PORT } = process.env;
let ready = false;
let first = null;
app.get('/', (request, response) => {
  first ??= ready;
  const { NODE_OPTIONS } = process.env;
  response.json({ NODE_APP_INSTANCE, NODE_ENV, PORT, NODE_OPTIONS, first });
});
app.listen(PORT, () => setTimeout(() => { ready = true; process.send('ready'); }, 200));
if (NODE_APP_INSTANCE === '0') console.log('the timetable is mine');
process.on('SIGINT', () => { console.log(`bye from ${NODE_APP_INSTANCE}`); process.exit(0); });
";

fn tells(running: &Running, path: &str) -> serde_json::Value {
    let text = running.get(path).expect(200).text();
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn the_file_of_the_guides_behaves_as_meant() {
    let mainstay = Mainstay::run("ecosystem.config.js")
        .flags(["--env", "production"])
        .packages()
        .file("ecosystem.config.js", GUIDE)
        .file("dist/server.js", SERVER)
        .start();
    let seen: BTreeSet<String> = eventually("an answer of every worker", || {
        let answers = (0..50).map(|_| tells(&mainstay, "/"));
        let seen: BTreeSet<String> = answers
            .map(|answer| {
                assert_eq!(answer["NODE_ENV"], "production");
                assert_eq!(answer["PORT"], "8080");
                assert_eq!(answer["first"], true, "before `ready` nobody is sent there");
                assert_eq!(answer["NODE_OPTIONS"], "--max-old-space-size=1024");
                answer["NODE_APP_INSTANCE"].to_string()
            })
            .collect();
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        (seen.len() == processors).then_some(seen)
    });
    assert!(seen.contains("\"0\""), "{seen:?}");
    let output = mainstay.output();
    assert_eq!(
        output.matches("the timetable is mine").count(),
        1,
        "{output}"
    );
    assert!(
        output.contains("`deploy`: it is for `pm2 deploy`"),
        "{output}"
    );
    let all = mainstay.follow();
    assert!(mainstay.stop().success());
    for index in 0..seen.len() {
        let bye = format!("bye from {index}");
        eventually(&bye, || all.text().contains(&bye).then_some(()));
    }
}

#[test]
fn without_env_the_plain_variables_hold() {
    let mainstay = Mainstay::run("ecosystem.config.js")
        .packages()
        .file("ecosystem.config.js", GUIDE)
        .file("dist/server.js", SERVER)
        .start();
    let answer = tells(&mainstay, "/");
    assert_eq!(
        (&answer["NODE_ENV"], &answer["PORT"]),
        (&"development".into(), &"3000".into())
    );
    assert!(mainstay.stop().success());
}

#[test]
fn each_app_keeps_its_own_port() {
    let (first, second) = (free_port(), free_port());
    let file = format!(
        "module.exports = {{ apps: [
            {{ name: 'api', script: 'app.js', args: 'api', env: {{ PORT: {first} }} }},
            {{ name: 'web', script: './app.js', args: ['web', '{second}'] }},
        ] }};"
    );
    let app = "const [name, port] = process.argv.slice(2);
        require('http').createServer((q, r) => r.end(name)).listen(port || process.env.PORT, '127.0.0.1');";
    let mainstay = Mainstay::run("ecosystem.config.js")
        .listens_as_configured()
        .file("ecosystem.config.js", &file)
        .file("app.js", app)
        .start();
    for (port, name) in [(first, "api"), (second, "web")] {
        let address = ([127, 0, 0, 1], port).into();
        let mut wire = mainstay.connect_to(address);
        wire.send(format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"));
        wire.response().expect(200).body_is(name);
    }
    assert!(mainstay.stop().success());
}

#[test]
fn apps_that_ask_for_one_port_are_told_apart() {
    let file = "module.exports = { apps: [{ name: 'a', script: 'app.js' }, { name: 'b', script: 'app.js' }] };";
    let app = format!(
        "require('http').createServer(() => {{}}).listen({});",
        free_port()
    );
    let ended = Mainstay::run("ecosystem.config.js")
        .listens_as_configured()
        .file("ecosystem.config.js", file)
        .file("app.js", &app)
        .finish();
    ended
        .expect_code(2)
        .says(["`a` and `b` both ask for", "`PORT`"]);
}

#[test]
fn only_some_apps_may_be_wanted_and_a_reload_reads_the_file_again() {
    let file = |answer: &str| {
        format!(
            "export default {{ apps: [
                {{ name: 'api', script: 'app.js', env: {{ ANSWER: '{answer}' }} }},
                {{ name: 'broken', script: 'absent.js' }},
            ] }};"
        )
    };
    let app = "require('http').createServer((q, r) => r.end(process.env.ANSWER)).listen(3000);";
    let mainstay = Mainstay::run("ecosystem.config.mjs")
        .flags(["--only", "api"])
        .file("ecosystem.config.mjs", &file("one"))
        .file("app.js", app)
        .start();
    mainstay.get("/").expect(200).body_is("one");
    std::fs::write(mainstay.folder().join("ecosystem.config.mjs"), file("two")).expect("written");
    mainstay.hang_up();
    eventually("the other answer", || {
        (mainstay.get("/").text() == "two").then_some(())
    });
    std::fs::write(
        mainstay.folder().join("ecosystem.config.mjs"),
        "export default {",
    )
    .expect("written");
    mainstay.hang_up();
    mainstay.output_contains_eventually("`ecosystem.config.mjs` fails when it is evaluated");
    mainstay.get("/").expect(200).body_is("two");
    assert!(mainstay.stop().success());
}

#[test]
fn yaml_and_json_are_read_without_node() {
    for (name, text) in [
        (
            "pm2.yml",
            "apps:\n  - &base\n    name: shop\n    script: server\n    interpreter: none\n    kill_timeout: 3000\n",
        ),
        (
            "process.json",
            r#"{"apps":[{"name":"shop","script":"server","interpreter":"none","kill_timeout":3000}]}"#,
        ),
    ] {
        let ended = Mainstay::say(["check", name, "--explain", "--json"])
            .env("PATH", "/nowhere")
            .file(name, text)
            .file("server", "")
            .finish();
        assert!(
            ended.output.contains("\"path\": \"app.shop.kill_timeout\""),
            "{}",
            ended.output
        );
        assert!(
            ended
                .output
                .contains(&format!("{name} apps[0].kill_timeout")),
            "{}",
            ended.output
        );
    }
    let ended = Mainstay::say(["check", "pm2.config.js"])
        .env("PATH", "/nowhere")
        .file("pm2.config.js", "module.exports = {}")
        .finish();
    let _ = ended
        .expect_code(2)
        .says(["there is no Node", "import pm2"]);
}

#[test]
fn mistakes_name_the_app_and_the_field() {
    let file = "module.exports = { apps: [{ name: 'api', script: 'a.js', instances: 'many' }, { script: 'b.js', args: {} }] };";
    let ended = Mainstay::run("ecosystem.config.js")
        .file("ecosystem.config.js", file)
        .finish();
    let _ = ended.expect_code(2).says([
        "`instances` of app `api` is not a number of workers",
        "ecosystem.config.js apps[0].instances: \"many\"",
        "`args` of app `b` is not a list of words",
    ]);
    let ended = Mainstay::run("server.js").flags(["--only", "api"]).finish();
    let _ = ended.expect_code(2).says(["`--only`", "ecosystem"]);
    let ended = Mainstay::say(["run", "absent.config.js"]).finish();
    let _ = ended
        .expect_code(2)
        .says(["there is no file `absent.config.js`"]);
}

#[test]
fn apps_that_listen_nowhere_run_beside_those_that_do() {
    let port = free_port();
    let file = format!(
        "module.exports = {{ apps: [
            {{ name: 'api', script: 'api.js', env: {{ PORT: {port} }} }},
            {{ name: 'jobs', script: 'jobs.js', env: {{ PORT: {port} }} }},
        ] }};"
    );
    let api = "require('http').createServer((q, r) => r.end('api')).listen(process.env.PORT, '127.0.0.1');";
    let jobs = "console.log('at work'); setInterval(() => 0, 1000);
        process.on('SIGINT', () => { console.log('work is over'); process.exit(); });";
    let mainstay = Mainstay::run("ecosystem.config.js")
        .listens_as_configured()
        .file("ecosystem.config.js", &file)
        .file("api.js", api)
        .file("jobs.js", jobs)
        .start();
    mainstay.get("/").expect(200).body_is("api");
    mainstay.get("/.mainstay/ready").expect(200);
    let output = mainstay.output();
    assert!(output.contains("app `jobs` listens nowhere"), "{output}");
    assert!(
        output.contains("jobs: 1 worker in the background"),
        "{output}"
    );
    let all = mainstay.follow();
    assert!(mainstay.stop().success());
    eventually("both ends", || {
        all.text().contains("work is over").then_some(())
    });
}

#[test]
fn an_app_that_listens_late_is_reached_then() {
    let port = free_port();
    let file = format!(
        "module.exports = {{ apps: [
            {{ name: 'api', script: 'app.js', env: {{ PORT: {port} }} }},
            {{ name: 'late', script: 'app.js', env: {{ LATE: 1, PORT: {} }} }},
        ] }};",
        free_port()
    );
    let app = "const { LATE, PORT, name } = process.env;
        const server = require('http').createServer((q, r) => r.end(name));
        const listen = () => server.listen(PORT, '127.0.0.1', () => console.log(`${name} listens on ${PORT}`));
        if (LATE) { process.once('SIGUSR2', listen); console.log(`late is ${process.pid}.`); } else listen();
        setInterval(() => 0, 1000);";
    let mainstay = Mainstay::run("ecosystem.config.js")
        .listens_as_configured()
        .file("ecosystem.config.js", &file)
        .file("app.js", app)
        .start();
    mainstay.output_contains_eventually("app `late` listens nowhere");
    mainstay.get("/").expect(200).body_is("api");
    let output = mainstay.output();
    let pid = output
        .split("late is ")
        .nth(1)
        .and_then(|rest| rest.split('.').next());
    let pid = rustix::process::Pid::from_raw(pid.expect("it said so").parse().expect("a number"));
    rustix::process::kill_process(pid.expect("a process"), rustix::process::Signal::USR2)
        .expect("it is there");
    mainstay.output_contains_eventually("late listens on");
    let output = mainstay.output();
    let address = output
        .split("late listens on ")
        .nth(1)
        .and_then(|rest| rest.lines().next());
    let port: u16 = address.expect("it said so").trim().parse().expect("a port");
    eventually("the late one's answer", || {
        let stream = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
        drop(stream);
        let mut wire = mainstay.connect_to(([127, 0, 0, 1], port).into());
        wire.send(format!("GET / HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n"));
        (wire.response().text() == "late").then_some(())
    });
    mainstay.get("/").expect(200).body_is("api");
    assert!(mainstay.stop().success());
}
