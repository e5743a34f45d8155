//! The app itself: that it listens where it is told, answers decently, and misbehaves as promised.
#![expect(
    clippy::unwrap_used,
    reason = "a failed unwrap is a failed test, in what tests share too"
)]

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

struct App {
    child: Child,
    address: String,
}

impl App {
    fn start(options: &[&str]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mainstay-testapp"))
            .args(["--port", "0"])
            .args(options)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        let address = line.trim().rsplit(' ').next().unwrap().to_owned();
        std::thread::spawn(move || std::io::copy(&mut output, &mut std::io::sink()));
        Self { child, address }
    }

    fn ask(&self, request: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream.shutdown(Shutdown::Write).unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    fn get(&self, target: &str) -> String {
        self.ask(&format!("GET {target} HTTP/1.1\r\nHost: x\r\n\r\n"))
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn answers_contain_what_the_help_promises() {
    let app = App::start(&["--name", "here"]);
    let cases = [
        ("/", "\"name\":\"here\""),
        ("/headers?x", "\"headers\":[[\"Host\",\"x\"]]"),
        ("/status?code=418", "HTTP/1.1 418 "),
        ("/slow?ms=1", "slow"),
        ("/stream?bytes=10", "Content-Length: 10\r\n\r\n.........."),
        ("/stream?bytes=3&chunked", "3\r\n...\r\n0\r\n\r\n"),
        ("/sse?count=2&ms=0", "data: 1\n\n"),
        ("/103", "HTTP/1.1 103 Early Hints"),
        ("/trailers", "0\r\nX-Sum: 42\r\n\r\n"),
        ("/double-length", "Content-Length: 6"),
        (
            "/interim-storm?count=2",
            "102 Processing\r\n\r\nHTTP/1.1 102",
        ),
        ("/half-close", "half-closed"),
        ("/huge-head?bytes=5", "X-Huge: xxxxx\r\n"),
        ("/nowhere", "HTTP/1.1 404 "),
    ];
    for (target, expected) in cases {
        let answer = app.get(target);
        assert!(answer.contains(expected), "{target}: {answer}");
    }
}

#[test]
fn bodies_are_read_in_both_framings() {
    let app = App::start(&[]);
    let fixed =
        app.ask("POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n");
    assert!(fixed.contains("\r\n\r\nhelloHTTP/1.1 200"), "{fixed}");
    let chunked = app.ask(
        "POST /upload HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x\r\nde\r\n0\r\nA: b\r\n\r\n",
    );
    assert!(chunked.contains("{\"bytes\":5}"), "{chunked}");
    let expecting =
        app.ask("POST /upload HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx");
    assert!(expecting.starts_with("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200"));
    let tunnel =
        app.ask("GET /ws HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\nraw bytes");
    assert!(tunnel.ends_with("raw bytes"), "{tunnel}");
}

#[test]
fn it_crashes_when_asked() {
    let mut app = App::start(&["--crash-after", "1"]);
    assert!(app.get("/").contains("200 OK"));
    assert_eq!(app.get("/"), "");
    assert_eq!(app.child.wait().unwrap().code(), Some(1));
    let failed = Command::new(env!("CARGO_BIN_EXE_mainstay-testapp"))
        .arg("--fail-start")
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&failed.stderr).contains("cannot start"));
    assert!(!failed.status.success());
}
