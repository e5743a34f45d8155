//! `mainstay import`: writes a `mainstay.toml` from what another program was told. Overwrites nothing, and stops nothing.

use std::path::Path;
use std::process::ExitCode;

use mainstay_config::ecosystem::Choice;
use mainstay_config::{Sources, Style, render as complain};
use mainstay_values::Problems;

use super::init::{must_load, write};
use super::print;
use crate::arguments::{Import, ImportFrom, ImportPm2};
use crate::failure::Failure;
use crate::import::{render, running, stands_in, was_harmless};
use crate::{Outcome, ecosystem, say};

/// What is written.
const NAME: &str = "mainstay.toml";

pub(crate) fn execute(import: &Import) -> Outcome {
    let ImportFrom::Pm2(wish) = &import.from;
    pm2(wish)
}

fn pm2(wish: &ImportPm2) -> Outcome {
    let here = super::here()?;
    let unsound =
        |problems: Problems| Failure::usage(complain(&problems, &Sources::default(), Style::Plain));
    let (file, own) = match &wish.file {
        None => (running(&here)?, None),
        Some(path) => {
            let file = ecosystem::read(path, &here).map_err(|problem| unsound(problem.into()))?;
            let text = std::fs::read_to_string(here.join(path)).unwrap_or_default();
            (file, Some(text))
        }
    };
    let translation = ecosystem::in_our_words(&file, &Choice::default()).map_err(unsound)?;
    let text = match own {
        Some(own) => render(&file.name, &translation, &stands_in(&own)),
        None => render(&file.name, &translation, &was_harmless),
    };
    must_load(&text, &file.folder)?;
    if wish.print {
        return print(text.as_bytes());
    }
    let path = file.folder.join(NAME);
    write(&path, &text, "mainstay import pm2 --print")?;
    for note in &translation.notes {
        say::line(&format!(
            "  not taken over: {}: {}",
            note.what.join(", "),
            note.why
        ));
    }
    say::note(&format!("wrote {}", path.display()));
    what_is_next(&path, text.contains("may be secrets"));
    Ok(ExitCode::SUCCESS)
}

fn what_is_next(path: &Path, has_secrets: bool) {
    if has_secrets {
        say::line(
            "  the values of some variables were not written down, since they may be secrets; the file names them",
        );
    }
    let folder = path.parent().unwrap_or(path);
    for (command, what) in [
        (
            format!("cd {} && mainstay check", folder.display()),
            "what a start would meet",
        ),
        ("pm2 delete all".to_owned(), "gives the ports free"),
        ("mainstay run".to_owned(), "starts what the file says"),
        (
            "pm2 unstartup systemd".to_owned(),
            "keeps PM2 from coming back with the machine",
        ),
        (
            "sudo systemctl disable --now pm2-$USER".to_owned(),
            "the same, where its unit was made by hand",
        ),
    ] {
        say::line(&format!("    {command:44}{what}"));
    }
}
