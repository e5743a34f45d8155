//! `mainstay run`: checks everything that can be checked, then becomes the control plane.

use std::path::Path;

use mainstay_config::{Flags, Settings, Sources, Style, load, render};

use crate::Outcome;
use crate::control::{self, Invocation};
use crate::failure::Failure;

/// Never returns when all is well: the process becomes `mainstay control NAME`.
pub(crate) fn execute(flags: &Flags) -> Outcome {
    let settings = settings(flags)?;
    let folder = std::env::current_dir()
        .map_err(|error| Failure::machine(format!("no current folder: {error}")))?;
    let name = settings
        .name
        .clone()
        .unwrap_or_else(|| name_of(&settings, &folder));
    control::become_control(&Invocation {
        settings,
        name,
        greeting: control::Greeting::Usual,
    })
}

/// The settings, or every complaint about them.
pub(crate) fn settings(flags: &Flags) -> Result<Settings, Failure> {
    let folder = std::env::current_dir()
        .map_err(|error| Failure::machine(format!("no current folder: {error}")))?;
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let plain = |problems: mainstay_values::Problems| Failure::usage(problems.to_string());
    let sources = Sources::gather(flags.clone(), environment, folder).map_err(plain)?;
    let style = if anstream::AutoStream::choice(&std::io::stderr()) == anstream::ColorChoice::Never
    {
        Style::Plain
    } else {
        Style::Coloured
    };
    load(&sources).map_err(|problems| Failure::usage(render(&problems, &sources, style)))
}

/// The only app's name, else the folder's.
fn name_of(settings: &Settings, folder: &Path) -> String {
    let folder_name = || {
        folder
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    match &settings.apps[..] {
        [app] => app.name().to_owned(),
        _ => folder_name().unwrap_or_else(|| "mainstay".to_owned()),
    }
}
