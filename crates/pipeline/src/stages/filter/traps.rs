//! Paths that only scanners ask for: whether a request is for one. Bans nobody.

use mainstay_values::PathPattern;

use crate::Readings;

/// Traps, with a quick way to see that a path is none: nearly all are.
#[derive(Debug)]
pub(super) struct TrapPaths {
    paths: Vec<PathPattern>,
    /// With which bytes, in lower case, their first segments begin.
    initials: [bool; 256],
    /// One of them covers everything.
    has_root: bool,
}

impl TrapPaths {
    pub(super) fn new(paths: Vec<PathPattern>) -> Self {
        let mut initials = [false; 256];
        for initial in paths.iter().filter_map(PathPattern::initial) {
            initials[usize::from(initial)] = true;
        }
        Self {
            has_root: paths.iter().any(|path| path.initial().is_none()),
            initials,
            paths,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }

    /// Whether some reading is below one of them.
    pub(super) fn meet(&self, readings: &Readings<'_>) -> bool {
        !self.is_empty()
            && readings.any(|reading| {
                self.may_cover(reading) && self.paths.iter().any(|trap| trap.covers(reading))
            })
    }

    fn may_cover(&self, reading: &[u8]) -> bool {
        let initial = reading.iter().find(|byte| **byte != b'/');
        let is_known = |byte: &u8| self.initials[usize::from(byte.to_ascii_lowercase())];
        self.has_root || initial.is_some_and(is_known)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn traps(paths: &[&str]) -> TrapPaths {
        let paths = paths.iter().map(|path| path.parse().expect("a path"));
        TrapPaths::new(paths.collect())
    }

    #[test]
    fn what_begins_otherwise_is_none() {
        let some = traps(&["/wp-admin", "/%2eenv"]);
        for (path, expected) in [
            ("/wp-admin/a", true),
            ("//WP-Admin", true),
            ("/.env", true),
            ("/%2Eenv", true),
            ("/wp", false),
            ("/", false),
            ("", false),
            ("/shop", false),
        ] {
            assert_eq!(some.meet(&Readings::of(path)), expected, "{path}");
        }
        assert!(traps(&["/"]).meet(&Readings::of("/")));
        assert!(!traps(&[]).meet(&Readings::of("/")));
    }

    proptest! {
        /// The quick way leads where the slow one does.
        #[test]
        fn none_is_missed(path in "(/{1,2}(a|A|%61|b|%2f|;a|\\\\|\\.\\.)){0,4}") {
            let some = traps(&["/a/b", "/b", "/%2fa"]);
            let readings = Readings::of(&path);
            let slow = some.paths.iter().any(|trap| readings.meet(trap));
            prop_assert_eq!(some.meet(&readings), slow);
        }
    }
}
