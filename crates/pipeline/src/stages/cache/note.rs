//! What the cache did with a request: for `Cache-Status` (RFC 9211), the access line and the counts. Does nothing itself.

use http::{HeaderMap, HeaderName, HeaderValue};

/// How an answer came about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheOutcome {
    /// It was there and fresh.
    Hit,
    /// It was there, and its time was over.
    Stale,
    /// It was there, and the origin said that it still holds.
    Revalidated,
    /// Somebody else was just fetching it.
    Collapsed,
    /// It was not there.
    Miss,
    /// One was there whose time was over, and the origin had another.
    Expired,
    /// The cache had nothing to do with it.
    Bypass,
}

impl CacheOutcome {
    /// Its word in logs and metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Hit => "hit",
            Self::Stale => "stale",
            Self::Revalidated => "revalidated",
            Self::Collapsed => "collapsed",
            Self::Miss => "miss",
            Self::Expired => "expired",
            Self::Bypass => "bypass",
        }
    }
}

/// What is known of one request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Note {
    pub(crate) outcome: CacheOutcome,
    /// Why the origin was asked, in RFC 9211's words; none: it was not.
    pub(super) forwarded: Option<&'static str>,
    pub(super) status: Option<u16>,
    /// Seconds that the answer stays fresh; below zero for how long it has not been.
    pub(super) left: Option<i64>,
    pub(super) is_stored: bool,
    pub(super) is_collapsed: bool,
    /// Why it was not kept, or not used, in a word of ours.
    pub(crate) detail: Option<&'static str>,
}

impl Note {
    pub(super) const fn new(outcome: CacheOutcome) -> Self {
        Self {
            outcome,
            forwarded: None,
            status: None,
            left: None,
            is_stored: false,
            is_collapsed: false,
            detail: None,
        }
    }

    pub(super) const fn bypass(forwarded: &'static str, detail: &'static str) -> Self {
        Self {
            forwarded: Some(forwarded),
            detail: Some(detail),
            ..Self::new(CacheOutcome::Bypass)
        }
    }

    pub(super) const fn forwarded(self, why: &'static str) -> Self {
        Self {
            forwarded: Some(why),
            ..self
        }
    }

    /// Adds what is known to a map, behind what caches nearer to the origin said.
    pub(crate) fn tell(&self, headers: &mut HeaderMap) {
        let mut value = Vec::with_capacity(96);
        self.write_value(&mut value);
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.append(CACHE_STATUS, value);
        }
    }

    /// The same, as a line.
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"cache-status: ");
        self.write_value(out);
        out.extend_from_slice(b"\r\n");
    }

    fn write_value(&self, out: &mut Vec<u8>) {
        let mut add = |name: &str, value: &str| {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(value.as_bytes());
        };
        match self.forwarded {
            Some(forwarded) => add("mainstay; fwd=", forwarded),
            None if self.outcome == CacheOutcome::Collapsed => add("mainstay", ""),
            None => add("mainstay", "; hit"),
        }
        if let Some(status) = self.status {
            add("; fwd-status=", itoa::Buffer::new().format(status));
        }
        if let Some(left) = self.left {
            add("; ttl=", itoa::Buffer::new().format(left));
        }
        if self.is_stored {
            add("; stored", "");
        }
        if self.is_collapsed {
            add("; collapsed", "");
        }
        if let Some(detail) = self.detail {
            add("; detail=", detail);
        }
    }
}

/// Where it is told.
pub(crate) const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
