//! The field names met every day, found without allocating. `http` knows the names of the
//! standards; for each of the others it would make a copy, and browsers send half a dozen of
//! those with every request. A name missing here costs time, nothing else.

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::HeadFault;

/// Reads a name, hands it to `read`, and appends name and value to the map.
///
/// An everyday name goes into the map by reference: to hand such a value from function to
/// function costs more than to find it.
pub(crate) fn append<E: From<HeadFault>>(
    headers: &mut HeaderMap,
    name: &str,
    value: HeaderValue,
    read: impl FnOnce(&HeaderName) -> Result<(), E>,
) -> Result<(), E> {
    if let Some(name) = everyday(name) {
        read(name)?;
        headers.append(name, value);
    } else {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeadFault::FieldName)?;
        read(&name)?;
        headers.append(name, value);
    }
    Ok(())
}

/// Told apart by length first, so that few names are compared, and compared exactly, in the two
/// spellings that clients and servers use: that is a few loads each, where folding the case is
/// a loop.
fn everyday(name: &str) -> Option<&'static HeaderName> {
    macro_rules! first_of {
        ($($lower:literal, $title:literal => $constant:expr,)*) => {{
            $(if name == $lower || name == $title {
                static NAME: HeaderName = $constant;
                return Some(&NAME);
            })*
            None
        }};
    }
    match name.len() {
        4 => first_of! {
            "host", "Host" => header::HOST,
            "date", "Date" => header::DATE,
            "etag", "ETag" => header::ETAG,
            "vary", "Vary" => header::VARY,
        },
        6 => first_of! {
            "accept", "Accept" => header::ACCEPT,
            "cookie", "Cookie" => header::COOKIE,
            "origin", "Origin" => header::ORIGIN,
            "pragma", "Pragma" => header::PRAGMA,
            "server", "Server" => header::SERVER,
        },
        7 => first_of! {
            "referer", "Referer" => header::REFERER,
            "upgrade", "Upgrade" => header::UPGRADE,
        },
        8 => first_of! {
            "priority", "Priority" => HeaderName::from_static("priority"),
        },
        9 => first_of! {
            "sec-ch-ua", "Sec-CH-UA" => HeaderName::from_static("sec-ch-ua"),
        },
        10 => first_of! {
            "connection", "Connection" => header::CONNECTION,
            "user-agent", "User-Agent" => header::USER_AGENT,
            "set-cookie", "Set-Cookie" => header::SET_COOKIE,
            "keep-alive", "Keep-Alive" => HeaderName::from_static("keep-alive"),
        },
        11 => first_of! {
            "retry-after", "Retry-After" => header::RETRY_AFTER,
            "traceparent", "Traceparent" => HeaderName::from_static("traceparent"),
        },
        12 => first_of! {
            "content-type", "Content-Type" => header::CONTENT_TYPE,
            "x-request-id", "X-Request-Id" => HeaderName::from_static("x-request-id"),
            "x-powered-by", "X-Powered-By" => HeaderName::from_static("x-powered-by"),
        },
        13 => first_of! {
            "cache-control", "Cache-Control" => header::CACHE_CONTROL,
            "if-none-match", "If-None-Match" => header::IF_NONE_MATCH,
            "last-modified", "Last-Modified" => header::LAST_MODIFIED,
            "authorization", "Authorization" => header::AUTHORIZATION,
            "accept-ranges", "Accept-Ranges" => header::ACCEPT_RANGES,
        },
        14 => first_of! {
            "content-length", "Content-Length" => header::CONTENT_LENGTH,
            "sec-fetch-site", "Sec-Fetch-Site" => HeaderName::from_static("sec-fetch-site"),
            "sec-fetch-mode", "Sec-Fetch-Mode" => HeaderName::from_static("sec-fetch-mode"),
            "sec-fetch-dest", "Sec-Fetch-Dest" => HeaderName::from_static("sec-fetch-dest"),
            "sec-fetch-user", "Sec-Fetch-User" => HeaderName::from_static("sec-fetch-user"),
        },
        15 => first_of! {
            "accept-encoding", "Accept-Encoding" => header::ACCEPT_ENCODING,
            "accept-language", "Accept-Language" => header::ACCEPT_LANGUAGE,
            "x-forwarded-for", "X-Forwarded-For" => HeaderName::from_static("x-forwarded-for"),
            "x-amzn-trace-id", "X-Amzn-Trace-Id" => HeaderName::from_static("x-amzn-trace-id"),
        },
        16 => first_of! {
            "content-encoding", "Content-Encoding" => header::CONTENT_ENCODING,
            "sec-ch-ua-mobile", "Sec-Ch-Ua-Mobile" => HeaderName::from_static("sec-ch-ua-mobile"),
            "x-forwarded-host", "X-Forwarded-Host" => HeaderName::from_static("x-forwarded-host"),
            "x-forwarded-port", "X-Forwarded-Port" => HeaderName::from_static("x-forwarded-port"),
            "x-requested-with", "X-Requested-With" => HeaderName::from_static("x-requested-with"),
        },
        17 => first_of! {
            "transfer-encoding", "Transfer-Encoding" => header::TRANSFER_ENCODING,
            "if-modified-since", "If-Modified-Since" => header::IF_MODIFIED_SINCE,
            "x-forwarded-proto", "X-Forwarded-Proto" => HeaderName::from_static("x-forwarded-proto"),
        },
        18 => first_of! {
            "sec-ch-ua-platform", "Sec-Ch-Ua-Platform" => HeaderName::from_static("sec-ch-ua-platform"),
        },
        25 => first_of! {
            "upgrade-insecure-requests", "Upgrade-Insecure-Requests" => header::UPGRADE_INSECURE_REQUESTS,
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everyday_names_are_what_http_makes_of_them() {
        let names = "host Host date Date etag ETag vary Vary accept Accept cookie Cookie origin \
            Origin pragma Pragma server Server referer Referer upgrade Upgrade priority \
            Priority sec-ch-ua Sec-CH-UA connection Connection user-agent User-Agent \
            set-cookie Set-Cookie keep-alive Keep-Alive retry-after Retry-After traceparent \
            Traceparent content-type Content-Type x-request-id X-Request-Id x-powered-by \
            X-Powered-By cache-control Cache-Control if-none-match If-None-Match \
            last-modified Last-Modified authorization Authorization accept-ranges \
            Accept-Ranges content-length Content-Length sec-fetch-site Sec-Fetch-Site \
            sec-fetch-mode Sec-Fetch-Mode sec-fetch-dest Sec-Fetch-Dest sec-fetch-user \
            Sec-Fetch-User accept-encoding Accept-Encoding accept-language Accept-Language \
            x-forwarded-for X-Forwarded-For x-amzn-trace-id X-Amzn-Trace-Id content-encoding \
            Content-Encoding sec-ch-ua-mobile Sec-Ch-Ua-Mobile x-forwarded-host \
            X-Forwarded-Host x-forwarded-port X-Forwarded-Port x-requested-with \
            X-Requested-With transfer-encoding Transfer-Encoding if-modified-since \
            If-Modified-Since x-forwarded-proto X-Forwarded-Proto sec-ch-ua-platform \
            Sec-Ch-Ua-Platform upgrade-insecure-requests Upgrade-Insecure-Requests";
        for name in names.split(' ') {
            let expected = HeaderName::from_bytes(name.as_bytes()).unwrap();
            assert_eq!(everyday(name), Some(&expected), "{name}");
        }
        assert_eq!(everyday("x-fetch-site"), None);
        assert_eq!(everyday("HOST"), None);
    }

    #[test]
    fn names_in_the_map_are_the_same_in_any_spelling() {
        let mut headers = HeaderMap::new();
        for name in ["HOST", "host", "X-Own", "x-own"] {
            let value = HeaderValue::from_static("a");
            append(&mut headers, name, value, |_| Ok::<_, HeadFault>(())).unwrap();
        }
        assert_eq!(headers.get_all("host").iter().count(), 2);
        assert_eq!(headers.get_all("x-own").iter().count(), 2);
        let value = HeaderValue::from_static("a");
        let result = append(&mut headers, "x own", value, |_| Ok(()));
        assert_eq!(result, Err(HeadFault::FieldName));
    }
}
