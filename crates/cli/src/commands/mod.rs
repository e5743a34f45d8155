//! One file per command.

mod check;
mod completions;
mod diff;
mod explain;
mod help;
mod init;
mod instance;
mod layers;
mod reload;
mod run;
mod status;
mod stop;

pub(crate) use instance::Instance;
pub(crate) use run::{Read, here, read};

use std::io::{ErrorKind, Write as _};
use std::process::ExitCode;

use crate::arguments::Command;
use crate::failure::Failure;
use crate::{Outcome, demo};

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

/// Does what was asked for.
pub(crate) fn execute(command: Command) -> Outcome {
    match command {
        Command::Run(run) => run::execute(&run.flags()),
        Command::Demo(common) => demo::execute(&common.flags()),
        Command::Stop(which) => stop::execute(&which),
        Command::Reload(reload) => reload::execute(&reload),
        Command::Status(status) => status::execute(&status),
        Command::Check(check) => check::execute(&check),
        Command::Explain(explain) => explain::execute(&explain),
        Command::Disable(disable) => layers::disable(&disable),
        Command::Enable(enable) => layers::enable(&enable),
        Command::Diff(which) => diff::execute(&which),
        Command::Init(init) => init::execute(&init),
        Command::Help(help) => help::execute(&help),
        Command::Completions(completions) => completions::execute(&completions),
    }
}
