//! What a control plane hands over to the program that takes its place: in memory that only both know, with the number of
//! everything that stays open. The form has a version, and names the language that the gateways speak, which serve on
//! meanwhile. How each part is put down and taken up stands with it.

use std::collections::{BTreeMap, HashSet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::process::CommandExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use mainstay_pipeline::DebugToken;
use mainstay_supervisor::os::hold_signals;
use mainstay_supervisor::{Descriptors, SupervisorState};
use rustix::fs::{MemfdFlags, memfd_create};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::by_hand::ByHand;
use super::disabled::DisabledState;
use super::fronts::Asked;
use super::gateways::GatewaysState;
use super::guard::GuardState;
use super::invocation::Invocation;
use super::members::MembersState;
use super::own;
use super::relay::RelayState;
use super::room::Room;
use super::roster::RosterState;
use super::runtime_dir::RuntimeDir;
use super::suspended::SuspendedState;
use super::upkeep::UpkeepState;
use super::violations::ViolationsState;
use super::waiting::WaitingState;
use crate::crash::Crash;
use crate::failure::Failure;
use crate::order::Order;
use crate::{protocol, say};

/// The version of the form.
const FORMAT: u32 = 1;
/// Names the memory's descriptor across the exec. No setting can begin like this.
const MEMORY: &str = "MAINSTAY_INTERNAL_HANDOVER_FD";
/// Says why the program that was to take over could not: we are the one before again.
const REFUSED: &str = "MAINSTAY_INTERNAL_HANDOVER_REFUSED";
/// None of our children gets these.
pub(super) const VARIABLES: [&str; 2] = [MEMORY, REFUSED];

/// What can be read whatever the version.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Head {
    format: u32,
    /// Of the gateways.
    protocol: u32,
    /// Of the program that hands over.
    pub(super) version: String,
}

/// All of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Handover {
    pub(super) head: Head,
    /// Everything that stays open.
    pub(super) descriptors: Vec<RawFd>,
    /// The file of the program that hands over.
    pub(super) program: Option<RawFd>,
    pub(super) invocation: Invocation,
    pub(super) runtime: PathBuf,
    pub(super) lock: RawFd,
    pub(super) admin: RawFd,
    pub(super) rates: RawFd,
    pub(super) relays: Vec<RelayState>,
    pub(super) guard: Option<GuardState>,
    pub(super) supervisor: SupervisorState,
    pub(super) gateways: Option<GatewaysState>,
    pub(super) disabled: DisabledState,
    pub(super) suspended: SuspendedState,
    pub(super) threads: usize,
    pub(super) instance: String,
    pub(super) debug: DebugToken,
    pub(super) crashes: Vec<Crash>,
    pub(super) roster: RosterState,
    pub(super) violations: ViolationsState,
    pub(super) members: MembersState,
    pub(super) asked: Asked,
    pub(super) set_node_env: bool,
    pub(super) came_up: HashSet<String>,
    pub(super) awaited: HashSet<String>,
    /// Apps that are not started yet.
    #[serde(default)]
    pub(super) held_back: Vec<WaitingState>,
    #[serde(default)]
    pub(super) failed: BTreeMap<String, String>,
    pub(super) by_hand: ByHand,
    pub(super) numbers: BTreeMap<String, Vec<u32>>,
    pub(super) started_at_ms: u64,
    pub(super) serves: bool,
    pub(super) is_up: bool,
    /// What is due without anybody asking.
    #[serde(default)]
    pub(super) upkeep: UpkeepState,
    /// Orders that wait for their turn.
    #[serde(default)]
    pub(super) waiting: Vec<Order>,
}

impl Head {
    /// Ours.
    pub(super) fn own() -> Self {
        Self {
            format: FORMAT,
            protocol: protocol::VERSION,
            version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }

    fn check(&self) -> Result<(), String> {
        if self.format != FORMAT {
            return Err(format!(
                "it reads form {FORMAT} of what an instance hands over, and {} hands over form {}; stop the instance and start it with this program",
                self.version, self.format
            ));
        }
        if self.protocol != protocol::VERSION {
            return Err(format!(
                "its gateways speak version {}, those of {} version {}; stop the instance and start it with this program",
                protocol::VERSION,
                self.version,
                self.protocol
            ));
        }
        Ok(())
    }
}

impl Handover {
    /// Whether there is no terminal.
    pub(super) fn is_in_background(&self) -> bool {
        self.invocation.background.is_some()
    }

    /// The runtime directory that was claimed.
    pub(super) fn claim(&self, descriptors: &mut Descriptors) -> Result<RuntimeDir, Failure> {
        let lock = descriptors.take(self.lock).map_err(internal)?;
        Ok(RuntimeDir::take_up(self.runtime.clone(), lock))
    }

    /// In memory, to be read from its beginning.
    pub(super) fn write(&self) -> io::Result<File> {
        let memory = memfd_create("mainstay-handover", MemfdFlags::CLOEXEC)?;
        let mut file = File::from(memory);
        file.write_all(&serde_json::to_vec(self)?)?;
        file.rewind()?;
        Ok(file)
    }

    /// Whether this program could go on with what stands there.
    ///
    /// # Errors
    /// Why not, in words.
    pub(super) fn read(memory: OwnedFd) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Headed {
            head: Head,
        }
        let mut json = Vec::new();
        let read = File::from(memory).read_to_end(&mut json);
        read.map_err(|error| error.to_string())?;
        let unknown = |error: serde_json::Error| {
            format!("it does not understand what the instance hands over: {error}")
        };
        let Headed { head } = serde_json::from_slice(&json).map_err(unknown)?;
        head.check()?;
        serde_json::from_slice(&json).map_err(unknown)
    }
}

/// The command by which a program takes our place.
pub(super) fn command(program: &std::path::Path, name: &str, memory: RawFd) -> Command {
    let mut command = Command::new(program);
    command
        .arg0("mainstay")
        .args(["control", name])
        .env(MEMORY, memory.to_string())
        .env_remove(REFUSED)
        .env(own::SMALL_PAGES.0, own::SMALL_PAGES.1);
    command
}

/// What the program before has left for this one.
pub(super) struct Arrival {
    pub(super) handover: Handover,
    pub(super) descriptors: Descriptors,
    pub(super) way_back: WayBack,
}

/// How the program before comes back, if this one cannot go on: it finds everything as it was.
pub(super) struct WayBack {
    memory: RawFd,
    numbers: Vec<RawFd>,
    program: Option<RawFd>,
    name: String,
    before: Before,
    room: Room,
}

/// Which program this one follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Before {
    /// Of this version.
    Version(String),
    /// One that could not go on, for this reason.
    Refused(String),
}

/// Finds out whether there was a program before.
pub(super) fn receive() -> Result<Option<Arrival>, Failure> {
    let Some(memory) = std::env::var(MEMORY)
        .ok()
        .and_then(|text| text.parse().ok())
    else {
        return Ok(None);
    };
    let refused = std::env::var(REFUSED).ok();
    // it stays open: it may be needed once more
    let mut own = Descriptors::inherit(&[memory]).map_err(internal)?;
    let mut file = File::from(own.take(memory).map_err(internal)?);
    file.rewind().map_err(internal)?;
    let handover = Handover::read(file.into()).map_err(Failure::machine)?;
    let way_back = WayBack {
        memory,
        numbers: handover.descriptors.clone(),
        program: handover.program,
        name: handover.invocation.name.clone(),
        before: match refused {
            Some(why) => Before::Refused(why),
            None => Before::Version(handover.head.version.clone()),
        },
        room: Room::make(),
    };
    let descriptors = Descriptors::inherit(&handover.descriptors);
    let descriptors = descriptors.map_err(|error| way_back.go(internal(error)))?;
    Ok(Some(Arrival {
        handover,
        descriptors,
        way_back,
    }))
}

impl WayBack {
    /// What an attempt comes to: where it fails or panics, the way back.
    pub(super) fn unless<T>(
        &self,
        attempt: impl FnOnce() -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        // whatever an attempt leaves behind goes with this program
        let outcome = catch_unwind(AssertUnwindSafe(attempt));
        let outcome = outcome.unwrap_or_else(|_| Err(Failure::machine("it panicked")));
        outcome.map_err(|failure| self.go(failure))
    }

    /// Goes it. Returns only if that cannot be either, or this program has come by it.
    fn go(&self, failure: Failure) -> Failure {
        let (Some(program), Before::Version(_)) = (self.program, &self.before) else {
            return failure;
        };
        say::settle();
        // they wait for the program before, as they did for this one
        if let Err(error) = hold_signals() {
            say::warning(&format!("signals: {error}"));
        }
        self.room.give_back();
        let program = PathBuf::from(format!("/proc/self/fd/{program}"));
        let mut command = command(&program, &self.name, self.memory);
        let error = command.env(REFUSED, &failure.message).exec();
        Failure::machine(format!(
            "{}; nor could the program before go on: {error}",
            failure.message
        ))
    }

    /// Closes it: this program goes on. Gives the one before.
    pub(super) fn close(self) -> Before {
        Descriptors::close(&self.numbers);
        Descriptors::close(&[self.memory]);
        self.room.give_back();
        self.before
    }
}

fn internal(error: io::Error) -> Failure {
    Failure::internal("taking over", error)
}

/// A moment as the time until it: the next program counts from another one.
pub(super) fn until(moment: Option<Instant>) -> Option<Duration> {
    moment.map(|moment| moment.saturating_duration_since(Instant::now()))
}

/// The moment that is so far away.
pub(super) fn at(left: Option<Duration>) -> Option<Instant> {
    left.map(|left| Instant::now() + left)
}

/// The moment that was so long ago.
pub(super) fn ago(time: Duration) -> Instant {
    let now = Instant::now();
    now.checked_sub(time).unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_form_and_another_language_are_refused_with_what_to_do() {
        let read = |json: &str| {
            let memory = memfd_create("test", MemfdFlags::CLOEXEC).expect("memory");
            let mut file = File::from(memory);
            file.write_all(json.as_bytes()).expect("written");
            file.rewind().expect("rewound");
            Handover::read(file.into()).map(drop).expect_err("refused")
        };
        let head = |format, protocol| {
            format!(
                r#"{{"head":{{"format":{format},"protocol":{protocol},"version":"9.9.9","new":1}},"more":[]}}"#
            )
        };
        let form = read(&head(FORMAT + 1, protocol::VERSION));
        assert!(
            form.contains("9.9.9") && form.contains("stop the instance"),
            "{form}"
        );
        let language = read(&head(FORMAT, protocol::VERSION + 1));
        assert!(language.contains("gateways speak"), "{language}");
        for garbage in ["", "{}", "null", "[1]", &head(FORMAT, protocol::VERSION)] {
            let why = read(garbage);
            assert!(why.contains("does not understand"), "{garbage}: {why}");
        }
    }
}
