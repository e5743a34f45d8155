//! The trailer section behind a chunked body (RFC 9110, 6.5). Fields that would change what
//! the message was taken for are dropped, not passed on (6.5.1).

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName};

use crate::{BodyFault, HeadFault, Limits, fields};

/// The search for the end of a trailer section.
#[derive(Clone, Debug, Default)]
pub(crate) struct TrailerScan {
    /// Where the line being read begins.
    line: usize,
    /// All before this has been looked at.
    seen: usize,
}

impl TrailerScan {
    /// Takes the section out of `input` once it is complete: the trailers that
    /// may be passed on, often none.
    pub(crate) fn take(
        &mut self,
        input: &mut BytesMut,
        limits: &Limits,
    ) -> Result<Option<HeaderMap>, BodyFault> {
        let Some(end) = self.find_end(input, limits).map_err(BodyFault::Trailers)? else {
            return Ok(None);
        };
        let section = input.split_to(end).freeze();
        if section.len() == 2 {
            return Ok(Some(HeaderMap::new()));
        }
        read(&section, limits)
            .map(Some)
            .map_err(BodyFault::Trailers)
    }

    /// The position behind the blank line.
    fn find_end(&mut self, input: &[u8], limits: &Limits) -> Result<Option<usize>, HeadFault> {
        while let Some(lf) = memchr::memchr(b'\n', &input[self.seen..]) {
            let lf = self.seen + lf;
            // the size first, as it is when the bytes come one by one
            if lf >= limits.trailers {
                return Err(HeadFault::HeadTooLarge);
            }
            if lf == self.line || input[lf - 1] != b'\r' {
                return Err(HeadFault::BareLf);
            }
            if lf == self.line + 1 {
                return Ok(Some(lf + 1));
            }
            self.line = lf + 1;
            self.seen = lf + 1;
        }
        self.seen = input.len();
        if input.len() > limits.trailers {
            return Err(HeadFault::HeadTooLarge);
        }
        Ok(None)
    }
}

fn read(section: &Bytes, limits: &Limits) -> Result<HeaderMap, HeadFault> {
    let mut trailers = HeaderMap::new();
    fields::read_section(section, limits, |name, value| {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeadFault::FieldName)?;
        if !is_forbidden(name.as_str()) {
            trailers.append(name, fields::slice(section, value)?);
        }
        Ok(())
    })?;
    Ok(trailers)
}

/// Whether a field means something about framing, routing, the connection, the client's
/// identity or the content as a whole, and so must have come in the head.
fn is_forbidden(name: &str) -> bool {
    matches!(
        name,
        "authorization"
            | "cache-control"
            | "connection"
            | "cookie"
            | "expect"
            | "forwarded"
            | "host"
            | "keep-alive"
            | "location"
            | "max-forwards"
            | "pragma"
            | "proxy-authenticate"
            | "proxy-authorization"
            | "proxy-connection"
            | "range"
            | "set-cookie"
            | "te"
            | "trailer"
            | "transfer-encoding"
            | "upgrade"
            | "vary"
            | "via"
            | "www-authenticate"
            | "x-real-ip"
    ) || name.starts_with("content-")
        || name.starts_with("if-")
        || name.starts_with("x-forwarded-")
        // another spelling of one of the above, to servers that map `_` to `-`
        || name.contains('_')
}
