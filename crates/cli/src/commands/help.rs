//! `mainstay help`: the commands, one of them, or pages for `man`. All of it is made of the command line's own words.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use clap::Command;

use super::print;
use crate::arguments::{Help, usual, whole};
use crate::failure::Failure;
use crate::{Outcome, say};

pub(crate) fn execute(help: &Help) -> Outcome {
    let mut all = whole();
    // with it each knows that it is called `mainstay run`
    all.build();
    let chosen = match &help.command {
        Some(name) => find(&all, name)?,
        None => all.clone(),
    };
    match &help.man {
        Some(stdout) if stdout == Path::new("-") => {
            let page = page(&chosen).map_err(|error| Failure::internal("the page", error))?;
            print(&page)
        }
        Some(folder) => write_pages(&all, folder),
        None if help.all || help.command.is_some() => show(chosen),
        None => show(usual()),
    }
}

fn show(mut command: Command) -> Outcome {
    print(command.render_help().ansi().to_string().as_bytes())
}

fn find(all: &Command, name: &str) -> Result<Command, Failure> {
    all.find_subcommand(name).cloned().ok_or_else(|| {
        let names: Vec<_> = all
            .get_subcommands()
            .map(|known| format!("`{}`", known.get_name()))
            .collect();
        Failure::usage(format!(
            "`{name}` is no command; there are {}",
            names.join(", ")
        ))
    })
}

fn page(command: &Command) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    let version = concat!("mainstay ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(command.clone())
        .source(version)
        .render(&mut text)?;
    Ok(text)
}

/// `mainstay.1`, `mainstay-run.1` and so on.
fn write_pages(all: &Command, folder: &Path) -> Outcome {
    let write =
        |command: &Command, name: &str| fs::write(folder.join(format!("{name}.1")), page(command)?);
    let commands = all
        .get_subcommands()
        .map(|command| (command, format!("mainstay-{}", command.get_name())));
    let pages = std::iter::once((all, "mainstay".to_owned())).chain(commands);
    let outcome = fs::create_dir_all(folder).and_then(|()| {
        pages
            .into_iter()
            .try_for_each(|(command, name)| write(command, &name))
    });
    outcome.map_err(|error| {
        Failure::machine(format!(
            "cannot write pages into {}: {error}",
            folder.display()
        ))
    })?;
    say::note(&format!("wrote the pages into {}", folder.display()));
    Ok(ExitCode::SUCCESS)
}
