//! The credentials a request shows, and where. Verifies none of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, Uri};
use mainstay_values::Secret;

use super::options::Method;

/// A longer user or password is nobody's.
const LONGEST: usize = 1_024;

/// Where credentials may stand, beside `Authorization`.
#[derive(Clone, Debug)]
pub(super) struct Places {
    pub(super) methods: Vec<Method>,
    /// The field of a key.
    pub(super) key_header: HeaderName,
    /// The query parameter of a key.
    pub(super) key_query: Option<Box<str>>,
    /// The cookies of tokens.
    pub(super) cookies: Vec<Box<str>>,
}

/// What a request shows.
#[derive(Debug)]
pub(super) enum Shown<'a> {
    Nothing,
    /// RFC 7617.
    Password {
        user: String,
        password: Secret,
    },
    Key(&'a [u8], Place),
    Token(&'a str, Place),
    /// What cannot be read, and why, in a word.
    Unreadable(&'static str),
}

/// Where it stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Authorization,
    KeyHeader,
    Query,
    Cookie,
    /// In no place that we know: another server saw it.
    Nowhere,
}

impl Places {
    /// What is shown first, in this order: the key's own field, `Authorization`, the token's cookie, the query.
    pub(super) fn find<'a>(&self, headers: &'a HeaderMap, uri: &'a Uri) -> Shown<'a> {
        let has_keys = self.methods.contains(&Method::Key);
        if has_keys && let Some(key) = headers.get(&self.key_header) {
            return Shown::Key(key.as_bytes(), Place::KeyHeader);
        }
        match self.authorization(headers) {
            Shown::Nothing => {}
            shown => return shown,
        }
        if self.methods.contains(&Method::Jwt)
            && let Some(token) = self.cookies.iter().find_map(|name| cookie(headers, name))
        {
            return Shown::Token(token, Place::Cookie);
        }
        if has_keys
            && let Some(name) = &self.key_query
            && let Some(key) = parameter(uri.query().unwrap_or(""), name)
        {
            return Shown::Key(key.as_bytes(), Place::Query);
        }
        Shown::Nothing
    }

    fn authorization<'a>(&self, headers: &'a HeaderMap) -> Shown<'a> {
        let mut values = headers.get_all(AUTHORIZATION).iter();
        let Some(value) = values.next() else {
            return Shown::Nothing;
        };
        if values.next().is_some() {
            // the app might believe the other one
            return Shown::Unreadable("credentials_twice");
        }
        let Ok(text) = str::from_utf8(value.as_bytes()) else {
            return Shown::Unreadable("credentials_malformed");
        };
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        let rest = rest.trim_matches(' ');
        let accepts = |method| self.methods.contains(&method);
        if scheme.eq_ignore_ascii_case("basic") && accepts(Method::Basic) {
            return basic(rest);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Shown::Nothing;
        }
        // a token has two points (RFC 7515, 3.1), a key of ours none
        let is_token = rest.bytes().filter(|byte| *byte == b'.').count() == 2;
        match (accepts(Method::Jwt), accepts(Method::Key)) {
            (true, false) => Shown::Token(rest, Place::Authorization),
            (true, true) if is_token => Shown::Token(rest, Place::Authorization),
            (_, true) => Shown::Key(rest.as_bytes(), Place::Authorization),
            (false, false) => Shown::Nothing,
        }
    }
}

/// RFC 7617, 2: the user has no colon, the password may; both are UTF-8 without control characters.
fn basic(text: &str) -> Shown<'static> {
    let malformed = Shown::Unreadable("credentials_malformed");
    if text.len() > 4 * LONGEST {
        return malformed;
    }
    let decoded = STANDARD.decode(text).ok().map(String::from_utf8);
    let Some(Ok(decoded)) = decoded else {
        return malformed;
    };
    let whole = Secret::new(decoded);
    let Some((user, password)) = whole.expose().split_once(':') else {
        return malformed;
    };
    if user.len() > LONGEST || password.len() > LONGEST || whole.expose().contains(char::is_control)
    {
        return malformed;
    }
    Shown::Password {
        user: user.to_owned(),
        password: Secret::new(password.to_owned()),
    }
}

/// The first cookie of that name (RFC 6265, 4.2.1).
fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter();
    lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.trim_matches('"'))
}

/// The first parameter spelled exactly so, not decoded: another spelling would not be masked in logs.
fn parameter<'a>(query: &'a str, name: &str) -> Option<&'a str> {
    query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value)
}

/// The target without every parameter of that name.
pub(super) fn without_parameter(uri: &Uri, name: &str) -> Option<Uri> {
    let query = uri.query()?;
    let kept: Vec<&str> = query
        .split('&')
        .filter(|pair| pair.split_once('=').map_or(*pair, |(known, _)| known) != name)
        .collect();
    let target = if kept.is_empty() {
        uri.path().to_owned()
    } else {
        format!("{}?{}", uri.path(), kept.join("&"))
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.parse().ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use proptest::prelude::*;

    fn places(methods: &[Method]) -> Places {
        Places {
            methods: methods.to_vec(),
            key_header: HeaderName::from_static("x-api-key"),
            key_query: Some("api_key".into()),
            cookies: vec!["session".into()],
        }
    }

    fn found(methods: &[Method], fields: &[(&'static str, &str)], target: &str) -> String {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, HeaderValue::from_str(value).expect("a value"));
        }
        let uri = target.parse().expect("a target");
        match places(methods).find(&headers, &uri) {
            Shown::Nothing => "nothing".to_owned(),
            Shown::Password { user, password } => format!("{user} {}", password.expose()),
            Shown::Key(key, place) => format!("key {} {place:?}", String::from_utf8_lossy(key)),
            Shown::Token(token, place) => format!("token {token} {place:?}"),
            Shown::Unreadable(reason) => reason.to_owned(),
        }
    }

    const ALL: [Method; 3] = [Method::Basic, Method::Key, Method::Jwt];

    #[test]
    fn credentials_are_found_where_they_may_stand() {
        // RFC 7617, 2 and 2.1
        for (value, shown) in [
            ("Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "Aladdin open sesame"),
            ("basic dGVzdDoxMjPCow==", "test 123£"),
            ("BASIC   YTpiOmM=", "a b:c"),
            ("Basic YWJj", "credentials_malformed"),
            ("Basic !!!", "credentials_malformed"),
            ("Basic", "credentials_malformed"),
            ("Basic YTpiCg==", "credentials_malformed"),
            ("Digest username=\"a\"", "nothing"),
            ("Bearer a.b.c", "token a.b.c Authorization"),
            ("bearer mk_x", "key mk_x Authorization"),
        ] {
            assert_eq!(
                found(&ALL, &[("authorization", value)], "/"),
                shown,
                "{value}"
            );
        }
        for (fields, target, shown) in [
            (
                &[("x-api-key", "mk_x"), ("authorization", "Basic YTpi")][..],
                "/",
                "key mk_x KeyHeader",
            ),
            (
                &[
                    ("authorization", "Basic YTpi"),
                    ("authorization", "Basic YTpj"),
                ],
                "/",
                "credentials_twice",
            ),
            (
                &[("cookie", "a=b; session=x.y.z")],
                "/",
                "token x.y.z Cookie",
            ),
            (
                &[("cookie", "xsession=1"), ("cookie", "session=\"t\"")],
                "/",
                "token t Cookie",
            ),
            (&[], "/?a=1&api_key=mk_x&b", "key mk_x Query"),
            (&[], "/?%61pi_key=mk_x", "nothing"),
            (&[], "/", "nothing"),
        ] {
            assert_eq!(found(&ALL, fields, target), shown, "{fields:?} {target}");
        }
    }

    #[test]
    fn what_is_not_accepted_is_not_looked_for() {
        let fields = [
            ("authorization", "Basic YTpi"),
            ("x-api-key", "mk_x"),
            ("cookie", "session=x.y.z"),
        ];
        assert_eq!(found(&[], &fields, "/?api_key=a"), "nothing");
        assert_eq!(found(&[Method::Jwt], &fields, "/"), "token x.y.z Cookie");
        let bearer = [("authorization", "Bearer a.b.c")];
        assert_eq!(
            found(&[Method::Key], &bearer, "/"),
            "key a.b.c Authorization"
        );
        assert_eq!(found(&[Method::Basic], &bearer, "/"), "nothing");
    }

    #[test]
    fn a_key_leaves_no_trace_in_the_target() {
        for (before, after) in [
            ("/a?api_key=x", "/a"),
            ("/a?b=1&api_key=x&c", "/a?b=1&c"),
            ("/a?api_key=x&api_key=y&api_keys=z", "/a?api_keys=z"),
        ] {
            let uri: Uri = before.parse().expect("a target");
            let left = without_parameter(&uri, "api_key").expect("a target");
            assert_eq!(left.to_string(), after);
        }
    }

    proptest! {
        #[test]
        fn no_field_breaks_it(value in "(?i:basic|bearer)? ?[ -~]{0,64}", query in "[!-~&&[^#\"<>`{}]]{0,32}") {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(&value).expect("visible"));
            headers.insert(COOKIE, HeaderValue::from_str(&value).expect("visible"));
            if let Ok(uri) = format!("/?{query}").parse::<Uri>() {
                let _ = places(&ALL).find(&headers, &uri);
                let left = without_parameter(&uri, "api_key");
                let query = left.as_ref().and_then(|uri| uri.query()).unwrap_or("");
                prop_assert!(parameter(query, "api_key").is_none());
            }
        }

        #[test]
        fn users_and_passwords_come_out_as_they_went_in(user in "[^:\\pC]{0,20}", password in "\\PC{0,20}") {
            let text = STANDARD.encode(format!("{user}:{password}"));
            let Shown::Password { user: read, password: secret } = basic(&text) else {
                return Err(TestCaseError::fail("unreadable"));
            };
            prop_assert_eq!((read, secret.expose()), (user, password.as_str()));
        }
    }
}
