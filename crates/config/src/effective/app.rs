//! The lines of `[app.NAME]`.

use std::path::Path;

use mainstay_supervisor::launch::Target;
use mainstay_supervisor::options::{
    CoreDumps, Farewell, FilterEnv, GiveUp, GroupLimits, Liveness, Lives, Privileges, Restart,
};

use mainstay_values::Size;

use super::{Effective, InForce, Lines};
use crate::sections::{
    self, AppListen, AppSettings, Cpus, LogPlace, LogSharing, OutputSettings, UpkeepSettings,
};

pub(super) fn lines(app: &AppSettings, out: &mut Vec<Effective>) {
    let options = &app.options;
    let mut lines = Lines::new(&sections::keys::APP, format!("app.{}", app.name()), out);
    target(&mut lines, "command", Some(&options.target));
    let line = &options.command_line;
    lines.list("args", &line.args);
    lines.option("interpreter", line.interpreter.as_ref());
    lines.list("interpreter_args", &line.interpreter_args);
    match &options.cwd {
        Some(cwd) => lines.folder("cwd", cwd),
        None => lines.unsaid("cwd"),
    }
    lines.value("http", &options.kind);
    lines.value("namespace", &options.namespace);
    for name in options.env.keys() {
        // whatever is said to an app may be a password
        lines.push(&format!("env.{name}"), InForce::Hidden);
    }
    match &options.filter_env {
        FilterEnv::Nothing => lines.value("filter_env", &false),
        FilterEnv::Everything => lines.value("filter_env", &true),
        FilterEnv::Prefixes(prefixes) => lines.list("filter_env", prefixes),
    }
    lines.value("instance_var", &options.instance_var);
    lines.option("increment_var", options.increment_var.as_ref());
    lines.value("workers", &options.workers);
    lines.option("port", options.port.as_ref());
    lines.value("ready", &options.ready);
    lines.list("after", &app.order.after);
    lines.value("after_timeout", &app.order.timeout);
    lines.value("start_timeout", &options.start_timeout);
    lines.value("kill_signal", &options.kill_signal);
    lines.value("kill_timeout", &options.kill_timeout);
    lines.value("shutdown_message", &(options.farewell == Farewell::Message));
    lines.value("drain_timeout", &options.drain_timeout);
    lines.value("hang_timeout", &options.hang_timeout);
    lines.value("liveness", &(options.liveness == Liveness::Asked));
    ends(&mut lines, &options.lives);
    lines.value("give_up", &(options.give_up == GiveUp::InCrashLoop));
    let own = (app.listen != AppListen::Shared).then_some(&app.listen);
    lines.option("listen", own);
    lines.option("user", options.user.as_ref());
    lines.option("group", options.group.as_ref());
    let count = |count: Option<u64>| count.and_then(|count| u32::try_from(count).ok());
    lines.option("open_files", count(options.limits.open_files).as_ref());
    lines.option("processes", count(options.limits.processes).as_ref());
    let dumps = options.limits.core_dumps == CoreDumps::Inherited;
    lines.value("core_dumps", &dumps);
    let is_held = options.limits.privileges == Privileges::Held;
    lines.value("no_new_privs", &is_held);
    group_limits(&mut lines, &options.group_limits);
    upkeep(&mut lines, &app.upkeep);
    output(&mut lines, &app.output);
    lines.value("reload", &app.release.mode);
    target(&mut lines, "release_command", app.release.command.as_ref());
    lines.value("release_timeout", &app.release.timeout);
}

/// What follows the end of a worker.
fn ends(lines: &mut Lines<'_>, options: &Lives) {
    lines.value("autorestart", &(options.restart == Restart::Always));
    let codes: Vec<u8> = options.stop_exit_codes.iter().copied().collect();
    lines.list("stop_exit_codes", &codes);
    lines.value("restart_delay", &options.restart_delay);
    lines.option("backoff", options.backoff.as_ref());
    lines.value("min_uptime", &options.min_uptime);
    lines.value("max_restarts", &options.max_restarts);
}

fn group_limits(lines: &mut Lines<'_>, limits: &GroupLimits) {
    let size = |bytes: Option<u64>| bytes.map(Size::bytes);
    lines.option("memory_limit", size(limits.memory).as_ref());
    lines.option("memory_high", size(limits.memory_high).as_ref());
    lines.option("cpu_limit", limits.cpu.map(Cpus).as_ref());
    lines.option("pids_limit", limits.pids.as_ref());
}

fn upkeep(lines: &mut Lines<'_>, upkeep: &UpkeepSettings) {
    lines.value("max_memory", &upkeep.max_memory);
    lines.option("cron_restart", upkeep.cron_restart.as_ref());
    let paths = upkeep.watch.iter().map(|path| path.display().to_string());
    match &paths.collect::<Vec<_>>()[..] {
        [] => lines.value("watch", &false),
        [only] if only == "." => lines.value("watch", &true),
        several => lines.list("watch", several),
    }
    lines.list("watch_ignore", &upkeep.watch_ignore);
    lines.value("watch_delay", &upkeep.watch_delay);
}

fn output(lines: &mut Lines<'_>, output: &OutputSettings) {
    let mut file = |key, place: &LogPlace, usual: Option<bool>| match (place, usual) {
        (LogPlace::At(path), _) => lines.folder(key, path),
        (LogPlace::Nowhere, _) => lines.value(key, &"none".to_owned()),
        (LogPlace::Usual, Some(usual)) => lines.value(key, &usual),
        (LogPlace::Usual, None) => lines.unsaid(key),
    };
    file("out_file", &output.out, None);
    file("error_file", &output.error, None);
    match &output.combined {
        Some(place) => file("log_file", place, Some(true)),
        None => lines.unsaid("log_file"),
    }
    lines.value("merge_logs", &(output.sharing == LogSharing::Shared));
    lines.value("time", &output.stamp.is_some());
    lines.option("log_date_format", output.stamp.as_ref());
    lines.value("log_type", &output.form);
}

fn target(lines: &mut Lines<'_>, key: &str, target: Option<&Target>) {
    match target {
        Some(Target::Command(line)) => lines.value(key, line),
        Some(Target::Arguments(words)) => lines.list(key, words),
        Some(Target::Path(path)) if path != Path::new(".") => lines.folder(key, path),
        Some(Target::Path(_)) | None => lines.unsaid(key),
    }
}
