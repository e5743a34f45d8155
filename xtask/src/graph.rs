//! The crate graph is law: who may depend on whom, and who alone may use what.
//!
//! Arrows point from what meets the world to what merely thinks. What may not be here: exceptions without a
//! reason beside them.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::command::{cargo, output};
use crate::failure::Failure;

/// Our crates by folder name, each with those of ours it may use.
const ALLOWED: &[(&str, &[&str])] = &[
    ("values", &[]),
    ("observe", &["values"]),
    ("codec", &[]),
    ("pipeline", &["values", "observe"]),
    ("proxy", &["values", "observe", "codec", "pipeline"]),
    ("supervisor", &["values", "observe"]),
    ("store", &["values", "observe", "pipeline"]),
    (
        "config",
        &[
            "values",
            "observe",
            "codec",
            "pipeline",
            "proxy",
            "supervisor",
            "store",
        ],
    ),
    (
        "control",
        &[
            "values",
            "observe",
            "codec",
            "pipeline",
            "proxy",
            "supervisor",
            "store",
            "config",
        ],
    ),
    (
        "deploy",
        &[
            "values",
            "observe",
            "codec",
            "pipeline",
            "proxy",
            "supervisor",
            "store",
            "config",
        ],
    ),
    (
        "embed",
        &[
            "values", "observe", "codec", "pipeline", "proxy", "store", "config",
        ],
    ),
    (
        "cli",
        &[
            "values",
            "observe",
            "codec",
            "pipeline",
            "proxy",
            "supervisor",
            "store",
            "config",
            "control",
            "deploy",
            "embed",
            "shortener",
        ],
    ),
    // Apps and tools are strangers to us: they must work without any of it.
    ("shortener", &[]),
    ("testkit", &[]),
    ("testapp", &[]),
    ("xtask", &[]),
];

/// What only some may depend on, and why. Tests may use it where the last word says so.
const RESERVED: &[(&str, &[&str], Tests, &str)] = &[
    (
        "clap",
        &["cli"],
        Tests::Bound,
        "only the program has a command line",
    ),
    (
        "clap_complete",
        &["cli"],
        Tests::Bound,
        "only the program has a command line",
    ),
    (
        "clap_mangen",
        &["cli"],
        Tests::Bound,
        "only the program has a command line",
    ),
    (
        "mimalloc",
        &["cli"],
        Tests::Free,
        "only a program chooses an allocator",
    ),
    (
        "httparse",
        &["codec"],
        Tests::Bound,
        "HTTP/1 is read in one place",
    ),
    (
        "toml",
        &["config"],
        Tests::Bound,
        "the file is read in one place",
    ),
    (
        "rustix",
        &["supervisor", "proxy", "cli", "testkit"],
        Tests::Free,
        "system calls belong to what meets the world",
    ),
    (
        "socket2",
        &["supervisor", "proxy", "cli"],
        Tests::Free,
        "the thinking crates know no sockets",
    ),
    (
        "tokio",
        &[
            "pipeline",
            "supervisor",
            "proxy",
            "store",
            "control",
            "embed",
            "cli",
        ],
        Tests::Free,
        "values, facts, bytes and settings need no runtime",
    ),
    (
        "libc",
        &["supervisor"],
        Tests::Bound,
        "system calls go through rustix; the supervisor's OS module states its own exceptions",
    ),
    (
        "hyper",
        &[],
        Tests::Free,
        "both sides of HTTP/1 are our codec; hyper is its judge in tests",
    ),
    (
        "mainstay-testkit",
        &[],
        Tests::Free,
        "a harness is no part of a program",
    ),
];

/// The pipeline may hand bodies over and keep time; with these features of tokio it could meet the world.
const WORLDLY: &[&str] = &[
    "full",
    "fs",
    "io-std",
    "net",
    "process",
    "rt",
    "rt-multi-thread",
    "signal",
];

/// Whether dev-dependencies are bound by a rule too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tests {
    Bound,
    Free,
}

/// One dependency as a manifest states it.
#[derive(Debug, PartialEq, Eq)]
struct Edge {
    from: String,
    to: String,
    dev: bool,
    features: Vec<String>,
}

pub(crate) fn check() -> Result<(), Failure> {
    let text = output(&mut cargo([
        "metadata",
        "--locked",
        "--format-version",
        "1",
        "--no-deps",
    ]))?;
    let metadata: Value =
        serde_json::from_str(&text).map_err(|error| Failure::new(error.to_string()))?;
    let complaints: Vec<String> = edges(&metadata).iter().flat_map(complaints).collect();
    Failure::unless_empty(
        "the crate graph does not allow these dependencies (xtask/src/graph.rs)",
        &complaints,
    )
}

fn edges(metadata: &Value) -> Vec<Edge> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let name = |value: &Value| value["name"].as_str().unwrap_or_default().to_owned();
    let mut edges = Vec::new();
    for package in list(&metadata["packages"]) {
        for dependency in list(&package["dependencies"]) {
            let dev = dependency["kind"].as_str() == Some("dev");
            let features = list(&dependency["features"]);
            let features = features
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            edges.push(Edge {
                features,
                from: name(&package),
                to: name(&dependency),
                dev,
            });
        }
    }
    edges
}

fn complaints(edge: &Edge) -> Vec<String> {
    let allowed: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
    let (from, to) = (short(&edge.from), short(&edge.to));
    let mut complaints = Vec::new();
    match allowed.get(from) {
        None => complaints.push(format!("`{from}` is in no row of the table; give it one")),
        Some(targets) if allowed.contains_key(to) && to != "testkit" && !targets.contains(&to) => {
            complaints.push(format!("`{from}` may not depend on `{to}`"));
        }
        Some(_) => {}
    }
    let worldly = edge
        .features
        .iter()
        .find(|feature| WORLDLY.contains(&feature.as_str()));
    if let Some(feature) = worldly.filter(|_| from == "pipeline" && to == "tokio" && !edge.dev) {
        complaints.push(format!(
            "`pipeline` may not use tokio's `{feature}`: it knows no sockets and no processes"
        ));
    }
    for (reserved, owners, tests, reason) in RESERVED {
        let free = owners.contains(&from) || (edge.dev && *tests == Tests::Free);
        if edge.to == *reserved && !free {
            complaints.push(format!("`{from}` may not depend on `{reserved}`: {reason}"));
        }
    }
    complaints
}

/// The folder's word: packages are called `mainstay-WORD`.
fn short(package: &str) -> &str {
    package.strip_prefix("mainstay-").unwrap_or(package)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_law_is_applied() {
        for (from, to, dev, lawful) in [
            ("mainstay-proxy", "mainstay-codec", false, true),
            ("mainstay-proxy", "mainstay-supervisor", false, false),
            ("mainstay-supervisor", "mainstay-proxy", true, false),
            ("mainstay-pipeline", "mainstay-config", false, false),
            ("mainstay-cli", "clap", false, true),
            ("mainstay-config", "clap", false, false),
            ("mainstay-codec", "hyper", true, true),
            ("mainstay-codec", "hyper", false, false),
            ("mainstay-pipeline", "tokio", true, true),
            ("mainstay-codec", "tokio", false, false),
            ("mainstay-cli", "mainstay-testkit", true, true),
            ("mainstay-cli", "mainstay-testkit", false, false),
            ("mainstay-new", "serde", false, false),
        ] {
            let edge = Edge {
                from: from.to_owned(),
                to: to.to_owned(),
                dev,
                features: Vec::new(),
            };
            assert_eq!(complaints(&edge).is_empty(), lawful, "{edge:?}");
        }
    }

    #[test]
    fn the_pipeline_meets_no_socket() {
        for (feature, lawful) in [
            ("sync", true),
            ("time", true),
            ("net", false),
            ("rt", false),
        ] {
            let (from, to) = ("mainstay-pipeline".to_owned(), "tokio".to_owned());
            let edge = Edge {
                from,
                to,
                dev: false,
                features: vec![feature.to_owned()],
            };
            assert_eq!(complaints(&edge).is_empty(), lawful, "{feature}");
        }
    }

    #[test]
    fn the_table_has_no_circle() {
        for (position, (name, targets)) in ALLOWED.iter().enumerate() {
            let earlier: Vec<_> = ALLOWED[..position].iter().map(|(name, _)| *name).collect();
            let late = targets
                .iter()
                .filter(|target| **target != "shortener" && !earlier.contains(target));
            assert_eq!(late.collect::<Vec<_>>(), Vec::<&&str>::new(), "{name}");
        }
    }
}
