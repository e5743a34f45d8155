//! What the kernel lets a worker have: open files, processes, core dumps. Options and their numbers; sets nothing.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Limits of a worker's processes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Open files of one process. Absent: as many as we may give, but at most 65536: some programs walk through all
    /// numbers there could be.
    pub open_files: Option<u64>,
    /// Processes and threads of the worker's user, on the whole machine (`RLIMIT_NPROC`). The kernel does not hold root to
    /// it: it needs `user`. Absent: ours.
    pub processes: Option<u64>,
    /// Whether a crash leaves its memory on the disk.
    pub core_dumps: CoreDumps,
    /// Whether its processes may become more than they are.
    pub privileges: Privileges,
}

/// Whether processes may gain privileges by what they execute (`no_new_privs`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Privileges {
    /// As the files say that they execute: setuid and setgid bits, capabilities.
    #[default]
    Open,
    /// Never, nor can their children.
    Held,
}

/// Whether a crash leaves its memory on the disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CoreDumps {
    /// It does not: the memory holds keys and people's data.
    #[default]
    Off,
    /// As our own limit says.
    Inherited,
}

/// A limit that cannot be given.
#[derive(Debug, Error, PartialEq, Eq)]
#[error(
    "{wanted} {what} are more than the {most} this machine lets us give: raise our own hard limit (`ulimit -H`, \
     systemd's `Limit…=`), start as root, or ask for less"
)]
pub struct LimitError {
    what: &'static str,
    wanted: u64,
    most: u64,
}

/// More open files than this are given only to who asks for them.
const USUAL_OPEN_FILES: u64 = 65_536;

impl Limits {
    /// The limits as the kernel takes them.
    pub(crate) fn resolve(&self) -> Result<Vec<(Resource, Rlimit)>, LimitError> {
        let may_raise = rustix::process::geteuid().is_root();
        let open_files = {
            let hard = getrlimit(Resource::Nofile).maximum;
            let usual = hard.unwrap_or(USUAL_OPEN_FILES).min(USUAL_OPEN_FILES);
            let wanted = self.open_files.unwrap_or(usual);
            limit("open files", wanted, hard, may_raise)?
        };
        let mut limits = vec![(Resource::Nofile, open_files)];
        if let Some(wanted) = self.processes {
            let hard = getrlimit(Resource::Nproc).maximum;
            limits.push((
                Resource::Nproc,
                limit("processes", wanted, hard, may_raise)?,
            ));
        }
        if self.core_dumps == CoreDumps::Off {
            let maximum = getrlimit(Resource::Core).maximum;
            limits.push((
                Resource::Core,
                Rlimit {
                    current: Some(0),
                    maximum,
                },
            ));
        }
        Ok(limits)
    }
}

/// The soft limit is what was asked for. The hard one stays where it allows that, so that a program may ask for more.
fn limit(
    what: &'static str,
    wanted: u64,
    hard: Option<u64>,
    may_raise: bool,
) -> Result<Rlimit, LimitError> {
    let maximum = match hard {
        Some(most) if wanted > most => {
            if !may_raise {
                return Err(LimitError { what, wanted, most });
            }
            Some(wanted)
        }
        hard => hard,
    };
    Ok(Rlimit {
        current: Some(wanted),
        maximum,
    })
}

/// Every worker costs us some descriptors; take as many as we may have.
pub(crate) fn raise_own() {
    let maximum = getrlimit(Resource::Nofile).maximum;
    let all = Rlimit {
        current: maximum,
        maximum,
    };
    // Where even that is refused, the old limit stands, and a start that needs more says so.
    let _ = setrlimit(Resource::Nofile, all);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_given_is_said() {
        let cases = [
            (100, Some(1_000), false, Ok(Some(1_000))),
            (1_000, Some(1_000), false, Ok(Some(1_000))),
            (1_001, None, false, Ok(None)),
            (1_001, Some(1_000), true, Ok(Some(1_001))),
            (
                1_001,
                Some(1_000),
                false,
                Err("1001 open files are more than the 1000"),
            ),
        ];
        for (wanted, hard, may_raise, expected) in cases {
            match (limit("open files", wanted, hard, may_raise), expected) {
                (Ok(found), Ok(maximum)) => {
                    assert_eq!((found.current, found.maximum), (Some(wanted), maximum));
                }
                (Err(error), Err(start)) => {
                    assert!(error.to_string().starts_with(start), "{error}");
                }
                (found, _) => panic!("{wanted} of {hard:?}: {found:?}"),
            }
        }
    }
}
