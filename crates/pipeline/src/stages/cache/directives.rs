//! `Cache-Control` of requests and answers (RFC 9111, 5.2; 5861; 8246), and `CDN-Cache-Control` (RFC 9213), read. Decides
//! nothing.
//!
//! What is unknown is passed over. What says how long an answer is fresh and cannot be read means that it is not (RFC 9111,
//! 4.2.1); of two that differ, the more careful one holds.

use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderName};

use super::structured;

/// Bytes of one message's directives that are read; an answer that says more is not stored.
const MOST_BYTES: usize = 4 * 1024;
/// Directives that are read.
const MOST: usize = 64;
/// Fields that `no-cache` and `private` may name; more mean all.
const MOST_FIELDS: usize = 32;
/// Seconds that stand for ever (RFC 9111, 1.2.2).
pub(super) const FOREVER: u32 = 1 << 31;

/// Said to this cache and its like instead of all (RFC 9213, 3.1).
const CDN_CACHE_CONTROL: HeaderName = HeaderName::from_static("cdn-cache-control");

/// What a directive with field names is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Scope {
    /// It was not said.
    #[default]
    Nothing,
    /// These fields.
    Fields(Vec<HeaderName>),
    /// The whole answer.
    All,
}

impl Scope {
    pub(super) fn fields(&self) -> &[HeaderName] {
        match self {
            Scope::Fields(fields) => fields,
            Scope::Nothing | Scope::All => &[],
        }
    }

    /// What both are about.
    fn join(&mut self, other: Scope) {
        match (&mut *self, other) {
            (Scope::All, _) | (_, Scope::Nothing) => {}
            (Scope::Fields(own), Scope::Fields(others)) => own.extend(others),
            (_, other) => *self = other,
        }
    }

    /// A quoted list of names; without any it is about all.
    fn read(value: Option<&[u8]>) -> Self {
        let Some(value) = value else {
            return Scope::All;
        };
        let names = value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii);
        let mut fields = Vec::new();
        for name in names.filter(|name| !name.is_empty()) {
            match HeaderName::from_bytes(name) {
                Ok(name) if fields.len() < MOST_FIELDS => fields.push(name),
                _ => return Scope::All,
            }
        }
        if fields.is_empty() {
            Scope::All
        } else {
            Scope::Fields(fields)
        }
    }
}

/// What an origin says of its answer. Times are in seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a directive of that name"
)]
pub(super) struct Said {
    pub(super) max_age: Option<u32>,
    pub(super) s_maxage: Option<u32>,
    pub(super) stale_while_revalidate: Option<u32>,
    pub(super) stale_if_error: Option<u32>,
    pub(super) no_store: bool,
    pub(super) no_cache: Scope,
    pub(super) private: Scope,
    pub(super) public: bool,
    pub(super) must_revalidate: bool,
    pub(super) proxy_revalidate: bool,
    pub(super) must_understand: bool,
    pub(super) immutable: bool,
    /// It was said to caches like this one: `Expires` does not count.
    pub(super) is_targeted: bool,
}

impl Said {
    /// What holds for a shared cache in front of an origin.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        if let Some(targeted) = Self::targeted(headers) {
            return targeted;
        }
        let mut said = Self::default();
        let is_read = each(headers, |name, value| {
            said.note(name, value);
        });
        if !is_read {
            said.no_store = true;
        }
        said
    }

    /// RFC 9213, 2: the field is a dictionary; one that is none, or empty, is as if it were not there.
    fn targeted(headers: &HeaderMap) -> Option<Self> {
        let mut lines = headers.get_all(CDN_CACHE_CONTROL).iter().peekable();
        lines.peek()?;
        let lines: Vec<&[u8]> = lines.map(http::HeaderValue::as_bytes).collect();
        let whole = lines.join(&b", "[..]);
        if whole.len() > MOST_BYTES {
            return Some(Self {
                no_store: true,
                ..Self::default()
            });
        }
        let members = structured::dictionary(&whole, MOST)?;
        if members.is_empty() {
            return None;
        }
        let mut said = Self {
            is_targeted: true,
            ..Self::default()
        };
        for (name, value) in members {
            match value {
                structured::Bare::Is(true) => said.note(name.as_bytes(), None),
                structured::Bare::Is(false) => {}
                structured::Bare::Text(value) => said.note(name.as_bytes(), Some(&value)),
            }
        }
        Some(said)
    }

    fn note(&mut self, name: &[u8], value: Option<&[u8]>) {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("max-age") {
            sooner(&mut self.max_age, value);
        } else if is("s-maxage") {
            sooner(&mut self.s_maxage, value);
        } else if is("stale-while-revalidate") {
            sooner(&mut self.stale_while_revalidate, value);
        } else if is("stale-if-error") {
            sooner(&mut self.stale_if_error, value);
        } else if is("no-store") {
            self.no_store = true;
        } else if is("no-cache") {
            self.no_cache.join(Scope::read(value));
        } else if is("private") {
            self.private.join(Scope::read(value));
        } else if is("public") {
            self.public = true;
        } else if is("must-revalidate") {
            self.must_revalidate = true;
        } else if is("proxy-revalidate") {
            self.proxy_revalidate = true;
        } else if is("must-understand") {
            self.must_understand = true;
        } else if is("immutable") {
            self.immutable = true;
        }
    }
}

/// What a client asks of caches. Times are in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    pub(super) max_age: Option<u32>,
    pub(super) min_fresh: Option<u32>,
    pub(super) max_stale: Option<u32>,
    pub(super) stale_if_error: Option<u32>,
    pub(super) no_cache: bool,
    pub(super) no_store: bool,
    pub(super) only_if_cached: bool,
}

impl Asked {
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let mut asked = Self::default();
        if !headers.contains_key(CACHE_CONTROL) {
            // of old clients (RFC 9111, 5.4)
            asked.no_cache = headers
                .get(http::header::PRAGMA)
                .is_some_and(|pragma| pragma.as_bytes().eq_ignore_ascii_case(b"no-cache"));
            return asked;
        }
        each(headers, |name, value| {
            let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
            if is("max-age") {
                sooner(&mut asked.max_age, value);
            } else if is("min-fresh") {
                // more is the more careful here
                asked.min_fresh = asked.min_fresh.max(value.and_then(seconds));
            } else if is("max-stale") {
                match value {
                    None => asked.max_stale = Some(FOREVER),
                    Some(_) => sooner(&mut asked.max_stale, value),
                }
            } else if is("stale-if-error") {
                sooner(&mut asked.stale_if_error, value);
            } else if is("no-cache") {
                asked.no_cache = true;
            } else if is("no-store") {
                asked.no_store = true;
            } else if is("only-if-cached") {
                asked.only_if_cached = true;
            }
        });
        asked
    }
}

/// The shorter time holds; one that cannot be read is none at all.
fn sooner(slot: &mut Option<u32>, value: Option<&[u8]>) {
    let read = value.and_then(seconds).unwrap_or(0);
    *slot = Some(slot.map_or(read, |known| known.min(read)));
}

/// Whole seconds; more than can be counted are for ever.
pub(super) fn seconds(text: &[u8]) -> Option<u32> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let sum = text.iter().fold(0_u64, |sum, digit| {
        (sum * 10 + u64::from(digit - b'0')).min(u64::from(FOREVER))
    });
    u32::try_from(sum).ok()
}

/// Hands each directive of all lines to `note`, its value without quotes. Whether all were read.
fn each(headers: &HeaderMap, mut note: impl FnMut(&[u8], Option<&[u8]>)) -> bool {
    let (mut bytes, mut count) = (0, 0);
    for line in headers.get_all(CACHE_CONTROL) {
        bytes += line.len();
        if bytes > MOST_BYTES {
            return false;
        }
        let mut rest = line.as_bytes();
        while !rest.is_empty() {
            let end = end_of_member(rest);
            let member = rest[..end].trim_ascii();
            rest = rest.get(end + 1..).unwrap_or_default();
            if member.is_empty() {
                continue;
            }
            count += 1;
            if count > MOST {
                return false;
            }
            match memchr::memchr(b'=', member) {
                None => note(member, None),
                Some(equals) => {
                    let value = unquoted(member[equals + 1..].trim_ascii());
                    note(member[..equals].trim_ascii(), Some(&value));
                }
            }
        }
    }
    true
}

/// Where the next comma outside of quotes is.
fn end_of_member(text: &[u8]) -> usize {
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (at, byte) in text.iter().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_quoted => is_escaped = true,
            b'"' => is_quoted = !is_quoted,
            b',' if !is_quoted => return at,
            _ => {}
        }
    }
    text.len()
}

fn unquoted(value: &[u8]) -> std::borrow::Cow<'_, [u8]> {
    let Some(inner) = value.strip_prefix(b"\"") else {
        return value.into();
    };
    let inner = inner.strip_suffix(b"\"").unwrap_or(inner);
    if memchr::memchr(b'\\', inner).is_none() {
        return inner.into();
    }
    let mut plain = Vec::with_capacity(inner.len());
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        plain.extend(if *byte == b'\\' {
            bytes.next()
        } else {
            Some(byte)
        });
    }
    plain.into()
}

/// Reads a value as each field that says something of caching, for those who try to break that.
pub fn check_directives(value: &[u8]) {
    let Ok(field) = http::HeaderValue::from_bytes(value) else {
        return;
    };
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, field.clone());
    headers.insert(http::header::PRAGMA, field.clone());
    let _ = (Said::of(&headers), Asked::of(&headers));
    headers.insert(HeaderName::from_static("cdn-cache-control"), field);
    let _ = Said::of(&headers);
    let _ = super::date::parse(value);
    let _ = super::ranges::part(value, 1_000);
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            let value = HeaderValue::from_str(value).expect("a value");
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    }

    fn said(value: &str) -> Said {
        Said::of(&headers(&[("cache-control", value)]))
    }

    #[test]
    fn answers_say_how_long() {
        for (value, max_age) in [
            ("max-age=60", Some(60)),
            ("MAX-AGE=60", Some(60)),
            ("max-age=\"60\"", Some(60)),
            ("public , max-age = 60,", Some(60)),
            ("max-age=60, max-age=5", Some(5)),
            ("max-age", Some(0)),
            ("max-age=-1", Some(0)),
            ("max-age=1.5", Some(0)),
            ("max-age=sixty", Some(0)),
            ("max-age=99999999999999999999999", Some(FOREVER)),
            ("x=\"max-age=9, max-age=9\"", None),
            ("maxage=60", None),
        ] {
            assert_eq!(said(value).max_age, max_age, "{value}");
        }
        let both = headers(&[("cache-control", "public"), ("cache-control", "s-maxage=7")]);
        let both = Said::of(&both);
        assert!(both.public && both.s_maxage == Some(7));
    }

    #[test]
    fn fields_may_be_meant_alone() {
        let cookie = || Scope::Fields(vec![http::header::SET_COOKIE]);
        for (value, scope) in [
            ("no-cache", Scope::All),
            ("no-cache=\"set-cookie\"", cookie()),
            ("no-cache=Set-Cookie", cookie()),
            ("no-cache=\"set-cookie\", no-cache", Scope::All),
            ("no-cache=\"\"", Scope::All),
            ("no-cache=\"a b\"", Scope::All),
            ("no-cache=\"set-cookie", cookie()),
            ("max-age=1", Scope::Nothing),
        ] {
            assert_eq!(said(value).no_cache, scope, "{value}");
        }
    }

    #[test]
    fn the_field_for_caches_like_this_goes_before() {
        for (targeted, expected) in [
            ("max-age=60", Some(60)),
            ("no-store", None),
            ("max-age=60;ext=1, x=(a b), y=:YQ==:", Some(60)),
            // none: the other holds
            ("", Some(5)),
            ("MAX-AGE=60", Some(5)),
            ("max-age=60,", Some(5)),
            // a dictionary knows only the last of equal names, and numbers only
            ("max-age=9, max-age=60", Some(60)),
            ("max-age=\"x\"", Some(0)),
        ] {
            let headers = headers(&[
                ("cdn-cache-control", targeted),
                ("cache-control", "max-age=5"),
            ]);
            assert_eq!(Said::of(&headers).max_age, expected, "{targeted}");
        }
    }

    #[test]
    fn too_much_is_not_stored() {
        assert!(said(&"x=1,".repeat(2_000)).no_store);
        assert!(said(&"a,".repeat(80)).no_store);
        assert!(!said(&"a,".repeat(60)).no_store);
    }

    #[test]
    fn clients_ask() {
        let asked = |value| Asked::of(&headers(&[("cache-control", value)]));
        assert_eq!(asked("max-stale").max_stale, Some(FOREVER));
        assert_eq!(asked("max-stale=3").max_stale, Some(3));
        assert_eq!(asked("min-fresh=3, min-fresh=9").min_fresh, Some(9));
        assert!(asked("only-if-cached, no-store").only_if_cached);
        assert!(Asked::of(&headers(&[("pragma", "no-cache")])).no_cache);
        assert!(!asked("max-age=1").no_cache);
    }

    proptest! {
        #[test]
        fn no_value_is_a_panic(bytes in proptest::collection::vec(0x20_u8..0x7f, 0..300)) {
            let value = HeaderValue::from_bytes(&bytes).expect("visible");
            let mut headers = HeaderMap::new();
            headers.append(CACHE_CONTROL, value.clone());
            headers.append(CDN_CACHE_CONTROL, value);
            let _ = (Said::of(&headers), Asked::of(&headers));
        }
    }
}
