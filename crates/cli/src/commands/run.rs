//! `mainstay run`: checks everything that can be checked, then becomes the control plane.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use mainstay_config::{Flags, Settings, Sources, Style, load, render};

use crate::Outcome;
use crate::control::{self, Greeting, Invocation, Origin};
use crate::failure::Failure;

/// Never returns when all is well: the process becomes `mainstay control NAME`.
pub(crate) fn execute(flags: &Flags) -> Outcome {
    let (settings, origin) = settings(Origin::new(flags.clone(), here()?, Greeting::Usual))?;
    let name = settings
        .name
        .clone()
        .unwrap_or_else(|| name_of(&settings, &origin.folder));
    control::become_control(&Invocation {
        settings,
        name,
        origin,
    })
}

/// The settings, or every complaint about them, and where they came from. At a reload they are loaded again from the
/// same origin, so that the flags and the environment of the first start stay in force.
pub(crate) fn settings(origin: Origin) -> Result<(Settings, Origin), Failure> {
    let environment = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let plain = |problems: mainstay_values::Problems| Failure::usage(problems.to_string());
    let sources =
        Sources::gather(origin.flags.clone(), environment, origin.folder.clone()).map_err(plain)?;
    let written = sources.file.as_ref().filter(|file| !file.is_blank());
    if let (Some(name), None) = (&origin.file, written) {
        return Err(Failure::usage(format!(
            "`{name}` is gone or empty, and it was not before; is it being written just now?"
        )));
    }
    let file = written.map(|file| file.name.clone());
    let style = if anstream::AutoStream::choice(&std::io::stderr()) == anstream::ColorChoice::Never
    {
        Style::Plain
    } else {
        Style::Coloured
    };
    let settings =
        load(&sources).map_err(|problems| Failure::usage(render(&problems, &sources, style)))?;
    Ok((settings, Origin { file, ..origin }))
}

/// The current folder as the shell names it: where it was reached by a link (`/srv/app/current`), a reload
/// goes where the link leads by then.
pub(crate) fn here() -> Result<PathBuf, Failure> {
    let real = std::env::current_dir()
        .map_err(|error| Failure::machine(format!("no current folder: {error}")))?;
    let named = std::env::var_os("PWD").map(PathBuf::from);
    let is_same = |named: &PathBuf| {
        let identity =
            |path: &Path| Some((path.metadata().ok()?.dev(), path.metadata().ok()?.ino()));
        named.is_absolute() && identity(named).is_some_and(|named| identity(&real) == Some(named))
    };
    Ok(named.filter(is_same).unwrap_or(real))
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
