//! The files that workers' output goes to in the background: two for each app, or those that its settings name. Knows no
//! line's meaning.
//!
//! A disk that is full, or a folder that is gone, costs lines, which are counted, and nothing else.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use mainstay_config::{AppSettings, LogForm, LogPlace, LogSharing, OutputSettings};
use mainstay_supervisor::output::{Line, Stream};
use mainstay_supervisor::{Numbers, WorkerId};
use serde::Serialize;

use super::background::append;
use super::seam::{Seam, Source};
use crate::listing::LogFile as ListedFile;
use crate::said::FileLength;
use crate::say;

/// Lines are written together as long as more of them wait, up to so many bytes.
const ROOM: usize = 64 * 1024;

/// What each app's settings say of its output.
pub(super) type Plans = BTreeMap<String, OutputSettings>;

/// Of these apps.
pub(super) fn plans(apps: &[AppSettings]) -> Plans {
    let plans = apps
        .iter()
        .map(|app| (app.name().to_owned(), app.output.clone()));
    plans.collect()
}

/// See the module.
#[derive(Debug)]
pub(super) struct LogFiles {
    folder: PathBuf,
    zone: TimeZone,
    /// By which people know workers.
    numbers: Numbers,
    plans: Plans,
    /// Where the lines of each worker go: standard output, standard error.
    ways: BTreeMap<(Arc<str>, u32), [Vec<PathBuf>; 2]>,
    files: BTreeMap<PathBuf, LogFile>,
}

#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    /// Opened with the first line.
    file: Option<File>,
    waiting: Vec<u8>,
    /// How many lines are in `waiting`.
    lines: u64,
    /// Lines that could not be written since it was said that they cannot.
    lost: u64,
    /// A write ended in the middle of a line.
    is_torn: bool,
    seam: Seam,
}

/// A line as PM2 writes it with `log_type`.
#[derive(Serialize)]
struct Record<'a> {
    message: &'a str,
    timestamp: String,
    r#type: Stream,
    process_id: u32,
    app_name: &'a str,
}

impl LogFiles {
    pub(super) fn new(folder: PathBuf, numbers: Numbers, plans: Plans) -> Self {
        Self {
            folder,
            zone: TimeZone::system(),
            numbers,
            plans,
            ways: BTreeMap::new(),
            files: BTreeMap::new(),
        }
    }

    /// A line of a worker; on the disk after [`flush`](Self::flush) at the latest.
    pub(super) fn add(&mut self, line: &Line) {
        let WorkerId { app, index, .. } = &line.worker;
        let plan = self.plans.get(&**app);
        let ways = self
            .ways
            .entry((Arc::clone(app), *index))
            .or_insert_with(|| {
                let usual = OutputSettings::default();
                let plan = plan.unwrap_or(&usual);
                let id = self.numbers.of(app, *index);
                [Stream::Stdout, Stream::Stderr]
                    .map(|stream| way(plan, &self.folder, app, stream, id))
            });
        let way = &ways[usize::from(line.stream == Stream::Stderr)];
        let written = plan.and_then(|plan| {
            let id = self.numbers.of(app, *index);
            formed(plan, line, id, &self.zone)
        });
        let (source, bytes) = match &written {
            Some((source, bytes)) => (*source, &bytes[..]),
            None => (Source::of(line), &line.bytes[..]),
        };
        for path in way {
            let file = self
                .files
                .entry(path.clone())
                .or_insert_with(|| LogFile::new(path.clone()));
            file.add(source, bytes);
        }
    }

    /// Other settings hold from now on.
    pub(super) fn plan(&mut self, plans: Plans) {
        if plans != self.plans {
            self.flush();
            self.plans = plans;
            self.ways.clear();
            self.files.clear();
        }
    }

    /// Writes everything that waits.
    pub(super) fn flush(&mut self) {
        self.files.values_mut().for_each(LogFile::flush);
    }

    /// Opens each file again by its name with the next line.
    pub(super) fn reopen(&mut self) {
        self.files.values_mut().for_each(|file| {
            file.flush();
            file.file = None;
            file.seam.forget();
        });
    }

    /// How long each file is that was written to.
    pub(super) fn lengths(&self) -> Vec<FileLength> {
        let files = self.files.values();
        let known = files.filter_map(|file| {
            Some(FileLength {
                path: file.path.clone(),
                length: file.file.as_ref()?.metadata().ok()?.len(),
            })
        });
        known.collect()
    }
}

/// The files of an app whose workers have these ids, for whoever reads them.
pub(super) fn listed(
    plan: &OutputSettings,
    folder: &Path,
    app: &str,
    ids: &[u32],
) -> Vec<ListedFile> {
    let mut files = Vec::new();
    for place in [
        (&plan.out, Some(Stream::Stdout)),
        (&plan.error, Some(Stream::Stderr)),
        (plan.combined.as_ref().unwrap_or(&LogPlace::Nowhere), None),
    ] {
        let (place, stream) = place;
        let Some(path) = shared_path(place, folder, app, stream) else {
            continue;
        };
        match plan.sharing {
            LogSharing::Shared => files.push(ListedFile {
                path,
                stream,
                worker: None,
            }),
            LogSharing::PerWorker => {
                let own = ids.iter().zip(0..).map(|(id, index)| ListedFile {
                    path: with_id(&path, *id),
                    stream,
                    worker: Some(index),
                });
                files.extend(own);
            }
        }
    }
    files
}

/// Where a worker's lines of a stream go.
fn way(plan: &OutputSettings, folder: &Path, app: &str, stream: Stream, id: u32) -> Vec<PathBuf> {
    let own = match stream {
        Stream::Stdout => &plan.out,
        Stream::Stderr => &plan.error,
    };
    let own = shared_path(own, folder, app, Some(stream));
    let combined = plan.combined.as_ref();
    let combined = combined.and_then(|place| shared_path(place, folder, app, None));
    let shared = own.into_iter().chain(combined);
    let mut paths: Vec<PathBuf> = match plan.sharing {
        LogSharing::Shared => shared.collect(),
        LogSharing::PerWorker => shared.map(|path| with_id(&path, id)).collect(),
    };
    // a file that is named twice gets each line once
    paths.dedup();
    paths
}

/// Without the id of a worker. `stream`: none for both.
fn shared_path(
    place: &LogPlace,
    folder: &Path,
    app: &str,
    stream: Option<Stream>,
) -> Option<PathBuf> {
    match (place, stream) {
        (LogPlace::Nowhere, _) => None,
        (LogPlace::At(path), _) => Some(path.clone()),
        (LogPlace::Usual, Some(stream)) => Some(folder.join(file_name(app, stream))),
        (LogPlace::Usual, None) => Some(folder.join(format!("{}.log", plain(app)))),
    }
}

/// `out.log` of worker 3 is `out-3.log`.
fn with_id(path: &Path, id: u32) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(extension) => format!("{stem}-{id}.{}", extension.to_string_lossy()),
        None => format!("{stem}-{id}"),
    };
    path.with_file_name(name)
}

/// As PM2's users look for them. A name may hold anything.
pub(crate) fn file_name(app: &str, stream: Stream) -> String {
    let stream = match stream {
        Stream::Stdout => "out",
        Stream::Stderr => "error",
    };
    format!("{}-{stream}.log", plain(app))
}

fn plain(app: &str) -> String {
    app.replace(['/', '\0'], "-")
}

/// A line in another form than it was written in. None: as it was written.
fn formed<'a>(
    plan: &OutputSettings,
    line: &'a Line,
    id: u32,
    zone: &TimeZone,
) -> Option<(Source<'a>, Vec<u8>)> {
    let at = || -> Option<Zoned> {
        let time = Timestamp::try_from(line.at).ok()?;
        Some(time.to_zoned(zone.clone()))
    };
    if plan.form == LogForm::Json {
        let text = String::from_utf8_lossy(&line.bytes);
        let timestamp = match (&plan.stamp, at()) {
            (Some(pattern), Some(at)) => pattern.render(&at),
            (None, Some(at)) => format!("{:.3}", at.timestamp()),
            (_, None) => String::new(),
        };
        let record = Record {
            message: text.strip_suffix('\n').unwrap_or(&text),
            timestamp,
            r#type: line.stream,
            process_id: id,
            app_name: &line.worker.app,
        };
        let mut bytes = serde_json::to_vec(&record).ok()?;
        bytes.push(b'\n');
        // each piece of a line is an object of its own
        let source = Source::Worker {
            worker: &line.worker,
            stream: line.stream,
            is_continued: false,
        };
        return Some((source, bytes));
    }
    let stamp = plan.stamp().filter(|_| !line.is_continued)?;
    let mut bytes = stamp.render(&at()?).into_bytes();
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(&line.bytes);
    Some((Source::of(line), bytes))
}

impl LogFile {
    fn new(path: PathBuf) -> Self {
        Self {
            path,
            file: None,
            waiting: Vec::new(),
            lines: 0,
            lost: 0,
            is_torn: false,
            seam: Seam::default(),
        }
    }

    fn add(&mut self, source: Source<'_>, bytes: &[u8]) {
        if self.waiting.len() + bytes.len() > ROOM {
            self.flush();
        }
        self.waiting
            .extend_from_slice(self.seam.before(source, bytes));
        self.waiting.extend_from_slice(bytes);
        self.lines += 1;
    }

    fn flush(&mut self) {
        if self.waiting.is_empty() {
            return;
        }
        let waiting = std::mem::take(&mut self.waiting);
        let lines = std::mem::take(&mut self.lines);
        match self.write(&waiting) {
            Ok(()) if self.lost > 0 => {
                let lost = std::mem::take(&mut self.lost);
                say::warning(&format!(
                    "`{}` can be written again; {lost} lines are missing in it",
                    self.path.display()
                ));
            }
            Ok(()) => {}
            Err(error) => {
                if self.lost == 0 {
                    say::warning(&format!(
                        "`{}`: {error}; what the app writes is lost until that is over, the app goes on",
                        self.path.display()
                    ));
                }
                self.lost += lines;
            }
        }
        // its room is used again
        self.waiting = waiting;
        self.waiting.clear();
    }

    fn open(path: &Path) -> io::Result<File> {
        append(path).or_else(|error| match path.parent() {
            Some(parent) if error.kind() == io::ErrorKind::NotFound => {
                fs::create_dir_all(parent)?;
                append(path)
            }
            _ => Err(error),
        })
    }

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(Self::open(&self.path)?),
        };
        if self.is_torn {
            file.write_all(b"\n")?;
            self.is_torn = false;
        }
        while !bytes.is_empty() {
            match file.write(bytes) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(written) => {
                    self.is_torn = bytes[..written].last() != Some(&b'\n');
                    bytes = &bytes[written..];
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        // a piece of a long line is no torn one: its rest follows
        self.is_torn = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_kept_and_files_opened_again_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shop-out.log");
        let mut file = LogFile::new(path.clone());
        file.add(Source::Access, b"one\n");
        file.flush();
        fs::rename(&path, folder.path().join("old")).unwrap();
        file.add(Source::Access, b"two\n");
        file.flush();
        file.file = None;
        file.add(Source::Access, b"three\n");
        file.flush();
        let read = |name| fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(read("old"), "one\ntwo\n");
        assert_eq!(read("shop-out.log"), "three\n");
    }

    #[test]
    fn a_full_disk_costs_lines_that_are_counted() {
        let mut file = LogFile::new("/dev/full".into());
        for _ in 0..3 {
            file.add(Source::Access, b"lost\n");
            file.flush();
        }
        assert_eq!(file.lost, 3);
        file.path = "/dev/null".into();
        file.file = None;
        file.add(Source::Access, b"there\n");
        file.flush();
        assert_eq!(file.lost, 0);
    }

    #[test]
    fn every_worker_has_its_files() {
        let folder = Path::new("/logs");
        let at = |path: &str| LogPlace::At(path.into());
        let own = OutputSettings {
            out: at("/var/out.log"),
            error: at("/var/errors"),
            combined: Some(LogPlace::Usual),
            sharing: LogSharing::PerWorker,
            ..OutputSettings::default()
        };
        let both = OutputSettings {
            out: at("/var/both.log"),
            error: LogPlace::Nowhere,
            combined: Some(at("/var/both.log")),
            ..OutputSettings::default()
        };
        for (plan, stream, expected) in [
            (
                &OutputSettings::default(),
                Stream::Stdout,
                &["/logs/api-out.log"][..],
            ),
            (&own, Stream::Stdout, &["/var/out-7.log", "/logs/api-7.log"]),
            (&own, Stream::Stderr, &["/var/errors-7", "/logs/api-7.log"]),
            (&both, Stream::Stdout, &["/var/both.log"]),
            (&both, Stream::Stderr, &["/var/both.log"]),
        ] {
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(way(plan, folder, "api", stream, 7), expected);
        }
        let listed = listed(&own, folder, "api", &[3, 7]);
        assert_eq!(listed.len(), 6);
        assert_eq!(listed[1].path, Path::new("/var/out-7.log"));
        assert_eq!(
            (listed[1].stream, listed[1].worker),
            (Some(Stream::Stdout), Some(1))
        );
    }

    #[test]
    fn a_name_stays_in_its_folder() {
        assert_eq!(file_name("shop", Stream::Stdout), "shop-out.log");
        assert_eq!(file_name("a/../b", Stream::Stderr), "a-..-b-error.log");
    }
}
