//! What start says, and what it refuses.

use mainstay_testkit::{Mainstay, Origin};

const HELLO: &str =
    "require('http').createServer((request, response) => response.end('hello')).listen(3000);";

#[test]
fn start_says_what_was_decided() {
    let mainstay = Mainstay::run("server.js").file("server.js", HELLO).start();
    mainstay.get("/").expect(200).body_is("hello");
    let output = mainstay.output().to_lowercase();
    for word in [
        "1 worker",
        "safe",
        "-n auto",
        &mainstay.address().to_string(),
    ] {
        assert!(
            output.contains(word),
            "expected to read `{word}` in\n{output}"
        );
    }
    assert!(mainstay.stop().success());
}

#[test]
fn every_layer_says_its_state() {
    let mainstay = Mainstay::run("server.js")
        .file("server.js", HELLO)
        .flags(["--preset", "strict"])
        .start();
    let output = mainstay.output().to_lowercase();
    for word in ["strict", "headers", "health"] {
        assert!(
            output.contains(word),
            "expected to read `{word}` in\n{output}"
        );
    }
}

#[test]
fn an_app_that_trusts_nobody_is_told_the_line_to_add() {
    let mainstay = Mainstay::run("server.js").app("untrusting").start();
    mainstay.output_contains_eventually("trust proxy");
}

#[test]
fn output_of_the_app_passes_byte_for_byte() {
    let app = format!("process.stdout.write('\\u001b[31mno  newline\\tend\\n');{HELLO}");
    let mainstay = Mainstay::run("server.js").file("server.js", &app).start();
    mainstay.output_contains_eventually("no  newline\tend\n");
}

#[test]
fn a_file_that_is_not_there() {
    Mainstay::run("absent.js")
        .finish()
        .expect_code(2)
        .says(["absent.js"]);
}

#[test]
fn a_folder_without_a_package() {
    Mainstay::run(".")
        .finish()
        .expect_code(2)
        .says(["package.json"]);
}

#[test]
fn a_package_without_a_start() {
    let package = r#"{"name":"nothing","private":true}"#;
    Mainstay::run(".")
        .file("package.json", package)
        .finish()
        .expect_code(2)
        .says(["start"]);
}

#[test]
fn an_app_that_cannot_start_shows_why() {
    let app = "throw new Error('no database today');";
    Mainstay::run("server.js")
        .file("server.js", app)
        .finish()
        .expect_code(1)
        .says(["no database today"]);
}

#[test]
fn typescript_that_nothing_here_can_run_is_a_clear_error() {
    // Node that strips types itself needs no help; then there is nothing to refuse.
    let stripping = std::process::Command::new("node")
        .args(["-p", "process.features.typescript"])
        .output()
        .unwrap();
    if String::from_utf8_lossy(&stripping.stdout).trim() == "strip" {
        return;
    }
    let app = "const number: number = 1;";
    Mainstay::run("server.ts")
        .file("server.ts", app)
        .finish()
        .expect_code(2)
        .says(["tsx", "server.ts"]);
}

#[test]
fn an_unknown_key_is_an_error_with_its_place() {
    let config = "listn = \":3000\"\n[app.web]\ncommand = \"node server.js\"\n";
    let ended = Mainstay::run("")
        .file("server.js", HELLO)
        .config(config)
        .finish()
        .expect_code(2);
    ended.says(["`listn`", "mainstay.toml:1:1", "`listen`"]);
}

#[test]
fn a_port_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let start = Mainstay::run("server.js")
        .file("server.js", HELLO)
        .listens_as_configured()
        .flags(["--listen", &address]);
    start.finish().expect_code(3).says([&address]);
}

#[test]
fn two_instances_never_share_a_port_in_silence() {
    let first = Mainstay::run("server.js").file("server.js", HELLO).start();
    let address = first.address().to_string();
    let second = Mainstay::run("server.js")
        .file("server.js", HELLO)
        .listens_as_configured()
        .flags(["--listen", &address]);
    second.finish().expect_code(3).says([&address]);
    first.get("/").expect(200);
}

#[test]
fn two_instances_never_share_a_name() {
    let first = Mainstay::run("server.js")
        .file("server.js", HELLO)
        .flags(["--name", "shop"])
        .start();
    Mainstay::run("server.js")
        .file("server.js", HELLO)
        .flags(["--name", "shop"])
        .beside(&first)
        .finish()
        .expect_code(2)
        .says(["`shop` is already running", "--name"]);
    first.get("/").expect(200);
}

/// What people get wrong, the exit code, and what they must be told.
#[test]
fn what_cannot_be_meant_is_said_with_its_cure() {
    let config = |text: &str| {
        Mainstay::run("")
            .file("server.js", HELLO)
            .config(text)
            .finish()
            .expect_code(2)
    };
    let flags = |words: [&str; 2]| {
        Mainstay::run("server.js")
            .file("server.js", HELLO)
            .flags(words)
            .finish()
            .expect_code(2)
    };
    config("{\n  \"listen\": \":3000\"\n}\n").says(["mainstay.toml:1:1", "TOML", "JSON"]);
    config("preset = \"stict\"\n").says(["`preset`", "mainstay.toml:1:10", "`strict`"]);
    flags(["--preset", "brave"]).says(["--preset", "`off`, `safe` or `strict`"]);
    flags(["--workers", "0"]).says(["--workers", "1 to 1024", "`auto`"]);
    flags(["--lisen", ":3000"]).says(["--lisen", "--listen"]);
}

#[test]
fn an_instance_below_a_worker_is_its_own() {
    let inner = format!(
        "MAINSTAY_RUNTIME_DIR=$PWD/.inner exec {} run --listen 127.0.0.1:$PORT server.js",
        env!("CARGO_BIN_EXE_mainstay")
    );
    let outer = Mainstay::run_command(["sh", "-c", &inner])
        .file(
            "server.js",
            &HELLO.replace("3000", "process.env.PORT || 3000"),
        )
        .env("MAINSTAY_NAME", "outer")
        .env("MAINSTAY_OBSERVE", "127.0.0.1:0")
        .start();
    outer.get("/").expect(200).body_is("hello");
    let metrics = outer.output().matches("/metrics").count();
    assert_eq!(
        metrics, 1,
        "the outer one's settings are not the inner one's"
    );
    assert!(outer.stop().success());
}

#[test]
fn the_app_says_where_when_nobody_else_does() {
    let port = mainstay_testkit::free_port();
    let app = HELLO.replace("3000", &port.to_string());
    let mainstay = Mainstay::run("server.js")
        .file("server.js", &app)
        .listens_as_configured()
        .start();
    assert_eq!(mainstay.address().port(), port);
    mainstay.get("/").expect(200).body_is("hello");
}

#[test]
fn an_upstream_alone_is_fronted_on_the_usual_port() {
    let origin = Origin::says("there").start();
    let port = mainstay_testkit::free_port();
    let mainstay = Mainstay::in_front_of(&origin.address())
        .listens_as_configured()
        .env("PORT", port.to_string())
        .start();
    assert_eq!(mainstay.address().port(), port);
    mainstay.get("/").expect(200).body_is("there");
}

#[test]
fn nothing_is_left_behind_after_stop() {
    let mainstay = Mainstay::run("server.js")
        .file("server.js", HELLO)
        .flags(["-n", "2"])
        .start();
    mainstay.get("/").expect(200);
    assert!(
        mainstay.descendants().len() >= 3,
        "two workers and a gateway at least"
    );
    // `stop` waits for the end of every process that was below the program.
    assert!(mainstay.stop().success());
}
