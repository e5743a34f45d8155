//! A handful of field names that many are compared with. Not a general set: made for few members and for
//! answers that are nearly always no.

use http::{HeaderMap, HeaderName};

/// Field names, told apart by their lengths first.
#[derive(Debug, Default)]
pub(crate) struct NameSet {
    /// Bit n is set when a member has n bytes; longer ones share the last bit.
    lengths: u64,
    names: Vec<HeaderName>,
}

impl NameSet {
    /// A set of these.
    pub(crate) fn new(names: impl IntoIterator<Item = HeaderName>) -> Self {
        let names: Vec<HeaderName> = names.into_iter().collect();
        let lengths = names.iter().fold(0, |lengths, name| lengths | bit(name));
        Self { lengths, names }
    }

    /// Whether a name is a member.
    pub(crate) fn contains(&self, name: &HeaderName) -> bool {
        self.lengths & bit(name) != 0 && self.names.contains(name)
    }

    /// Removes from a map what is a member. Only those that are there are looked up.
    pub(crate) fn remove_from(&self, headers: &mut HeaderMap) {
        while let Some(name) = headers.keys().find(|name| self.contains(name)).cloned() {
            headers.remove(name);
        }
    }
}

fn bit(name: &HeaderName) -> u64 {
    1 << name.as_str().len().min(63)
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::header::{ACCEPT, COOKIE, SERVER};

    #[test]
    fn members_and_their_likes() {
        let set = NameSet::new([ACCEPT, HeaderName::from_static("x-team")]);
        assert!(set.contains(&ACCEPT) && set.contains(&HeaderName::from_static("x-team")));
        // as long as a member, and longer than any
        assert!(!set.contains(&COOKIE) && !set.contains(&SERVER));
        assert!(!set.contains(&HeaderName::from_bytes(&[b'a'; 100]).expect("a name")));
        assert!(!NameSet::default().contains(&ACCEPT));
        let mut headers = HeaderMap::new();
        for name in ["x-team", "accept", "cookie", "accept"] {
            headers.append(name, http::HeaderValue::from_static("a"));
        }
        set.remove_from(&mut headers);
        assert_eq!(headers.keys().collect::<Vec<_>>(), ["cookie"]);
    }
}
