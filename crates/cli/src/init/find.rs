//! From texts to findings: which apps there are, and each line of their settings with the reason for it.

use std::collections::BTreeMap;

use super::command::{self, Start};
use super::container::Words;
use super::folder::Folder;
use super::memory::{self, Twice};
use super::package::{self, Package};
use super::{front, notes};

/// What there is to write, and to say.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Lines in front of all sections.
    pub(super) top: Vec<Line>,
    /// Sections by their heading.
    pub(super) sections: Vec<(String, Vec<Line>)>,
    /// One sentence for each thing that was found.
    pub(crate) notes: Vec<String>,
}

/// One setting.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) key: &'static str,
    /// As TOML.
    pub(super) value: String,
    pub(super) reason: String,
}

/// One app that was found.
pub(super) struct App {
    name: String,
    lines: Vec<Line>,
    /// The port it seems to ask for, and where that was seen.
    pub(super) port: Option<(u16, String)>,
}

/// All that a folder says; `None` when nothing says how an app is started, or where one runs.
pub(crate) fn find(folder: &Folder) -> Option<Findings> {
    let mut found = Findings::default();
    let mut apps: Vec<App> = members(folder, &mut found.notes);
    if apps.is_empty() {
        apps.extend(app(folder, "", &mut found.notes));
    }
    notes::manager(folder, &mut found.notes);
    notes::ecosystem(folder, &mut found.notes);
    let front = front::in_front(folder, &mut found);
    if apps.is_empty() {
        let server = front?;
        found.notes.push(format!(
            "nothing here says how the app behind `{server}` is started"
        ));
        // it runs there already: the gateway goes in front, on an address of its own
        found.top.retain(|line| line.key != "listen");
        let reason = "where nginx passes requests: an app that runs already".to_owned();
        found.sections.push((
            "upstream.web".to_owned(),
            vec![Line::text("server", &server, reason)],
        ));
        return Some(found);
    }
    if front.is_none() && apps.len() == 1 {
        found.top.extend(front::listen(folder, &apps[0]));
    }
    notes::variables(folder, &mut found.notes);
    let own = if apps.len() > 1 {
        reach(&mut apps)
    } else {
        Vec::new()
    };
    found.sections.extend(
        apps.into_iter()
            .map(|app| (format!("app.{}", app.name), app.lines)),
    );
    found.sections.extend(own);
    Some(found)
}

/// The packages of a workspace that can be started.
fn members(folder: &Folder, notes: &mut Vec<String>) -> Vec<App> {
    let mut apps: Vec<App> = Vec::new();
    let startable = folder
        .members()
        .filter(|(_, package)| package.scripts.contains_key("start"));
    for (path, _) in startable {
        let Some(mut app) = app(folder, &format!("{path}/"), notes) else {
            continue;
        };
        while apps.iter().any(|other| other.name == app.name) {
            app.name.push_str("-2");
        }
        app.lines.insert(
            0,
            Line::text("cwd", path, "a package of the workspace".to_owned()),
        );
        apps.push(app);
    }
    apps
}

fn app(folder: &Folder, below: &str, notes: &mut Vec<String>) -> Option<App> {
    let start = command::find(folder, below)?;
    let text = |name: &str| folder.text(&format!("{below}{name}"));
    let package = text("package.json")
        .and_then(Package::parse)
        .unwrap_or_default();
    let mut dependencies = package.dependencies.clone();
    if let Some(text) = text("requirements.txt") {
        dependencies.extend(package::requirements(text));
    }
    let place = below.trim_end_matches('/');
    let folder_name = place.rsplit('/').next().filter(|name| !name.is_empty());
    let name = package
        .name
        .as_deref()
        .or(folder_name)
        .unwrap_or(&folder.name);
    let name = plain_name(name);
    notes::framework(&name, &dependencies, notes);
    let (source_name, source) = source(folder, below, &package, &start);
    let command = match &start.command {
        Words::Shell(text) => quoted(text),
        Words::Plain(words) => list(words),
    };
    let mut lines = vec![Line {
        key: "command",
        value: command,
        reason: start.reason.clone(),
    }];
    lines.extend(workers(
        &dependencies,
        source,
        text("prisma/schema.prisma"),
        &start,
    ));
    let port = start.port.map(|port| (port, "the command".to_owned()));
    let asked = source.and_then(port_in).map(|port| (port, source_name));
    Some(App {
        name,
        lines,
        port: port.or(asked),
    })
}

/// The file that is started, as far as it can be seen from the words.
fn source<'a>(
    folder: &'a Folder,
    below: &str,
    package: &Package,
    start: &Start,
) -> (String, Option<&'a str>) {
    let script = package.scripts.get("start").cloned().unwrap_or_default();
    let line = format!("{} {script}", start.line());
    let words = line
        .split_whitespace()
        .map(|word| word.trim_start_matches("./"));
    let mut sources = words.filter(|word| word.ends_with("js") || word.ends_with("ts"));
    let name = sources.find_map(|word| {
        let path = format!("{below}{word}");
        folder.text(&path).map(|text| (path, Some(text)))
    });
    name.unwrap_or_default()
}

/// How many processes, and whether two releases may overlap.
fn workers(
    dependencies: &BTreeMap<String, String>,
    source: Option<&str>,
    prisma: Option<&str>,
    start: &Start,
) -> Vec<Line> {
    if command::names(&start.line(), &["gunicorn"]) {
        let reason = "gunicorn has workers of its own".to_owned();
        return vec![Line {
            key: "workers",
            value: "1".to_owned(),
            reason,
        }];
    }
    let signs = memory::signs(dependencies, source, prisma);
    let Some((name, sign)) = signs.first() else {
        let reason =
            "as many as cores and memory allow: no sign of state that lives in one process"
                .to_owned();
        return vec![Line::text("workers", "auto", reason)];
    };
    let reason = format!("{name} {}", sign.reason);
    let mut lines = vec![Line {
        key: "workers",
        value: "1".to_owned(),
        reason,
    }];
    if sign.twice == Twice::Harmful {
        let reason = "so the old process ends before the new one begins; requests wait".to_owned();
        lines.push(Line::text("reload", "hold", reason));
    }
    lines
}

/// A number where ports are written: `PORT || 3000`, `.listen(3000`.
fn port_in(source: &str) -> Option<u16> {
    ["PORT || ", "PORT ?? ", "PORT) || ", ".listen(", "port: "]
        .iter()
        .find_map(|mark| {
            source.match_indices(mark).find_map(|(at, _)| {
                let rest = source[at + mark.len()..].trim_start_matches(['"', '\'']);
                let end = rest
                    .find(|letter: char| !letter.is_ascii_digit())
                    .unwrap_or(rest.len());
                rest[..end].parse().ok().filter(|port| *port > 0)
            })
        })
}

/// Several apps: each on the port it asks for, as before, or else below a path of its own.
fn reach(apps: &mut [App]) -> Vec<(String, Vec<Line>)> {
    let mut ports: Vec<u16> = apps
        .iter()
        .filter_map(|app| Some(app.port.as_ref()?.0))
        .collect();
    ports.sort_unstable();
    ports.dedup();
    if ports.len() == apps.len() {
        for app in apps {
            if let Some((port, place)) = &app.port {
                let reason = format!("the port it asks for ({place})");
                app.lines
                    .push(Line::text("listen", &format!(":{port}"), reason));
            }
        }
        return Vec::new();
    }
    let front = ["web", "www", "frontend", "client", "site", "app"];
    let root = apps
        .iter()
        .position(|app| front.contains(&app.name.as_str()))
        .unwrap_or(0);
    let route = |(index, app): (usize, &App)| {
        let (path, reason) = if index == root {
            (
                "/".to_owned(),
                "everything that no other route is for: a guess, change it as you need",
            )
        } else {
            (
                format!("/{}", app.name),
                "a guess: put the path or `host` here that it answers to",
            )
        };
        let lines = vec![
            Line::text("path", &path, reason.to_owned()),
            Line::text("to", &app.name, "the app above".to_owned()),
        ];
        (format!("route.{}", app.name), lines)
    };
    apps.iter().enumerate().map(route).collect()
}

/// As names of sections may be.
fn plain_name(name: &str) -> String {
    let plain = |letter: char| {
        if letter.is_ascii_alphanumeric() || letter == '_' {
            letter
        } else {
            '-'
        }
    };
    let name: String = name.chars().map(plain).take(32).collect();
    let name = name.trim_matches(['-', '_']);
    if name.is_empty() {
        "web".to_owned()
    } else {
        name.to_owned()
    }
}

impl Line {
    pub(super) fn text(key: &'static str, value: &str, reason: String) -> Self {
        Self {
            key,
            value: quoted(value),
            reason,
        }
    }
}

pub(super) fn list(words: &[String]) -> String {
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("[{}]", words.join(", "))
}

/// As TOML's basic string, whose escapes are those of JSON, but for DEL.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text)
        .to_string()
        .replace('\u{7f}', "\\u007f")
}
