//! `package.json` and `requirements.txt`: names of packages, scripts, the workspace. Read leniently: what is no
//! JSON says nothing.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// One package, and its direct dependencies by name.
#[derive(Debug, Default)]
pub(crate) struct Package {
    pub(super) name: Option<String>,
    pub(super) main: Option<String>,
    pub(super) scripts: BTreeMap<String, String>,
    /// Names with what was asked for, such as `^5`.
    pub(super) dependencies: BTreeMap<String, String>,
    /// Patterns of folders.
    pub(super) workspaces: Vec<String>,
    /// `pnpm@9`, without the version.
    pub(super) manager: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Contents {
    name: Option<Value>,
    main: Option<Value>,
    package_manager: Option<Value>,
    #[serde(default)]
    scripts: Value,
    #[serde(default)]
    dependencies: Value,
    #[serde(default)]
    workspaces: Value,
}

impl Package {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim_start_matches('\u{feff}');
        let contents: Contents = serde_json::from_str(text).ok()?;
        let text = |value: Option<Value>| value?.as_str().map(str::to_owned);
        // yarn's long form has them in `packages`
        let workspaces = match &contents.workspaces {
            Value::Object(long) => long.get("packages").cloned().unwrap_or_default(),
            short => short.clone(),
        };
        let patterns = workspaces.as_array().into_iter().flatten();
        Some(Self {
            name: text(contents.name).and_then(|name| Some(name.rsplit('/').next()?.to_owned())),
            main: text(contents.main),
            scripts: texts(&contents.scripts),
            dependencies: texts(&contents.dependencies),
            workspaces: patterns
                .filter_map(|pattern| pattern.as_str().map(str::to_owned))
                .collect(),
            manager: text(contents.package_manager)
                .and_then(|manager| Some(manager.split('@').next()?.to_owned())),
        })
    }
}

fn texts(value: &Value) -> BTreeMap<String, String> {
    let entries = value.as_object().into_iter().flatten();
    entries
        .filter_map(|(name, text)| Some((name.clone(), text.as_str()?.to_owned())))
        .collect()
}

/// The packages of a `requirements.txt`, in lower case.
pub(super) fn requirements(text: &str) -> BTreeMap<String, String> {
    text.lines()
        .map(|line| line.split(['#', ';']).next().unwrap_or_default().trim())
        .filter(|line| line.starts_with(|first: char| first.is_ascii_alphanumeric()))
        .map(|line| {
            let end = line
                .find(|letter: char| !letter.is_ascii_alphanumeric() && !"-_.".contains(letter))
                .unwrap_or(line.len());
            let version = line[end..].trim_start_matches(['=', '>', '<', '~', '!', ' ']);
            (line[..end].to_ascii_lowercase(), version.to_owned())
        })
        .collect()
}
