//! What `mainstay import` makes of other programs' files: a `mainstay.toml` in which each line tells what it came from, and
//! sentences about what is lost. What may not be here: writing files, and values that may be secrets.

mod pm2;
mod render;

pub(crate) use pm2::{running, stands_in, was_harmless};
pub(crate) use render::render;
