//! A kept answer: its fields and its body in one piece of memory. Decides nothing.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use http::header::{AGE, CONTENT_LENGTH, DATE, ETAG, LAST_MODIFIED, TRAILER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use mainstay_observe::Timestamp;

use super::directives::FOREVER;
use super::terms::Terms;
use super::usage::Standing;
use crate::forwarding::{X_REQUEST_ID, is_hop_by_hop};

/// An answer without its body: what is kept of it, or of one whose body is still coming.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) terms: Terms,
    /// When it came.
    pub(super) came: Instant,
    /// The fields, one after the other: two bytes for the length of the name, two for that of the value, both.
    pub(super) fields: Bytes,
    pub(super) count: u16,
}

/// Longer names or values have no place in a head.
const LONGEST: usize = u16::MAX as usize;

impl Head {
    /// What is kept of these fields. None: they do not fit.
    pub(super) fn new(
        status: StatusCode,
        headers: &HeaderMap,
        without: &[HeaderName],
        terms: Terms,
        came: (Instant, SystemTime),
    ) -> Option<Self> {
        let mut fields = Vec::with_capacity(headers.len() * 40);
        let mut count = 0_u16;
        let mut write = |name: &str, value: &[u8]| {
            if name.len() > LONGEST || value.len() > LONGEST {
                return None;
            }
            fields.extend_from_slice(&(name.len() as u16).to_be_bytes());
            fields.extend_from_slice(&(value.len() as u16).to_be_bytes());
            fields.extend_from_slice(name.as_bytes());
            fields.extend_from_slice(value);
            count = count.checked_add(1)?;
            Some(())
        };
        for (name, value) in headers {
            if is_kept(name) && !without.contains(name) {
                write(name.as_str(), value.as_bytes())?;
            }
        }
        if !headers.contains_key(DATE) {
            // whoever keeps an answer without a date gives it one (RFC 9110, 6.6.1)
            write(DATE.as_str(), Timestamp::new(came.1).http_date().as_bytes())?;
        }
        Some(Self {
            status,
            terms,
            came: came.0,
            fields: fields.into(),
            count,
        })
    }

    /// The fields as they were, and room for a few more.
    pub(super) fn headers(&self) -> HeaderMap {
        let mut headers = HeaderMap::with_capacity(usize::from(self.count) + 8);
        let mut at = 0;
        while let Some((name, value)) = record(&self.fields, &mut at) {
            // both were taken from such a map
            if let Ok(name) = HeaderName::from_bytes(&self.fields[name])
                && let Ok(value) = HeaderValue::from_maybe_shared(self.fields.slice(value))
            {
                headers.append(name, value);
            }
        }
        headers
    }

    /// The same with a tag that was made here. None: it does not fit.
    pub(super) fn tagged(&self, tag: &[u8]) -> Option<Self> {
        let name = ETAG.as_str().as_bytes();
        let mut fields = Vec::with_capacity(self.fields.len() + 4 + name.len() + tag.len());
        fields.extend_from_slice(&self.fields);
        fields.extend_from_slice(&(name.len() as u16).to_be_bytes());
        fields.extend_from_slice(&u16::try_from(tag.len()).ok()?.to_be_bytes());
        fields.extend_from_slice(name);
        fields.extend_from_slice(tag);
        Some(Self {
            terms: self.terms.tagged_here(),
            fields: fields.into(),
            count: self.count.checked_add(1)?,
            ..*self
        })
    }

    /// The tag by which the origin may be asked: one of its own.
    pub(super) fn origin_tag(&self) -> Option<&[u8]> {
        self.field(&ETAG).filter(|_| !self.terms.is_tagged_here())
    }

    /// Whether the origin can be asked if it still holds.
    pub(super) fn may_be_asked_about(&self) -> bool {
        self.origin_tag().is_some() || self.field(&LAST_MODIFIED).is_some()
    }

    /// The first value of a field.
    pub(super) fn field(&self, wanted: &HeaderName) -> Option<&[u8]> {
        let mut at = 0;
        while let Some((name, value)) = record(&self.fields, &mut at) {
            if &self.fields[name] == wanted.as_str().as_bytes() {
                return Some(&self.fields[value]);
            }
        }
        None
    }

    /// All values of a field.
    pub(super) fn values(&self, wanted: &HeaderName) -> impl Iterator<Item = &[u8]> {
        let mut at = 0;
        std::iter::from_fn(move || {
            loop {
                let (name, value) = record(&self.fields, &mut at)?;
                if &self.fields[name] == wanted.as_str().as_bytes() {
                    return Some(&self.fields[value]);
                }
            }
        })
    }

    /// Its age in seconds (RFC 9111, 4.2.3).
    pub(super) fn age(&self, now: Instant) -> u32 {
        let resident = now.saturating_duration_since(self.came).as_secs();
        let age = u64::from(self.terms.initial_age) + resident;
        age.min(u64::from(FOREVER)) as u32
    }
}

/// Name and value of the record at `at`, which moves on. None: there is none any more.
fn record(
    fields: &[u8],
    at: &mut usize,
) -> Option<(std::ops::Range<usize>, std::ops::Range<usize>)> {
    let lengths = fields.get(*at..*at + 4)?;
    let name = usize::from(u16::from_be_bytes([lengths[0], lengths[1]]));
    let value = usize::from(u16::from_be_bytes([lengths[2], lengths[3]]));
    let (begin, middle) = (*at + 4, *at + 4 + name);
    *at = middle + value;
    Some((begin..middle, middle..middle + value))
}

/// Fields of one connection or one exchange, and those that are written anew, are not kept (RFC 9111, 3.1).
fn is_kept(name: &HeaderName) -> bool {
    !is_hop_by_hop(name)
        && ![AGE, CONTENT_LENGTH, TRAILER, X_REQUEST_ID].contains(name)
        && *name != PROXY_AUTHENTICATION_INFO
}

const PROXY_AUTHENTICATION_INFO: HeaderName = HeaderName::from_static("proxy-authentication-info");

/// A kept answer.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) head: Head,
    pub(super) body: Bytes,
    is_purged: AtomicBool,
}

impl Stored {
    /// Of a head and the pieces of its body. Fields and body are copied together: pieces may be parts of larger buffers, which would
    /// be held as long.
    pub(super) fn new<'a>(
        head: &Head,
        pieces: impl Iterator<Item = &'a Bytes>,
        length: usize,
    ) -> Self {
        let at = head.fields.len();
        let mut whole = Vec::with_capacity(at + length);
        whole.extend_from_slice(&head.fields);
        pieces.for_each(|piece| whole.extend_from_slice(piece));
        let whole = Bytes::from(whole.into_boxed_slice());
        Self {
            head: Head {
                fields: whole.slice(..at),
                ..*head
            },
            body: whole.slice(at..),
            is_purged: AtomicBool::new(false),
        }
    }

    /// The same content under a newer head (RFC 9111, 3.2).
    pub(super) fn under(&self, head: &Head) -> Self {
        Self::new(head, std::iter::once(&self.body), self.body.len())
    }

    /// Bytes of fields and body.
    pub(super) fn len(&self) -> usize {
        self.head.fields.len() + self.body.len()
    }

    /// From now on it is not taken for fresh.
    pub(super) fn purge(&self) {
        self.is_purged.store(true, Relaxed);
    }

    pub(super) fn standing(&self) -> Standing {
        if self.is_purged.load(Relaxed) {
            Standing::Purged
        } else {
            Standing::Good
        }
    }

    /// Whether it can be of no more use: too old for everything, and nothing to ask the origin by.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let terms = self.head.terms;
        let longest = terms.while_revalidate.max(terms.if_error);
        let useful = u64::from(terms.lifetime) + u64::from(longest);
        u64::from(self.head.age(now)) > useful + OVER.as_secs()
    }
}

/// So long after its time an answer may still be asked about.
const OVER: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_back_as_they_were() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("content-type", "text/plain"),
            ("link", "<a>"),
            ("x-own", "1"),
            ("link", "<b>"),
            ("age", "7"),
            ("connection", "close"),
            ("x-request-id", "one"),
            ("set-cookie", "a=b"),
        ] {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        let terms = super::super::terms::terms_for_tests(60, 5);
        let now = (Instant::now(), SystemTime::UNIX_EPOCH);
        let without = [http::header::SET_COOKIE];
        let head = Head::new(StatusCode::OK, &headers, &without, terms, now).expect("it fits");
        let stored = Stored::new(&head, [Bytes::from_static(b"hello")].iter(), 5);
        let found = stored.head.headers();
        let names: Vec<&str> = found.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["content-type", "link", "x-own", "date"]);
        assert_eq!(found.get_all("link").iter().count(), 2);
        assert_eq!(found["date"], "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(
            stored.head.field(&HeaderName::from_static("x-own")),
            Some(&b"1"[..])
        );
        assert_eq!(stored.body, "hello");
        assert_eq!(stored.head.age(now.0 + Duration::from_secs(3)), 8);
    }
}
