//! A small HTTP/1.1 app that misbehaves on request, for tests of whatever stands in front of it or starts it.
//! Standard library only; it knows nothing of the product it tests.

mod answer;
mod bodies;
mod misbehave;
mod options;
mod request;
mod routes;
mod serve;
mod socket;

use std::io::{self, Write as _};
use std::process::ExitCode;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "testapp: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let options = match options::Options::read() {
        Ok(Some(options)) => options,
        Ok(None) => return io::stdout().write_all(options::help().as_bytes()),
        Err(complaint) => return Err(io::Error::other(complaint)),
    };
    misbehave::rearrange(&options)?;
    misbehave::before_listening(&options)?;
    let listener = socket::Listener::open(&options)?;
    writeln!(io::stdout(), "testapp: listening on {}", listener.name())?;
    misbehave::after_listening(&options);
    serve::serve(&listener, options)
}
