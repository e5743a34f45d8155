//! How an instance was started in the background, so that it can be started again: by name, and after a restart of the
//! machine. Holds the words that were typed and where, and no environment but what is never secret.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use mainstay_config::Flags;
use serde::{Deserialize, Serialize};

use super::crashes::CrashStore;
use super::folders::{folder_name, make_private, state_folder};
use crate::failure::Failure;
use crate::listing::LogFile;

const FILE: &str = "record.json";
/// What this program writes; it reads no other.
const VERSION: u32 = 1;
/// A command line of the longest kind that Linux takes fits in.
const MOST: u64 = 4 * 1024 * 1024;
/// What an app needs to be found and to speak the user's language; none of it is ever a secret.
const KEPT: [&str; 7] = ["PATH", "NODE_ENV", "LANG", "TZ", "HOME", "USER", "SHELL"];

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    version: u32,
    /// The instance's name; that of the folder may only resemble it.
    pub(crate) name: String,
    /// What was typed.
    pub(crate) flags: Flags,
    /// Where it was typed, as the shell named it.
    pub(crate) folder: PathBuf,
    /// The settings file that was read, if any said something.
    pub(crate) file: Option<String>,
    /// When it was started, in seconds since 1970.
    pub(crate) started_at: u64,
    /// Its runtime directory, where its admin socket is while it runs.
    pub(crate) runtime: PathBuf,
    /// Where its log files are.
    pub(crate) logs: PathBuf,
    /// Of the variables of [`KEPT`], those that were set.
    pub(crate) environment: BTreeMap<String, String>,
    /// `mainstay resurrect` starts it.
    pub(crate) saved: bool,
    /// What it runs, as last known.
    pub(crate) apps: Vec<RecordedApp>,
}

/// An app of a recorded instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordedApp {
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) workers: u32,
    /// Where only this app answers, or where the instance does.
    pub(crate) address: Option<String>,
    /// Where its output goes.
    #[serde(default)]
    pub(crate) files: Vec<LogFile>,
}

impl Record {
    /// Of an instance that has just come up.
    pub(crate) fn new(name: String, flags: Flags, folder: PathBuf, file: Option<String>) -> Self {
        Self {
            version: VERSION,
            name,
            flags,
            folder,
            file,
            started_at: crate::clock::seconds(),
            runtime: PathBuf::new(),
            logs: PathBuf::new(),
            environment: BTreeMap::new(),
            saved: false,
            apps: Vec::new(),
        }
    }

    /// The record of that name. `None`: there is none.
    ///
    /// # Errors
    /// When there is one that cannot be read, with what to do about it.
    pub(crate) fn find(name: &str) -> Result<Option<Self>, Failure> {
        let path = state_folder()?.join(folder_name(name)).join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let record = read(&path)?;
        Ok((record.name == name).then_some(record))
    }

    /// Every record of this user, in the order of their names: those that cannot be read by the name of their folder.
    pub(crate) fn all() -> Vec<(String, Result<Self, Failure>)> {
        let Ok(folder) = state_folder() else {
            return Vec::new();
        };
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        let paths = entries.map(|entry| entry.path().join(FILE));
        let mut all: Vec<_> = paths
            .filter(|path| path.exists())
            .map(|path| match read(&path) {
                Ok(record) => (record.name.clone(), Ok(record)),
                Err(failure) => (name_of_folder(&path), Err(failure)),
            })
            .collect();
        all.sort_by(|(one, _), (other, _)| one.cmp(other));
        all
    }

    /// Writes it in the place of the one before, whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written to, or belongs to an instance whose name only resembles this one's.
    pub(crate) fn write(&self) -> Result<(), Failure> {
        let folder = state_folder()?.join(folder_name(&self.name));
        let path = folder.join(FILE);
        if path.exists()
            && let Ok(other) = read(&path)
            && other.name != self.name
        {
            return Err(Failure::usage(format!(
                "`{}` and `{}` would have the same folder, `{}`; give one of them another `--name`",
                self.name,
                other.name,
                folder.display()
            )));
        }
        make_private(&folder)
            .and_then(|()| write_whole(&path, &serde_json::to_vec_pretty(self)?))
            .map_err(|error| Failure::machine(format!("`{}`: {error}", path.display())))
    }

    /// Forgets how an instance was started; what else is in its folder stays.
    pub(crate) fn remove(name: &str) -> Result<(), Failure> {
        let folder = state_folder()?.join(folder_name(name));
        let path = folder.join(FILE);
        CrashStore::forget(name);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(Failure::machine(format!("`{}`: {error}", path.display())))
            }
            _ => {
                // unless log files are in it
                let _ = fs::remove_dir(&folder);
                Ok(())
            }
        }
    }
}

/// Of an environment, what may be kept.
pub(crate) fn kept_environment(find: impl Fn(&str) -> Option<String>) -> BTreeMap<String, String> {
    let kept = KEPT
        .iter()
        .filter_map(|name| Some(((*name).to_owned(), find(name)?)));
    kept.collect()
}

/// Writes a file of this user alone in one step: who reads meanwhile finds the old one or the new one.
pub(super) fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::options()
        .create(true)
        .write(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)
}

/// Reads a file of ours that others may have damaged. One that is too long is none of ours.
pub(super) fn read_bounded(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it is longer than {most} bytes")));
    }
    Ok(bytes)
}

fn read(path: &Path) -> Result<Record, Failure> {
    let name = name_of_folder(path);
    let unfit = |why: String| {
        Failure::machine(format!(
            "`{}` is no record of an instance: {why}; `mainstay delete {name}` forgets it, then start the instance anew",
            path.display()
        ))
    };
    let bytes = read_bounded(path, MOST).map_err(|error| unfit(error.to_string()))?;
    // the version first: a later one may have other fields
    let found: Version =
        serde_json::from_slice(&bytes).map_err(|error| unfit(error.to_string()))?;
    if found.version != VERSION {
        return Err(unfit(format!(
            "it is of version {}, and this program reads version {VERSION}",
            found.version
        )));
    }
    serde_json::from_slice(&bytes).map_err(|error| unfit(error.to_string()))
}

#[derive(Deserialize)]
struct Version {
    version: u32,
}

fn name_of_folder(path: &Path) -> String {
    let folder = path.parent().and_then(Path::file_name);
    folder.map_or_else(String::new, |name| name.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_record_is_said_with_the_way_out() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop").join(FILE);
        fs::create_dir(folder.path().join("shop")).unwrap();
        for (text, part) in [
            ("", "EOF"),
            ("{\"version\":1}", "missing field"),
            ("{\"version\":2,\"name\":\"x\"}", "version 2"),
            ("\u{0}\u{0}\u{0}", "expected value"),
            ("[]", "invalid"),
        ] {
            fs::write(&path, text).unwrap();
            let failure = read(&path).unwrap_err();
            assert!(failure.message.contains(part), "{}", failure.message);
            assert!(
                failure.message.contains("`mainstay delete shop`"),
                "{}",
                failure.message
            );
        }
        fs::write(&path, vec![b'['; MOST as usize + 1]).unwrap();
        let failure = read(&path).unwrap_err();
        assert!(failure.message.contains("longer"), "{}", failure.message);
    }

    #[test]
    fn a_record_reads_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let flags = Flags {
            listen: Some(":80".to_owned()),
            ..Flags::default()
        };
        let mut record = Record::new("shop".to_owned(), flags, "/srv".into(), None);
        record.environment = kept_environment(|name| (name != "TZ").then(|| name.to_lowercase()));
        write_whole(&path, &serde_json::to_vec(&record).unwrap()).unwrap();
        assert_eq!(read(&path).unwrap(), record);
        assert_eq!(record.environment.len(), KEPT.len() - 1);
    }
}
