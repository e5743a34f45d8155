//! The files that workers' output goes to in the background: two for each app. Knows no line's meaning.
//!
//! A disk that is full, or a folder that is gone, costs lines, which are counted, and nothing else.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;

use mainstay_supervisor::output::{Line, Stream};

use super::background::append;
use super::seam::{Seam, Source};
use crate::said::FileLength;
use crate::say;

/// Lines are written together as long as more of them wait, up to so many bytes.
const ROOM: usize = 64 * 1024;

/// See the module.
#[derive(Debug)]
pub(super) struct LogFiles {
    folder: PathBuf,
    /// By app; of each, standard output and standard error.
    apps: BTreeMap<Arc<str>, [LogFile; 2]>,
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

impl LogFiles {
    pub(super) fn new(folder: PathBuf) -> Self {
        Self {
            folder,
            apps: BTreeMap::new(),
        }
    }

    /// A line of a worker; on the disk after [`flush`](Self::flush) at the latest.
    pub(super) fn add(&mut self, line: &Line) {
        let app = &line.worker.app;
        if !self.apps.contains_key(app) {
            let file = |stream| LogFile::new(self.folder.join(file_name(app, stream)));
            let files = [file(Stream::Stdout), file(Stream::Stderr)];
            self.apps.insert(Arc::clone(app), files);
        }
        if let Some([out, error]) = self.apps.get_mut(app) {
            match line.stream {
                Stream::Stdout => out.add(Source::of(line), &line.bytes),
                Stream::Stderr => error.add(Source::of(line), &line.bytes),
            }
        }
    }

    /// Writes everything that waits.
    pub(super) fn flush(&mut self) {
        self.files().for_each(LogFile::flush);
    }

    /// Opens each file again by its name with the next line.
    pub(super) fn reopen(&mut self) {
        self.files().for_each(|file| {
            file.flush();
            file.file = None;
            file.seam.forget();
        });
    }

    /// How long each file is that was written to.
    pub(super) fn lengths(&self) -> Vec<FileLength> {
        let files = self.apps.values().flatten();
        let known = files.filter_map(|file| {
            Some(FileLength {
                path: file.path.clone(),
                length: file.file.as_ref()?.metadata().ok()?.len(),
            })
        });
        known.collect()
    }

    fn files(&mut self) -> impl Iterator<Item = &mut LogFile> {
        self.apps.values_mut().flatten()
    }
}

/// As PM2's users look for them. A name may hold anything.
pub(crate) fn file_name(app: &str, stream: Stream) -> String {
    let stream = match stream {
        Stream::Stdout => "out",
        Stream::Stderr => "error",
    };
    format!("{}-{stream}.log", app.replace(['/', '\0'], "-"))
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

    fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            None => self.file.insert(append(&self.path)?),
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
        std::fs::rename(&path, folder.path().join("old")).unwrap();
        file.add(Source::Access, b"two\n");
        file.flush();
        file.file = None;
        file.add(Source::Access, b"three\n");
        file.flush();
        let read = |name| std::fs::read_to_string(folder.path().join(name)).unwrap();
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
    fn a_name_stays_in_its_folder() {
        assert_eq!(file_name("shop", Stream::Stdout), "shop-out.log");
        assert_eq!(file_name("a/../b", Stream::Stderr), "a-..-b-error.log");
    }
}
