//! The program `mainstay`: commands, wiring, exit codes. The only crate that prints, exits and reads the
//! real environment.

#![allow(
    clippy::disallowed_methods,
    reason = "the crate that may read the real environment and end the program"
)]

mod arguments;
mod check;
mod clock;
mod commands;
mod complaint;
mod control;
mod crash;
mod deaf;
mod demo;
#[cfg(test)]
mod documents;
mod ecosystem;
mod explain;
mod failure;
mod feed;
mod gateway;
mod holder;
mod import;
mod init;
mod listing;
mod logs;
mod order;
mod plain_http;
mod policy;
mod protocol;
mod rates;
mod said;
mod sample;
mod say;
mod state;

use std::process::ExitCode;

use failure::Failure;

// freed memory goes back to the thread that allocates next, which is the same one
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let outcome = match words.first().map(String::as_str) {
        // processes of a running instance, started by itself only
        Some("control") => control::main(),
        Some("gateway") => gateway::main(),
        Some("guard") => control::guard(),
        Some("sample") => sample::main(),
        _ => arguments::parse()
            .and_then(|command| command.map_or(Ok(ExitCode::SUCCESS), commands::execute)),
    };
    let code = match outcome {
        Ok(code) => code,
        Err(failure) => {
            let code = failure.exit_code();
            say::failure(failure);
            code
        }
    };
    say::settle();
    code
}

/// Named so that the table of exit codes stays in one file.
type Outcome = Result<ExitCode, Failure>;
