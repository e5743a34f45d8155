//! The corpus that `http_desync_guardian` ships with its source: requests that proxies and servers have been known to
//! read in different ways, with a verdict each. Read from the package's folder as cargo has it; nothing of it is kept
//! here, and judging is the tests' affair.

use std::path::PathBuf;
use std::process::Command;

/// One request of the corpus.
#[derive(Debug, Default)]
pub struct DesyncCase {
    /// What the corpus calls it.
    pub name: String,
    method: String,
    /// The request target.
    pub uri: String,
    version: String,
    fields: Vec<(String, String)>,
    /// The verdict: `Compliant`, `Acceptable`, `Ambiguous` or `Severe`.
    pub tier: String,
}

impl DesyncCase {
    /// The request as bytes. Some cases lack `Host`, which alone would have them refused, so
    /// that the reason they are there for would not be tried: they are given one.
    pub fn bytes(&self) -> Vec<u8> {
        let mut line = format!("{} {}", self.method, self.uri);
        if !self.version.is_empty() {
            line = format!("{line} {}", self.version);
        }
        let mut bytes = latin1(&line);
        bytes.extend_from_slice(b"\r\n");
        if !self
            .fields
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case("host"))
        {
            bytes.extend_from_slice(b"Host: example.com\r\n");
        }
        for (name, value) in &self.fields {
            bytes.extend(latin1(&format!("{name}:{value}\r\n")));
        }
        bytes.extend_from_slice(b"\r\n");
        bytes
    }
}

/// All of it, in the order of its files.
///
/// # Panics
/// When cargo has not downloaded it.
pub fn desync_corpus() -> Vec<DesyncCase> {
    let folder = package_folder().join("tests");
    let mut files: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("the package's source is there, since cargo has built it")
        .map(|entry| entry.expect("the folder can be read").path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        // a copy of whatever case its authors were debugging
        .filter(|path| !path.ends_with("single-case.yaml"))
        .collect();
    files.sort();
    files
        .iter()
        .flat_map(|file| parse(&std::fs::read_to_string(file).expect("the file can be read")))
        .collect()
}

/// Where cargo keeps the package's source.
fn package_folder() -> PathBuf {
    let output = Command::new(env!("CARGO"))
        // without the platform, packages would be wanted that nobody has downloaded
        .args([
            "metadata",
            "--format-version=1",
            "--filter-platform=host-tuple",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("cargo can be run");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata = String::from_utf8_lossy(&output.stdout);
    let manifest = metadata
        .split('"')
        .find(|text| text.contains("/http_desync_guardian-") && text.ends_with("/Cargo.toml"))
        .expect("the package is among the dependencies");
    PathBuf::from(manifest.trim_end_matches("Cargo.toml"))
}

/// Reads the one shape of YAML that the corpus has: a list of maps, scalars on one line.
fn parse(text: &str) -> Vec<DesyncCase> {
    let mut cases: Vec<DesyncCase> = Vec::new();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(": ") else {
            continue;
        };
        let value = scalar(value);
        if key == "- name" {
            cases.push(DesyncCase {
                name: value,
                ..DesyncCase::default()
            });
            continue;
        }
        let Some(case) = cases.last_mut() else {
            continue;
        };
        match key {
            "  method" => case.method = value,
            "  uri" => case.uri = value,
            "  version" => case.version = value,
            "    - name" => case.fields.push((value, String::new())),
            "      value" => {
                case.fields
                    .last_mut()
                    .expect("a name comes before its value")
                    .1 = value;
            }
            "    tier" => case.tier = value,
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
    let mut result = String::new();
    let mut chars = inner.chars();
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
