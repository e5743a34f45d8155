//! The demo: the bundled sample app as two workers behind the gateway, preset strict.

use mainstay_config::{AppSettings, Flags, Settings};
use mainstay_supervisor::launch::Target;

use crate::control::{self, Greeting, Invocation, Origin};
use crate::failure::Failure;
use crate::{Outcome, commands, sample};

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
    let origin = Origin::new(flags, commands::here()?, Greeting::Demo);
    let commands::Read { loaded, origin } = commands::read(origin)?;
    let mut settings = loaded.settings;
    complete(&mut settings);
    let name = settings.name.clone().unwrap_or_else(|| "demo".to_owned());
    control::become_control(&Invocation {
        settings,
        name,
        origin,
        places: loaded.origins.places(),
    })
}

/// What no flag says: how the sample app takes its socket, and where its links are.
pub(crate) fn complete(settings: &mut Settings) {
    settings.apps.iter_mut().for_each(complete_app);
}

fn complete_app(app: &mut AppSettings) {
    app.options.listen_fds = true;
    if std::env::var_os(sample::LINKS).is_some() {
        return;
    }
    let links = std::env::temp_dir().join(format!(
        "mainstay-demo-{}.jsonl",
        rustix::process::getuid().as_raw()
    ));
    app.options
        .env
        .entry(sample::LINKS.to_owned())
        .or_insert_with(|| links.to_string_lossy().into_owned());
}
