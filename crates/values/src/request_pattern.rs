//! Which requests a rule is for: methods, host and path in one line. Knows no request.

use std::fmt;
use std::str::FromStr;

use crate::text::travels_as_text;
use crate::{BadValue, HostPattern, PathPattern};

/// More methods than there are.
const MOST_METHODS: usize = 16;

/// Requests as a rule names them: `POST api.example.com/auth/*`, `/api`, `GET,POST *.example.com`, `DELETE`.
///
/// Each part may be left out, and then any will do. `GET` means `HEAD` too, which is answered alike.
/// A path means itself and everything below; a rule that must not be evaded by spelling asks
/// [`PathPattern::covers`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestPattern {
    /// In upper case; empty for any.
    methods: Vec<String>,
    host: Option<HostPattern>,
    path: Option<PathPattern>,
}

impl RequestPattern {
    /// Whether a request is meant: its method, its host without port, which is looked for only if it matters, and its path,
    /// of which `is_below` says whether it is below a pattern. Does not allocate.
    pub fn matches<'a>(
        &self,
        method: &str,
        host: impl FnOnce() -> &'a str,
        is_below: impl FnOnce(&PathPattern) -> bool,
    ) -> bool {
        self.matches_method(method)
            && self.host.as_ref().is_none_or(|known| known.matches(host()))
            && self.path.as_ref().is_none_or(is_below)
    }

    /// Whether it looks at paths at all.
    pub fn has_path(&self) -> bool {
        self.path.is_some()
    }

    fn matches_method(&self, method: &str) -> bool {
        let asked = if method == "HEAD" { "GET" } else { method };
        self.methods.is_empty()
            || self
                .methods
                .iter()
                .any(|known| known == asked || known == method)
    }
}

impl FromStr for RequestPattern {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        if text.contains("://") {
            return Err(not_a_pattern().hint("leave the scheme out: both are meant"));
        }
        let mut words = text.split_ascii_whitespace();
        let (methods, place) = match (words.next(), words.next(), words.next()) {
            (Some(word), None, _) if is_methods(word) => (word, ""),
            (Some(place), None, _) => ("", place),
            (Some(methods), Some(place), None) if is_methods(methods) => (methods, place),
            (Some(methods), Some(_), None) => {
                let methods = methods.to_ascii_uppercase();
                let hint = format!("methods come first, in upper case: `{methods} …`");
                return Err(if is_methods(&methods) {
                    not_a_pattern().hint(hint)
                } else {
                    not_a_pattern()
                });
            }
            _ => return Err(not_a_pattern()),
        };
        let slash = place.find('/').unwrap_or(place.len());
        let (host, path) = place.split_at(slash);
        let mut methods: Vec<String> = methods
            .split(',')
            .filter(|method| !method.is_empty())
            .map(str::to_owned)
            .collect();
        methods.sort();
        methods.dedup();
        if methods.len() > MOST_METHODS {
            return Err(not_a_pattern().hint(format!("name at most {MOST_METHODS} methods")));
        }
        let inside = |cause: BadValue| BadValue {
            hint: cause.hint.or(Some(format!("wanted: {}", cause.expected))),
            ..not_a_pattern()
        };
        Ok(Self {
            methods,
            host: (!host.is_empty())
                .then(|| host.parse().map_err(inside))
                .transpose()?,
            path: (!path.is_empty())
                .then(|| path.parse().map_err(inside))
                .transpose()?,
        })
    }
}

/// `GET`, `GET,POST`: upper case, so that `localhost` is a host.
fn is_methods(word: &str) -> bool {
    word.split(',').all(|method| {
        (1..=20).contains(&method.len())
            && method
                .bytes()
                .all(|byte| byte.is_ascii_uppercase() || byte == b'-')
    })
}

impl fmt::Display for RequestPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.methods.join(","))?;
        if !self.methods.is_empty() && (self.host.is_some() || self.path.is_some()) {
            f.write_str(" ")?;
        }
        if let Some(host) = &self.host {
            write!(f, "{host}")?;
        }
        if let Some(path) = &self.path {
            write!(f, "{path}")?;
        }
        Ok(())
    }
}

travels_as_text!(RequestPattern);

fn not_a_pattern() -> BadValue {
    BadValue::new(
        "a kind of request",
        "methods, host and path, each as needed, such as `POST api.example.com/auth` or `/api`",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn matches() {
        for (pattern, method, host, path, expected) in [
            ("/api", "GET", "a.example", "/api/x", true),
            ("/api", "GET", "a.example", "/API/x", true),
            ("/api", "GET", "a.example", "/apix", false),
            ("/", "GET", "", "/x", true),
            ("POST /login", "POST", "", "/login", true),
            ("POST /login", "GET", "", "/login", false),
            ("GET /x", "HEAD", "", "/x", true),
            ("HEAD /x", "GET", "", "/x", false),
            ("GET,POST /x", "POST", "", "/x", true),
            ("DELETE", "DELETE", "any", "/x", true),
            ("DELETE", "GET", "any", "/x", false),
            ("api.example.com", "GET", "API.example.com", "/", true),
            ("api.example.com", "GET", "example.com", "/", false),
            (
                "*.example.com/auth/*",
                "PUT",
                "a.example.com",
                "/auth",
                true,
            ),
            (
                "POST api.example.com/auth/*",
                "POST",
                "api.example.com",
                "/Auth/x",
                true,
            ),
            (
                "POST api.example.com/auth/*",
                "POST",
                "other",
                "/auth/x",
                false,
            ),
            ("localhost", "GET", "localhost", "/x", true),
        ] {
            let pattern: RequestPattern = pattern.parse().expect(pattern);
            let found = pattern.matches(method, || host, |below| below.covers(path.as_bytes()));
            assert_eq!(found, expected, "{pattern} {method} {host} {path}");
            assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
    }

    #[test]
    fn refuses_what_is_no_pattern() {
        for text in [
            "",
            "post /login",
            "POST /a /b",
            "https://example.com/x",
            "POST, /x",
            "/a*",
            "ex*mple.com/",
            "GET /a b",
        ] {
            assert!(text.parse::<RequestPattern>().is_err(), "{text}");
        }
    }

    /// What a line of methods, host and path means, told the long way.
    #[derive(Clone, Debug)]
    struct Naive {
        methods: Vec<String>,
        /// With whether it begins with `*.`.
        host: Option<(bool, String)>,
        /// Its segments.
        path: Option<Vec<String>>,
    }

    impl Naive {
        fn line(&self) -> String {
            let host = match &self.host {
                None => String::new(),
                Some((true, name)) => format!("*.{name}"),
                Some((false, name)) => name.clone(),
            };
            let path = match &self.path {
                None => String::new(),
                Some(segments) => format!("/{}", segments.join("/")),
            };
            format!("{} {host}{path}", self.methods.join(","))
        }

        fn means(&self, method: &str, host: &str, path: &[String]) -> bool {
            let has = |name: &str| self.methods.iter().any(|known| known == name);
            let is_method =
                self.methods.is_empty() || has(method) || method == "HEAD" && has("GET");
            let host = host.to_lowercase();
            let is_host = self.host.as_ref().is_none_or(|(below, name)| match below {
                true => host.ends_with(&format!(".{name}")) && host.len() > name.len() + 1,
                false => host == *name,
            });
            let lower = |segments: &[String]| -> Vec<String> {
                segments
                    .iter()
                    .map(|segment| segment.to_lowercase())
                    .collect()
            };
            let is_path = self
                .path
                .as_ref()
                .is_none_or(|own| lower(path).starts_with(&lower(own)));
            is_method && is_host && is_path
        }
    }

    fn naive() -> impl Strategy<Value = Naive> {
        let method = prop::sample::select(vec!["GET", "HEAD", "POST", "M-SEARCH"]);
        let methods = prop::collection::vec(method.prop_map(str::to_owned), 0..4);
        let host = (any::<bool>(), "[a-c](\\.[a-c]){0,2}");
        let path = prop::collection::vec("[abAB]{1,2}", 0..3);
        (methods, prop::option::of(host), prop::option::of(path))
            .prop_map(|(methods, host, path)| Naive {
                methods,
                host,
                path,
            })
            .prop_filter("a line says something", |naive| {
                !naive.line().trim().is_empty()
            })
    }

    proptest! {
        #[test]
        fn any_text_is_refused_or_prints_as_what_is_read_to_the_same(
            text in "\\PC{0,40}|[A-Z,]{0,8} ?[a-z.*]{0,8}[/a-z%*.;0-9]{0,12}",
        ) {
            if let Ok(pattern) = text.parse::<RequestPattern>() {
                prop_assert_eq!(pattern.to_string().parse::<RequestPattern>(), Ok(pattern));
            }
        }

        #[test]
        fn a_rule_means_what_it_says(
            rule in naive(),
            method in prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "M-SEARCH"]),
            host in "[a-cA-C](\\.[a-c]){0,3}",
            path in prop::collection::vec("[abAB]{1,2}", 0..4),
        ) {
            let pattern: RequestPattern = rule.line().parse().expect("a rule");
            let sent = format!("/{}", path.join("/"));
            let found = pattern.matches(method, || &host, |below| below.covers(sent.as_bytes()));
            prop_assert_eq!(found, rule.means(method, &host, &path), "{} {} {}{}", pattern, method, host, sent);
        }
    }
}
