//! `mainstay status`: how a running instance stands, asked over its admin socket.

use std::io::Write as _;
use std::process::ExitCode;

use super::instance::Instance;
use crate::Outcome;
use crate::arguments::Status;

pub(crate) fn execute(status: &Status) -> Outcome {
    let path = if status.json {
        "/status.json"
    } else {
        "/status"
    };
    let text = Instance::find(status.which.name.as_deref())?.ask(path)?;
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}
