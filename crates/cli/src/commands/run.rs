//! `mainstay run`: checks everything that can be checked, then becomes the control plane.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use mainstay_config::ecosystem::Note;
use mainstay_config::{Flags, Loaded, Settings, Sources, Style, explain, render};
use mainstay_values::{Problem, Problems};

use crate::Outcome;
use crate::control::{self, Greeting, Invocation, Origin};
use crate::failure::Failure;
use crate::{ecosystem, say};

/// Never returns when all is well: the process becomes `mainstay control NAME`.
pub(crate) fn execute(flags: &Flags) -> Outcome {
    let read = read(Origin::new(flags.clone(), here()?, Greeting::Usual))?;
    if let Some(warning) = read.what_is_lost() {
        say::warning(&warning);
    }
    let Read { loaded, origin, .. } = read;
    let name = name_of(&loaded.settings, &origin.folder);
    control::become_control(&Invocation {
        settings: loaded.settings,
        name,
        origin,
        places: loaded.origins.places(),
        background: None,
    })
}

/// Settings that were read, and what they were read from.
pub(crate) struct Read {
    pub(crate) loaded: Loaded,
    pub(crate) origin: Origin,
    /// What an ecosystem file says that is not taken over.
    pub(crate) notes: Vec<Note>,
}

impl Read {
    /// What an ecosystem file says that is not taken over, in one sentence.
    pub(super) fn what_is_lost(&self) -> Option<String> {
        let file = self.origin.file.as_deref()?;
        let each = self.notes.iter().map(|note| {
            let Note { what, why } = note;
            format!("\n  {}: {why}", what.join(", "))
        });
        let each: String = each.collect();
        (!each.is_empty()).then(|| format!("not all that {file} says is taken over{each}"))
    }
}

/// Why settings could not be read: the complaints, with the sources they are about where there were any.
pub(crate) struct Unsound {
    pub(crate) problems: Problems,
    pub(crate) sources: Option<Box<Sources>>,
}

impl From<Unsound> for Failure {
    fn from(unsound: Unsound) -> Self {
        let Unsound { problems, sources } = unsound;
        Self::usage(render(&problems, &sources.unwrap_or_default(), style()))
    }
}

/// The settings with the origin of each value, or every complaint about them. At a reload they are loaded again from the same origin, so that the
/// flags and the environment of the first start stay in force.
pub(crate) fn read(origin: Origin) -> Result<Read, Unsound> {
    read_in(origin, &BTreeMap::new())
}

/// The same, with these variables over those of the environment.
pub(super) fn read_in(origin: Origin, over: &BTreeMap<String, String>) -> Result<Read, Unsound> {
    let own = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    let environment = own.chain(over.clone()).collect();
    let bare = |problems| Unsound {
        problems,
        sources: None,
    };
    let (flags, folder) = (origin.flags.clone(), origin.folder.clone());
    let named = Sources::named_file(&flags, &environment);
    let (sources, notes) = match named.filter(|path| ecosystem::is_one(path)) {
        Some(path) => ecosystem::sources(&path, flags, environment, folder).map_err(bare)?,
        None if flags.only.is_some() => return Err(bare(only_elsewhere(&flags).into())),
        None => {
            let sources = Sources::gather(flags, environment, folder).map_err(bare)?;
            (sources, Vec::new())
        }
    };
    let written = sources.file.as_ref().filter(|file| !file.is_blank());
    if let (Some(name), None) = (&origin.file, written) {
        let problem = Problem::new(format!(
            "`{name}` is gone or empty, and it was not before; is it being written just now?"
        ));
        return Err(bare(problem.into()));
    }
    let file = written.map(|file| file.name.clone());
    match explain(&sources) {
        Ok(loaded) => Ok(Read {
            loaded,
            origin: Origin { file, ..origin },
            notes,
        }),
        Err(problems) => Err(Unsound {
            problems,
            sources: Some(Box::new(sources)),
        }),
    }
}

/// `--only` beside any other file.
fn only_elsewhere(flags: &Flags) -> Problem {
    let only = flags.only.as_deref().unwrap_or_default();
    Problem::new("`--only` chooses among the apps of an ecosystem file, and none is named")
        .found(format!("--only {only}"))
        .expected("`mainstay run ecosystem.config.js --only NAME`")
        .hint("below `[app.NAME]` of a settings file, `enabled = false` leaves an app out")
}

fn style() -> Style {
    match anstream::AutoStream::choice(&std::io::stderr()) {
        anstream::ColorChoice::Never => Style::Plain,
        _ => Style::Coloured,
    }
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

/// What the settings call the instance; the only app's name, else the folder's, if they do not.
pub(crate) fn name_of(settings: &Settings, folder: &Path) -> String {
    if let Some(name) = &settings.name {
        return name.clone();
    }
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
