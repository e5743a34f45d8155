//! Whether an answer may be kept, and on which terms (RFC 9111, 3 and 4.2). Knows no store and reads no clock.

use std::time::{Duration, SystemTime};

use http::header::{AGE, DATE, ETAG, EXPIRES, LAST_MODIFIED, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, Method, StatusCode};

use super::date;
use super::directives::{FOREVER, Said, Scope, seconds};
use super::options::{CacheOptions, Heuristic, UnsafeSharing};

/// Why an answer is not kept. Its word goes into `Cache-Status`, logs and metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unkept {
    Method,
    Status,
    NoStore,
    Private,
    SetCookie,
    Credentials,
    VaryAny,
    /// It depends on what is not the same for all who would get it.
    VaryOnClient,
    NoFreshness,
    TooLarge,
    /// Its resource was changed or purged while it came.
    Outdated,
}

impl Unkept {
    #[cfg(test)]
    pub(super) const ALL: [Self; 11] = [
        Self::Method,
        Self::Status,
        Self::NoStore,
        Self::Private,
        Self::SetCookie,
        Self::Credentials,
        Self::VaryAny,
        Self::VaryOnClient,
        Self::NoFreshness,
        Self::TooLarge,
        Self::Outdated,
    ];

    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Method => "method",
            Self::Status => "status",
            Self::NoStore => "no_store",
            Self::Private => "private",
            Self::SetCookie => "set_cookie",
            Self::Credentials => "credentials",
            Self::VaryAny => "vary_any",
            Self::VaryOnClient => "vary_on_client",
            Self::NoFreshness => "no_freshness",
            Self::TooLarge => "too_large",
            Self::Outdated => "outdated",
        }
    }

    /// Whether the next answer of the same resource is likely to be kept no more than this one, whoever asks.
    pub(super) const fn is_lasting(self) -> bool {
        matches!(
            self,
            Self::Status | Self::NoStore | Self::Private | Self::VaryAny | Self::NoFreshness
        )
    }
}

/// What of a request decides whether its answer may be kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sender {
    /// It carried `Authorization`, or its sender was verified.
    pub(super) is_authorized: bool,
    /// It carried cookies that may tell who sent it.
    pub(super) has_cookies: bool,
}

impl Sender {
    pub(super) const fn is_anybody(self) -> bool {
        !self.is_authorized && !self.has_cookies
    }
}

/// How a kept answer may be used. Times are in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    /// From its making, how long it is fresh.
    pub(super) lifetime: u32,
    /// After that, how long it may be used while it is fetched anew.
    pub(super) while_revalidate: u32,
    /// After that, how long it may be used when the origin fails.
    pub(super) if_error: u32,
    /// How old it was when it came.
    pub(super) initial_age: u32,
    pub(super) flags: u8,
}

/// Never without asking the origin.
const ALWAYS_VALIDATE: u8 = 1;
/// Never after its time.
const NEVER_STALE: u8 = 2;
/// It may be used for requests with cookies.
const FOR_COOKIES: u8 = 4;
/// It may be used for authorized requests.
const FOR_AUTHORIZED: u8 = 8;
/// It does not change while it is fresh (RFC 8246).
const IMMUTABLE: u8 = 16;
/// Not after its time because a client wants it so.
const NOT_FOR_THE_ASKING: u8 = 32;
/// Its tag was made here, and means nothing to the origin.
const TAGGED_HERE: u8 = 64;
/// All of them.
pub(super) const KNOWN_FLAGS: u8 = 127;

impl Terms {
    pub(super) const fn always_validates(self) -> bool {
        self.flags & ALWAYS_VALIDATE != 0
    }

    pub(super) const fn is_never_stale(self) -> bool {
        self.flags & NEVER_STALE != 0
    }

    /// Whether a client's wish is enough to use it after its time.
    pub(super) const fn may_be_taken_stale(self) -> bool {
        self.flags & (NOT_FOR_THE_ASKING | NEVER_STALE | ALWAYS_VALIDATE) == 0
    }

    pub(super) const fn is_immutable(self) -> bool {
        self.flags & IMMUTABLE != 0
    }

    /// Whether its tag was made here: the origin is not asked by it.
    pub(super) const fn is_tagged_here(self) -> bool {
        self.flags & TAGGED_HERE != 0
    }

    /// The same of an answer that gets its tag here.
    pub(super) const fn tagged_here(self) -> Self {
        Self {
            flags: self.flags | TAGGED_HERE,
            ..self
        }
    }

    /// Whether a request of this sender may be answered with it.
    pub(super) const fn suits(self, sender: Sender) -> bool {
        (!sender.is_authorized || self.flags & FOR_AUTHORIZED != 0)
            && (!sender.has_cookies || self.flags & FOR_COOKIES != 0)
    }

    /// Whether it can ever be used without asking the origin.
    pub(super) const fn has_use(self) -> bool {
        !self.always_validates() && (self.lifetime > self.initial_age || self.while_revalidate > 0)
    }
}

/// An answer that may be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keepable {
    pub(super) terms: Terms,
    /// Fields that are not kept with it.
    pub(super) without: Vec<HeaderName>,
}

/// When a request left and its answer came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// How long it took.
    pub(super) delay: Duration,
    /// The wall clock when the answer came.
    pub(super) came: SystemTime,
}

/// The most that heuristics give: a day.
const MOST_BY_HEURISTICS: u32 = 86_400;

/// Statuses of which the whole answer is kept, where something says how long. Those that tell of a request that was broken, or of an
/// origin that is, are never: one client's mistake is not another's.
pub(super) const fn is_kept(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 302 | 303 | 307 | 308 | 404 | 410
    )
}

/// Judges an answer to a request with this method. Clocks are read where something depends on them.
pub(super) fn judge(
    options: &CacheOptions,
    method: &Method,
    sender: Sender,
    status: StatusCode,
    headers: &HeaderMap,
    times: impl Fn() -> Times,
) -> Result<Keepable, Unkept> {
    if *method != Method::GET {
        return Err(Unkept::Method);
    }
    if !is_kept(status) {
        return Err(Unkept::Status);
    }
    let said = Said::of(headers);
    // who says `must-understand` means caches that know the status, as this one does (RFC 9111, 5.2.2.3)
    if said.no_store && !said.must_understand && !options.shares(UnsafeSharing::NoStore) {
        return Err(Unkept::NoStore);
    }
    if said.private == Scope::All && !options.shares(UnsafeSharing::Private) {
        return Err(Unkept::Private);
    }
    let mut without = said.private.fields().to_vec();
    without.extend_from_slice(said.no_cache.fields());
    if headers.contains_key(SET_COOKIE) && !without.contains(&SET_COOKIE) {
        if !options.shares(UnsafeSharing::SetCookie) {
            return Err(Unkept::SetCookie);
        }
        without.push(SET_COOKIE);
    }
    if varies_on_anything(headers) {
        return Err(Unkept::VaryAny);
    }
    let flags = flags(&said);
    let lifetime = lifetime(options, &said, sender, status, headers, &times);
    let Some((lifetime, is_implied)) = lifetime else {
        return Err(Unkept::NoFreshness);
    };
    let terms = Terms {
        lifetime,
        while_revalidate: 0,
        if_error: 0,
        initial_age: initial_age(headers, times()),
        flags,
    };
    if !terms.suits(sender) {
        return Err(Unkept::Credentials);
    }
    let terms = with_staleness(options, &said, terms);
    let may_be_validated = headers.contains_key(ETAG) || headers.contains_key(LAST_MODIFIED);
    // what is never used without asking is worth keeping only if one can ask
    if !terms.has_use() && (is_implied || !may_be_validated) {
        return Err(Unkept::NoFreshness);
    }
    Ok(Keepable { terms, without })
}

fn varies_on_anything(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(VARY).iter();
    let mut names = lines.flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    names.any(|name| name.trim_ascii() == b"*")
}

fn flags(said: &Said) -> u8 {
    let is_shared = said.public || said.s_maxage.is_some();
    let mut flags = 0;
    let mut set = |flag, holds| flags |= if holds { flag } else { 0 };
    set(ALWAYS_VALIDATE, said.no_cache == Scope::All);
    set(NEVER_STALE, said.must_revalidate || said.proxy_revalidate);
    set(FOR_COOKIES, is_shared);
    set(FOR_AUTHORIZED, is_shared || said.must_revalidate);
    set(IMMUTABLE, said.immutable);
    set(NOT_FOR_THE_ASKING, said.s_maxage.is_some());
    flags
}

/// How long it is fresh, and whether that was not said by the origin. None: nobody says.
fn lifetime(
    options: &CacheOptions,
    said: &Said,
    sender: Sender,
    status: StatusCode,
    headers: &HeaderMap,
    times: &impl Fn() -> Times,
) -> Option<(u32, bool)> {
    if let Some(explicit) = said.s_maxage.or(said.max_age) {
        return Some((explicit, false));
    }
    if !said.is_targeted && headers.contains_key(EXPIRES) {
        return Some((until_expiry(headers, times()), false));
    }
    if said.no_cache == Scope::All {
        return Some((0, false));
    }
    // what the origin does not say is never said for it about an answer that may be one person's
    if !sender.is_anybody() {
        return None;
    }
    let is_negative = matches!(status.as_u16(), 404 | 410);
    let implied = if is_negative {
        options.negative
    } else {
        options.ttl
    };
    if let Some(implied) = implied {
        return Some((in_seconds(implied), true));
    }
    let is_heuristic = options.heuristic == Heuristic::On
        && matches!(status.as_u16(), 200 | 203 | 204 | 300 | 301 | 308)
        && !headers.contains_key(SET_COOKIE);
    let modified = headers.get(LAST_MODIFIED).filter(|_| is_heuristic)?;
    let age = times()
        .came
        .duration_since(date::parse(modified.as_bytes())?)
        .ok()?;
    Some((in_seconds(age / 10).min(MOST_BY_HEURISTICS), true))
}

/// From `Date` to `Expires`. A date that cannot be read, or two that differ, have passed.
fn until_expiry(headers: &HeaderMap, times: Times) -> u32 {
    let mut lines = headers.get_all(EXPIRES).iter();
    let expires = lines.next().and_then(|value| date::parse(value.as_bytes()));
    let Some(expires) = expires.filter(|_| lines.next().is_none()) else {
        return 0;
    };
    let made = made(headers).unwrap_or(times.came);
    expires.duration_since(made).map_or(0, in_seconds)
}

/// When the origin made it, as it says.
pub(super) fn made(headers: &HeaderMap) -> Option<SystemTime> {
    date::parse(headers.get(DATE)?.as_bytes())
}

/// RFC 9111, 4.2.3. The time that the request took counts in full.
fn initial_age(headers: &HeaderMap, times: Times) -> u32 {
    let apparent = made(headers).and_then(|made| times.came.duration_since(made).ok());
    let mut lines = headers.get_all(AGE).iter();
    // of a list the first counts (RFC 9111, 5.1); what cannot be read says nothing
    let told = lines.next().and_then(|value| {
        let first = value.as_bytes().split(|byte| *byte == b',').next()?;
        seconds(first.trim_ascii())
    });
    let corrected = u64::from(told.unwrap_or(0)) + times.delay.as_secs();
    let apparent = apparent.map_or(0, |apparent| apparent.as_secs());
    corrected.max(apparent).min(u64::from(FOREVER)) as u32
}

/// What may be done with it after its time. The origin's word goes before the setting; what an origin forbids is not allowed by a
/// setting. `s-maxage` alone forbids (RFC 9111, 5.2.2.10), but who writes it beside a time for stale use (RFC 5861) allows just that.
fn with_staleness(options: &CacheOptions, said: &Said, terms: Terms) -> Terms {
    if terms.is_never_stale() || terms.always_validates() {
        return terms;
    }
    let by_default = if said.s_maxage.is_some() {
        0
    } else {
        in_seconds(options.stale)
    };
    Terms {
        while_revalidate: said.stale_while_revalidate.unwrap_or(by_default),
        if_error: said.stale_if_error.unwrap_or(by_default),
        ..terms
    }
}

fn in_seconds(duration: Duration) -> u32 {
    u32::try_from(duration.as_secs())
        .unwrap_or(FOREVER)
        .min(FOREVER)
}

/// Terms of an answer that is fresh for so long, and was so old when it came.
#[cfg(test)]
pub(super) const fn terms_for_tests(lifetime: u32, initial_age: u32) -> Terms {
    Terms {
        lifetime,
        while_revalidate: 0,
        if_error: 0,
        initial_age,
        flags: 0,
    }
}
