//! From what the user gave (a command, a file, a folder) to what is executed. Starts nothing but `node --version`.

mod command_line;
mod error;
mod other_node;
mod package;
mod resolve;
mod runtime;
mod semver;
mod target;
mod typescript;
mod wanted;
mod words;

pub use command_line::{CommandLine, Interpreter};
pub use error::LaunchError;
pub use other_node::{NodeQuestion, OtherNode};
pub use resolve::Launch;
pub use runtime::Runtime;
pub use target::Target;
pub(crate) use words::becomes_command;
