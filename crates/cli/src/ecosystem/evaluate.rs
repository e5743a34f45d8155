//! What an ecosystem file that is a program says: Node evaluates it, with the environment of whoever asks, within bounds
//! of time and length. What it means is not found out here.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use mainstay_values::Problem;
use serde_json::Value;

use super::outcome::{Cut, LONGEST, Said, outcome};

/// What Node is given to do.
const PROGRAM: &str = include_str!("evaluate.cjs");

/// How long a file may take: loading settings of its own from the network is slow, but nobody waits longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Lines of its complaint that are shown.
const LINES: usize = 6;

/// What evaluates JavaScript, the first that is there.
const ENGINES: [&str; 2] = ["node", "bun"];

/// Evaluates the file at `path`, which is absolute; `name` is what people call it.
pub(super) fn evaluate(
    name: &str,
    path: &Path,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<Value, Problem> {
    within(PATIENCE, name, path, environment)
}

fn within(
    patience: Duration,
    name: &str,
    path: &Path,
    environment: &BTreeMap<OsString, OsString>,
) -> Result<Value, Problem> {
    let mark = mark();
    for engine in ENGINES {
        let mut command = Command::new(engine);
        command
            .args(["-e", PROGRAM, "--"])
            .args([path.as_os_str(), mark.as_ref()])
            .current_dir(path.parent().unwrap_or(path))
            .env_clear()
            .envs(environment);
        return match outcome(command, patience) {
            Ok(said) => read(name, &mark, &said, patience),
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => Err(Problem::new(format!("cannot start `{engine}`: {error}"))
                .expected(format!("it to evaluate `{name}`, which is a program"))),
        };
    }
    Err(
        Problem::new(format!("`{name}` is a program, and there is no Node to evaluate it"))
            .expected("`node` on the PATH")
            .hint(
                "where there is Node, `mainstay import pm2` writes a `mainstay.toml` of it, which needs none; so does a \
                 file in JSON or YAML",
            ),
    )
}

/// Nothing that a file prints looks like it.
fn mark() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    let random = RandomState::new().hash_one(std::process::id());
    format!("\u{1}mainstay {random:016x} ")
}

fn read(name: &str, mark: &str, said: &Said, patience: Duration) -> Result<Value, Problem> {
    let begin = find(&said.out, mark.as_bytes());
    if said.cut == Cut::Late && begin.is_none() {
        return Err(Problem::new(format!("`{name}` does not come to an end"))
            .expected(format!(
                "it to export its apps within {} s",
                patience.as_secs()
            ))
            .hint("it is evaluated as PM2 does it; does it wait for something?"));
    }
    if said.cut == Cut::Long {
        return Err(
            Problem::new(format!("`{name}` says too much")).expected(format!(
                "at most {} MiB, with what it prints",
                LONGEST >> 20
            )),
        );
    }
    let Some(begin) = begin else {
        return Err(failed(name, &said.complaint));
    };
    serde_json::from_slice(&said.out[begin..])
        .map_err(|error| Problem::new(format!("`{name}` says what cannot be read: {error}")))
}

/// Why there are no apps: what Node wrote, without its own lines of the trace.
fn failed(name: &str, complaint: &[u8]) -> Problem {
    let text = String::from_utf8_lossy(complaint);
    let is_ours = |line: &&str| {
        let line = line.trim_start();
        line.starts_with("at ") && (line.contains("node:") || line.contains("[eval]"))
    };
    let lines: Vec<&str> = text
        .lines()
        .filter(|line| !line.trim().is_empty() && !is_ours(line))
        .take(LINES)
        .collect();
    if lines.is_empty() {
        return Problem::new(format!(
            "`{name}` ends before it has said what its apps are"
        ))
        .expected("`module.exports = { apps: […] }`")
        .hint("does it call `process.exit()`?");
    }
    let problem = Problem::new(format!("`{name}` fails when it is evaluated"));
    let is_none = text.contains("outside a module") || text.contains("Unexpected token 'export'");
    let cure = if is_none {
        "\nrename it to `.mjs`: it is a module, and `package.json` does not say so"
    } else {
        ""
    };
    problem.hint(format!("Node says:\n{}{cure}", lines.join("\n")))
}

/// Where what stands behind the mark begins.
fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    let mut windows = bytes.windows(mark.len());
    Some(windows.position(|window| window == mark)? + mark.len())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn evaluated(name: &str, text: &str, patience: Duration) -> Result<Value, String> {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        let environment = std::env::vars_os().collect();
        within(patience, name, &path, &environment).map_err(|problem| problem.to_string())
    }

    #[test]
    fn what_a_file_exports_is_what_it_says() {
        let one = json!({ "apps": [{ "script": "a.js" }] });
        for (name, text) in [
            (
                "x.config.js",
                "module.exports = { apps: [{ script: 'a.js' }] };",
            ),
            (
                "x.config.cjs",
                "console.log('loud'); exports.apps = [{ script: 'a.js' }];",
            ),
            (
                "x.config.mjs",
                "export default { apps: [{ script: 'a.js' }] };",
            ),
            (
                "y.config.mjs",
                "export const apps = [{ script: 'a.js', undefined }];",
            ),
            (
                "z.config.mjs",
                "const a = await Promise.resolve('a.js'); export default { apps: [{ script: a }] };",
            ),
            (
                "x.json",
                "{ // a remark\n apps: [{ 'script': 'a.js', },], }",
            ),
            (
                "waits.config.js",
                "setInterval(() => 0, 1000); module.exports = { apps: [{ script: 'a.js' }] };",
            ),
            (
                "here.config.js",
                "module.exports = { apps: [{ script: require('path').basename(process.cwd()) && 'a.js' }] };",
            ),
        ] {
            assert_eq!(evaluated(name, text, PATIENCE), Ok(one.clone()), "{name}");
        }
        let patterns =
            "module.exports = { apps: [{ script: 'a', ignore_watch: [/x/i], big: 7n, f() {} }] };";
        assert_eq!(
            evaluated("x.config.js", patterns, PATIENCE),
            Ok(json!({ "apps": [{ "script": "a", "ignore_watch": ["/x/i"], "big": "7" }] }))
        );
    }

    #[test]
    fn what_says_nothing_is_told_with_the_cure() {
        for (name, text, expected) in [
            (
                "x.config.js",
                "throw new Error('no database')",
                "no database",
            ),
            ("x.config.js", "module.exports = { apps: [", "SyntaxError"),
            ("x.config.js", "process.exit(0)", "process.exit()"),
            ("x.config.js", "module.exports = () => 1", "a function"),
            (
                "x.config.js",
                "const a = {}; a.a = a; module.exports = a;",
                "circular",
            ),
        ] {
            let error = evaluated(name, text, PATIENCE).expect_err(text);
            assert!(error.contains(expected), "{text}: {error}");
        }
    }

    #[test]
    fn a_file_that_does_not_end_is_ended() {
        let patience = Duration::from_millis(500);
        for text in ["for (;;) {}", "process.stdout.write('x'); for (;;) {}"] {
            let error = evaluated("x.config.js", text, patience).expect_err(text);
            assert!(error.contains("does not come to an end"), "{error}");
        }
    }
}
