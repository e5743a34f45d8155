//! Writes heads into a byte vector. No formatting machinery, no checks that reading has done:
//! what `http` types hold is valid. Bodies are framed by `encoder`.

use http::{HeaderMap, HeaderName, Method, StatusCode};

use crate::scan::has_control;

/// Writes `METHOD target HTTP/1.1`; fields follow, and [`end_head`] ends the head.
pub fn write_request_line(out: &mut Vec<u8>, method: &Method, target: &str) {
    let method = method.as_str();
    out.reserve(method.len() + target.len() + 12);
    out.extend_from_slice(method.as_bytes());
    out.push(b' ');
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// Writes the status line. It names HTTP/1.1 whatever the client's version is: a server names
/// the highest it has (RFC 9110, 2.5), and the framing is what must suit the client.
pub fn write_status_line(out: &mut Vec<u8>, status: StatusCode) {
    let line: &[u8] = match status.as_u16() {
        200 => b"HTTP/1.1 200 OK\r\n",
        204 => b"HTTP/1.1 204 No Content\r\n",
        301 => b"HTTP/1.1 301 Moved Permanently\r\n",
        302 => b"HTTP/1.1 302 Found\r\n",
        304 => b"HTTP/1.1 304 Not Modified\r\n",
        404 => b"HTTP/1.1 404 Not Found\r\n",
        _ => {
            out.extend_from_slice(b"HTTP/1.1 ");
            out.extend_from_slice(status.as_str().as_bytes());
            out.push(b' ');
            // the space stays when there is no phrase (RFC 9112, 4)
            out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
            out.extend_from_slice(b"\r\n");
            return;
        }
    };
    out.extend_from_slice(line);
}

/// Writes all fields, names in lower case as `http` holds them.
pub fn write_fields(out: &mut Vec<u8>, headers: &HeaderMap) {
    for (name, value) in headers {
        push_field(out, name.as_str(), value.as_bytes());
    }
}

/// Writes all fields but those of one name: leaving one out while writing costs less than taking it
/// out of the map.
pub fn write_fields_without(out: &mut Vec<u8>, headers: &HeaderMap, omitted: &HeaderName) {
    for (name, value) in headers {
        if name != omitted {
            push_field(out, name.as_str(), value.as_bytes());
        }
    }
}

/// Writes one field. A CR, LF or NUL in `value` becomes a space: it would end the field and
/// begin another.
pub fn write_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    let begin = out.len() + name.len();
    push_field(out, name, value);
    if has_control(value) {
        let end = out.len() - 2;
        for byte in &mut out[begin..end] {
            if matches!(byte, b'\r' | b'\n' | 0) {
                *byte = b' ';
            }
        }
    }
}

/// Writes the blank line.
pub fn end_head(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

/// Writes a whole interim response: `100 Continue`, `103 Early Hints` (RFC 9110, 15.2).
pub fn write_interim(out: &mut Vec<u8>, status: StatusCode, headers: &HeaderMap) {
    write_status_line(out, status);
    write_fields(out, headers);
    end_head(out);
}

fn push_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    // one reservation, so that the four copies need not look at the capacity's growth
    out.reserve(name.len() + value.len() + 4);
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    #[test]
    fn status_lines() {
        let table: &[(u16, &str)] = &[
            (200, "HTTP/1.1 200 OK\r\n"),
            (404, "HTTP/1.1 404 Not Found\r\n"),
            (503, "HTTP/1.1 503 Service Unavailable\r\n"),
            (299, "HTTP/1.1 299 \r\n"),
        ];
        for (status, expected) in table {
            let mut out = Vec::new();
            write_status_line(&mut out, StatusCode::from_u16(*status).unwrap());
            assert_eq!(String::from_utf8(out).unwrap(), *expected);
        }
    }

    #[test]
    fn prepared_status_lines_are_the_canonical_ones() {
        for status in [200, 204, 301, 302, 304, 404] {
            let status = StatusCode::from_u16(status).unwrap();
            let mut out = Vec::new();
            write_status_line(&mut out, status);
            let expected = format!(
                "HTTP/1.1 {} {}\r\n",
                status.as_str(),
                status.canonical_reason().unwrap()
            );
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn a_value_cannot_begin_another_field() {
        let mut out = Vec::new();
        write_field(&mut out, "x", b"a\r\nset-cookie: b\0");
        assert_eq!(out, b"x: a  set-cookie: b \r\n");
    }

    #[test]
    fn an_interim_response_is_whole() {
        let mut headers = HeaderMap::new();
        headers.append("link", HeaderValue::from_static("</a.css>; rel=preload"));
        headers.append("link", HeaderValue::from_static("</b.css>; rel=preload"));
        let mut out = Vec::new();
        write_interim(&mut out, StatusCode::from_u16(103).unwrap(), &headers);
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\nlink: </b.css>; rel=preload\r\n\r\n"
        );
    }
}
