//! What a 401 asks for: `WWW-Authenticate` (RFC 9110, 11.6.1; RFC 7617; RFC 6750). Decides nothing.

use http::HeaderValue;

use super::options::Method;

/// The challenges of a route, one for each scheme that it accepts.
#[derive(Debug, Default)]
pub(super) struct Challenges {
    basic: Option<HeaderValue>,
    bearer: Option<Box<str>>,
}

impl Challenges {
    /// `realm` is visible ASCII without `"` and `\`.
    pub(super) fn new(methods: &[Method], realm: &str) -> Self {
        let has = |method| methods.contains(&method);
        let basic = format!("Basic realm=\"{realm}\", charset=\"UTF-8\"");
        Self {
            basic: has(Method::Basic)
                .then(|| HeaderValue::try_from(basic).ok())
                .flatten(),
            bearer: (has(Method::Key) || has(Method::Jwt))
                .then(|| format!("Bearer realm=\"{realm}\"").into()),
        }
    }

    /// What is sent with a 401: `flaw` says in words what is wrong with a token that was shown (RFC 6750, 3.1).
    pub(super) fn lines(&self, flaw: Option<&'static str>) -> Vec<HeaderValue> {
        let bearer = self.bearer.as_ref().and_then(|bearer| {
            let line = match flaw {
                None => bearer.to_string(),
                Some(flaw) => {
                    format!("{bearer}, error=\"invalid_token\", error_description=\"{flaw}\"")
                }
            };
            HeaderValue::try_from(line).ok()
        });
        self.basic.iter().cloned().chain(bearer).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_has_its_line() {
        let lines = |methods: &[Method], flaw| {
            let challenges = Challenges::new(methods, "staging");
            let lines = challenges.lines(flaw).into_iter();
            lines
                .map(|line| line.to_str().expect("text").to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            lines(&[Method::Basic, Method::Key], None),
            [
                "Basic realm=\"staging\", charset=\"UTF-8\"",
                "Bearer realm=\"staging\""
            ]
        );
        assert_eq!(
            lines(&[Method::Jwt], Some("it has expired")),
            [
                "Bearer realm=\"staging\", error=\"invalid_token\", error_description=\"it has expired\""
            ]
        );
        assert!(lines(&[], None).is_empty());
    }
}
