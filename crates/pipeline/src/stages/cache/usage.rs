//! Whether a kept answer may be used for a request (RFC 9111, 4; 5861; 8246). Knows no store and reads no clock.

use super::directives::Asked;
use super::terms::Terms;

/// What a kept answer is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Usage {
    /// It answers the request. Seconds that it stays fresh.
    Fresh { left: u32 },
    /// Its time is over, and the client takes it all the same.
    Taken { by: u32 },
    /// Its time is over; it answers the request while it is fetched anew.
    WhileRevalidate { by: u32 },
    /// The origin has to be asked, because of time.
    Expired,
    /// The origin has to be asked, because the client wants it.
    Unwanted,
}

/// Whether it has been said that a kept answer is not to be taken for fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has not.
    Good,
    /// By a soft purge.
    Purged,
}

/// Judges an answer of this age, in seconds.
pub(super) fn judge(terms: Terms, age: u32, standing: Standing, asked: &Asked) -> Usage {
    if asked.no_cache {
        return Usage::Unwanted;
    }
    if terms.always_validates() {
        return Usage::Expired;
    }
    let lifetime = match standing {
        Standing::Good => terms.lifetime,
        Standing::Purged => terms.lifetime.min(age),
    };
    let is_fresh = lifetime > age;
    let (left, by) = (lifetime.saturating_sub(age), age.saturating_sub(lifetime));
    if asked.min_fresh.is_some_and(|wanted| left < wanted) {
        return if is_fresh {
            Usage::Unwanted
        } else {
            Usage::Expired
        };
    }
    let is_too_old = asked.max_age.is_some_and(|most| age > most);
    if is_fresh {
        // a reload of what cannot have changed (RFC 8246, 2)
        return if is_too_old && !terms.is_immutable() {
            Usage::Unwanted
        } else {
            Usage::Fresh { left }
        };
    }
    if terms.is_never_stale() || is_too_old {
        return Usage::Expired;
    }
    if terms.while_revalidate > by {
        return Usage::WhileRevalidate { by };
    }
    if terms.may_be_taken_stale()
        && asked.max_stale.is_some_and(|most| by <= most)
        && standing == Standing::Good
    {
        return Usage::Taken { by };
    }
    Usage::Expired
}

/// Whether it may be used since the origin failed, and then by how many seconds it is too old.
pub(super) fn judge_failure(
    terms: Terms,
    age: u32,
    standing: Standing,
    asked: &Asked,
) -> Option<u32> {
    let by = age.saturating_sub(terms.lifetime);
    let wanted = asked.stale_if_error.filter(|_| terms.may_be_taken_stale());
    let allowed = terms.if_error.max(wanted.unwrap_or(0));
    let is_usable = !terms.is_never_stale()
        && !terms.always_validates()
        && standing == Standing::Good
        && (by < allowed || terms.lifetime > age);
    is_usable.then_some(by)
}
