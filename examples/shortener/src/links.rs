//! The links: an append-only file of JSON lines that all workers read and write.
//!
//! Each change is one line, written by one call in append mode, so that lines of several processes do not mix.
//! A worker reads on from where it was whenever the file has grown; a last line without its end is left for the
//! next time. What may not be here: rewriting the file, holding it locked, memory beyond the file's own bound.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};
use std::{fmt, iter};

use serde::{Deserialize, Serialize};

use crate::Target;

/// The file's bound in bytes; memory is bounded by it too.
const FULL: u64 = 8 * 1024 * 1024;

/// Letters and digits of an id; 62^7 leaves collisions to the curious.
const ID_LENGTH: usize = 7;

/// A short link.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Link {
    /// The path that leads there.
    pub id: String,
    /// Where it leads.
    pub url: String,
    /// When it was made, in seconds since 1970 UTC.
    pub created: u64,
    /// How often it was followed, over all workers.
    pub visits: u64,
}

/// All links, as far as they were read.
#[derive(Debug)]
pub struct Links {
    file: File,
    read: u64,
    by_id: HashMap<String, Link>,
    order: Vec<String>,
    full: u64,
}

/// Why a link was not stored.
#[derive(Debug)]
pub enum LinkError {
    /// The file has reached its bound.
    Full,
    /// The file could not be read or written.
    File(io::Error),
}

/// One line of the file.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Line {
    Made {
        id: String,
        url: String,
        created: u64,
    },
    Visited(String),
}

impl Links {
    /// Opens the file, making it if it is not there.
    ///
    /// # Errors
    /// What the operating system said.
    pub fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)?;
        Ok(Self {
            file,
            read: 0,
            by_id: HashMap::new(),
            order: Vec::new(),
            full: FULL,
        })
    }

    /// Stores a new link.
    ///
    /// # Errors
    /// [`LinkError::Full`] at 8 MiB, [`LinkError::File`] when the file cannot be used.
    pub fn make(&mut self, target: &Target) -> Result<Link, LinkError> {
        self.read_on()?;
        let id = iter::repeat_with(fresh_id)
            .find(|id| !self.by_id.contains_key(id))
            .unwrap_or_default();
        let created = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        self.append(&Line::Made {
            id: id.clone(),
            url: target.as_str().to_owned(),
            created,
        })?;
        self.read_on()?;
        Ok(Link {
            id,
            url: target.as_str().to_owned(),
            created,
            visits: 0,
        })
    }

    /// The link of that id.
    ///
    /// # Errors
    /// [`LinkError::File`] when the file cannot be read.
    pub fn find(&mut self, id: &str) -> Result<Option<Link>, LinkError> {
        self.read_on()?;
        Ok(self.by_id.get(id).cloned())
    }

    /// Counts a visit; once the file is full visits are no longer counted, and links still work.
    ///
    /// # Errors
    /// [`LinkError::File`] when the file cannot be written.
    pub fn visit(&mut self, id: &str) -> Result<(), LinkError> {
        match self.append(&Line::Visited(id.to_owned())) {
            Err(LinkError::Full) => Ok(()),
            other => other,
        }
    }

    /// The latest links, newest first.
    ///
    /// # Errors
    /// [`LinkError::File`] when the file cannot be read.
    pub fn latest(&mut self, count: usize) -> Result<Vec<Link>, LinkError> {
        self.read_on()?;
        Ok(self
            .order
            .iter()
            .rev()
            .take(count)
            .filter_map(|id| self.by_id.get(id))
            .cloned()
            .collect())
    }

    fn append(&mut self, line: &Line) -> Result<(), LinkError> {
        let mut text = serde_json::to_string(line).map_err(io::Error::other)?;
        text.push('\n');
        if self.file.metadata()?.len() + text.len() as u64 > self.full {
            return Err(LinkError::Full);
        }
        Ok(self.file.write_all(text.as_bytes())?)
    }

    fn read_on(&mut self) -> Result<(), LinkError> {
        let length = self.file.metadata()?.len().min(self.full);
        if length <= self.read {
            return Ok(());
        }
        self.file.seek(SeekFrom::Start(self.read))?;
        let mut news = Vec::new();
        (&self.file)
            .take(length - self.read)
            .read_to_end(&mut news)?;
        let whole = news
            .iter()
            .rposition(|&byte| byte == b'\n')
            .map_or(0, |last| last + 1);
        self.read += whole as u64;
        for line in news[..whole].split(|&byte| byte == b'\n') {
            // A line that nobody can read costs one link, not the app.
            if let Ok(line) = serde_json::from_slice(line) {
                self.take(line);
            }
        }
        Ok(())
    }

    fn take(&mut self, line: Line) {
        match line {
            Line::Visited(id) => {
                if let Some(link) = self.by_id.get_mut(&id) {
                    link.visits += 1;
                }
            }
            Line::Made { id, url, created } => {
                // The file may have been edited by hand: what is in it is judged again, and the first wins.
                if Target::parse(&url).is_ok() && !self.by_id.contains_key(&id) {
                    self.order.push(id.clone());
                    self.by_id.insert(
                        id.clone(),
                        Link {
                            id,
                            url,
                            created,
                            visits: 0,
                        },
                    );
                }
            }
        }
    }
}

impl fmt::Display for LinkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("there is no room for more links"),
            Self::File(_) => f.write_str("the links cannot be read or written"),
        }
    }
}

impl std::error::Error for LinkError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Full => None,
            Self::File(error) => Some(error),
        }
    }
}

impl From<io::Error> for LinkError {
    fn from(error: io::Error) -> Self {
        Self::File(error)
    }
}

fn fresh_id() -> String {
    iter::repeat_with(fastrand::alphanumeric)
        .take(ID_LENGTH)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> tempfile::NamedTempFile {
        tempfile::NamedTempFile::new().unwrap()
    }

    fn target(text: &str) -> Target {
        Target::parse(text).unwrap()
    }

    #[test]
    fn workers_see_each_others_links_and_visits() {
        let file = file();
        let (mut one, mut other) = (
            Links::open(file.path()).unwrap(),
            Links::open(file.path()).unwrap(),
        );
        let made = one.make(&target("https://a.example/")).unwrap();
        other.visit(&made.id).unwrap();
        one.visit(&made.id).unwrap();
        for links in [&mut one, &mut other] {
            assert_eq!(
                links.find(&made.id).unwrap(),
                Some(Link {
                    visits: 2,
                    ..made.clone()
                })
            );
        }
    }

    #[test]
    fn a_torn_last_line_is_read_when_it_is_whole() {
        let file = file();
        let mut links = Links::open(file.path()).unwrap();
        let mut writer = OpenOptions::new().append(true).open(file.path()).unwrap();
        let line = r#"{"made":{"id":"abc","url":"https://a.example/","created":1}}"#;
        write!(writer, "{}", &line[..20]).unwrap();
        assert_eq!(links.latest(9).unwrap(), []);
        writeln!(writer, "{}", &line[20..]).unwrap();
        assert_eq!(links.latest(9).unwrap().len(), 1);
    }

    #[test]
    fn unreadable_and_unsafe_lines_are_passed_over() {
        let file = file();
        let bad = "nonsense\n\0\n{\"made\":{\"id\":\"x\",\"url\":\"javascript:1\",\"created\":1}}\n{\"visited\":\"nobody\"}\n";
        std::fs::write(file.path(), bad).unwrap();
        let mut links = Links::open(file.path()).unwrap();
        links.make(&target("https://a.example/")).unwrap();
        assert_eq!(links.latest(9).unwrap().len(), 1);
    }

    #[test]
    fn a_full_file_takes_no_link_and_still_answers() {
        let file = file();
        let mut links = Links::open(file.path()).unwrap();
        let made = links.make(&target("https://a.example/")).unwrap();
        links.full = file.path().metadata().unwrap().len();
        assert!(matches!(
            links.make(&target("https://b.example/")),
            Err(LinkError::Full)
        ));
        links.visit(&made.id).unwrap();
        assert_eq!(links.find(&made.id).unwrap().unwrap().visits, 0);
    }

    #[test]
    fn the_latest_come_first() {
        let file = file();
        let mut links = Links::open(file.path()).unwrap();
        for number in 0..4 {
            links
                .make(&target(&format!("https://a.example/{number}")))
                .unwrap();
        }
        let urls: Vec<_> = links
            .latest(2)
            .unwrap()
            .into_iter()
            .map(|link| link.url)
            .collect();
        assert_eq!(urls, ["https://a.example/3", "https://a.example/2"]);
    }
}
