//! `mainstay check`: what a start would say, without starting.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mainstay_config::Flags;

use super::run::{Read, Unsound, here, name_of, read};
use crate::arguments::Check;
use crate::check::{self, Finding, Level, Subject, findings};
use crate::control::{Greeting, Origin};
use crate::failure::Failure;
use crate::{Outcome, say};

/// Reads the settings as a start does, then looks at the machine as a start would meet it.
pub(crate) fn execute(check: &Check) -> Outcome {
    let origin = Origin::new(flags(check)?, here()?, Greeting::Usual);
    let Read {
        loaded,
        origin,
        notes,
    } = match read(origin) {
        Ok(read) => read,
        Err(unsound) if check.json => return print_unsound(unsound),
        Err(unsound) => return Err(unsound.into()),
    };
    let name = name_of(&loaded.settings, &origin.folder);
    let found = findings(&Subject {
        settings: &loaded.settings,
        origin: &origin,
        notes: &notes,
        name: &name,
        environment: std::env::vars_os().collect(),
    });
    let text = if check.json {
        let settings = check.explain.then_some(&loaded.settings);
        format!(
            "{:#}\n",
            check::json(&name, &found, &loaded.origins, settings)
        )
    } else {
        let file = origin.file.as_deref().unwrap_or("no file");
        let headline = format!("{}: the settings are sound ({file})", say::strong(&name));
        let mut text = check::text(&headline, &found, &loaded.origins);
        if check.explain {
            text.push('\n');
            text.push_str(&check::effective_lines(&loaded.settings, &loaded.origins));
        }
        text
    };
    super::print(text.as_bytes())?;
    Ok(code(&found))
}

/// As a start would end: with its first failure.
fn code(found: &[Finding]) -> ExitCode {
    let mut failures = found.iter().filter_map(|finding| match &finding.level {
        Level::Error(failure) => Some(failure),
        Level::Warning | Level::Note => None,
    });
    failures
        .next()
        .map_or(ExitCode::SUCCESS, Failure::exit_code)
}

fn print_unsound(unsound: Unsound) -> Outcome {
    let report = check::problems_json(&unsound.problems, unsound.sources.as_deref());
    super::print(format!("{report:#}\n").as_bytes())?;
    Ok(Failure::from(unsound).exit_code())
}

/// A file may stand where other commands want `--config`.
fn flags(check: &Check) -> Result<Flags, Failure> {
    let flags = check.common.flags();
    match (&check.file, &flags.config) {
        (Some(_), Some(_)) => Err(Failure::usage(
            "two settings files are named; name one of them",
        )),
        (Some(file), None) => Ok(Flags {
            config: Some(file_in(file)),
            ..flags
        }),
        (None, _) => Ok(flags),
    }
}

/// A folder means the file in it.
fn file_in(path: &Path) -> PathBuf {
    if path.is_dir() {
        path.join("mainstay.toml")
    } else {
        path.to_path_buf()
    }
}
