//! One file per command.

mod run;
mod status;

pub(crate) use run::settings;

use crate::arguments::Command;
use crate::{Outcome, demo};

/// Does what was asked for.
pub(crate) fn execute(command: Command) -> Outcome {
    match command {
        Command::Run(run) => run::execute(&run.flags()),
        Command::Demo(common) => demo::execute(&common.flags()),
        Command::Status(instance) => status::execute(&instance),
    }
}
