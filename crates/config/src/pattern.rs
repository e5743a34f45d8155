//! Names of files with `*` in them. Looks into no folder.

/// Whether a name fits a pattern: `*` stands for any characters, also for none; every other character for itself. A
/// name that begins with a dot is hidden, and fits only a pattern that begins with one.
pub(crate) fn fits(pattern: &str, name: &str) -> bool {
    if name.starts_with('.') && !pattern.starts_with('.') {
        return false;
    }
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else {
        return rest.is_empty();
    };
    // the first place where a part fits leaves the most for those behind it
    for part in parts {
        match rest.find(part) {
            Some(begin) => rest = &rest[begin + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_or_do_not() {
        for (pattern, fitting, other) in [
            (
                "*.toml",
                &["a.toml", "a.b.toml"][..],
                &[".toml", "toml", "a.tom", ".a.toml"][..],
            ),
            (
                "a*b*c",
                &["abc", "aXbXc", "abbc", "abcc"],
                &["ac", "ab", "abcd", "bc"],
            ),
            ("*", &["a", "a.b"], &[".a"]),
            (".*", &[".a"], &["a"]),
            ("a", &["a"], &["aa", ""]),
            ("a*a", &["aa", "aba"], &["a"]),
            ("**é", &["é", "xé"], &["e"]),
        ] {
            for name in fitting {
                assert!(fits(pattern, name), "{name} and {pattern}");
            }
            for name in other {
                assert!(!fits(pattern, name), "{name} and {pattern}");
            }
        }
    }
}
