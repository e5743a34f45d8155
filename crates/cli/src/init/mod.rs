//! What `mainstay init` makes of a folder: files that say something are read, what they say is found out, and a
//! short `mainstay.toml` with the reason of each line comes of it.
//!
//! Finding is pure: names and texts in, findings out. What may not be here: starting anything, reading beyond
//! the bounds in [`folder`], questions to anybody.

mod command;
mod container;
mod ecosystem;
mod find;
mod folder;
mod front;
mod memory;
mod nginx;
mod notes;
mod package;
mod render;
#[cfg(test)]
mod tests;

pub(crate) use find::find;
pub(crate) use folder::Folder;
pub(crate) use render::{render, write_lines};
