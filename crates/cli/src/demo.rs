//! The demo: the bundled sample app as two workers behind the gateway, preset strict.

use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use mainstay_config::{AppSettings, Flags, Settings};
use mainstay_supervisor::launch::Target;

use crate::control::{self, Greeting, Invocation, Origin};
use crate::failure::Failure;
use crate::{Outcome, commands, sample};

/// What the sample app is called.
const APP: &str = "shortener";

/// Never returns when all is well, as `run`.
pub(crate) fn execute(flags: &Flags) -> Outcome {
    let program = std::env::current_exe()
        .map_err(|error| Failure::internal("the program's own path", error))?;
    let words = vec![program.to_string_lossy().into_owned(), "sample".to_owned()];
    let flags = Flags {
        preset: flags.preset.clone().or_else(|| Some("strict".to_owned())),
        workers: flags.workers.clone().or_else(|| Some("2".to_owned())),
        name: flags.name.clone().or_else(|| Some("demo".to_owned())),
        target: Some(Target::Arguments(words)),
        ..flags.clone()
    };
    let origin = Origin::new(flags, commands::here()?, Greeting::Usual);
    let commands::Read { loaded, origin, .. } = commands::read(origin)?;
    let links = match std::env::var_os(sample::LINKS) {
        Some(_) => None,
        None => Some(folder_for_links()?),
    };
    let mut settings = loaded.settings;
    complete(&mut settings, links.as_deref());
    let origin = Origin {
        greeting: Greeting::Demo { links },
        ..origin
    };
    let name = settings.name.clone().unwrap_or_else(|| "demo".to_owned());
    control::become_control(&Invocation {
        settings,
        name,
        origin,
        places: loaded.origins.places(),
        background: None,
    })
}

/// What no flag says: how the sample app is called and takes its socket, and in which folder its links are.
pub(crate) fn complete(settings: &mut Settings, links: Option<&Path>) {
    let Settings { apps, routes, .. } = settings;
    for app in apps {
        // it would be called after the folder, which is that of whoever tries it
        let called = std::mem::replace(&mut app.options.name, APP.to_owned());
        let here = routes.iter_mut().filter(|route| route.to == called);
        here.for_each(|route| APP.clone_into(&mut route.to));
        complete_app(app, links);
    }
}

fn complete_app(app: &mut AppSettings, links: Option<&Path>) {
    app.options.listen_fds = true;
    if let Some(folder) = links {
        let file = folder.join("links.jsonl").to_string_lossy().into_owned();
        let env = &mut app.options.env;
        env.entry(sample::LINKS.to_owned()).or_insert(file);
    }
}

/// A new folder that only we may enter, under a name that nobody could guess and lay something in wait under. It goes
/// with the instance.
fn folder_for_links() -> Result<PathBuf, Failure> {
    let name = format!("mainstay-demo-{}", control::unguessable()?);
    let path = std::env::temp_dir().join(name);
    let made = DirBuilder::new().mode(0o700).create(&path);
    made.map_err(|error| {
        Failure::machine(format!(
            "cannot make `{}` for the links: {error}; name a file with SHORTENER_LINKS",
            path.display()
        ))
    })?;
    Ok(path)
}
