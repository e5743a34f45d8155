//! What happens to a request, step by step: worked out from the settings by the pipeline itself, or asked of a running
//! instance. Prints nothing.

mod ask;
mod json;
mod rehearse;
mod request;
mod send;
mod steps;

pub(crate) use ask::Told;
pub(crate) use json::json;
pub(crate) use rehearse::{Rehearsal, rehearse};
pub(crate) use request::Asked;
pub(crate) use send::{answer_json, answer_lines, send};
pub(crate) use steps::lines;
