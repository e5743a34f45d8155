//! `mainstay status`: how a running instance stands, asked over its admin socket.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::Outcome;
use crate::arguments::Instance;
use crate::control::runtime_dir;
use crate::failure::Failure;

pub(crate) fn execute(instance: &Instance) -> Outcome {
    let socket = find(instance.name.as_deref())?;
    let path = if instance.json {
        "/status.json"
    } else {
        "/status"
    };
    let text = ask(&socket, path).map_err(|error| {
        Failure::machine(format!(
            "`{}` does not answer: {error}; is the instance still running?",
            socket.display()
        ))
    })?;
    let _ = std::io::stdout().write_all(text.as_bytes());
    Ok(ExitCode::SUCCESS)
}

fn find(name: Option<&str>) -> Result<PathBuf, Failure> {
    let mut found = runtime_dir::instances();
    if let Some(name) = name {
        found.retain(|(known, _)| known == name);
    }
    match &found[..] {
        [(_, socket)] => Ok(socket.clone()),
        [] => Err(Failure::usage(match name {
            Some(name) => {
                format!("no instance `{name}` of yours is running; `mainstay run` starts one")
            }
            None => "no instance of yours is running; `mainstay run` starts one".to_owned(),
        })),
        several => {
            let names: Vec<_> = several
                .iter()
                .map(|(name, _)| format!("`{name}`"))
                .collect();
            Err(Failure::usage(format!(
                "several instances are running: {}; say which with `--name`",
                names.join(", ")
            )))
        }
    }
}

fn ask(socket: &PathBuf, path: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (_, body) = answer
        .split_once("\r\n\r\n")
        .ok_or(std::io::ErrorKind::InvalidData)?;
    Ok(body.to_owned())
}
