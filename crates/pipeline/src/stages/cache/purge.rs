//! What a purge is about. Forgets nothing itself.

use http::HeaderName;
use serde::{Deserialize, Serialize};

use super::stored::Head;

/// Fields by which answers say what they are about.
static TAGS: [HeaderName; 2] = [
    HeaderName::from_static("cache-tag"),
    HeaderName::from_static("surrogate-key"),
];

/// Forgetting kept answers before their time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purge {
    /// Which.
    pub extent: Extent,
    /// How.
    pub mode: PurgeMode,
}

/// Which answers are meant.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// All.
    All,
    /// Those of one URL, with scheme and host; a path alone means it on every host.
    Url(String),
    /// Those whose URL, or path, begins so.
    Prefix(String),
    /// Those whose URL, or path, is of this form; `*` stands for anything.
    Pattern(String),
    /// Those that carry this tag in `Cache-Tag` or `Surrogate-Key`.
    Tag(String),
}

/// What becomes of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PurgeMode {
    /// They are forgotten.
    #[default]
    Hard,
    /// They are stale: the origin is asked whether they still hold, and one may be used meanwhile if it says so.
    Soft,
}

/// Longer texts mean nothing that is kept.
const LONGEST: usize = 8 * 1024;

impl Extent {
    /// The same in the spelling of what is kept: scheme and host in lower case, without a usual port or a fragment. None: nothing can
    /// be meant by it.
    pub fn spelled(self) -> Option<Self> {
        let is_sound = |text: &str| {
            !text.is_empty()
                && text.len() <= LONGEST
                && text.bytes().all(|byte| byte > b' ' && byte != 0x7f)
        };
        let place = |text: String| {
            (is_sound(&text) && (text.starts_with('/') || text.contains("://")))
                .then(|| spelled(&text))
        };
        Some(match self {
            Self::All => Self::All,
            Self::Url(url) => {
                let mut url = url.split('#').next().unwrap_or_default().to_owned();
                if url.contains("://") && path(&url).is_empty() {
                    url.push('/');
                }
                Self::Url(place(url)?)
            }
            Self::Prefix(prefix) => Self::Prefix(place(prefix)?),
            Self::Pattern(pattern) if is_sound(&pattern) => Self::Pattern(spelled(&pattern)),
            Self::Tag(tag) if is_sound(&tag) && !tag.contains(',') => Self::Tag(tag),
            Self::Pattern(_) | Self::Tag(_) => return None,
        })
    }

    /// Whether an answer of this URL is meant. By tags nothing can be said of a URL.
    pub(super) fn is_about(&self, url: &str) -> bool {
        let meant = |text: &str| {
            if text.starts_with('/') {
                path(url)
            } else {
                url
            }
        };
        match self {
            Extent::All => true,
            Extent::Url(wanted) => meant(wanted) == wanted,
            Extent::Prefix(prefix) => meant(prefix).starts_with(prefix.as_str()),
            Extent::Pattern(pattern) => matches(pattern.as_bytes(), meant(pattern).as_bytes()),
            Extent::Tag(_) => false,
        }
    }
}

/// Scheme and host of a URL, or of its beginning, as keys have them.
fn spelled(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else {
        return text.to_owned();
    };
    let (scheme, end) = (
        scheme.to_ascii_lowercase(),
        rest.find('/').unwrap_or(rest.len()),
    );
    let (authority, path) = rest.split_at(end);
    let authority = authority.to_ascii_lowercase();
    let usual = match scheme.as_str() {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    // without a path, what is typed may go on
    let authority = match authority.strip_suffix(usual) {
        Some(host) if !path.is_empty() => host,
        _ => &authority,
    };
    format!("{scheme}://{authority}{path}")
}

/// Path and query of a URL that was made here.
fn path(url: &str) -> &str {
    let after_scheme = url.find("://").map_or(0, |at| at + 3);
    url[after_scheme..]
        .find('/')
        .map_or("", |at| &url[after_scheme + at..])
}

/// Whether text has the form; in the time of both lengths multiplied, whatever is in them.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut in_text) = (0, 0);
    let mut last_star = None;
    while in_text < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                last_star = Some((at, in_text));
                at += 1;
            }
            Some(byte) if *byte == text[in_text] => {
                at += 1;
                in_text += 1;
            }
            _ => {
                let Some((star, from)) = &mut last_star else {
                    return false;
                };
                *from += 1;
                (at, in_text) = (*star + 1, *from);
            }
        }
    }
    pattern[at..].iter().all(|byte| *byte == b'*')
}

/// Whether an answer carries a tag.
pub(super) fn has_tag(head: &Head, wanted: &str) -> bool {
    tags(head).any(|tag| tag == wanted.as_bytes())
}

/// The tags of an answer, which are parted by commas or blanks.
pub(super) fn tags(head: &Head) -> impl Iterator<Item = &[u8]> {
    let is_break = |byte: &u8| matches!(byte, b',' | b' ' | b'\t');
    let lines = TAGS.iter().flat_map(|field| head.values(field));
    let tags = lines.flat_map(move |line| line.split(is_break));
    tags.filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_spelled_as_keys_are() {
        let url = |text: &str| Extent::Url(text.to_owned()).spelled();
        for (typed, spelled) in [
            ("HTTPS://A.Example:443/Shop#top", "https://a.example/Shop"),
            ("http://a.example:443/", "http://a.example:443/"),
            ("http://a.example:80/?Q", "http://a.example/?Q"),
            ("/Shop", "/Shop"),
            ("http://a.example:80", "http://a.example/"),
        ] {
            assert_eq!(url(typed), Some(Extent::Url(spelled.to_owned())), "{typed}");
        }
        for typed in ["", "shop", "a.example/x", "/a b", "/a\n"] {
            assert_eq!(url(typed), None, "{typed}");
        }
        assert_eq!(Extent::Tag("a,b".to_owned()).spelled(), None);
        let begun = Extent::Prefix("https://A.example".to_owned()).spelled();
        assert_eq!(begun, Some(Extent::Prefix("https://a.example".to_owned())));
    }

    #[test]
    fn urls_are_meant_or_not() {
        const URL: &str = "https://a.example/shop/hats?page=2";
        for (extent, is_meant) in [
            (Extent::All, true),
            (Extent::Url(URL.to_owned()), true),
            (Extent::Url("/shop/hats?page=2".to_owned()), true),
            (Extent::Url("/shop/hats".to_owned()), false),
            (
                Extent::Url("https://b.example/shop/hats?page=2".to_owned()),
                false,
            ),
            (Extent::Prefix("/shop/".to_owned()), true),
            (Extent::Prefix("/sho".to_owned()), true),
            (Extent::Prefix("https://a.example/".to_owned()), true),
            (Extent::Prefix("a.example".to_owned()), false),
            (Extent::Pattern("/shop/*".to_owned()), true),
            (Extent::Pattern("*hats*page=*".to_owned()), true),
            (Extent::Pattern("/shop/*/x".to_owned()), false),
            (Extent::Pattern("/*/hats*2".to_owned()), true),
            (Extent::Pattern("/*/hats*3".to_owned()), false),
        ] {
            assert_eq!(extent.is_about(URL), is_meant, "{extent:?}");
        }
    }
}
