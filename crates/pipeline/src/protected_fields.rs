//! Request fields in which an app is told who asks: nobody else may set them, in any spelling, on any route.

use http::{HeaderMap, HeaderName};

/// Field names, `_` read as `-`: some servers make the same variable of both.
#[derive(Debug, Default)]
pub(crate) struct ProtectedFields {
    /// Bit n is set when a member has n bytes; longer ones share the last bit.
    lengths: u64,
    names: Vec<Box<[u8]>>,
}

impl ProtectedFields {
    pub(crate) fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        let mut names: Vec<Box<[u8]>> =
            names.map(|name| name.bytes().map(fold).collect()).collect();
        names.sort();
        names.dedup();
        let lengths = names
            .iter()
            .fold(0, |lengths, name| lengths | bit(name.len()));
        Self { lengths, names }
    }

    /// Whether this is one of them.
    pub(crate) fn contains(&self, name: &HeaderName) -> bool {
        let name = name.as_str().as_bytes();
        self.lengths & bit(name.len()) != 0
            && self
                .names
                .iter()
                .any(|known| known.iter().copied().eq(name.iter().copied().map(fold)))
    }

    /// Takes out what a client says of itself.
    pub(crate) fn remove_from(&self, headers: &mut HeaderMap) {
        if self.names.is_empty() {
            return;
        }
        while let Some(name) = headers.keys().find(|name| self.contains(name)).cloned() {
            headers.remove(name);
        }
    }
}

fn bit(length: usize) -> u64 {
    1 << length.min(63)
}

fn fold(byte: u8) -> u8 {
    match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn no_spelling_gets_through() {
        let fields = ProtectedFields::new(["X-User-Id", "x-org"].into_iter());
        let mut headers = HeaderMap::new();
        for name in [
            "x-user-id",
            "x_user_id",
            "x-user_id",
            "x_org",
            "x-users-id",
            "x-orga",
            "xorg",
        ] {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("a"));
            headers.append(HeaderName::from_static(name), HeaderValue::from_static("b"));
        }
        fields.remove_from(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["x-orga", "x-users-id", "xorg"]);
    }
}
