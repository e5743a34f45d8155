//! What the cache did with a request: for `Cache-Status` (RFC 9211), the access line and the counts. Does nothing itself.

use std::fmt::Write as _;

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

    /// Adds what is known to the field, behind what caches nearer to the origin said.
    pub(super) fn write(&self, headers: &mut HeaderMap) {
        let mut text = String::with_capacity(64);
        text.push_str("mainstay");
        if let Some(forwarded) = self.forwarded {
            text.push_str("; fwd=");
            text.push_str(forwarded);
        } else if self.outcome != CacheOutcome::Collapsed {
            text.push_str("; hit");
        }
        if let Some(status) = self.status {
            text.push_str("; fwd-status=");
            text.push_str(itoa::Buffer::new().format(status));
        }
        if let Some(left) = self.left {
            text.push_str("; ttl=");
            text.push_str(itoa::Buffer::new().format(left));
        }
        if self.is_stored {
            text.push_str("; stored");
        }
        if self.is_collapsed {
            text.push_str("; collapsed");
        }
        if let Some(detail) = self.detail {
            let _ = write!(text, "; detail={detail}");
        }
        if let Ok(value) = HeaderValue::try_from(text) {
            headers.append(CACHE_STATUS, value);
        }
    }
}

const CACHE_STATUS: HeaderName = HeaderName::from_static("cache-status");
