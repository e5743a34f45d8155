//! `mainstay status`: how a running instance stands, asked over its admin socket.

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
    super::print(text.as_bytes())
}
