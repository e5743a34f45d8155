//! The corpus that `http_desync_guardian` ships with its source, sent through the whole data plane. Read from
//! the package's folder as cargo has it; nothing of it is kept here.

use std::path::PathBuf;
use std::process::Command;

use crate::harness::{End, Gateway, OK, Origin};

/// One request of the corpus.
#[derive(Debug, Default)]
struct Case {
    name: String,
    method: String,
    uri: String,
    version: String,
    fields: Vec<(String, String)>,
    tier: String,
}

impl Case {
    /// As bytes, with a `Host` where there is none: its absence alone would be refused.
    fn bytes(&self) -> Vec<u8> {
        let mut line = format!("{} {}", self.method, self.uri);
        if !self.version.is_empty() {
            line = format!("{line} {}", self.version);
        }
        let mut bytes = latin1(&format!("{line}\r\n"));
        let has_host = |(name, _): &(String, String)| name.eq_ignore_ascii_case("host");
        if !self.fields.iter().any(has_host) {
            bytes.extend_from_slice(b"Host: example.com\r\n");
        }
        for (name, value) in &self.fields {
            bytes.extend(latin1(&format!("{name}:{value}\r\n")));
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }
}

#[test]
fn severe_requests_are_refused_and_closed_and_reach_no_origin() {
    let origin = Origin::answering(OK);
    let gateway = Gateway::before(&[&origin]);
    let mut wrong = Vec::new();
    let severe: Vec<Case> = corpus()
        .into_iter()
        .filter(|case| case.tier == "Severe")
        .collect();
    assert_eq!(severe.len(), 58, "another corpus");
    for case in &severe {
        let mut client = gateway.connect();
        // what follows would be the body, or the smuggled request
        client
            .send(case.bytes())
            .send("0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: example.com\r\n\r\n")
            .half_close();
        let (text, end) = client.read_to_end();
        let status = text.split(' ').nth(1).unwrap_or_default().to_owned();
        let answers = text.matches("HTTP/1.1 ").count();
        let is_refused = status.starts_with('4') || status == "501";
        if !is_refused || answers != 1 || end == End::Open {
            wrong.push(format!(
                "{:?}: {end:?}, {answers} answers, {text}",
                case.name
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let seen = origin.requests();
    assert!(seen.is_empty(), "{seen:?}");
    assert_eq!(origin.connections(), 0);
}

fn corpus() -> Vec<Case> {
    let folder = package_folder().join("tests");
    let entries = std::fs::read_dir(&folder).expect("cargo has the package's source");
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "yaml"))
        // a copy of whatever case its authors were debugging
        .filter(|path| !path.ends_with("single-case.yaml"))
        .collect();
    files.sort();
    let text = |file| std::fs::read_to_string(file).expect("the file can be read");
    files.iter().flat_map(|file| parse(&text(file))).collect()
}

/// Where cargo keeps the package's source.
fn package_folder() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        // without the platform, packages would be wanted that nobody has downloaded
        .args(["metadata", "--format-version=1"])
        .arg("--filter-platform=host-tuple")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be run");
    let metadata = String::from_utf8_lossy(&output.stdout);
    let manifest = metadata
        .split('"')
        .find(|text| text.contains("/http_desync_guardian-") && text.ends_with("/Cargo.toml"))
        .expect("the package is among the dependencies");
    PathBuf::from(manifest.trim_end_matches("Cargo.toml"))
}

/// Reads the one shape of YAML that the corpus has: a list of maps, scalars on one line.
fn parse(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once(": ")) {
        let value = scalar(value);
        if key == "- name" {
            cases.push(Case {
                name: value,
                ..Case::default()
            });
            continue;
        }
        let Some(case) = cases.last_mut() else {
            continue;
        };
        match (key, case.fields.last_mut()) {
            ("  method", _) => case.method = value,
            ("  uri", _) => case.uri = value,
            ("  version", _) => case.version = value,
            ("    tier", _) => case.tier = value,
            ("    - name", _) => case.fields.push((value, String::new())),
            ("      value", Some(field)) => field.1 = value,
            _ => {}
        }
    }
    cases
}

/// Takes off the quotes and resolves escapes, which the corpus uses in every kind of scalar.
fn scalar(text: &str) -> String {
    let text = text.trim();
    let inner = ['"', '\'']
        .iter()
        .find_map(|&quote| text.strip_prefix(quote)?.rsplit_once(quote))
        .map_or(text, |(inner, _)| inner);
    let (mut result, mut chars) = (String::new(), inner.chars());
    while let Some(char) = chars.next() {
        if char != '\\' {
            result.push(char);
            continue;
        }
        result.push(match chars.next() {
            Some('x') => {
                let digits: String = chars.by_ref().take(2).collect();
                char::from(u8::from_str_radix(&digits, 16).expect("two digits follow `\\x`"))
            }
            Some('b') => '\x08',
            Some('f') => '\x0c',
            Some('n') => '\n',
            Some('r') => '\r',
            Some('t') => '\t',
            other => other.expect("an escape has a second character"),
        });
    }
    result
}

/// Each character as the byte of its number, as the escapes mean it; others as UTF-8.
fn latin1(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for char in text.chars() {
        match u8::try_from(char) {
            Ok(byte) => bytes.push(byte),
            Err(_) => bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
    bytes
}
