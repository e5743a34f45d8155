//! The upper layers: `MAINSTAY_*` variables, then flags. Knows which settings they may change.

use std::path::{Path, PathBuf};

use mainstay_supervisor::launch::Target;
use mainstay_supervisor::options::Workers;
use mainstay_values::{Address, Problem, nearest};

use crate::flags::Flags;
use crate::origin::Origin;
use crate::reader::{is_name, not_a_name};
use crate::report::Report;
use crate::sections::{AppSettings, Layer, Preset, UpstreamSettings};
use crate::settings::Settings;
use crate::source::Sources;
use crate::value::Value;

/// Finds what a flag says.
type Find = fn(&Flags) -> Option<&String>;

/// What a setting is called in the upper layers.
struct Names {
    environment: &'static str,
    /// The long flag, and how to find it. `None`: only the environment.
    flag: Option<(&'static str, Find)>,
}

/// A setting that the upper layers may change.
struct Override {
    names: Names,
    /// Puts the text into the settings and tells the path of what it changed.
    set: fn(&mut Settings, &str, Written) -> Result<String, Problem>,
}

/// How the value was given, for complaints.
#[derive(Clone, Copy)]
struct Written(&'static str);

impl Written {
    fn value<T: Value>(self, text: &str) -> Result<T, Problem> {
        T::from_text(text).map_err(|cause| Problem::bad_value(self.0, cause))
    }

    fn list<T: Value>(self, text: &str) -> Result<Vec<T>, Problem> {
        text.split(',')
            .map(|part| self.value(part.trim()))
            .collect()
    }
}

/// Apart from the others because all else begins with it.
const PRESET: Names = Names {
    environment: "MAINSTAY_PRESET",
    flag: Some(("--preset", |flags| flags.preset.as_ref())),
};

/// Chooses among what the file says, before anything of it is read.
const PROFILE: Names = Names {
    environment: "MAINSTAY_ENV",
    flag: Some(("--env", |flags| flags.env.as_ref())),
};

/// An app that nobody named is called like the instance, if that has a name.
const NAME: Names = Names {
    environment: "MAINSTAY_NAME",
    flag: Some(("--name", |flags| flags.name.as_ref())),
};

const UPSTREAM: Names = Names {
    environment: "MAINSTAY_UPSTREAM",
    flag: Some(("--upstream", |flags| flags.upstream.as_ref())),
};

const OVERRIDES: [Override; 8] = [
    Override {
        names: Names {
            environment: "MAINSTAY_STORE",
            flag: None,
        },
        set: |settings, text, written| {
            settings.store = Some(written.value(text)?);
            Ok("store".to_owned())
        },
    },
    Override {
        names: NAME,
        set: |settings, text, written| {
            if !is_name(text) {
                return Err(Problem::bad_value(written.0, not_a_name()));
            }
            settings.name = Some(text.to_owned());
            Ok("name".to_owned())
        },
    },
    Override {
        names: Names {
            environment: "MAINSTAY_LISTEN",
            flag: Some(("--listen", |flags| flags.listen.as_ref())),
        },
        set: |settings, text, written| {
            settings.listen.http = written.list::<Address>(text)?;
            Ok("listen.http".to_owned())
        },
    },
    Override {
        names: Names {
            environment: "MAINSTAY_OBSERVE",
            flag: Some(("--observe", |flags| flags.observe.as_ref())),
        },
        set: |settings, text, written| {
            settings.listen.observe = Some(written.value(text)?);
            Ok("listen.observe".to_owned())
        },
    },
    Override {
        names: Names {
            environment: "MAINSTAY_TRUSTED_PROXIES",
            flag: None,
        },
        set: |settings, text, written| {
            settings.trusted_proxies = written.value(text)?;
            Ok("trusted_proxies".to_owned())
        },
    },
    Override {
        names: Names {
            environment: "MAINSTAY_WITHOUT",
            flag: Some(("--without", |flags| flags.without.as_ref())),
        },
        set: |settings, text, written| {
            settings.without.extend(written.list::<Layer>(text)?);
            Ok("without".to_owned())
        },
    },
    Override {
        names: UPSTREAM,
        set: set_upstream,
    },
    Override {
        names: Names {
            environment: "MAINSTAY_WORKERS",
            flag: Some(("--workers", |flags| flags.workers.as_ref())),
        },
        set: set_workers,
    },
];

/// How all names in the environment begin.
const PREFIX: &str = "MAINSTAY_";

/// Names that begin alike and are for other purposes; none is mistaken for a setting.
const OTHER_NAMES: [&str; 3] = ["MAINSTAY_CONFIG", "MAINSTAY_HOME", "MAINSTAY_RUNTIME_DIR"];

/// What a running instance tells its own processes: never a setting, and never for us, even where this program
/// is started below another one.
const INTERNAL: &str = "MAINSTAY_INTERNAL_";

/// The profile that flag or environment name, if they do, and which of them did.
pub(crate) fn profile(sources: &Sources) -> Option<(String, Origin)> {
    let (_, name, origin) = text_of(&PROFILE, sources).last()?;
    Some((name.clone(), origin))
}

/// The preset that flag or environment name, if they do.
pub(crate) fn preset(sources: &Sources, report: &Report<'_>) -> Option<Preset> {
    let mut chosen = None;
    for (name, text, origin) in text_of(&PRESET, sources) {
        match Written(name).value(text) {
            Ok(preset) => {
                chosen = Some(preset);
                report.set_origin("preset", origin);
            }
            Err(problem) => report.push_from(&origin, problem),
        }
    }
    chosen
}

/// The app of the command line, which takes the place of the only one in the file. Without any
/// app and upstream at all, the one in the folder.
pub(crate) fn add_app(settings: &mut Settings, sources: &Sources, report: &Report<'_>) {
    let given = text_of(&NAME, sources).last();
    let given = given.map(|(_, name, _)| name.clone());
    let given = given.or_else(|| settings.name.clone());
    let Some(target) = &sources.flags.target else {
        if settings.is_empty() && !names_a_target(sources) {
            let target = Target::Path(PathBuf::from("."));
            let app = app_of_folder(given, sources.base(), target, settings.preset);
            settings.apps.push(app);
        }
        return;
    };
    let typed = match target {
        Target::Command(line) => line.clone(),
        Target::Arguments(words) => words.join(" "),
        Target::Path(path) => path.display().to_string(),
    };
    match settings.apps.as_mut_slice() {
        [] => {
            let folder = &sources.folder;
            let app = app_of_folder(given, folder, target.clone(), settings.preset);
            settings.apps.push(app);
        }
        [app] => {
            app.options.target = target.clone();
            app.options.cwd = Some(sources.folder.clone());
        }
        several => {
            let count = several.len();
            let problem = Problem::new(format!("`{typed}` is one app, but the file has {count}"));
            report.push(problem.found(format!("run {typed}")).hint(
                "leave it out to run those of the file, or name another file with `--config`",
            ));
        }
    }
    if let [app] = settings.apps.as_slice() {
        report.set_origin(format!("app.{}", app.name()), flag_origin("run", &typed));
        report.set_origin(
            format!("app.{}.command", app.name()),
            flag_origin("run", &typed),
        );
    }
}

/// Whether flags or environment say what to run or whom to ask.
pub(crate) fn names_a_target(sources: &Sources) -> bool {
    sources.flags.target.is_some() || text_of(&UPSTREAM, sources).next().is_some()
}

/// An app that nobody named is called like the instance, else after its folder.
fn app_of_folder(
    given: Option<String>,
    folder: &Path,
    target: Target,
    preset: Preset,
) -> AppSettings {
    let last = folder
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let name: String = last
        .unwrap_or_default()
        .trim_start_matches(|c: char| !c.is_ascii_alphanumeric())
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '_' {
                c
            } else {
                '-'
            }
        })
        .take(32)
        .collect();
    let name = given
        .into_iter()
        .chain([name])
        .find(|name| is_name(name))
        .unwrap_or_else(|| "app".to_owned());
    AppSettings::new(name, target, folder.to_path_buf(), preset)
}

/// Environment, then flags. Everything to run must already be there.
pub(crate) fn apply(settings: &mut Settings, sources: &Sources, report: &Report<'_>) {
    for known in &OVERRIDES {
        for (name, text, origin) in text_of(&known.names, sources) {
            match (known.set)(settings, text, Written(name)) {
                Ok(path) => report.set_origin(path, origin),
                Err(problem) => report.push_from(&origin, problem),
            }
        }
    }
    refuse_typing_mistakes(sources, report);
}

/// What the environment says, then what the flag says. An empty variable counts as not set: that
/// is how container files unset one.
fn text_of<'a>(
    names: &Names,
    sources: &'a Sources,
) -> impl Iterator<Item = (&'static str, &'a String, Origin)> {
    let name = names.environment;
    let environment = sources
        .environment
        .get(name)
        .filter(|text| !text.is_empty());
    let flag = names
        .flag
        .and_then(|(name, find)| find(&sources.flags).map(|text| (name, text)));
    environment
        .map(|text| (name, text, environment_origin(name, text)))
        .into_iter()
        .chain(flag.map(|(name, text)| (name, text, flag_origin(name, text))))
}

fn set_workers(settings: &mut Settings, text: &str, written: Written) -> Result<String, Problem> {
    let workers: Workers = written.value(text)?;
    match settings.apps.as_mut_slice() {
        [app] => {
            app.options.workers = workers;
            Ok(format!("app.{}.workers", app.name()))
        }
        [] => Err(
            Problem::new(format!("`{}` has no app to apply to", written.0))
                .hint("an upstream is not run by Mainstay and has no workers"),
        ),
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|app| format!("[app.{}]", app.name()))
                .collect();
            Err(
                Problem::new(format!("`{}` does not say for which app", written.0))
                    .hint(format!("set `workers` below {}", names.join(" and "))),
            )
        }
    }
}

fn set_upstream(settings: &mut Settings, text: &str, written: Written) -> Result<String, Problem> {
    let servers = written.list::<Address>(text)?;
    if servers.iter().any(|server| server.port() == Some(0)) {
        return Err(Problem::new(format!("`{}` has port 0", written.0))
            .expected("the port that the server listens on"));
    }
    match settings.upstreams.as_mut_slice() {
        [] => {
            settings.upstreams.push(UpstreamSettings {
                name: "upstream".to_owned(),
                servers,
            });
            Ok("upstream.upstream.servers".to_owned())
        }
        [upstream] => {
            upstream.servers = servers;
            Ok(format!("upstream.{}.servers", upstream.name))
        }
        _ => Err(
            Problem::new(format!("`{}` does not say which upstream", written.0))
                .hint("set `servers` in the file"),
        ),
    }
}

/// A name that is nearly one of ours was meant to be it. Others may belong to somebody else.
fn refuse_typing_mistakes(sources: &Sources, report: &Report<'_>) {
    let known = || {
        let settings = OVERRIDES.iter().map(|known| known.names.environment);
        settings
            .chain([PRESET.environment, PROFILE.environment])
            .chain(OTHER_NAMES)
    };
    for (name, text) in &sources.environment {
        let is_ours = name.starts_with(PREFIX) && !name.starts_with(INTERNAL);
        if !is_ours || known().any(|known| known == name) {
            continue;
        }
        // Without the common beginning, which would make everything look alike.
        let (tail, ours) = (
            &name[PREFIX.len()..],
            known().map(|known| &known[PREFIX.len()..]),
        );
        let meant = nearest(tail, ours).filter(|near| near.len().abs_diff(tail.len()) <= 2);
        if let Some(meant) = meant {
            report.push(
                Problem::new(format!("`{name}` is not a setting"))
                    .found(format!("{name}={text}"))
                    .hint(format!("did you mean `{PREFIX}{meant}`?")),
            );
        }
    }
}

fn environment_origin(name: &'static str, text: &str) -> Origin {
    Origin::Environment {
        name,
        text: text.to_owned(),
    }
}

fn flag_origin(name: &'static str, text: &str) -> Origin {
    Origin::Flag {
        name,
        text: text.to_owned(),
    }
}
