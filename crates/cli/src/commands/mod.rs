//! One file per command.

mod cache;
mod check;
mod completions;
mod crashes;
mod csp;
mod describe;
mod diff;
mod explain;
mod hash;
mod help;
mod import;
mod init;
mod instance;
mod jlist;
mod keep;
mod landscape;
mod layers;
mod limits;
mod list;
mod logs;
mod order;
mod reload;
mod run;
mod start;
mod startup;
mod status;
mod suspension;
mod table;
mod targets;
mod top;
mod unit;
mod upgrade;

pub(crate) use hash::Hash;
pub(crate) use instance::Instance;
pub(crate) use run::{Read, here, read};

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use crate::arguments::Command;
use crate::failure::Failure;
use crate::{Outcome, demo, say};

/// Writes an answer to standard output, coloured on a terminal if it has colours. A reader that went away has what it
/// wanted.
fn print(text: &[u8]) -> Outcome {
    let written = anstream::stdout().write_all(text);
    written.or_else(|error| match error.kind() {
        ErrorKind::BrokenPipe => Ok(()),
        _ => Err(Failure::machine(format!(
            "cannot write to standard output: {error}"
        ))),
    })?;
    Ok(ExitCode::SUCCESS)
}

/// Gives an order to a running instance, and says what came of it.
fn tell(name: Option<&str>, path: &str, wish: &impl serde::Serialize) -> Outcome {
    let body = serde_json::to_vec(wish).map_err(|error| Failure::internal("the wish", error))?;
    let instance = Instance::find(name)?;
    match instance.order(path, &body, say::note)? {
        Some(ending) if ending.code == 0 => {
            say::note(&ending.message);
            Ok(ExitCode::SUCCESS)
        }
        Some(ending) => Err(ending.into()),
        None => Err(Failure::cut_short(format!(
            "instance `{}` ended before it had done it",
            instance.name
        ))),
    }
}

/// Does what was asked for.
pub(crate) fn execute(command: Command) -> Outcome {
    match command {
        Command::Run(run) => run::execute(&run.flags()),
        Command::Demo(common) => demo::execute(&common.flags()),
        Command::Start(run) => start::execute(&run),
        Command::Stop(targets) => order::stop(&targets),
        Command::Upgrade(upgrade) => upgrade::execute(&upgrade),
        Command::Restart(targets) => start::restart(&targets),
        Command::Delete(targets) => order::delete(&targets),
        Command::Scale(scale) => order::scale(&scale),
        Command::Signal(signal) => order::signal(&signal),
        Command::Ls => list::list(),
        Command::Jlist => jlist::execute(),
        Command::Top(which) => top::execute(&which),
        Command::Describe(targets) => describe::execute(&targets),
        Command::Flush(targets) => keep::flush(&targets),
        Command::Ping(which) => keep::ping(&which),
        Command::Save => keep::save(),
        Command::Resurrect => keep::resurrect(),
        Command::Startup(wish) => startup::startup(&wish),
        Command::Unstartup(wish) => startup::unstartup(&wish),
        Command::Uninstall(wish) => startup::uninstall(&wish),
        Command::Reload(reload) => reload::execute(&reload),
        Command::Status(status) => status::execute(&status),
        Command::Logs(wish) => logs::execute(&wish),
        Command::Check(check) => check::execute(&check),
        Command::Explain(explain) => explain::execute(&explain),
        Command::Disable(disable) => layers::disable(&disable),
        Command::Enable(enable) => layers::enable(&enable),
        Command::Crashes(wish) => crashes::execute(&wish),
        Command::Csp(csp) => csp::execute(&csp),
        Command::Pause(pause) => suspension::pause(&pause),
        Command::Resume(which) => suspension::resume(&which),
        Command::Maintenance(maintenance) => suspension::maintenance(&maintenance),
        Command::Limits(wish) => limits::limits(&wish),
        Command::Unban(unban) => limits::unban(&unban),
        Command::Cache(cache) => cache::execute(&cache),
        Command::Diff(which) => diff::execute(&which),
        Command::Hash(hash) => hash::execute(&hash),
        Command::Init(init) => init::execute(&init),
        Command::Import(wish) => import::execute(&wish),
        Command::Help(help) => help::execute(&help),
        Command::Completions(completions) => completions::execute(&completions),
    }
}
