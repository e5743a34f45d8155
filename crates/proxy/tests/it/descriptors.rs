//! What happens when descriptors run out. The limit is the process's, so it is tried in one of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use mainstay_testkit::eventually;
use rustix::process::{Resource, Rlimit, setrlimit};

use crate::harness::{End, Gateway, OK, Origin, Wire, endpoint, get};

const ORIGIN: &str = "MAINSTAY_IT_ORIGIN";
const FEW: u64 = 48;
const MANY: usize = 100;

#[test]
fn running_out_of_descriptors_is_no_busy_loop_and_passes() {
    #[expect(
        clippy::disallowed_methods,
        reason = "how a test finds itself in its child"
    )]
    let origin = std::env::var(ORIGIN).ok();
    match origin {
        Some(origin) => gateway_with_few(origin.parse().expect("an address")),
        None => run_out(),
    }
}

fn run_out() {
    let origin = Origin::answering(OK);
    let mut small = Small::start(origin.address);
    let address = small.ask("address").parse().expect("an address");
    Wire::connect(address).send(get("/")).response().expect(200);
    let clients: Vec<Wire> = (0..MANY).map(|_| Wire::connect(address)).collect();
    eventually("descriptors to run out", || {
        (small.number("pauses") > 0).then_some(())
    });
    let (pauses, cpu) = (small.number("pauses"), small.number("cpu"));
    // a second in which nothing can be accepted
    let mut one_more = Wire::connect(address);
    assert_ne!(one_more.end_within(Duration::from_secs(1)), End::Reset);
    let (pauses, cpu) = (small.number("pauses") - pauses, small.number("cpu") - cpu);
    assert!(
        pauses < 50 && cpu < 500,
        "{pauses} pauses, {cpu} ms: a busy loop"
    );
    drop((clients, one_more));
    eventually("descriptors to come back", || {
        let mut client = Wire::connect(address);
        let (text, _) = client.send(get("/")).half_close().read_to_end();
        text.starts_with("HTTP/1.1 200").then_some(())
    });
}

/// The child's part: a gateway that answers questions on its standard input.
fn gateway_with_few(origin: SocketAddr) {
    let limit = Rlimit {
        current: Some(FEW),
        maximum: Some(FEW),
    };
    setrlimit(Resource::Nofile, limit).expect("a limit can be lowered");
    let gateway = Gateway::with(|_| {}).before(&[endpoint(0, origin)]);
    for question in std::io::stdin().lines().map_while(Result::ok) {
        let answer = match question.as_str() {
            "address" => gateway.address.to_string(),
            "pauses" => gateway.counters.accept_pauses.get().to_string(),
            _ => gateway.cpu_time().as_millis().to_string(),
        };
        writeln!(std::io::stdout(), "answer {answer}").expect("the parent listens");
    }
}

/// A process with few descriptors; ends with the value.
struct Small {
    process: Child,
    questions: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Small {
    fn start(origin: SocketAddr) -> Self {
        let mut process = Command::new(std::env::current_exe().expect("we run"))
            .args(["--exact", "--nocapture"])
            .arg("descriptors::running_out_of_descriptors_is_no_busy_loop_and_passes")
            .env(ORIGIN, origin.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("we can be run again");
        Self {
            questions: process.stdin.take().expect("a pipe"),
            answers: BufReader::new(process.stdout.take().expect("a pipe")),
            process,
        }
    }

    #[track_caller]
    fn ask(&mut self, question: &str) -> String {
        writeln!(self.questions, "{question}").expect("the child lives");
        let mut line = String::new();
        loop {
            line.clear();
            assert_ne!(
                self.answers.read_line(&mut line).expect("the child lives"),
                0,
                "the child ended"
            );
            // the first answer stands behind the harness's own words
            if let Some((_, answer)) = line.split_once("answer ") {
                return answer.trim().to_owned();
            }
        }
    }

    #[track_caller]
    fn number(&mut self, question: &str) -> u64 {
        self.ask(question).parse().expect("a number")
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
