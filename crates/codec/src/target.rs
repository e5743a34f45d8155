//! The request target in its forms (RFC 9112, 3.2). The path stays byte for byte what the
//! client sent: nothing is decoded or normalised here.

use bytes::{BufMut, Bytes, BytesMut};
use http::uri::PathAndQuery;
use http::{HeaderValue, Method, Uri};

use crate::Refused;
use crate::host::check_host;

/// A target as the rest of the gateway sees it: in origin-form, or `*`.
pub(crate) struct Target {
    pub(crate) uri: Uri,
    /// The authority of an absolute-form target. It takes the place of `Host`.
    pub(crate) authority: Option<HeaderValue>,
}

/// Reads a target. `CONNECT` has been refused before.
pub(crate) fn parse_target(target: Bytes, method: &Method) -> Result<Target, Refused> {
    match &target[..] {
        [b'/', ..] => Ok(Target {
            uri: path(target)?,
            authority: None,
        }),
        b"*" if method == Method::OPTIONS => Ok(Target {
            uri: asterisk(),
            authority: None,
        }),
        _ => absolute(&target, method),
    }
}

/// `http://host:port/path?query`; the scheme may be `https`, for a proxy in front may have
/// ended TLS.
fn absolute(target: &Bytes, method: &Method) -> Result<Target, Refused> {
    let start = scheme_length(target).ok_or(Refused::Target)?;
    let rest = target.slice(start..);
    let end = rest
        .iter()
        .position(|byte| matches!(byte, b'/' | b'?' | b'#'))
        .unwrap_or(rest.len());
    let authority = rest.slice(..end);
    check_host(&authority)?;
    let authority = HeaderValue::from_maybe_shared(authority).map_err(|_| Refused::Host)?;
    let rest = rest.slice(end..);
    let uri = match rest.first() {
        Some(b'/') => path(rest)?,
        // RFC 9112, 3.2.4: an OPTIONS without path is about the server as a whole
        None if method == Method::OPTIONS => asterisk(),
        None => Uri::from(PathAndQuery::from_static("/")),
        Some(_) => {
            let mut whole = BytesMut::with_capacity(rest.len() + 1);
            whole.put_u8(b'/');
            whole.put_slice(&rest);
            path(whole.freeze())?
        }
    };
    Ok(Target {
        uri,
        authority: Some(authority),
    })
}

fn scheme_length(target: &[u8]) -> Option<usize> {
    [&b"http://"[..], b"https://"]
        .into_iter()
        .find(|scheme| {
            target
                .get(..scheme.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(scheme))
        })
        .map(<[u8]>::len)
}

/// A path with its query. A fragment is never sent (RFC 9112, 3.2), and `http` would cut it off.
fn path(target: Bytes) -> Result<Uri, Refused> {
    if memchr::memchr(b'#', &target).is_some() {
        return Err(Refused::Target);
    }
    PathAndQuery::from_maybe_shared(target)
        .map(Uri::from)
        .map_err(|_| Refused::Target)
}

fn asterisk() -> Uri {
    Uri::from(PathAndQuery::from_static("*"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(target: &str, method: &Method) -> Result<(String, Option<String>), Refused> {
        let target = parse_target(Bytes::from(target.to_owned()), method)?;
        Ok((
            target.uri.to_string(),
            target
                .authority
                .map(|authority| authority.to_str().unwrap().to_owned()),
        ))
    }

    #[test]
    fn forms() {
        type Read = Result<(&'static str, Option<&'static str>), Refused>;
        let table: &[(&str, Method, Read)] = &[
            ("/", Method::GET, Ok(("/", None))),
            (
                "/a//b/../c%2f?x=%00&y=[1]|^{}`",
                Method::GET,
                Ok(("/a//b/../c%2f?x=%00&y=[1]|^{}`", None)),
            ),
            (
                "//evil.example/",
                Method::GET,
                Ok(("//evil.example/", None)),
            ),
            ("/\u{fc}?\u{fc}", Method::GET, Ok(("/\u{fc}?\u{fc}", None))),
            ("*", Method::OPTIONS, Ok(("*", None))),
            ("*", Method::GET, Err(Refused::Target)),
            (
                "http://a.example/x?y",
                Method::GET,
                Ok(("/x?y", Some("a.example"))),
            ),
            (
                "HTTPS://a.example:8443",
                Method::GET,
                Ok(("/", Some("a.example:8443"))),
            ),
            (
                "http://a.example?y",
                Method::GET,
                Ok(("/?y", Some("a.example"))),
            ),
            (
                "http://a.example",
                Method::OPTIONS,
                Ok(("*", Some("a.example"))),
            ),
            ("http://u@a.example/", Method::GET, Err(Refused::Host)),
            ("http:///x", Method::GET, Err(Refused::Host)),
            ("ftp://a.example/", Method::GET, Err(Refused::Target)),
            ("a.example:80", Method::GET, Err(Refused::Target)),
            ("a", Method::GET, Err(Refused::Target)),
            ("?x", Method::GET, Err(Refused::Target)),
            ("", Method::GET, Err(Refused::Target)),
            ("/a?\"", Method::GET, Err(Refused::Target)),
            ("/a<b>", Method::GET, Err(Refused::Target)),
            ("/a#b", Method::GET, Err(Refused::Target)),
            ("http://a.example#b", Method::GET, Err(Refused::Target)),
        ];
        for (target, method, expected) in table {
            let expected = expected.map(|(uri, host)| (uri.to_owned(), host.map(str::to_owned)));
            assert_eq!(read(target, method), expected, "`{target}`");
        }
    }
}
