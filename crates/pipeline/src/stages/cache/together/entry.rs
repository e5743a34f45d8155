//! Answers as bytes between machines, and back. What is read may be anything: of another version, half of it, or made by somebody
//! else. It is used only if every part of it is sound and it is what was asked for. Asks nobody.
//!
//! An entry is `MSC`, the version, what it is, and 16 bytes by which the rest is known to be whole; then for all kinds the settings and
//! the purge that it belongs to, target and URL. An answer has what tells it from others, status, terms, fields (as
//! [`Head`](super::super::stored::Head) has them) and body. Numbers are big-endian; texts have their length in front.

use std::time::{Instant, SystemTime};

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest as _, Sha256};

use super::super::directives::FOREVER;
use super::super::stored::{Head, Stored};
use super::super::terms::{KNOWN_FLAGS, Terms, is_kept};
use super::{SharedName, shortened};

/// Another one is not read.
const VERSION: u8 = 1;
const ANSWER: u8 = 1;
const SELECTION: u8 = 2;
const PASSING: u8 = 3;
const BEGINNING: &[u8] = b"MSC";
/// Beginning, version, kind, digest.
const HEAD: usize = 3 + 1 + 1 + 16;
/// No entry is longer: what is put in is shorter by far.
const LONGEST: usize = 4 * 1024 * 1024;
/// Fields of one answer.
const MOST_FIELDS: u16 = 512;
/// Request fields that tell answers apart.
const MOST_NAMES: u8 = 64;

/// What every entry says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct About<'a> {
    /// Of the settings by which it was judged.
    pub(super) settings: u64,
    /// The number of the last purge before it was fetched.
    pub(super) purges: u64,
    pub(super) target: &'a str,
    pub(super) url: &'a str,
}

/// What was read.
#[derive(Debug)]
pub(super) enum Entry {
    /// An answer, that came now.
    Answer {
        purges: u64,
        /// What tells it from others.
        selection: Option<SharedName>,
        head: Head,
        body: Bytes,
    },
    /// Its answers depend on these request fields.
    Selection(Box<[HeaderName]>),
    /// Its answers are not kept.
    Passing,
}

pub(super) fn of_answer(
    about: &About<'_>,
    selection: Option<SharedName>,
    stored: &Stored,
) -> Bytes {
    let head = &stored.head;
    let mut out = begin(about, stored.len() + 256);
    match selection {
        None => out.put_u8(0),
        Some(name) => {
            out.put_u8(1);
            out.put_slice(&name);
        }
    }
    let Terms {
        lifetime,
        while_revalidate,
        if_error,
        initial_age,
        flags,
    } = head.terms;
    out.put_u16(head.status.as_u16());
    for seconds in [lifetime, while_revalidate, if_error, initial_age] {
        out.put_u32(seconds);
    }
    out.put_u8(flags);
    out.put_u16(head.count);
    put_text(&mut out, &head.fields);
    put_text(&mut out, &stored.body);
    finish(out, ANSWER)
}

pub(super) fn of_selection(about: &About<'_>, names: &[String]) -> Bytes {
    let mut out = begin(about, 128);
    let names = &names[..names.len().min(usize::from(MOST_NAMES))];
    out.put_u8(names.len() as u8);
    for name in names {
        put_text(&mut out, name.as_bytes());
    }
    finish(out, SELECTION)
}

pub(super) fn of_passing(about: &About<'_>) -> Bytes {
    finish(begin(about, 0), PASSING)
}

fn begin(about: &About<'_>, more: usize) -> BytesMut {
    let mut out = BytesMut::with_capacity(HEAD + 32 + about.target.len() + about.url.len() + more);
    out.put_bytes(0, HEAD);
    out.put_u64(about.settings);
    out.put_u64(about.purges);
    put_text(&mut out, about.target.as_bytes());
    put_text(&mut out, about.url.as_bytes());
    out
}

fn put_text(out: &mut BytesMut, text: &[u8]) {
    out.put_u32(text.len() as u32);
    out.put_slice(text);
}

fn finish(mut out: BytesMut, kind: u8) -> Bytes {
    out[..3].copy_from_slice(BEGINNING);
    out[3] = VERSION;
    out[4] = kind;
    let digest = digest(kind, &out[HEAD..]);
    out[5..HEAD].copy_from_slice(&digest);
    out.freeze()
}

fn digest(kind: u8, rest: &[u8]) -> SharedName {
    let mut hasher = Sha256::new();
    hasher.update([VERSION, kind]);
    hasher.update(rest);
    shortened(hasher)
}

/// What is left to be read.
struct Rest(Bytes);

impl Rest {
    fn take(&mut self, count: usize) -> Option<Bytes> {
        (count <= self.0.len()).then(|| self.0.split_to(count))
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|byte| byte[0])
    }

    fn short(&mut self) -> Option<u16> {
        let bytes = self.take(2)?;
        Some(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn seconds(&mut self) -> Option<u32> {
        let bytes = self.take(4)?;
        let number = u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        (number <= FOREVER).then_some(number)
    }

    fn number(&mut self) -> Option<u64> {
        let bytes = self.take(8)?;
        bytes[..].try_into().ok().map(u64::from_be_bytes)
    }

    fn text(&mut self) -> Option<Bytes> {
        let bytes = self.take(4)?;
        self.take(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize)
    }

    fn name(&mut self) -> Option<SharedName> {
        self.take(16)?[..].try_into().ok()
    }
}

/// Reads what was asked for about this. None: it is something else, or unsound.
pub(super) fn read(bytes: &Bytes, about: &About<'_>, came: Instant) -> Option<Entry> {
    if bytes.len() > LONGEST || bytes.len() < HEAD {
        return None;
    }
    let (head, rest) = (&bytes[..HEAD], bytes.slice(HEAD..));
    let kind = head[4];
    if &head[..3] != BEGINNING || head[3] != VERSION || head[5..] != digest(kind, &rest) {
        return None;
    }
    let mut rest = Rest(rest);
    let (settings, purges) = (rest.number()?, rest.number()?);
    let is_meant = settings == about.settings
        && rest.text()? == about.target.as_bytes()
        && rest.text()? == about.url.as_bytes();
    if !is_meant {
        return None;
    }
    let entry = match kind {
        ANSWER => answer(&mut rest, purges, came)?,
        SELECTION => Entry::Selection(names(&mut rest)?),
        PASSING => Entry::Passing,
        _ => return None,
    };
    rest.0.is_empty().then_some(entry)
}

fn names(rest: &mut Rest) -> Option<Box<[HeaderName]>> {
    let count = rest.byte().filter(|count| *count <= MOST_NAMES)?;
    let name = |_| HeaderName::from_bytes(&rest.text()?).ok();
    (0..count).map(name).collect()
}

fn answer(rest: &mut Rest, purges: u64, came: Instant) -> Option<Entry> {
    let selection = match rest.byte()? {
        0 => None,
        1 => Some(rest.name()?),
        _ => return None,
    };
    let status = StatusCode::from_u16(rest.short()?)
        .ok()
        .filter(|status| is_kept(*status))?;
    let terms = Terms {
        lifetime: rest.seconds()?,
        while_revalidate: rest.seconds()?,
        if_error: rest.seconds()?,
        initial_age: rest.seconds()?,
        flags: rest.byte().filter(|flags| flags & !KNOWN_FLAGS == 0)?,
    };
    let count = rest.short().filter(|count| *count <= MOST_FIELDS)?;
    let headers = fields(&rest.text()?, count)?;
    let body = rest.text()?;
    // as if it came from the origin: what may not be kept is not
    let head = Head::new(status, &headers, &[], terms, (came, SystemTime::UNIX_EPOCH))?;
    (head.count == count).then_some(Entry::Answer {
        purges,
        selection,
        head,
        body,
    })
}

fn fields(bytes: &Bytes, count: u16) -> Option<HeaderMap> {
    let mut headers = HeaderMap::with_capacity(usize::from(count));
    let mut rest = Rest(bytes.clone());
    for _ in 0..count {
        let (name, value) = (rest.short()?, rest.short()?);
        let name = rest.take(usize::from(name))?;
        let value = rest.take(usize::from(value))?;
        let name = HeaderName::from_lowercase(&name).ok()?;
        headers.append(name, HeaderValue::from_maybe_shared(value).ok()?);
    }
    rest.0.is_empty().then_some(headers)
}

/// Whether bytes from elsewhere are an entry about this URL of this target, for those who try to break its reading.
pub fn check_entry(bytes: &[u8], target: &str, url: &str) -> bool {
    let about = About {
        settings: 0,
        purges: 0,
        target,
        url,
    };
    // the digest is made right, so that what is behind it is reached
    let mut bytes = bytes.to_vec();
    if bytes.len() >= HEAD {
        let digest = digest(bytes[4], &bytes[HEAD..]);
        bytes[5..HEAD].copy_from_slice(&digest);
    }
    read(&bytes.into(), &about, Instant::now()).is_some()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::super::terms::terms_for_tests;
    use super::*;

    const ABOUT: About<'static> = About {
        settings: 7,
        purges: 3,
        target: "api",
        url: "http://a.example/",
    };

    fn stored(fields: &[(&str, &[u8])], body: &[u8]) -> Stored {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            let name = HeaderName::from_bytes(name.as_bytes()).expect("a name");
            headers.append(name, HeaderValue::from_bytes(value).expect("a value"));
        }
        let now = (Instant::now(), SystemTime::UNIX_EPOCH);
        let head = Head::new(StatusCode::OK, &headers, &[], terms_for_tests(60, 5), now);
        let body = Bytes::copy_from_slice(body);
        Stored::new(&head.expect("it fits"), [body.clone()].iter(), body.len())
    }

    fn read_answer(
        bytes: &Bytes,
        about: &About<'_>,
    ) -> Option<(HeaderMap, Bytes, Option<SharedName>)> {
        match read(bytes, about, Instant::now())? {
            Entry::Answer {
                selection,
                head,
                body,
                ..
            } => Some((head.headers(), body, selection)),
            Entry::Selection(_) | Entry::Passing => None,
        }
    }

    #[test]
    fn only_what_was_asked_for_is_read() {
        let stored = stored(
            &[("etag", b"\"a\""), ("link", b"<x>"), ("link", b"<y>")],
            b"hello",
        );
        let bytes = of_answer(&ABOUT, Some([9; 16]), &stored);
        let (headers, body, selection) = read_answer(&bytes, &ABOUT).expect("it is sound");
        assert_eq!(headers, stored.head.headers());
        assert_eq!((&body[..], selection), (&b"hello"[..], Some([9; 16])));
        for other in [
            About {
                settings: 8,
                ..ABOUT
            },
            About {
                target: "web",
                ..ABOUT
            },
            About {
                url: "http://a.example/other",
                ..ABOUT
            },
        ] {
            assert!(read(&bytes, &other, Instant::now()).is_none(), "{other:?}");
        }
        let names = vec!["accept-language".to_owned()];
        let found = read(&of_selection(&ABOUT, &names), &ABOUT, Instant::now());
        assert!(matches!(found, Some(Entry::Selection(found)) if found.len() == 1));
        let found = read(&of_passing(&ABOUT), &ABOUT, Instant::now());
        assert!(matches!(found, Some(Entry::Passing)));
    }

    proptest! {
        #[test]
        fn what_was_written_is_read_the_same(
            body in proptest::collection::vec(any::<u8>(), 0..300),
            values in proptest::collection::vec("[ -~]{0,20}", 0..8),
        ) {
            let values: Vec<_> = values.iter().map(|value| ("x-own", value.trim().as_bytes())).collect();
            let stored = stored(&values, &body);
            let found = read_answer(&of_answer(&ABOUT, None, &stored), &ABOUT);
            let (headers, found, _) = found.expect("it is sound");
            prop_assert_eq!(headers, stored.head.headers());
            prop_assert_eq!(found, body);
        }

        #[test]
        fn garbage_is_never_an_answer(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(read(&bytes.into(), &ABOUT, Instant::now()).is_none());
        }

        #[test]
        fn what_was_changed_or_cut_is_never_an_answer(at in any::<prop::sample::Index>(), bit in 0_u8..8, cut in any::<bool>()) {
            let bytes = of_answer(&ABOUT, None, &stored(&[("etag", b"\"a\"")], b"hello"));
            let at = at.index(bytes.len());
            let mut changed = bytes.to_vec();
            if cut { changed.truncate(at) } else { changed[at] ^= 1 << bit }
            prop_assert!(read(&changed.into(), &ABOUT, Instant::now()).is_none());
        }

        #[test]
        fn whatever_stands_behind_a_right_digest_breaks_nothing(
            kind in 0_u8..5,
            mut rest in proptest::collection::vec(any::<u8>(), 0..200),
            is_about in any::<bool>(),
        ) {
            if is_about {
                let begun = begin(&ABOUT, 0);
                rest.splice(0..0, begun[HEAD..].iter().copied());
            }
            let mut out = BytesMut::new();
            out.put_bytes(0, HEAD);
            out.put_slice(&rest);
            let _ = read(&finish(out, kind), &ABOUT, Instant::now());
        }
    }
}
