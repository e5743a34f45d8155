//! What the cache says in `Cache-Status`, as a sentence for people. Decides nothing.

/// What became of a request, by our own member of `Cache-Status` (RFC 9211), which stands last. None: it says nothing of us.
pub fn cache_sentence(field: &str) -> Option<String> {
    let own = field.rsplit(',').map(str::trim).find(|member| {
        let name = member.split(';').next().unwrap_or_default();
        name.trim() == "mainstay"
    })?;
    Some(Said::of(own).sentence())
}

/// The parameters of our member.
#[derive(Default)]
struct Said<'a> {
    is_hit: bool,
    forwarded: Option<&'a str>,
    status: Option<&'a str>,
    left: Option<i64>,
    is_stored: bool,
    is_collapsed: bool,
    detail: Option<&'a str>,
}

impl<'a> Said<'a> {
    fn of(member: &'a str) -> Self {
        let mut said = Self::default();
        for parameter in member.split(';').skip(1) {
            let (name, value) = parameter
                .trim()
                .split_once('=')
                .unwrap_or((parameter.trim(), ""));
            match name {
                "hit" => said.is_hit = true,
                "stored" => said.is_stored = true,
                "collapsed" => said.is_collapsed = true,
                "fwd" => said.forwarded = Some(value),
                "fwd-status" => said.status = Some(value),
                "ttl" => said.left = value.parse().ok(),
                "detail" => said.detail = Some(value),
                _ => {}
            }
        }
        said
    }

    fn sentence(&self) -> String {
        let left = self.left.unwrap_or_default();
        if self.detail == Some("origin_failed") {
            let asked = self.status.map_or_else(
                || "the app failed".to_owned(),
                |status| format!("the app answered {status}"),
            );
            return format!(
                "{asked}, and a kept answer was used in its place, {} s after its time",
                -left
            );
        }
        if self.is_hit {
            let from = if self.detail == Some("store") {
                "another machine had fetched it, and it came from the store"
            } else {
                "it was kept here"
            };
            return if left >= 0 {
                format!("a hit: {from}, and stays fresh for {left} s")
            } else {
                format!(
                    "a stale hit: {from}; its time was over {} s ago, and it may still be used",
                    -left
                )
            };
        }
        let Some(forwarded) = self.forwarded else {
            return format!(
                "it was just being fetched for somebody else, and is fresh for {left} s"
            );
        };
        let asked = self.asked(forwarded);
        format!("{asked}; {}", self.kept())
    }

    /// Why the app was asked.
    fn asked(&self, forwarded: &str) -> String {
        let together = if self.is_collapsed {
            ", after waiting for somebody else's request"
        } else {
            ""
        };
        let why = match forwarded {
            "uri-miss" => "the app was asked, since nothing was kept of this URL",
            "vary-miss" => {
                "the app was asked, since what is kept of this URL is for other request headers (`Vary`)"
            }
            "stale" if self.status == Some("304") => {
                "the time of what was kept was over, and the app said that it still holds"
            }
            "stale" => "the app was asked, since the time of what was kept was over",
            "request" => {
                "the app was asked, since the request wants a fresher answer (`Cache-Control`)"
            }
            "method" => "the app was asked, since only GET and HEAD are answered from what is kept",
            _ => "the app was asked, past the cache",
        };
        format!("{why}{together}")
    }

    /// Whether its answer was kept, and if not why.
    fn kept(&self) -> String {
        if self.is_stored {
            return match self.left {
                Some(left) if left > 0 => format!("its answer is kept, and fresh for {left} s"),
                _ => {
                    "its answer is kept, and the app is asked each time whether it holds".to_owned()
                }
            };
        }
        let is_wish = self.forwarded == Some("request");
        match self.detail {
            Some("no_store") if is_wish => {
                "its answer is not kept, as the request wants (`no-store`)".to_owned()
            }
            Some(word) => unkept(word).map_or_else(
                || format!("its answer is not kept ({word})"),
                |why| format!("its answer is not kept: {why}"),
            ),
            None => "its answer is not kept".to_owned(),
        }
    }
}

/// Why an answer is not kept, by its word.
fn unkept(word: &str) -> Option<&'static str> {
    Some(match word {
        "authorization" => {
            "the request carries credentials, or its sender was verified; `credentials = \"share\"` lets such requests share answers that say `public`"
        }
        "body" => "the request has a body",
        "cookie" => {
            "the request carries cookies; `ignore_cookies` names those that mean nothing to the app"
        }
        "credentials" => {
            "the request carries cookies or credentials, and the answer does not say `public` or `s-maxage`"
        }
        "method" => "only answers to GET are",
        "no_freshness" => {
            "it does not say how long it is fresh (`Cache-Control: max-age`, `Expires`), and no `ttl` is set"
        }
        "no_store" => "it says `no-store`",
        "off" => "the cache is off on this route",
        "outdated" => "the URL was changed or purged while it came",
        "override" => "the request has a header that some servers take for the method or the path",
        "partial" => {
            "the request asks for a part, or for the head alone, and nothing was there to take it from"
        }
        "precondition" => {
            "the request has a condition that only the app can judge (`If-Match`, `If-Unmodified-Since`)"
        }
        "private" => "it says `private`",
        "set_cookie" => "it sets a cookie",
        "status" => "answers of this status never are",
        "target" => "the request is for no path",
        "too_large" => "it is larger than `object_limit`, or than there is room for",
        "upgrade" => "the request asks for another protocol",
        "vary_any" => "it depends on more than requests tell (`Vary`)",
        "vary_on_client" => "it depends on who asks (`Vary` on a field that tells of the client)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_word_has_its_sentence() {
        for (field, wanted) in [
            (
                "mainstay; hit; ttl=42",
                "a hit: it was kept here, and stays fresh for 42 s",
            ),
            (
                "cdn; hit, mainstay; hit; ttl=-3",
                "a stale hit: it was kept here; its time was over 3 s ago, and it may still be used",
            ),
            (
                "mainstay; fwd=uri-miss; fwd-status=200; ttl=60; stored",
                "the app was asked, since nothing was kept of this URL; its answer is kept, and fresh for 60 s",
            ),
            (
                "mainstay; fwd=uri-miss; fwd-status=200; detail=set_cookie",
                "the app was asked, since nothing was kept of this URL; its answer is not kept: it sets a cookie",
            ),
            (
                "mainstay; fwd=request; fwd-status=200; detail=no_store",
                "the app was asked, since the request wants a fresher answer (`Cache-Control`); its answer is not kept, as the request wants (`no-store`)",
            ),
            (
                "mainstay; fwd=stale; fwd-status=503; ttl=-7; detail=origin_failed",
                "the app answered 503, and a kept answer was used in its place, 7 s after its time",
            ),
            (
                "mainstay; ttl=60; collapsed",
                "it was just being fetched for somebody else, and is fresh for 60 s",
            ),
            (
                "mainstay; fwd=stale; fwd-status=304; ttl=60; stored",
                "the time of what was kept was over, and the app said that it still holds; its answer is kept, and fresh for 60 s",
            ),
        ] {
            assert_eq!(cache_sentence(field).as_deref(), Some(wanted), "{field}");
        }
        assert_eq!(cache_sentence("cdn; hit"), None);
        for unkept in super::super::terms::Unkept::ALL {
            assert!(super::unkept(unkept.word()).is_some(), "{unkept:?}");
        }
    }
}
