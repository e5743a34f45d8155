//! `mainstay hash`: makes what `[auth]` holds instead of passwords and keys. Keeps neither.
//!
//! A password is typed or piped in, never given on the command line, where every process could read it.

use std::io::{IsTerminal as _, Read as _, Write as _};

use clap::Args;
use mainstay_pipeline::{KeyHash, PasswordHash, make_key};
use mainstay_values::Secret;
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::Outcome;
use crate::failure::Failure;

/// `mainstay hash`.
#[derive(Args)]
pub(crate) struct Hash {
    /// Make an API key instead, and print it once with its hash
    #[arg(long)]
    key: bool,
}

/// A longer password is a mistake: a file was piped in.
const LONGEST: usize = 1_024;
/// Ctrl-C and Ctrl-D as they are typed where the terminal does not act on them itself.
const END: [u8; 2] = [0x03, 0x04];

/// Writes the hash, and nothing else, to standard output.
pub(crate) fn execute(hash: &Hash) -> Outcome {
    if hash.key {
        let key = make_key().map_err(Failure::machine)?;
        let hash = KeyHash::of(key.expose().as_bytes());
        let (key, hash) = (key.expose(), hash.expose());
        return super::print(format!("key = {key}\nhash = {hash}\n").as_bytes());
    }
    let password = if std::io::stdin().is_terminal() {
        let password = typed("Password: ")?;
        if typed("Once more: ")? != password {
            return Err(Failure::usage(
                "error: the two passwords differ; nothing was made",
            ));
        }
        password
    } else {
        piped()?
    };
    check(&password)?;
    let hash = PasswordHash::make(&password).map_err(Failure::machine)?;
    super::print(format!("{}\n", hash.expose()).as_bytes())
}

/// What browsers can send (RFC 7617, 2).
fn check(password: &Secret) -> Result<(), Failure> {
    let text = password.expose();
    let complaint = if text.is_empty() {
        "the password is empty"
    } else if text.len() > LONGEST {
        "the password is longer than 1024 bytes"
    } else if text.contains(char::is_control) {
        "the password holds control characters, which cannot be sent"
    } else {
        return Ok(());
    };
    Err(Failure::usage(format!(
        "error: {complaint}\n  expected: a password in one line, typed or on standard input"
    )))
}

/// The first line of standard input.
fn piped() -> Result<Secret, Failure> {
    let mut bytes = Vec::new();
    let mut input = std::io::stdin().take(LONGEST as u64 + 3);
    input.read_to_end(&mut bytes).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(unreadable)?;
    let whole = Secret::new(text);
    let line = whole.expose().strip_suffix('\n').unwrap_or(whole.expose());
    Ok(Secret::new(
        line.strip_suffix('\r').unwrap_or(line).to_owned(),
    ))
}

/// What is typed at a terminal that does not show it.
fn typed(prompt: &str) -> Result<Secret, Failure> {
    let _silence = Silence::begin()?;
    eprint(prompt)?;
    let mut bytes = Vec::new();
    // a terminal hands over what is there; what comes behind the line is not ours to read
    let mut input = std::io::stdin().lock();
    let mut byte = [0];
    while input.read(&mut byte).map_err(unreadable)? > 0 {
        match byte[0] {
            b'\r' | b'\n' => break,
            byte if END.contains(&byte) => {
                eprint("\n")?;
                return Err(Failure::cut_short("no password was typed"));
            }
            0x7f | 0x08 => drop_last(&mut bytes),
            byte if bytes.len() <= LONGEST => bytes.push(byte),
            _ => {}
        }
    }
    eprint("\n")?;
    String::from_utf8(bytes)
        .map(Secret::new)
        .map_err(unreadable)
}

/// The last character, however many bytes it has.
fn drop_last(bytes: &mut Vec<u8>) {
    while let Some(byte) = bytes.pop() {
        if byte & 0xc0 != 0x80 {
            return;
        }
    }
}

/// As long as it lives, the terminal shows nothing and hands over each byte.
struct Silence(Termios);

impl Silence {
    fn begin() -> Result<Self, Failure> {
        let before = tcgetattr(std::io::stdin()).map_err(unreadable)?;
        let mut quiet = before.clone();
        quiet
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &quiet).map_err(unreadable)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}

fn eprint(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stderr();
    let written = out.write_all(text.as_bytes());
    written.and_then(|()| out.flush()).map_err(unreadable)
}

fn unreadable(error: impl std::fmt::Display) -> Failure {
    Failure::machine(format!("cannot read a password: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_character_goes_as_a_whole() {
        let mut bytes = "aé".as_bytes().to_vec();
        drop_last(&mut bytes);
        assert_eq!(bytes, b"a");
        drop_last(&mut bytes);
        drop_last(&mut bytes);
        assert!(bytes.is_empty());
    }
}
