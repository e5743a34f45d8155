//! What stands around the file that is run: its interpreter before it, words for it behind it. Looks at no file.

use serde::{Deserialize, Serialize};

use super::LaunchError;
use super::resolve::Launch;
use super::words::quote;

/// Words that are said apart from the command.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct CommandLine {
    /// What runs the file. Absent: what its extension or its first line says.
    pub interpreter: Option<Interpreter>,
    /// Words between the interpreter and the file.
    pub interpreter_args: Vec<String>,
    /// Words behind everything else.
    pub args: Vec<String>,
}

/// What runs a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interpreter {
    /// The file is a program itself.
    Itself,
    /// This program, with the file as its argument.
    Program(String),
}

impl CommandLine {
    /// Puts its words into a launch that was found without them.
    pub(super) fn complete(&self, mut launch: Launch) -> Result<Launch, LaunchError> {
        let is_shell = matches!(&launch.words[..], [sh, flag, _] if sh == "sh" && flag == "-c");
        if !self.interpreter_args.is_empty() {
            if is_shell || launch.words.len() < 2 {
                return Err(LaunchError::NoInterpreter(launch.shown));
            }
            launch
                .words
                .splice(1..1, self.interpreter_args.iter().cloned());
            launch.shown = launch.words.join(" ");
        }
        if self.args.is_empty() {
            return Ok(launch);
        }
        match launch.words.last_mut().filter(|_| is_shell) {
            Some(text) => {
                for word in &self.args {
                    text.push(' ');
                    text.push_str(&quote(word));
                }
            }
            None => launch.words.extend_from_slice(&self.args),
        }
        launch.shown = format!("{} {}", launch.shown, self.args.join(" "));
        Ok(launch)
    }
}
