//! Room for open files while one program takes another's place: for a moment everything is open twice, so that there is a
//! way back. Opens none.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a program needs beside what it takes over: its runtime, its libraries, `/proc`.
const BESIDE: u64 = 64;

/// As many open files as we may have at all, until it is given back: what is started later has the usual limit.
#[derive(Debug)]
pub(super) struct Room {
    usual: Rlimit,
}

impl Room {
    pub(super) fn make() -> Self {
        let usual = getrlimit(Resource::Nofile);
        let most = Rlimit {
            current: usual.maximum,
            ..usual
        };
        // where it is not granted, the usual room may do
        let _ = setrlimit(Resource::Nofile, most);
        Self { usual }
    }

    pub(super) fn give_back(&self) {
        let _ = setrlimit(Resource::Nofile, self.usual);
    }
}

/// Whether the next program finds room for so many descriptors and workers.
///
/// # Errors
/// The sentence that there is not.
pub(super) fn find(descriptors: usize, workers: usize) -> Result<(), String> {
    check(descriptors, workers, getrlimit(Resource::Nofile).maximum)
}

fn check(descriptors: usize, workers: usize, most: Option<u64>) -> Result<(), String> {
    // twice what stays open; of each worker its process, and the one below it that listens
    let needed = 2 * (descriptors as u64 + workers as u64) + BESIDE;
    match most {
        Some(most) if needed > most => Err(format!(
            "taking over {workers} workers needs {needed} open files for a moment, and no more than {most} are allowed; \
             raise the limit (`ulimit -Hn`, `LimitNOFILE=`), stop the instance and start it with the new program"
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_little_room_is_seen_before_anything_is_given_away() {
        for (descriptors, workers, most, is_enough) in [
            (300, 100, Some(1024), true),
            (300, 100, Some(864), true),
            (300, 100, Some(863), false),
            (300, 100, None, true),
            (0, 0, Some(64), true),
        ] {
            let found = check(descriptors, workers, most);
            assert_eq!(found.is_ok(), is_enough, "{most:?}: {found:?}");
        }
    }
}
