//! Hidden files: whether a path names one in any reading. Says no to nobody.

use mainstay_values::{NamePattern, PathPattern};

use crate::Readings;
use crate::readings::is_plain;

/// Reserved for what a site tells about itself (RFC 8615); certificates are asked for below it.
const WELL_KNOWN: &[u8] = b".well-known";

/// Names that are hidden, sorted for asking quickly.
#[derive(Debug)]
pub(super) struct HiddenNames {
    /// Those that contain a dot or a tilde: most segments do not, and need not be held against them.
    marked: Vec<NamePattern>,
    unmarked: Vec<NamePattern>,
    except: Vec<PathPattern>,
    /// Every hidden name begins with a dot.
    are_dotted: bool,
}

impl HiddenNames {
    /// `None` if nothing is hidden.
    pub(super) fn new(names: Vec<NamePattern>, except: Vec<PathPattern>) -> Option<Self> {
        if names.is_empty() {
            return None;
        }
        let are_dotted = names.iter().all(NamePattern::begins_with_dot);
        let (marked, unmarked) = names
            .into_iter()
            .partition(|name| name.to_string().contains(['.', '~']));
        Some(Self {
            marked,
            unmarked,
            except,
            are_dotted,
        })
    }

    /// Whether a look at the path as it was sent is enough to know that nothing of it is hidden.
    pub(super) fn surely_show(&self, path: &str) -> bool {
        self.are_dotted && is_plain(path.as_bytes())
    }

    /// Whether somebody behind us may take the path for a hidden file.
    pub(super) fn hide(&self, readings: &Readings<'_>) -> bool {
        readings.any(|reading| self.hide_reading(reading))
            && !self.except.iter().any(|path| readings.stay_in(path))
    }

    fn hide_reading(&self, reading: &[u8]) -> bool {
        let mut segments = reading
            .split(|byte| *byte == b'/')
            .filter(|s| !s.is_empty());
        let first = segments.next().filter(|first| *first != WELL_KNOWN);
        first
            .into_iter()
            .chain(segments)
            .any(|name| self.hide_name(name))
    }

    fn hide_name(&self, name: &[u8]) -> bool {
        if matches!(name, b"." | b"..") {
            return false;
        }
        let matches = |pattern: &NamePattern| pattern.matches(name);
        memchr::memchr2(b'.', b'~', name).is_some() && self.marked.iter().any(matches)
            || self.unmarked.iter().any(matches)
    }
}
