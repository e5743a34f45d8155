//! What runs a TypeScript file here: Node itself when it is new enough, else what the project brings along.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::process::{Command, Stdio};

use super::LaunchError;
use super::package::local_program;

/// The words that run `file`, found from its folder upwards.
pub(crate) fn runner(
    file: &Path,
    environment: &BTreeMap<OsString, OsString>,
    folder: &Path,
) -> Result<Vec<String>, LaunchError> {
    let shown = file.display().to_string();
    let version = node_version(environment);
    match version.map(strips_types) {
        Some(Stripping::Always) => return Ok(vec!["node".to_owned(), shown]),
        Some(Stripping::WhenAsked) => {
            let flag = "--experimental-strip-types".to_owned();
            return Ok(vec!["node".to_owned(), flag, shown]);
        }
        Some(Stripping::Never) | None => {}
    }
    for name in ["tsx", "ts-node"] {
        if let Some(program) = local_program(folder, name) {
            return Ok(vec![program.display().to_string(), shown]);
        }
    }
    Err(LaunchError::NoTypeScript {
        file: file.to_owned(),
        found: version.map_or_else(
            || "there is no `node` on the PATH".to_owned(),
            |(major, minor)| format!("this is Node {major}.{minor}"),
        ),
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Stripping {
    Always,
    WhenAsked,
    Never,
}

/// Type stripping came with 22.6 and 23.0 behind a flag, and without one with 22.18 and 23.6.
fn strips_types(version: (u32, u32)) -> Stripping {
    match version {
        (22, 18..) | (23, 6..) | (24.., _) => Stripping::Always,
        (22, 6..) | (23, _) => Stripping::WhenAsked,
        _ => Stripping::Never,
    }
}

/// Major and minor version of the `node` on the PATH. Started without preload or anything else of the environment.
fn node_version(environment: &BTreeMap<OsString, OsString>) -> Option<(u32, u32)> {
    let path = environment.get(std::ffi::OsStr::new("PATH"))?;
    let output = Command::new("node")
        .arg("--version")
        .env_clear()
        .env("PATH", path)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    parse_version(std::str::from_utf8(&output.stdout).ok()?)
}

fn parse_version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.trim().strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_that_strip_types() {
        let cases = [
            ("v20.20.2", Stripping::Never),
            ("v22.5.1", Stripping::Never),
            ("v22.6.0\n", Stripping::WhenAsked),
            ("v22.18.0", Stripping::Always),
            ("v23.5.0", Stripping::WhenAsked),
            ("v23.6.1", Stripping::Always),
            ("v24.0.0", Stripping::Always),
        ];
        for (text, expected) in cases {
            assert_eq!(
                strips_types(parse_version(text).unwrap()),
                expected,
                "{text}"
            );
        }
        assert_eq!(parse_version("node: not found"), None);
    }
}
