//! `package.json`: its scripts and what starts it, without a package manager (npm swallows signals and IPC).

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::LaunchError;
use super::words::{ScriptCall, plain, quote};

/// A package.json larger than this is not one.
const LARGEST: u64 = 4 * 1024 * 1024;

/// Scripts may call scripts; deeper than this they call themselves.
const DEEPEST: u32 = 8;

#[derive(Debug, Default, Deserialize)]
struct Contents {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    version: Option<String>,
    #[serde(default)]
    main: Option<String>,
    #[serde(default)]
    scripts: BTreeMap<String, String>,
}

/// One folder's package.json.
#[derive(Debug)]
pub(crate) struct Package {
    path: PathBuf,
    contents: Contents,
}

impl Package {
    /// Reads the one in `folder`; `None` if there is none.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>, LaunchError> {
        let path = folder.join("package.json");
        let mut text = String::new();
        let read = std::fs::File::open(&path)
            .and_then(|file| file.take(LARGEST).read_to_string(&mut text));
        match read {
            Ok(_) => {}
            Err(error)
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) =>
            {
                return Ok(None);
            }
            Err(source) => return Err(LaunchError::Unreadable { path, source }),
        }
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        match serde_json::from_str(text) {
            Ok(contents) => Ok(Some(Self { path, contents })),
            Err(error) => Err(LaunchError::BadPackage {
                path,
                reason: error.to_string(),
            }),
        }
    }

    /// The nearest one, in `folder` or above it.
    pub(crate) fn nearest(folder: &Path) -> Result<Option<Self>, LaunchError> {
        for folder in folder.ancestors() {
            if let Some(package) = Self::read(folder)? {
                return Ok(Some(package));
            }
        }
        Ok(None)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(&self.path)
    }

    /// Its name without the scope.
    pub(crate) fn name(&self) -> Option<&str> {
        let name = self.contents.name.as_deref()?;
        name.rsplit('/').next().filter(|name| !name.is_empty())
    }

    /// The variables npm sets that apps are known to read.
    pub(crate) fn variables(&self, script: &str) -> Vec<(String, String)> {
        let mut variables = vec![("npm_lifecycle_event".to_owned(), script.to_owned())];
        for (variable, value) in [
            ("npm_package_name", &self.contents.name),
            ("npm_package_version", &self.contents.version),
        ] {
            if let Some(value) = value {
                variables.push((variable.to_owned(), value.clone()));
            }
        }
        variables
    }

    pub(crate) fn main(&self) -> Option<&str> {
        self.contents.main.as_deref()
    }

    pub(crate) fn has_script(&self, name: &str) -> bool {
        self.contents.scripts.contains_key(name)
    }

    /// The shell text of a script with its `pre` script before it, scripts it calls by name put in their place.
    pub(crate) fn script(&self, name: &str, arguments: &[String]) -> Result<String, LaunchError> {
        self.script_at(name, arguments, 0)
    }

    fn script_at(
        &self,
        name: &str,
        arguments: &[String],
        depth: u32,
    ) -> Result<String, LaunchError> {
        let Some(script) = self.contents.scripts.get(name) else {
            return Err(self.no_script(name));
        };
        let mut text = self.inline(script.trim(), depth)?;
        for argument in arguments {
            text.push(' ');
            text.push_str(&quote(argument));
        }
        match self.contents.scripts.get(&format!("pre{name}")) {
            Some(before) => Ok(format!("{} && {text}", self.inline(before.trim(), depth)?)),
            None => Ok(text),
        }
    }

    /// Replaces `npm run x` by the text of `x`, alone or between `&&`. What quotes and substitutes is left alone.
    fn inline(&self, text: &str, depth: u32) -> Result<String, LaunchError> {
        if depth > DEEPEST || text.contains(['"', '\'', '`', '$', '\\', '(']) {
            return Ok(text.to_owned());
        }
        let mut parts = Vec::new();
        for part in text.split("&&") {
            let words = plain(part).unwrap_or_default();
            match ScriptCall::read(&words) {
                Some(call) if self.has_script(call.script) => {
                    parts.push(self.script_at(call.script, call.arguments, depth + 1)?);
                }
                _ => parts.push(part.trim().to_owned()),
            }
        }
        Ok(parts.join(" && "))
    }

    fn no_script(&self, name: &str) -> LaunchError {
        let names: Vec<&str> = self.contents.scripts.keys().map(String::as_str).collect();
        LaunchError::NoScript {
            script: name.to_owned(),
            package: self.path.clone(),
            present: if names.is_empty() {
                "no scripts".to_owned()
            } else {
                format!("`{}`", names.join("`, `"))
            },
        }
    }
}

/// The `node_modules/.bin` folders from `folder` upwards that exist, the nearest first.
pub(crate) fn bin_folders(folder: &Path) -> Vec<PathBuf> {
    folder
        .ancestors()
        .map(|folder| folder.join("node_modules/.bin"))
        .filter(|bin| bin.is_dir())
        .collect()
}

/// A program that the project brings along.
pub(crate) fn local_program(folder: &Path, name: &str) -> Option<PathBuf> {
    bin_folders(folder)
        .into_iter()
        .map(|bin| bin.join(name))
        .find(|program| program.exists())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(json: &str) -> Package {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("package.json"), json).unwrap();
        Package::read(folder.path()).unwrap().unwrap()
    }

    #[test]
    fn scripts_are_written_out() {
        let package = package(
            r#"{"name":"@shop/api","scripts":{
                "start":"npm run build && npm run serve","build":"tsc","serve":"node dist/server.js",
                "prebuild":"rm -rf dist","dev":"cross-env A=\"1 2\" npm run serve","loop":"npm run loop"}}"#,
        );
        assert_eq!(package.name(), Some("api"));
        let cases = [
            ("start", "rm -rf dist && tsc && node dist/server.js"),
            ("serve", "node dist/server.js"),
            ("dev", "cross-env A=\"1 2\" npm run serve"),
            ("loop", "npm run loop"),
        ];
        for (script, expected) in cases {
            assert_eq!(package.script(script, &[]).unwrap(), expected);
        }
        let with = package.script("serve", &["--name".into(), "a b".into()]);
        assert_eq!(with.unwrap(), "node dist/server.js --name 'a b'");
        let missing = package.script("deploy", &[]).unwrap_err().to_string();
        assert!(missing.contains("it has `build`, `dev`"), "{missing}");
    }

    #[test]
    fn a_broken_package_names_its_place() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Package::read(folder.path()).unwrap().is_none());
        std::fs::write(folder.path().join("package.json"), "{\n \"name\": }").unwrap();
        let error = Package::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
