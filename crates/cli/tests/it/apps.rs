//! Unmodified Node apps with their real packages, two workers of each that can.

use mainstay_testkit::Mainstay;

use crate::support::{TRUSTING, json, sees_the_client, workers_answer};
use mainstay_testkit::free_port;

#[test]
fn express_4_with_its_port_in_the_code() {
    let mainstay = Mainstay::run("server.js")
        .app("express4")
        .config(TRUSTING)
        .flags(["-n", "2"])
        .start();
    workers_answer(&mainstay, "express4", 2);
    sees_the_client(&mainstay);
    assert_eq!(json(&mainstay.get("/"))["environment"], "production");
    let fields = [("Content-Type", "application/json")];
    mainstay
        .post("/echo", fields, r#"{"kept":[1,2]}"#)
        .expect(200)
        .body_is(r#"{"kept":[1,2]}"#);
}

#[test]
fn express_5_that_trusts_loopback() {
    let mainstay = Mainstay::run("server.js")
        .app("express5")
        .config(TRUSTING)
        .flags(["-n", "2"])
        .start();
    workers_answer(&mainstay, "express5", 2);
    sees_the_client(&mainstay);
    mainstay.output_contains_eventually("express5 listens, port number");
}

#[test]
fn plain_node_http() {
    let mainstay = Mainstay::run("server.js")
        .app("node-http")
        .flags(["-n", "2"])
        .start();
    workers_answer(&mainstay, "node-http", 2);
    let answer = json(&mainstay.get("/a%2fb?c=%20"));
    assert_eq!(
        answer["url"], "/a%2fb?c=%20",
        "the client's bytes are forwarded"
    );
    assert_eq!(answer["forwarded_for"], "127.0.0.1");
    assert_eq!(answer["forwarded_proto"], "http");
    assert_eq!(answer["host"], mainstay.address().to_string());
}

#[test]
fn fastify() {
    let mainstay = Mainstay::run("server.js")
        .app("fastify")
        .config(TRUSTING)
        .flags(["-n", "2"])
        .start();
    workers_answer(&mainstay, "fastify", 2);
    sees_the_client(&mainstay);
}

#[test]
fn koa() {
    let mainstay = Mainstay::run("server.js")
        .app("koa")
        .config(TRUSTING)
        .flags(["-n", "2"])
        .start();
    workers_answer(&mainstay, "koa", 2);
    sees_the_client(&mainstay);
}

#[test]
fn an_esm_app() {
    let mainstay = Mainstay::run("server.mjs")
        .app("esm")
        .flags(["-n", "2"])
        .start();
    workers_answer(&mainstay, "esm", 2);
}

#[test]
fn a_nest_app_by_its_folder() {
    let mainstay = Mainstay::run(".")
        .app("nest")
        .config(TRUSTING)
        .flags(["-n", "2"])
        .start();
    workers_answer(&mainstay, "nest", 2);
    sees_the_client(&mainstay);
}

#[test]
fn an_app_that_listens_twice_on_one_port() {
    let mainstay = Mainstay::run("server.js")
        .app("listens-twice")
        .flags(["-n", "2"])
        .start();
    workers_answer(&mainstay, "listens-twice", 2);
    mainstay.output_contains_eventually("both listen");
}

#[test]
fn a_metrics_server_on_a_second_port_is_left_alone() {
    let port = free_port();
    let mainstay = Mainstay::run("server.js")
        .app("metrics-port")
        .env("METRICS_PORT", port.to_string())
        .start();
    workers_answer(&mainstay, "metrics-port", 1);
    let mut metrics = mainstay.connect_to(([127, 0, 0, 1], port).into());
    metrics.send("GET / HTTP/1.1\r\nHost: metrics\r\nConnection: close\r\n\r\n");
    metrics
        .response()
        .expect(200)
        .body_contains("app_requests_total");
}

#[test]
fn a_second_fixed_port_is_named_when_workers_would_fight_for_it() {
    let port = free_port().to_string();
    let mainstay = Mainstay::run("server.js")
        .app("metrics-port")
        .flags(["-n", "2"])
        .env("METRICS_PORT", port.as_str())
        .start();
    mainstay.output_contains_eventually(&port);
}

#[test]
fn an_app_that_forks_its_own_cluster_takes_the_worker_branch() {
    let mainstay = Mainstay::run("server.js")
        .app("own-cluster")
        .flags(["-n", "2"])
        .start();
    workers_answer(&mainstay, "own-cluster", 2);
    mainstay
        .output_contains_eventually("cluster")
        .output_lacks("primary branch taken");
    assert!(json(&mainstay.get("/"))["worker"].is_u64());
}

#[test]
fn an_app_started_by_npm_start_keeps_its_script_and_gets_its_signal() {
    let mainstay = Mainstay::run(".")
        .app("npm-start")
        .flags(["-n", "2"])
        .start();
    workers_answer(&mainstay, "npm-start", 2);
    assert_eq!(
        json(&mainstay.get("/"))["greeting"],
        "hello from the script"
    );
    let output = mainstay.follow();
    assert!(mainstay.stop().success());
    assert_eq!(
        output.text().matches("npm-start got SIG").count(),
        2,
        "{}",
        output.text()
    );
}

#[test]
fn a_start_script_finds_the_programs_of_its_packages() {
    let mainstay = Mainstay::run(".")
        .app("pnpm-start")
        .flags(["-n", "2"])
        .start();
    workers_answer(&mainstay, "pnpm-start", 2);
}

#[test]
fn an_app_under_the_inspector() {
    let command = ["node", "--inspect=127.0.0.1:0", "server.js"];
    let mainstay = Mainstay::run_command(command)
        .app("inspect")
        .flags(["-n", "2"])
        .start();
    workers_answer(&mainstay, "inspect", 2);
    assert_eq!(json(&mainstay.get("/"))["inspector"], true);
}

#[test]
fn the_users_own_node_options_hold_and_helpers_start_clean() {
    let options = "--require ./own-preload.js --max-old-space-size=256";
    let mainstay = Mainstay::run("server.js")
        .app("node-options")
        .flags(["-n", "2"])
        .env("NODE_OPTIONS", options)
        .start();
    workers_answer(&mainstay, "node-options", 2);
    let answer = json(&mainstay.get("/child").expect(200));
    assert_eq!(answer["preload"], "ran");
    assert_eq!(answer["options"], options);
    assert_eq!(answer["child"], format!("\"{options}\""));
}

#[test]
fn typescript_runs_by_node_or_by_the_projects_tsx() {
    let mainstay = Mainstay::run("server.ts")
        .app("typescript")
        .flags(["-n", "2"])
        .start();
    workers_answer(&mainstay, "typescript", 2);
}

#[test]
fn express_rate_limit_has_nothing_to_complain_about() {
    let mainstay = Mainstay::run("server.js")
        .app("rate-limited")
        .flags(["-n", "2"])
        .start();
    workers_answer(&mainstay, "rate-limited", 2);
    mainstay
        .get_with("/", [("X-Forwarded-For", "203.0.113.9")])
        .body_lacks("203.0.113.9")
        .body_contains("127.0.0.1");
    mainstay
        .output_lacks("ValidationError")
        .output_lacks("ERR_ERL");
}
