//! Statuses and headers of a limit, hit by hit, beside what npm's `express-rate-limit` makes of the same requests.

use std::fmt::Write as _;

use mainstay_testkit::{Mainstay, Response, Running};

use crate::support::{TRUSTING, started};

const LIMIT: usize = 3;

/// A name, what express-rate-limit is told, what we are, and the statuses of the app's own answers.
const CASES: [(&str, &str, &str, &[u16]); 7] = [
    (
        "draft-8",
        "standardHeaders: 'draft-8', legacyHeaders: false",
        "",
        &[200; 5],
    ),
    (
        "draft-7",
        "standardHeaders: 'draft-7', legacyHeaders: false",
        "headers = 'draft-7'",
        &[200; 5],
    ),
    (
        "draft-6",
        "standardHeaders: 'draft-6', legacyHeaders: false",
        "headers = 'draft-6'",
        &[200; 5],
    ),
    (
        "legacy",
        "standardHeaders: false, legacyHeaders: true",
        "headers = 'legacy'",
        &[200; 5],
    ),
    (
        "both",
        "standardHeaders: 'draft-7', legacyHeaders: true",
        "headers = ['draft-7', 'legacy']",
        &[200; 5],
    ),
    (
        "failures",
        "standardHeaders: 'draft-8', legacyHeaders: false, skipSuccessfulRequests: true",
        "skip_successful = true",
        &[200, 401, 204, 500, 302, 404, 200, 401],
    ),
    (
        "successes",
        "standardHeaders: 'draft-8', legacyHeaders: false, skipFailedRequests: true",
        "skip_failed = true",
        &[401, 200, 500, 200, 404, 302, 200, 401],
    ),
];

/// The same app behind the package on some paths, and behind nothing but us on the others.
fn both() -> Running {
    let mut server = String::from(
        "const { rateLimit } = require('express-rate-limit'); const app = require('express')();\n\
         app.set('trust proxy', 'loopback');\n",
    );
    let mut config = format!("{TRUSTING}[app.api]\ncommand = 'node server.js'\n");
    for (name, theirs, ours, _) in CASES {
        let _ = writeln!(
            server,
            "app.use('/theirs/{name}', rateLimit({{ windowMs: 900000, limit: {LIMIT}, identifier: '{name}', {theirs} }}));"
        );
        let _ = write!(
            config,
            "[rate_limit.{name}]\nmatch = '/ours/{name}'\nrate = '{LIMIT}/15m'\nalgorithm = 'fixed_window'\n{ours}\n"
        );
    }
    server
        .push_str("app.use((q, r) => r.status(Number(q.query.status)).end());\napp.listen(3000);");
    started(
        Mainstay::run("")
            .file("server.js", &server)
            .packages()
            .config(&config),
    )
}

/// What an answer says of the budget, without times; and those times.
fn told(answer: &Response) -> (u16, Vec<String>, Vec<u64>) {
    let (mut lines, mut times) = (Vec::new(), Vec::new());
    let is_meant = |name: &str| name.contains("ratelimit") || name == "retry-after";
    let mut fields: Vec<_> = answer
        .headers()
        .filter(|(name, _)| is_meant(&name.to_ascii_lowercase()))
        .collect();
    fields.sort_unstable();
    for (name, value) in fields {
        let name = name.to_ascii_lowercase();
        let cut = if name.ends_with("reset") || name == "retry-after" {
            Some(0)
        } else {
            ["; t=", "reset="]
                .iter()
                .find_map(|mark| Some(value.find(mark)? + mark.len()))
        };
        let (text, time) = value.split_at(cut.unwrap_or(value.len()));
        lines.push(format!("{name}: {text}"));
        times.extend(cut.map(|_| time.parse::<u64>().expect("a time in whole seconds")));
    }
    (answer.status(), lines, times)
}

#[test]
fn a_limit_answers_as_express_rate_limit_does() {
    let mainstay = both();
    for client in ["203.0.113.9", "2001:db8:1:2ff::9"] {
        for (name, _, _, statuses) in CASES {
            for (hit, status) in statuses.iter().enumerate() {
                let ask = |whose: &str| {
                    let path = format!("/{whose}/{name}?status={status}");
                    told(&mainstay.get_with(&path, [("X-Forwarded-For", client)]))
                };
                let (theirs, ours) = (ask("theirs"), ask("ours"));
                let place = format!("{name}, hit {}", hit + 1);
                assert_eq!((&ours.0, &ours.1), (&theirs.0, &theirs.1), "{place}");
                assert_eq!(ours.2.len(), theirs.2.len(), "{place}");
                let apart = ours
                    .2
                    .iter()
                    .zip(&theirs.2)
                    .map(|(one, other)| one.abs_diff(*other));
                assert!(
                    apart.max().unwrap_or(0) <= 60,
                    "{place}: {ours:?} {theirs:?}"
                );
            }
        }
    }
}
