//! The corpus that `http_desync_guardian` ships with its source: requests that proxies and
//! servers have been known to read in different ways, with a verdict each. Read from the
//! package's folder as cargo has it; nothing of it is kept here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

use bytes::Bytes;
use mainstay_codec::{HeadFault, HeadScan, Limits, Refused, RequestHead, parse_request};

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
    /// The request as bytes. Some cases lack `Host`, which alone would have them refused, so
    /// that the reason they are there for would not be tried: they are given one.
    fn bytes(&self) -> Vec<u8> {
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

#[test]
fn severe_ones_are_refused_and_compliant_ones_are_not() {
    let cases = corpus();
    assert_eq!(
        cases.len(),
        158,
        "the corpus is not the one this test was written for"
    );
    let mut tally: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    let mut wrong = Vec::new();
    for case in &cases {
        let result = read(&case.bytes());
        tally.entry(&case.tier).or_default()[usize::from(result.is_err())] += 1;
        let is_right = match case.tier.as_str() {
            "Severe" => result.is_err(),
            "Compliant" => result
                .as_ref()
                .err()
                .is_none_or(|refused| is_expected(case, *refused)),
            _ => true,
        };
        if !is_right {
            wrong.push(format!("{} {:?}: {result:?}", case.tier, case.name));
        }
    }
    println!("tier: [accepted, refused]: {tally:?}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert_eq!(tally["Severe"], [0, 58]);
}

/// What the guardian calls compliant and is refused here all the same: a bad host, transfer
/// codings that nobody implements (RFC 9112, 6.1, names 501 for them), and two targets that the
/// grammar of RFC 9112, 3.2, does not have, an empty one and one with a fragment.
fn is_expected(case: &Case, refused: Refused) -> bool {
    match refused {
        Refused::Host | Refused::HostRepeated => true,
        Refused::Encoding | Refused::EncodingRepeated => {
            refused.status() == http::StatusCode::NOT_IMPLEMENTED
        }
        Refused::Target | Refused::Head(HeadFault::StartLine) => {
            case.uri.is_empty() || case.uri.contains('#')
        }
        _ => false,
    }
}

/// What is ambiguous to the guardian and accepted here must at least have one framing.
#[test]
fn ambiguous_ones_have_at_most_one_framing_field() {
    for case in corpus() {
        if let Ok(head) = read(&case.bytes()) {
            let framing_fields = ["content-length", "transfer-encoding"]
                .map(|name| head.headers.get_all(name).iter().count());
            assert!(framing_fields.iter().sum::<usize>() <= 1, "{case:?}");
        }
    }
}

fn read(bytes: &[u8]) -> Result<RequestHead, Refused> {
    let limits = Limits::default();
    let Some(span) = HeadScan::default().find_end(bytes, &limits)? else {
        // no blank line before the end: no request either
        return Err(Refused::Head(HeadFault::StartLine));
    };
    parse_request(
        Bytes::copy_from_slice(&bytes[span.start..span.end]),
        &limits,
    )
}

fn corpus() -> Vec<Case> {
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
fn parse(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines() {
        let Some((key, value)) = line.split_once(": ") else {
            continue;
        };
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
