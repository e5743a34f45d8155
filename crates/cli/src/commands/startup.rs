//! `mainstay startup`, `unstartup` and `uninstall`: what is made on the machine beside an instance's own files, and how
//! it goes away again.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::Duration;

use mainstay_config::{Flags, Ranks, Settings};
use mainstay_supervisor::launch::Target;

use super::landscape::gather;
use super::run::{Read, here, name_of, read_in};
use super::unit::{Scope, Unit};
use crate::arguments::{Startup, Uninstall, Unstartup};
use crate::control::{Greeting, Origin};
use crate::failure::Failure;
use crate::state::{
    ID_FILES, Ids, Record, folder_name, home, kept_environment, log_folder, state_folder,
};
use crate::{Outcome, say};

/// Beside an orderly end: what systemd needs to notice it.
const MARGIN: Duration = Duration::from_secs(10);

/// `mainstay startup`.
pub(crate) fn startup(startup: &Startup) -> Outcome {
    let record = if let Some(name) = &startup.name {
        recorded(name)?
    } else {
        let mut record = Record::new(String::new(), Flags::default(), here()?, None);
        record.environment = kept_environment(|name| std::env::var(name).ok());
        record
    };
    let origin = Origin::new(record.flags.clone(), record.folder.clone(), Greeting::Usual);
    let Read { loaded, .. } = read_in(origin, &record.environment)?;
    let name = match record.name.as_str() {
        "" => name_of(&loaded.settings, &record.folder),
        name => name.to_owned(),
    };
    let scope = scope();
    let program = std::env::current_exe()
        .map_err(|error| Failure::internal("the program's own path", error))?;
    let mut words = words(&record.flags)?;
    if loaded.settings.name.is_none() {
        words.splice(0..0, ["--name".to_owned(), name.clone()]);
    }
    let text = Unit {
        scope,
        name: &name,
        program: &program,
        words,
        folder: &record.folder,
        environment: &record.environment,
        end: end_of(&loaded.settings) + MARGIN,
    }
    .text()?;
    let path = folder_of(scope)?.join(Unit::file_name(&name));
    if startup.print {
        say::note(&format!("this would be written to `{}`", path.display()));
        return super::print(text.as_bytes());
    }
    let written = path
        .parent()
        .map_or(Ok(()), fs::create_dir_all)
        .and_then(|()| fs::write(&path, &text));
    written.map_err(|error| {
        Failure::machine(format!(
            "`{}`: {error}; `mainstay startup --print` shows the unit",
            path.display()
        ))
    })?;
    say::note(&format!("wrote `{}`", path.display()));
    systemctl(scope, &["daemon-reload"])?;
    systemctl(scope, &["enable", &Unit::file_name(&name)])?;
    say::note(&next_steps(scope, &name));
    Ok(ExitCode::SUCCESS)
}

/// What is left to whoever knows when it may be interrupted.
fn next_steps(scope: Scope, name: &str) -> String {
    let runs = crate::control::runtime_dir::instances()
        .iter()
        .any(|(known, _)| known == name);
    let stop = if runs {
        format!("`mainstay stop {name}`, then ")
    } else {
        String::new()
    };
    let unit = Unit::file_name(name);
    match scope {
        Scope::System => format!(
            "systemd starts it with the machine; {stop}`systemctl start {unit}` starts it now"
        ),
        Scope::User => format!(
            "systemd starts it when you log in, and with the machine after `loginctl enable-linger`; \
             {stop}`systemctl --user start {unit}` starts it now"
        ),
    }
}

fn recorded(name: &str) -> Result<Record, Failure> {
    let record = Record::find(name)?;
    record.ok_or_else(|| {
        let all = Record::all();
        let known: Vec<_> = all.iter().map(|(name, _)| format!("`{name}`")).collect();
        let hint = if known.is_empty() {
            "nothing was; `mainstay startup` without a name takes ./mainstay.toml".to_owned()
        } else {
            format!("there is {}", known.join(", "))
        };
        Failure::usage(format!(
            "no instance `{name}` was started in the background; {hint}"
        ))
    })
}

/// How long the end takes at most, by the settings.
fn end_of(settings: &Settings) -> Duration {
    let shutdown = &settings.shutdown;
    let delay = shutdown.delay.unwrap_or_default();
    // group after group
    let longest = |group: &Vec<&str>| {
        let apps = settings.apps.iter();
        let apps = apps.filter(|app| group.contains(&app.name()));
        apps.map(|app| app.options.kill_timeout).max()
    };
    let ranks = Ranks::of(&settings.apps);
    let kill: Duration = ranks.groups.iter().filter_map(longest).sum();
    delay + shutdown.grace + kill
}

/// What was typed, as words of `mainstay run`.
fn words(flags: &Flags) -> Result<Vec<String>, Failure> {
    let Flags {
        config,
        listen,
        observe,
        workers,
        preset,
        without,
        env,
        only,
        name,
        upstream,
        target,
    } = flags;
    let config = config.as_ref().map(|path| path.display().to_string());
    let mut words = Vec::new();
    for (flag, value) in [
        ("--config", &config),
        ("--listen", listen),
        ("--observe", observe),
        ("--workers", workers),
        ("--preset", preset),
        ("--without", without),
        ("--env", env),
        ("--only", only),
        ("--name", name),
        ("--upstream", upstream),
    ] {
        if let Some(value) = value {
            words.extend([flag.to_owned(), value.clone()]);
        }
    }
    match target {
        None => {}
        Some(Target::Path(path)) => words.push(path.display().to_string()),
        Some(Target::Arguments(command)) => {
            words.push("--".to_owned());
            words.extend(command.iter().cloned());
        }
        Some(Target::Command(line)) => {
            return Err(Failure::usage(format!(
                "`{line}` cannot be written into a unit; put it into mainstay.toml as `command`"
            )));
        }
    }
    Ok(words)
}

/// `mainstay unstartup`.
pub(crate) fn unstartup(unstartup: &Unstartup) -> Outcome {
    let scope = scope();
    let unit = Unit::file_name(&unstartup.name);
    let path = folder_of(scope)?.join(&unit);
    if !path.exists() {
        return Err(Failure::usage(format!(
            "there is no unit `{}`; `mainstay startup` makes one",
            path.display()
        )));
    }
    if unstartup.print {
        say::note(&format!(
            "`{unit}` would be disabled and `{}` removed",
            path.display()
        ));
        return Ok(ExitCode::SUCCESS);
    }
    remove_unit(scope, &path)?;
    say::note(&format!(
        "`{unit}` no longer starts with the machine, and `{}` is gone; what runs goes on",
        path.display()
    ));
    Ok(ExitCode::SUCCESS)
}

fn remove_unit(scope: Scope, path: &Path) -> Result<(), Failure> {
    let unit = path.file_name().unwrap_or_default().to_string_lossy();
    systemctl(scope, &["disable", &unit])?;
    fs::remove_file(path)
        .map_err(|error| Failure::machine(format!("`{}`: {error}", path.display())))?;
    systemctl(scope, &["daemon-reload"])
}

/// `mainstay uninstall`.
pub(crate) fn uninstall(uninstall: &Uninstall) -> Outcome {
    let instances = gather(None);
    let running: Vec<_> = instances
        .iter()
        .filter(|known| known.running.is_some())
        .map(|known| format!("`{}`", known.name))
        .collect();
    if !running.is_empty() && !uninstall.print {
        return Err(Failure::usage(format!(
            "{} still runs; `mainstay stop all` ends what runs",
            running.join(", ")
        )));
    }
    let scope = scope();
    let units = units(&folder_of(scope)?);
    let state = state_folder()?;
    let mut made = String::new();
    for unit in &units {
        let _ = writeln!(made, "unit     {}", unit.display());
    }
    let mut logs: Vec<PathBuf> = Vec::new();
    for known in &instances {
        if known.record.is_some() {
            let folder = state.join(folder_name(&known.name));
            let _ = writeln!(made, "record   {}", folder.display());
            logs.push(match known.logs() {
                Some(logs) => logs.to_owned(),
                None => log_folder(&known.name)?,
            });
        }
    }
    logs.retain(|folder| !crate::control::log_files(folder).is_empty());
    for folder in &logs {
        let word = if uninstall.purge { "logs" } else { "(logs)" };
        let _ = writeln!(made, "{word:8} {}", folder.display());
    }
    super::print(made.as_bytes())?;
    if uninstall.print {
        return Ok(ExitCode::SUCCESS);
    }
    for unit in &units {
        remove_unit(scope, unit)?;
    }
    for known in instances.iter().filter(|known| known.record.is_some()) {
        Record::remove(&known.name)?;
        Ids::forget(&known.name);
    }
    if uninstall.purge {
        for folder in &logs {
            remove_logs(folder);
        }
    }
    for file in ID_FILES {
        let _ = fs::remove_file(state.join(file));
    }
    // only what is empty: what others put there is theirs
    let mut folders = vec![state];
    folders.extend(home());
    for folder in folders {
        let _ = fs::remove_dir(folder);
    }
    let program = std::env::current_exe().unwrap_or_default();
    say::note(&format!(
        "{}; the program itself is `{}`",
        if made.is_empty() {
            "nothing was made on this machine"
        } else {
            "removed what is listed"
        },
        program.display()
    ));
    if !uninstall.purge && !logs.is_empty() {
        say::note(
            "log files stay; `mainstay uninstall --purge` removes those of instances that are on record",
        );
    }
    Ok(ExitCode::SUCCESS)
}

fn remove_logs(folder: &Path) {
    for file in crate::control::log_files(folder) {
        let _ = fs::remove_file(file);
    }
    let _ = fs::remove_dir(folder);
}

/// Units that were made by `startup`.
fn units(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    let mut units: Vec<_> = paths
        .filter(|path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let is_named = name.starts_with("mainstay-") && name.ends_with(".service");
            let text = || fs::read_to_string(path).unwrap_or_default();
            is_named && text().starts_with("# Made by `mainstay startup`")
        })
        .collect();
    units.sort();
    units
}

fn scope() -> Scope {
    if rustix::process::geteuid().is_root() {
        Scope::System
    } else {
        Scope::User
    }
}

/// Where an administrator's units stand, or a user's own.
fn folder_of(scope: Scope) -> Result<PathBuf, Failure> {
    if let Some(home) = home() {
        return Ok(home.join("units"));
    }
    match scope {
        Scope::System => Ok(PathBuf::from("/etc/systemd/system")),
        Scope::User => {
            let named = |name| std::env::var_os(name).filter(|path| !path.is_empty());
            let own = named("XDG_CONFIG_HOME").map(PathBuf::from);
            let usual = || Some(PathBuf::from(named("HOME")?).join(".config"));
            let folder = own.or_else(usual).ok_or_else(|| {
                Failure::machine("no folder for units: neither XDG_CONFIG_HOME nor HOME is set")
            })?;
            Ok(folder.join("systemd/user"))
        }
    }
}

/// Tells systemd; where there is none, that is said, and the file is there for when there is.
fn systemctl(scope: Scope, words: &[&str]) -> Result<(), Failure> {
    let typed = match scope {
        Scope::System => format!("systemctl {}", words.join(" ")),
        Scope::User => format!("systemctl --user {}", words.join(" ")),
    };
    if home().is_some() {
        say::note(&format!(
            "`{typed}` is left to you: MAINSTAY_HOME keeps units apart"
        ));
        return Ok(());
    }
    let mut command = Command::new("systemctl");
    if scope == Scope::User {
        command.arg("--user");
    }
    match command.args(words).output() {
        Ok(done) if done.status.success() => Ok(()),
        Ok(done) => Err(Failure::machine(format!(
            "`{typed}` failed: {}",
            String::from_utf8_lossy(&done.stderr).trim()
        ))),
        Err(error) => Err(Failure::machine(format!(
            "`{typed}`: {error}; is this machine run by systemd?"
        ))),
    }
}
