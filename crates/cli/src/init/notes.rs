//! Sentences about what was found: said, not written.

use std::collections::BTreeMap;

use super::folder::Folder;
use super::{command, container, ecosystem};

/// Frameworks that are worth a word.
const FRAMEWORKS: [&str; 16] = [
    "@nestjs/core",
    "next",
    "nuxt",
    "express",
    "fastify",
    "koa",
    "@hapi/hapi",
    "hono",
    "@remix-run/serve",
    "restify",
    "fastapi",
    "flask",
    "django",
    "starlette",
    "datasette",
    "httpbin",
];

pub(super) fn framework(
    app: &str,
    dependencies: &BTreeMap<String, String>,
    notes: &mut Vec<String>,
) {
    let known = FRAMEWORKS
        .iter()
        .find_map(|name| Some((name, dependencies.get(*name)?)));
    notes.push(match known {
        Some((name, version)) => format!("app `{app}`: {name} {version}")
            .trim_end()
            .to_owned(),
        None => format!("app `{app}`"),
    });
}

pub(super) fn manager(folder: &Folder, notes: &mut Vec<String>) {
    let (manager, place) = command::manager(folder);
    if !place.is_empty() {
        notes.push(format!("{manager} ({place})"));
    }
}

pub(super) fn ecosystem(folder: &Folder, notes: &mut Vec<String>) {
    if let Some((name, text)) = command::ecosystem(folder, "") {
        let names = ecosystem::read(text).names;
        let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
        let apps = if names.is_empty() {
            String::new()
        } else {
            format!(": {}", names.join(", "))
        };
        notes.push(format!(
            "PM2's {name}{apps}; `mainstay import pm2 {name}` takes all of it over, and `mainstay run {name}` runs it as it is"
        ));
    }
}

pub(super) fn variables(folder: &Folder, notes: &mut Vec<String>) {
    let example = [".env.example", ".env.sample"]
        .into_iter()
        .find_map(|name| Some((name, folder.text(name)?)));
    if let Some((name, text)) = example {
        let names: Vec<String> = container::variables(text)
            .into_iter()
            .map(|(name, _)| name)
            .take(20)
            .collect();
        notes.push(format!(
            "{name} names {}: set them where you start mainstay; .env files are left to the app",
            names.join(", ")
        ));
    }
}
