//! What an operator can see: metrics, status, access lines, warnings.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;

use mainstay_testkit::{Mainstay, Origin, Running, eventually};

/// An answer of the admin socket.
pub(crate) fn admin(mainstay: &Running, path: &str) -> String {
    let asked = || {
        let mut stream = UnixStream::connect(mainstay.folder().join(".run/admin.sock"))?;
        let head = format!("GET {path} HTTP/1.1\r\nHost: admin\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok::<_, std::io::Error>(answer)
    };
    asked().unwrap_or_else(|error| panic!("no answer to {path}: {error}"))
}

#[test]
fn metrics_on_the_admin_socket_count_by_route_method_and_status() {
    let origin = Origin::says("hello").start();
    let mainstay = Mainstay::in_front_of(&origin.address()).start();
    for _ in 0..3 {
        mainstay.get("/").expect(200);
    }
    // a request is counted when its last byte is out, which the client may see first
    eventually("three requests in the metrics", || {
        let metrics = admin(&mainstay, "/metrics");
        metrics
            .contains("http_requests_total{method=\"GET\",route=\"default\",status_code=\"200\"} 3")
            .then_some(())
    });
    let metrics = admin(&mainstay, "/metrics");
    for name in [
        "http_request_duration_seconds_bucket",
        "active_requests 0",
        "mainstay_workers_ready{target=\"upstream\"} 1",
    ] {
        assert!(metrics.contains(name), "{name} in\n{metrics}");
    }
}

#[test]
fn the_admin_socket_is_for_its_owner_and_changes_nothing_by_get() {
    let mainstay = Mainstay::run_testapp([]).start();
    let socket = mainstay.folder().join(".run/admin.sock");
    let mode = std::fs::metadata(socket).expect("a socket").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);
    for (path, answer) in [("/stop", "405"), ("/reload", "405"), ("/shutdown", "404")] {
        let found = admin(&mainstay, path);
        assert!(found.starts_with(&format!("HTTP/1.1 {answer}")), "{found}");
    }
    mainstay.get("/").expect(200);
}

#[test]
fn metrics_and_health_on_an_address_of_their_own() {
    let origin = Origin::says("hello").start();
    let port = mainstay_testkit::free_port();
    let observe = format!("127.0.0.1:{port}");
    let mainstay = Mainstay::in_front_of(&origin.address())
        .flags(["--observe", &observe])
        .start();
    let mut wire = mainstay.connect_to(observe.parse().unwrap());
    wire.send("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n")
        .response()
        .expect(200)
        .body_contains("active_connections");
    wire.send("GET /ready HTTP/1.1\r\nHost: a\r\n\r\n")
        .response()
        .expect(200);
    for path in ["/live", "/.mainstay/live", "/.mainstay/ready"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let _ = wire.send(request).response().expect(200);
    }
    wire.send("GET /other HTTP/1.1\r\nHost: a\r\n\r\n")
        .response()
        .expect(404);
    // nothing of it on the app's own address
    mainstay.get("/metrics").expect(200).body_is("hello");
}

#[test]
fn status_says_who_is_ready() {
    let mainstay = Mainstay::run_testapp([]).flags(["-n", "2"]).start();
    eventually("two ready workers", || {
        admin(&mainstay, "/status")
            .contains(": 2 of 2 ready")
            .then_some(())
    });
    let answer = admin(&mainstay, "/status.json");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let status: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(status["targets"][0]["ready"], 2);
    assert_eq!(status["addresses"][0], mainstay.address().to_string());
}

#[test]
fn every_request_leaves_a_line_with_its_id_and_no_secret() {
    let origin = Origin::says("hello").start();
    let mainstay = Mainstay::in_front_of(&origin.address()).start();
    let response = mainstay.get("/a?token=hunter2&b=1").expect(200);
    let id = response.header("X-Request-Id").unwrap().to_owned();
    mainstay.output_contains_eventually(&id);
    let output = mainstay.output();
    let line = output.lines().find(|line| line.contains(&id)).unwrap();
    let record: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(record["path"], "/a?token=***&b=1");
    assert_eq!(record["status"], 200);
    assert_eq!(record["method"], "GET");
    assert!(!output.contains("hunter2"));
}

#[test]
fn a_proxy_that_is_not_trusted_is_named_once_with_the_line_to_add() {
    let origin = Origin::says("hello").start();
    let mainstay = Mainstay::in_front_of(&origin.address()).start();
    for _ in 0..3 {
        mainstay
            .get_with("/", [("X-Forwarded-For", "203.0.113.9")])
            .expect(200);
    }
    mainstay.output_contains_eventually("trusted_proxies = [\"loopback\"]");
    assert_eq!(mainstay.output().matches("trusted_proxies = ").count(), 1);
}

#[test]
fn the_gateway_is_not_root() {
    let mainstay = Mainstay::run_testapp([]).start();
    mainstay.get("/").expect(200);
    let gateway = mainstay
        .descendants()
        .into_iter()
        .find(|pid| {
            mainstay
                .words_of(*pid)
                .get(1)
                .is_some_and(|role| role == "gateway")
        })
        .expect("a gateway runs");
    let status = std::fs::read_to_string(format!("/proc/{gateway}/status")).unwrap();
    let field = |name: &str| {
        status
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap()
            .to_owned()
    };
    let uids: Vec<&str> = field("Uid:").leak().split_whitespace().skip(1).collect();
    assert!(uids.iter().all(|uid| *uid != "0"), "{uids:?}");
    assert!(
        field("CapEff:").ends_with("0000000000000000"),
        "{}",
        field("CapEff:")
    );
}

/// The page that says what there is to be counted.
const METRICS: &str = include_str!("../../../../docs/operations/metrics.md");

#[test]
fn refusals_are_counted_by_step_and_reason_dry_ones_apart_and_every_metric_is_on_its_page() {
    let origin = Origin::says("hello").start();
    let settings = format!(
        "[upstream.a]\nserver = \"{}\"\n[filter]\ntraps = [\"/old\"]\n\
         [rate_limit.all]\nmatch = \"/limited\"\nrate = \"1/h\"\ndry_run = true\n",
        origin.address()
    );
    let mainstay = Mainstay::run("").config(&settings).start();
    for (path, status) in [
        ("/old", 404),
        ("/limited", 200),
        ("/limited", 200),
        ("/%zz", 400),
    ] {
        let _ = mainstay.get(path).expect(status);
    }
    let lines = [
        "{step=\"filter\",reason=\"trap\",status_code=\"404\",dry_run=\"false\"} 1",
        "{step=\"limit_rate\",reason=\"rate_limited\",status_code=\"429\",dry_run=\"true\"} 1",
        "{step=\"identify\",reason=\"bad_path\",status_code=\"400\",dry_run=\"false\"} 1",
    ];
    let told = eventually("the refusals in the metrics", || {
        let told = admin(&mainstay, "/metrics");
        let has = |line: &&str| told.contains(&format!("mainstay_refusals_total{line}"));
        lines.iter().all(has).then_some(told)
    });
    let families = told.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names: Vec<&str> = families.filter_map(|line| line.split(' ').next()).collect();
    assert!(names.len() > 10, "{told}");
    for name in names {
        assert!(
            METRICS.contains(&format!("| `{name}` |")),
            "{name} is not on the page"
        );
    }
}
