//! Conditional requests (RFC 9110, 13): what a client's conditions make of an answer, and how the origin is asked whether a kept
//! one still holds. Knows no store.

use http::header::{ETAG, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, LAST_MODIFIED};
use http::{HeaderMap, HeaderValue};

use super::date;

/// Tags of one request that are compared.
const MOST_TAGS: usize = 64;

/// A client's conditions that a cache can judge.
#[derive(Clone, Debug, Default)]
pub(super) struct Conditions {
    none_match: Vec<HeaderValue>,
    modified_since: Option<HeaderValue>,
}

impl Conditions {
    /// Those of a request.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        Self {
            none_match: headers.get_all(IF_NONE_MATCH).iter().cloned().collect(),
            modified_since: headers.get(IF_MODIFIED_SINCE).cloned(),
        }
    }

    /// Takes them out of a request, so that it asks for the whole answer.
    pub(super) fn take(headers: &mut HeaderMap) -> Self {
        let conditions = Self::of(headers);
        headers.remove(IF_NONE_MATCH);
        headers.remove(IF_MODIFIED_SINCE);
        conditions
    }

    /// Puts them back.
    pub(super) fn put_into(&self, headers: &mut HeaderMap) {
        for tags in &self.none_match {
            headers.append(IF_NONE_MATCH, tags.clone());
        }
        if let Some(since) = &self.modified_since {
            headers.insert(IF_MODIFIED_SINCE, since.clone());
        }
    }

    /// Whether an answer with these validators is one that the client has (RFC 9110, 13.2.2).
    pub(super) fn are_met_by(
        &self,
        tag: Option<&[u8]>,
        modified: Option<&[u8]>,
        made: Option<&[u8]>,
    ) -> bool {
        if !self.none_match.is_empty() {
            let mut tags = self
                .none_match
                .iter()
                .flat_map(|line| tags(line.as_bytes()));
            return tags
                .any(|known| known == b"*" || tag.is_some_and(|tag| is_same_weakly(known, tag)));
        }
        let Some(since) = &self.modified_since else {
            return false;
        };
        // a date in the future, or none, says nothing; without `Last-Modified` the time of its making stands for it
        let since = date::parse(since.as_bytes());
        let modified = modified.or(made).and_then(date::parse);
        matches!((since, modified), (Some(since), Some(modified)) if modified <= since)
    }
}

/// Asks whether the answer with these validators still holds. Whether there is anything to ask by.
pub(super) fn ask(headers: &mut HeaderMap, tag: Option<&[u8]>, modified: Option<&[u8]>) -> bool {
    let mut value = |text: Option<&[u8]>, name| {
        let value = text.and_then(|text| HeaderValue::from_bytes(text).ok());
        let is_there = value.is_some();
        if let Some(value) = value {
            headers.insert(name, value);
        }
        is_there
    };
    let by_tag = value(tag, IF_NONE_MATCH);
    let by_date = value(modified, IF_MODIFIED_SINCE);
    by_tag || by_date
}

/// Whether a 304 is about the answer with these validators (RFC 9111, 4.3.4): one that names none is about the one asked for.
pub(super) fn confirms(
    not_modified: &HeaderMap,
    tag: Option<&[u8]>,
    modified: Option<&[u8]>,
) -> bool {
    let (new_tag, new_date) = (not_modified.get(ETAG), not_modified.get(LAST_MODIFIED));
    if let Some(now) = new_tag {
        return tag.is_some_and(|tag| is_same_weakly(now.as_bytes(), tag));
    }
    match new_date {
        Some(now) => modified.is_some_and(|modified| now.as_bytes() == modified),
        None => true,
    }
}

/// Whether a part of the answer with these validators may be sent (RFC 9110, 13.1.5): by a strong tag, or the very date.
pub(super) fn allow_range(
    headers: &HeaderMap,
    tag: Option<&[u8]>,
    modified: Option<&[u8]>,
) -> bool {
    let Some(condition) = headers.get(IF_RANGE) else {
        return true;
    };
    let condition = condition.as_bytes().trim_ascii();
    if condition.starts_with(b"\"") {
        return tag == Some(condition);
    }
    // a date is strong only if nobody could have changed it twice in that second, which nobody here knows
    !condition.starts_with(b"W/") && modified == Some(condition)
}

/// RFC 9110, 8.8.3.2.
fn is_same_weakly(one: &[u8], other: &[u8]) -> bool {
    opaque(one) == opaque(other)
}

fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

/// The tags of one line. A tag may hold commas.
fn tags(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = line;
    std::iter::from_fn(move || {
        rest = rest.trim_ascii_start();
        while let [b',', after @ ..] = rest {
            rest = after.trim_ascii_start();
        }
        if rest.is_empty() {
            return None;
        }
        let mark = if rest.starts_with(b"W/") { 2 } else { 0 };
        let end = match rest[mark..].strip_prefix(b"\"") {
            Some(inside) => memchr::memchr(b'"', inside).map_or(rest.len(), |end| mark + end + 2),
            None => memchr::memchr(b',', rest).unwrap_or(rest.len()),
        };
        let (tag, after) = rest.split_at(end);
        rest = after;
        Some(tag.trim_ascii_end())
    })
    .take(MOST_TAGS)
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let line = |(name, value): &(HeaderName, &str)| {
            (name.clone(), HeaderValue::from_str(value).expect("a value"))
        };
        lines.iter().map(line).collect()
    }

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const LATER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    #[test]
    fn a_client_that_has_it_is_told_so() {
        for (name, value, tag, modified, is_met) in [
            (IF_NONE_MATCH, "\"a\"", Some("\"a\""), None, true),
            (IF_NONE_MATCH, "W/\"a\"", Some("\"a\""), None, true),
            (
                IF_NONE_MATCH,
                "\"x\", W/\"a,b\" , \"y\"",
                Some("\"a,b\""),
                None,
                true,
            ),
            (IF_NONE_MATCH, "\"b\"", Some("\"a\""), None, false),
            (IF_NONE_MATCH, "*", Some("\"a\""), None, true),
            (IF_NONE_MATCH, "*", None, None, true),
            (IF_NONE_MATCH, "\"a\"", None, Some(DATE), false),
            (IF_MODIFIED_SINCE, DATE, None, Some(DATE), true),
            (IF_MODIFIED_SINCE, LATER, None, Some(DATE), true),
            (IF_MODIFIED_SINCE, DATE, None, Some(LATER), false),
            (IF_MODIFIED_SINCE, "yesterday", None, Some(DATE), false),
            (IF_MODIFIED_SINCE, DATE, None, None, false),
        ] {
            let conditions = Conditions::of(&headers(&[(name.clone(), value)]));
            let found =
                conditions.are_met_by(tag.map(str::as_bytes), modified.map(str::as_bytes), None);
            assert_eq!(found, is_met, "{name}: {value}");
        }
        // the tag decides alone (RFC 9110, 13.1.3)
        let both = headers(&[(IF_NONE_MATCH, "\"b\""), (IF_MODIFIED_SINCE, LATER)]);
        let conditions = Conditions::of(&both);
        assert!(!conditions.are_met_by(Some(b"\"a\""), Some(DATE.as_bytes()), None));
    }

    #[test]
    fn a_part_is_sent_of_the_very_same_only() {
        for (value, tag, is_allowed) in [
            ("\"a\"", Some("\"a\""), true),
            ("W/\"a\"", Some("W/\"a\""), false),
            ("\"a\"", Some("W/\"a\""), false),
            ("\"b\"", Some("\"a\""), false),
            (DATE, None, true),
            (LATER, None, false),
        ] {
            let found = allow_range(
                &headers(&[(IF_RANGE, value)]),
                tag.map(str::as_bytes),
                Some(DATE.as_bytes()),
            );
            assert_eq!(found, is_allowed, "{value}");
        }
    }
}
