//! Python apps: by `PORT`, and by an inherited socket.

use mainstay_testkit::Mainstay;

use crate::support::{TRUSTING, json, workers_answer};

#[test]
fn uvicorn_by_port() {
    let command = [
        "sh",
        "-c",
        "exec uvicorn app:app --port \"$PORT\" --log-level warning",
    ];
    let mainstay = Mainstay::run_command(command)
        .app("uvicorn")
        .python()
        .config(TRUSTING)
        .flags(["-n", "2"])
        .start();
    workers_answer(&mainstay, "uvicorn", 2);
    let fields = [
        ("X-Forwarded-For", "198.51.100.7"),
        ("X-Forwarded-Proto", "https"),
    ];
    let answer = json(&mainstay.get_with("/", fields).expect(200));
    assert_eq!(
        (answer["client"].as_str(), answer["scheme"].as_str()),
        (Some("198.51.100.7"), Some("https"))
    );
}

#[test]
fn gunicorn_by_listen_fds() {
    let mainstay = Mainstay::run_command(["gunicorn", "app:app"])
        .app("gunicorn")
        .python()
        .flags(["-n", "2"])
        .start();
    workers_answer(&mainstay, "gunicorn", 2);
    assert!(mainstay.stop().success());
}
