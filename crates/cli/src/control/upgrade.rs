//! An upgrade of Mainstay: another program in the place of the one that runs, in the same process. The sequence, and the
//! test that a program must pass before it; how the place is left and taken stands in `succession`.

use std::fs::{File, Metadata};
use std::io::{self, Read as _};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use mainstay_supervisor::os::inherited_fd;
use mainstay_supervisor::process::{Exit, Spawn};
use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::net::unix::pipe;
use tokio::time::timeout;

use super::handover::Handover;
use super::hands::Hands;
use super::own;
use crate::Outcome;
use crate::failure::Failure;

/// A program that has not said by then whether it can carry on is none that should.
const PATIENCE: Duration = Duration::from_secs(10);
/// Of what a program says, so much is looked at.
const MOST: u64 = 4 * 1024;
const NO_PROGRAM: &str = "is not a program: expected an executable file";
/// The word for the test, behind `control`, and the number under which what is handed over is open there.
const SELF_TEST: &str = "--self-test";
const MEMORY_FD: RawFd = 3;

/// A program that may take our place.
#[derive(Clone, Debug)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// Which file it was when it was tested.
    identity: [u64; 4],
}

/// What a program says that can carry on.
#[derive(Debug, Serialize, Deserialize)]
struct Passed {
    carries_on: bool,
    version: String,
}

/// Puts another program in our place. Nothing is touched before it has shown that it understands what it will find. Returns
/// only if it does not come to that.
pub(super) async fn begin(program: Option<&Path>, hands: &mut Hands) -> Result<String, Failure> {
    let program = Program::find(program)?;
    let rehearsed = hands.rehearse().await?;
    let version = program.test(&rehearsed).await?;
    let path = program.path.display();
    hands.say(&format!("`{path}` is Mainstay {version} and can carry on"));
    Err(hands.hand_over(program).await)
}

/// What is left to do for the new program: its own guard and gateway.
pub(super) async fn complete(before: &str, hands: &mut Hands) -> Result<String, Failure> {
    let now = env!("CARGO_PKG_VERSION");
    hands.renew().await.map_err(|failure| {
        let message = format!(
            "the control plane is upgraded from {before} to {now}; {}",
            failure.message
        );
        Failure::machine(message)
    })?;
    Ok(format!(
        "upgraded from {before} to {now}; no worker was touched"
    ))
}

impl Program {
    /// The one at this path; without a path, what is now where our own came from.
    fn find(path: Option<&Path>) -> Result<Self, Failure> {
        let path = match path {
            Some(path) => path.to_owned(),
            None => own_path().map_err(|error| Failure::internal("our own program", error))?,
        };
        let found = std::fs::metadata(&path)
            .map_err(|error| Failure::usage(format!("`{}`: {error}", path.display())))?;
        let may_run = found.is_file() && found.permissions().mode() & 0o111 != 0;
        if let Some(why) = (!may_run).then_some(NO_PROGRAM).or_else(|| fault(&path)) {
            return Err(Failure::usage(format!("`{}` {why}", path.display())));
        }
        let identity = identity(&found);
        Ok(Self { path, identity })
    }

    /// Whether its file is still the one that was tested.
    pub(super) fn is_unchanged(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|found| identity(&found) == self.identity)
    }

    /// Lets it read what would be handed over to it. Its version.
    ///
    /// # Errors
    /// Why it cannot carry on, or does not say that it can.
    pub(super) async fn test(&self, handover: &Handover) -> Result<String, Failure> {
        let refused = |why: String| {
            Failure::usage(format!(
                "`{}` cannot carry on: {why}; nothing was changed",
                self.path.display()
            ))
        };
        let failed = |error: io::Error| refused(error.to_string());
        let memory = handover.write().map_err(failed)?;
        let (said, stdout) = io::pipe().map_err(failed)?;
        let (complained, stderr) = io::pipe().map_err(failed)?;
        let mut spawn = Spawn::new(&self.path);
        spawn.title = Some("mainstay".into());
        spawn.arguments = vec!["control".into(), SELF_TEST.into()];
        spawn.env = vec![(own::SMALL_PAGES.0.into(), own::SMALL_PAGES.1.into())];
        spawn.descriptors = vec![(memory.into(), MEMORY_FD)];
        (spawn.stdout, spawn.stderr) = (Some(stdout.into()), Some(stderr.into()));
        let process = spawn.start().map_err(failed)?;
        let outcome = timeout(PATIENCE, async {
            let words = read(said.into());
            let complaint = read(complained.into());
            let (words, complaint) = tokio::join!(words, complaint);
            (words, complaint, process.wait().await)
        });
        let Ok((words, complaint, exit)) = outcome.await else {
            process.signal_group(Signal::KILL);
            let _ = process.wait().await;
            return Err(refused(format!(
                "it did not say so within {} s",
                PATIENCE.as_secs()
            )));
        };
        match exit.map_err(failed)? {
            Exit::Code(0) => match serde_json::from_str::<Passed>(&words) {
                Ok(Passed {
                    carries_on: true,
                    version,
                }) => Ok(version),
                _ => Err(refused("it does not say what a Mainstay would".to_owned())),
            },
            exit => {
                let mut lines = complaint.lines().filter(|line| !line.trim().is_empty());
                let first = lines
                    .next()
                    .map(|line| line.trim().trim_start_matches("error: "));
                let said = first.map_or_else(String::new, |line| format!(": {line}"));
                Err(refused(format!("{exit}{said}")))
            }
        }
    }
}

/// What is wrong with a file. Whatever the kernel does not run would be run by a shell, whatever is in it.
fn fault(path: &Path) -> Option<&'static str> {
    let (own, other) = (beginning(Path::new("/proc/self/exe")), beginning(path));
    match other[..] {
        [b'#', b'!', ..] => None,
        [0x7f, b'E', b'L', b'F', ..] if kind(&own) == kind(&other) => None,
        [0x7f, b'E', b'L', b'F', ..] => Some("is a program for another kind of machine"),
        _ => Some(NO_PROGRAM),
    }
}

/// The first of what is in a file, as much as tells what runs it.
fn beginning(path: &Path) -> Vec<u8> {
    let mut first = Vec::new();
    let read = File::open(path).and_then(|file| file.take(20).read_to_end(&mut first));
    read.map_or_else(|_| Vec::new(), |_| first)
}

/// For which machine an ELF file is: word size, byte order, processor (`e_ident`, `e_machine`; elf(5)).
fn kind(beginning: &[u8]) -> [Option<&[u8]>; 2] {
    [beginning.get(4..6), beginning.get(18..20)]
}

/// Device, number, size and last change.
fn identity(found: &Metadata) -> [u64; 4] {
    [
        found.dev(),
        found.ino(),
        found.size(),
        found.mtime_nsec().unsigned_abs() ^ found.mtime().unsigned_abs() << 20,
    ]
}

/// Where our own program came from. What is there now may be another one.
fn own_path() -> io::Result<PathBuf> {
    const GONE: &[u8] = b" (deleted)";
    use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
    let link = std::fs::read_link("/proc/self/exe")?;
    let path = link.as_os_str().as_bytes();
    let path = path.strip_suffix(GONE).unwrap_or(path);
    Ok(std::ffi::OsString::from_vec(path.to_vec()).into())
}

/// The first of what is said, and nothing of the rest.
async fn read(pipe: OwnedFd) -> String {
    let mut text = Vec::new();
    if let Ok(pipe) = pipe::Receiver::from_owned_fd(pipe) {
        let mut first = pipe.take(MOST);
        let _ = first.read_to_end(&mut text).await;
        let mut rest = first.into_inner();
        drain(&mut rest).await;
    }
    String::from_utf8_lossy(&text).into_owned()
}

async fn drain(rest: &mut (impl AsyncRead + Unpin)) {
    let mut nothing = [0; 4096];
    while matches!(rest.read(&mut nothing).await, Ok(1..)) {}
}

/// Where what would be handed over is open, if this program is only to say whether it could carry on.
pub(super) fn self_test_wanted() -> Option<RawFd> {
    let mut words = std::env::args().skip(2);
    (words.next().as_deref() == Some(SELF_TEST)).then_some(MEMORY_FD)
}

/// Says whether it could.
pub(super) fn self_test(number: RawFd) -> Outcome {
    use std::io::Write as _;
    let memory = inherited_fd(number).map_err(|error| Failure::internal("the test", error))?;
    Handover::read(memory).map_err(Failure::usage)?;
    let passed = Passed {
        carries_on: true,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let words = serde_json::to_string(&passed).unwrap_or_default();
    writeln!(io::stdout(), "{words}").map_err(|error| Failure::internal("the test", error))?;
    Ok(ExitCode::SUCCESS)
}
