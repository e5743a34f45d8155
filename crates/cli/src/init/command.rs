//! How an app is started: the first of `package.json`, Procfile, Dockerfile, ecosystem file and usual file names
//! that says it. What may not be here: trying it.

use super::container::{self, Words};
use super::folder::{Folder, USUAL};
use super::package::Package;

/// A command with its reason.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) command: Words,
    pub(super) reason: String,
    /// A port that stood in the command, where it is no longer.
    pub(super) port: Option<u16>,
}

/// Who was used to install the packages, and starts the scripts.
pub(super) fn manager(folder: &Folder) -> (&'static str, &'static str) {
    let said = folder.text("package.json").and_then(Package::parse);
    match said.and_then(|package| package.manager).as_deref() {
        Some("pnpm") => return ("pnpm", "`packageManager` in package.json"),
        Some("yarn") => return ("yarn", "`packageManager` in package.json"),
        Some("bun") => return ("bun", "`packageManager` in package.json"),
        _ => {}
    }
    for (file, manager) in [
        ("pnpm-lock.yaml", "pnpm"),
        ("yarn.lock", "yarn"),
        ("bun.lock", "bun"),
        ("bun.lockb", "bun"),
        ("package-lock.json", "npm"),
        ("npm-shrinkwrap.json", "npm"),
    ] {
        if folder.has(file) {
            return (manager, file);
        }
    }
    ("npm", "")
}

/// Finds it for the package in `below` (empty for the folder itself, else ending in a slash).
pub(super) fn find(folder: &Folder, below: &str) -> Option<Start> {
    let package = folder
        .text(&format!("{below}package.json"))
        .and_then(Package::parse)
        .unwrap_or_default();
    script(folder, &package)
        .or_else(|| procfile(folder, below))
        .or_else(|| dockerfile(folder, below))
        .or_else(|| ecosystem_file(folder, below))
        .or_else(|| usual(folder, below, &package))
}

fn script(folder: &Folder, package: &Package) -> Option<Start> {
    let text = package.scripts.get("start")?.trim();
    if text.is_empty() || names(text, &["pm2", "pm2-runtime", "pm2-dev"]) {
        return None;
    }
    let reason = format!("`start` in package.json: {text}");
    if let Some(rest) = text
        .strip_prefix("nodemon ")
        .filter(|rest| rest.ends_with("js"))
    {
        return Some(Start::of(
            Words::Shell(format!("node {rest}")),
            "`start` in package.json, without nodemon, which is for development",
        ));
    }
    let command = match manager(folder).0 {
        // its scripts are found and run without a package manager all the same
        "bun" => "npm start".to_owned(),
        other => format!("{other} start"),
    };
    Some(Start::of(Words::Shell(command), &reason))
}

fn procfile(folder: &Folder, below: &str) -> Option<Start> {
    let processes = container::procfile(folder.text(&format!("{below}Procfile"))?);
    let (_, command) = processes.into_iter().find(|(name, _)| name == "web")?;
    let start = Start::of(Words::Shell(command), "`web` in Procfile");
    (!start.is_pm2()).then_some(start)
}

fn dockerfile(folder: &Folder, below: &str) -> Option<Start> {
    let found = container::dockerfile(folder.text(&format!("{below}Dockerfile"))?);
    let start = Start::of(found.command?, "CMD in Dockerfile");
    (!start.is_pm2()).then_some(start)
}

fn ecosystem_file(folder: &Folder, below: &str) -> Option<Start> {
    let (name, text) = ecosystem(folder, below)?;
    let script = super::ecosystem::read(text).scripts.into_iter().next()?;
    let script = script.trim_start_matches("./").to_owned();
    let is_source = script.ends_with("js") && !script.contains(char::is_whitespace);
    let command = format!("node {script}");
    is_source.then(|| Start::of(Words::Shell(command), &format!("`script` in {name}")))
}

/// The ecosystem file, by whichever of its names.
pub(super) fn ecosystem<'a>(folder: &'a Folder, below: &str) -> Option<(&'static str, &'a str)> {
    [
        "ecosystem.config.js",
        "ecosystem.config.cjs",
        "ecosystem.json",
        "pm2.config.js",
        "pm2.json",
        "process.json",
    ]
    .into_iter()
    .find_map(|name| Some((name, folder.text(&format!("{below}{name}"))?)))
}

fn usual(folder: &Folder, below: &str, package: &Package) -> Option<Start> {
    let main = package
        .main
        .as_deref()
        .map(|main| main.trim_start_matches("./"));
    let is_source = |name: &&str| name.ends_with("js") && !name.contains(char::is_whitespace);
    if let Some(main) = main
        .filter(|main| folder.has(&format!("{below}{main}")))
        .filter(is_source)
    {
        let command = Words::Shell(format!("node {main}"));
        return Some(Start::of(command, "`main` in package.json"));
    }
    let name = USUAL
        .iter()
        .find(|name| folder.has(&format!("{below}{name}")))?;
    let runner = if name.ends_with("ts") {
        package
            .dependencies
            .contains_key("tsx")
            .then_some("npx tsx")?
    } else {
        "node"
    };
    let command = Words::Shell(format!("{runner} {name}"));
    Some(Start::of(
        command,
        "the only file here that looks like the start of an app",
    ))
}

impl Start {
    fn of(command: Words, reason: &str) -> Self {
        let (command, port) = take_port(command);
        let moved = if port.is_some() {
            ", with the port from us"
        } else {
            ""
        };
        Self {
            command,
            reason: format!("{reason}{moved}"),
            port,
        }
    }

    /// In one line, to look for names in.
    pub(super) fn line(&self) -> String {
        match &self.command {
            Words::Shell(text) => text.clone(),
            Words::Plain(words) => words.join(" "),
        }
    }

    fn is_pm2(&self) -> bool {
        names(&self.line(), &["pm2", "pm2-runtime", "pm2-dev"])
    }
}

/// Whether one of these is a word of the command.
pub(super) fn names(command: &str, programs: &[&str]) -> bool {
    command
        .split(|letter: char| letter.is_whitespace() || "/&;|\"'".contains(letter))
        .any(|word| programs.contains(&word))
}

/// A server that is told its port by a flag would not be found on another: the flag says `$PORT` from now on, and
/// loopback, since nobody but the gateway talks to it.
fn take_port(command: Words) -> (Words, Option<u16>) {
    let line = match &command {
        Words::Shell(text) => text.clone(),
        Words::Plain(words) => words.join(" "),
    };
    let first = line.split_whitespace().find(|word| *word != "exec");
    let told = ["uvicorn", "hypercorn", "daphne", "flask", "waitress-serve"];
    if !first.is_some_and(|first| told.contains(&first)) || line.contains(['"', '\'', '\\']) {
        return (command, None);
    }
    let mut port = None;
    let mut words: Vec<String> = Vec::new();
    for word in line
        .replace("--port=", "--port ")
        .replace("--host=", "--host ")
        .split_whitespace()
    {
        match words.last().map(String::as_str) {
            Some("--port") if word.parse::<u16>().is_ok() => {
                port = word.parse().ok();
                words.push("$PORT".to_owned());
            }
            Some("--host") => words.push("127.0.0.1".to_owned()),
            _ => words.push(word.to_owned()),
        }
    }
    match port {
        Some(_) => (Words::Shell(words.join(" ")), port),
        None => (command, None),
    }
}
