//! What is run: program, folder, files, user, numbers. Runs nothing but `node --version`, as a start does.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use mainstay_config::AppSettings;
use mainstay_supervisor::cgroup::Groups;
use mainstay_supervisor::launch::{CommandLine, NodeQuestion};
use mainstay_supervisor::options::{CoreDumps, Workers};
use mainstay_supervisor::{AppOptions, Examined, Numbers, StartError, Surroundings, count};

use super::{Finding, Subject};
use crate::control::prober;
use crate::failure::Failure;

/// Fewer files than these are soon all open.
const FEW_FILES: u64 = 4_096;

pub(super) fn app(subject: &Subject<'_>, app: &AppSettings, found: &mut Vec<Finding>) {
    let path = |key: &str| format!("app.{}.{key}", app.name());
    let folder = app.options.cwd.as_ref();
    let folder = folder.map_or_else(|| subject.origin.folder.clone(), Clone::clone);
    if !folder.is_dir() {
        let failure = Failure::usage(format!(
            "app `{}`: there is no folder `{}`; correct `cwd`, or make it",
            app.name(),
            folder.display()
        ));
        found.push(Finding::error(path("cwd"), failure));
        return;
    }
    let mut examined = match examine(subject, app.options.clone()) {
        Ok(examined) => examined,
        Err(error) => {
            found.push(Finding::error(path(about(&error)), error.into()));
            return;
        }
    };
    program(subject, app, &examined, found);
    node(app, examined.node.take(), found);
    if let Some(target) = app.release.command.clone() {
        let options = AppOptions {
            target,
            command_line: CommandLine::default(),
            ..app.options.clone()
        };
        if let Err(error) = examine(subject, options) {
            found.push(Finding::error(path("release_command"), error.into()));
        }
    }
    numbers(app, &examined, found);
    if rustix::process::geteuid().is_root() && examined.identity.is_none() {
        found.push(
            Finding::warning(path("user"), format!("app `{}` runs as root", app.name()))
                .costs(
                    "a hole in the app, or in one of its packages, is a hole in the whole machine",
                )
                .hint(format!(
                    "write `user = \"www-data\"` below `[app.{}]`",
                    app.name()
                )),
        );
    }
    node_env(subject, app, found);
}

fn examine(subject: &Subject<'_>, options: AppOptions) -> Result<Examined, StartError> {
    let surroundings = Surroundings {
        environment: subject.environment.clone(),
        cwd: subject.origin.folder.clone(),
        sockets: PathBuf::new(),
        preload: PathBuf::new(),
        prober: prober(),
        gateway_group: None,
        groups: Groups::default(),
        numbers: Numbers::default(),
        guard: None,
    };
    surroundings.examine(options)
}

/// The key that an error is about.
fn about(error: &StartError) -> &'static str {
    match error {
        StartError::Launch { .. } | StartError::PathTooLong { .. } | StartError::Io { .. } => {
            "command"
        }
        StartError::Identity { .. } => "user",
        StartError::Limit { .. } => "open_files",
        StartError::PortForMany { .. } => "port",
    }
}

/// Whether the program can be executed, and the file that it is given is there.
fn program(
    subject: &Subject<'_>,
    app: &AppSettings,
    examined: &Examined,
    found: &mut Vec<Finding>,
) {
    let launch = &examined.launch;
    let setting = format!("app.{}.command", app.name());
    let Some(program) = launch.words.first() else {
        return;
    };
    let variable = std::ffi::OsString::from("PATH");
    let own = app.options.env.get("PATH").map(std::ffi::OsString::from);
    let search = own.or_else(|| subject.environment.get(&variable).cloned());
    let search = search.unwrap_or_default();
    let folders = launch.path_prefix.iter().cloned();
    let folders = folders.chain(std::env::split_paths(&search));
    if find(program, &launch.cwd, folders).is_none() {
        let failure = Failure::app(format!(
            "app `{}`: the program `{program}` is neither on the PATH nor a file that may be executed; install it, or \
             write its whole path",
            app.name()
        ));
        found.push(Finding::error(setting, failure));
        return;
    }
    let file = launch.words.get(1).filter(|word| is_script(word));
    if let Some(file) = file.filter(|file| !launch.cwd.join(file).exists()) {
        let failure = Failure::app(format!(
            "app `{}`: `{}` names `{file}`, which is not in `{}`; build the app first, or correct the name",
            app.name(),
            launch.shown,
            launch.cwd.display()
        ));
        found.push(Finding::error(setting, failure));
        return;
    }
    found.push(Finding::note(
        setting,
        format!(
            "app `{}` is `{}` in `{}`",
            app.name(),
            launch.shown,
            launch.cwd.display()
        ),
    ));
}

/// Whether its project wants another Node than the one that would run it.
fn node(app: &AppSettings, question: Option<NodeQuestion>, found: &mut Vec<Finding>) {
    let Some(question) = question else { return };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else { return };
    for (name, other) in runtime.block_on(question.ask()) {
        let path = format!("app.{}.command", app.name());
        found.push(
            Finding::warning(path, format!("app `{name}`: {other}"))
                .costs("the project was not tried with it: syntax, modules and native addons may be missing")
                .hint("put the one that is wanted first on the PATH, or name it with `interpreter`"),
        );
    }
}

fn is_script(word: &str) -> bool {
    let extension = Path::new(word)
        .extension()
        .and_then(|extension| extension.to_str());
    !word.starts_with('-')
        && extension.is_some_and(|extension| ["js", "mjs", "cjs", "py"].contains(&extension))
}

/// As the kernel and `execvp` find it.
fn find(program: &str, cwd: &Path, folders: impl Iterator<Item = PathBuf>) -> Option<PathBuf> {
    let is_program = |path: &PathBuf| {
        path.metadata()
            .is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    if program.contains('/') {
        return Some(cwd.join(program)).filter(is_program);
    }
    folders
        .map(|folder| cwd.join(folder).join(program))
        .find(is_program)
}

fn numbers(app: &AppSettings, examined: &Examined, found: &mut Vec<Finding>) {
    let path = |key: &str| format!("app.{}.{key}", app.name());
    let (workers, cores) = (examined.workers, count::processors());
    if workers == 1 && cores > 1 && app.options.workers == Workers::Fixed(1) {
        found.push(
            Finding::note(
                path("workers"),
                format!("app `{}` has 1 worker of {cores} cores", app.name()),
            )
            .costs("one core does all its work, and while that worker restarts, requests wait")
            .hint("write `workers = \"auto\"` if the app keeps nothing in memory"),
        );
    } else if workers > cores.saturating_mul(2) {
        found.push(
            Finding::warning(
                path("workers"),
                format!("app `{}` has {workers} workers on {cores} cores", app.name()),
            )
            .costs("they take turns: memory for each, and no more throughput than with one for each core")
            .hint("write `workers = \"max\"` for one for each core"),
        );
    }
    if let Some(files) = examined.open_files.filter(|files| *files < FEW_FILES) {
        found.push(
            Finding::warning(
                path("open_files"),
                format!("a process of app `{}` may open {files} files", app.name()),
            )
            .costs("connections and files together; beyond that its requests fail with EMFILE")
            .hint("raise `ulimit -Hn`, or systemd's `LimitNOFILE=`, where `mainstay` is started"),
        );
    }
    if app.options.limits.core_dumps == CoreDumps::Inherited {
        found.push(
            Finding::warning(
                path("core_dumps"),
                format!(
                    "a crash of app `{}` may leave its memory on the disk",
                    app.name()
                ),
            )
            .costs("keys, passwords and people's data are in there")
            .hint("leave `core_dumps` out when you have seen what you wanted to see"),
        );
    }
}

fn node_env(subject: &Subject<'_>, app: &AppSettings, found: &mut Vec<Finding>) {
    let variable = std::ffi::OsString::from("NODE_ENV");
    let own = app.options.env.get("NODE_ENV").map(String::as_str);
    let inherited = subject.environment.get(&variable);
    let value = own.or_else(|| inherited.and_then(|value| value.to_str()));
    let setting = format!("app.{}.env.NODE_ENV", app.name());
    match value {
        Some("production" | "test") => {}
        Some(other) => found.push(
            Finding::warning(
                setting,
                format!("app `{}` gets NODE_ENV={other}", app.name()),
            )
            .costs(
                "frameworks show stack traces to clients and compile their views for each request",
            )
            .hint("take it out: NODE_ENV is `production` where nobody says otherwise"),
        ),
        None => found.push(Finding::note(
            setting,
            format!(
                "app `{}` gets NODE_ENV=production, since it is not set",
                app.name()
            ),
        )),
    }
}
