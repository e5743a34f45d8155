//! `mainstay init`: looks at a folder and writes a short `mainstay.toml`. Asks nothing, overwrites nothing.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use mainstay_config::{Flags, Included, SourceFile, Sources, default_file, load};

use crate::arguments::Init;
use crate::failure::Failure;
use crate::init::{Folder, find, render};
use crate::{Outcome, say};

/// What is written.
const NAME: &str = "mainstay.toml";

pub(crate) fn execute(init: &Init) -> Outcome {
    if init.all {
        return super::print(default_file().as_bytes());
    }
    // without the dot of `init .`
    let folder: PathBuf = super::here()?.join(&init.folder).components().collect();
    if !folder.is_dir() {
        return Err(Failure::usage(format!(
            "`{}` is not a folder; name the one with the app",
            init.folder.display()
        )));
    }
    let path = folder.join(NAME);
    if !init.print && path.exists() {
        return Err(is_there(&path, "mainstay init --print"));
    }
    let found = find(&Folder::read(&folder)).ok_or_else(|| nothing_found(&folder))?;
    let text = render(&found);
    must_load(&text, &folder)?;
    if init.print {
        return super::print(text.as_bytes());
    }
    write(&path, &text, "mainstay init --print")?;
    for note in &found.notes {
        say::line(&format!("  found {note}"));
    }
    say::note(&format!(
        "wrote {}; `mainstay run` starts what it says",
        path.display()
    ));
    Ok(ExitCode::SUCCESS)
}

/// Writes a file that is not there: somebody may have made it since we looked. `only_shows` is the command that only shows
/// it.
pub(super) fn write(path: &Path, text: &str, only_shows: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let outcome = file.and_then(|mut file| file.write_all(text.as_bytes()));
    outcome.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => is_there(path, only_shows),
        _ => Failure::machine(format!(
            "cannot write {}: {error}; `{only_shows}` only shows it",
            path.display()
        )),
    })
}

fn is_there(path: &Path, only_shows: &str) -> Failure {
    Failure::usage(format!(
        "{} is there already and stays as it is; `{only_shows}` shows what would be written",
        path.display()
    ))
}

fn nothing_found(folder: &Path) -> Failure {
    Failure::usage(format!(
        "nothing in {} says how an app is started; looked for a `start` script in package.json, `web` in Procfile, CMD \
         in Dockerfile, and files such as server.js. Name the command: `mainstay run -- COMMAND`",
        folder.display()
    ))
}

/// What cannot be loaded is not written: better no file than a wrong one.
pub(super) fn must_load(text: &str, folder: &Path) -> Result<(), Failure> {
    let sources = Sources {
        file: Some(SourceFile::new(NAME, folder, text.into())),
        included: Included::default(),
        reachable: mainstay_config::Reachable::Nothing,
        environment: BTreeMap::new(),
        flags: Flags::default(),
        folder: folder.to_owned(),
    };
    load(&sources)
        .map(drop)
        .map_err(|problems| Failure::internal("what would be written", problems))
}
