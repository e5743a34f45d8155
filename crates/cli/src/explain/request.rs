//! The request that is asked about, as it was typed. Sends nothing.

use http::uri::Authority;
use http::{Method, Uri};

use crate::failure::Failure;

/// A request, as much of it as settings can decide about.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Asked {
    pub(crate) method: Method,
    /// Path and query, as they stand in the request line.
    pub(crate) target: String,
    /// What stands in `Host`.
    pub(crate) host: String,
    /// The port that was typed.
    pub(crate) port: Option<u16>,
    pub(crate) is_https: bool,
    /// `Name: value`, checked.
    pub(crate) headers: Vec<(String, String)>,
}

impl Asked {
    /// From `METHOD URL` or `URL`, and `Name: value` texts.
    pub(crate) fn read(words: &[String], headers: &[String]) -> Result<Self, Failure> {
        let (method, url) = match words {
            [method, url] => (method.as_str(), url.as_str()),
            [url] => ("GET", url.as_str()),
            _ => {
                return Err(Failure::usage(
                    "no request is named; write `mainstay explain GET http://shop.example/path`",
                ));
            }
        };
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| {
            Failure::usage(format!(
                "`{method}` is not a method; write one such as `GET`, before the URL"
            ))
        })?;
        let (is_https, authority, target) = take_apart(url)?;
        Ok(Self {
            method,
            target,
            port: authority.as_ref().and_then(Authority::port_u16),
            host: authority.map_or_else(|| "localhost".to_owned(), |host| host.to_string()),
            is_https,
            headers: headers
                .iter()
                .map(|header| field(header))
                .collect::<Result<_, _>>()?,
        })
    }

    /// The URL as it was understood.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.is_https { "https" } else { "http" };
        format!("{scheme}://{}{}", self.host, self.target)
    }

    /// The head as a client sends it.
    pub(crate) fn head(&self, more: &[(&str, &str)]) -> String {
        use std::fmt::Write as _;
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: {}\r\n",
            self.method, self.target, self.host
        );
        let own = self.headers.iter();
        let own = own.map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in own.chain(more.iter().copied()) {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        head
    }
}

/// Scheme, authority and target of a URL or of a mere path.
fn take_apart(url: &str) -> Result<(bool, Option<Authority>, String), Failure> {
    let wrong = || {
        Failure::usage(format!(
            "`{url}` is not a URL; write `http://shop.example/path`, or just `/path`"
        ))
    };
    if url.starts_with('/') {
        let is_sound = url.bytes().all(|byte| byte.is_ascii_graphic());
        return is_sound
            .then(|| (false, None, url.to_owned()))
            .ok_or_else(wrong);
    }
    let uri: Uri = url.parse().map_err(|_| wrong())?;
    let is_https = match uri.scheme_str() {
        Some("http") => false,
        Some("https") => true,
        _ => return Err(wrong()),
    };
    let authority = uri.authority().cloned().ok_or_else(wrong)?;
    if authority.as_str().contains('@') {
        return Err(Failure::usage(
            "the URL holds a name and password; send them with `-H 'Authorization: …'`",
        ));
    }
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    Ok((is_https, Some(authority), target.to_owned()))
}

fn field(header: &str) -> Result<(String, String), Failure> {
    let parts = header.split_once(':').map(|(name, value)| {
        let (name, value) = (name.trim(), value.trim());
        let is_sound = http::HeaderName::from_bytes(name.as_bytes()).is_ok()
            && http::HeaderValue::from_str(value).is_ok();
        (name.to_ascii_lowercase(), value.to_owned(), is_sound)
    });
    match parts {
        Some((name, _, true)) if ["host", "content-length", "connection"].contains(&&*name) => {
            Err(Failure::usage(format!(
                "`{name}` follows from the rest of the request; the host stands in the URL"
            )))
        }
        Some((name, value, true)) => Ok((name, value)),
        _ => Err(Failure::usage(format!(
            "`{header}` is not a header; write `-H 'Name: value'`"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Asked, Failure> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        Asked::read(&words, &[])
    }

    #[test]
    fn requests_are_read_as_people_type_them() {
        for (typed, method, host, target, port) in [
            ("/x?y=1", "GET", "localhost", "/x?y=1", None),
            ("POST /x", "POST", "localhost", "/x", None),
            ("https://a.example", "GET", "a.example", "/", None),
            (
                "HEAD http://a.example:81/x",
                "HEAD",
                "a.example:81",
                "/x",
                Some(81),
            ),
        ] {
            let asked = read(typed).expect(typed);
            assert_eq!(
                (
                    asked.method.as_str(),
                    &*asked.host,
                    &*asked.target,
                    asked.port
                ),
                (method, host, target, port),
                "{typed}"
            );
        }
        for typed in [
            "a.example/x",
            "ftp://a.example/",
            "G@T /",
            "http://u:p@a.example/",
            "/é",
        ] {
            assert!(read(typed).is_err(), "{typed}");
        }
        for header in ["x", "x: a\r\ny: b", "host: b", "a b: c"] {
            let headers = [header.to_owned()];
            assert!(
                Asked::read(&["/".to_owned()], &headers).is_err(),
                "{header}"
            );
        }
    }
}
