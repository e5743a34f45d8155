//! How long a body is (RFC 9112, 6.3), decided from the framing fields alone. Nothing here
//! reads a body.

use http::StatusCode;

/// How the length of a message's body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// There is no body.
    None,
    /// The body has this many bytes.
    Length(u64),
    /// The body comes in chunks.
    Chunked,
    /// The body ends with the connection. Responses only.
    UntilClose,
}

/// What is wrong with the framing fields of a message, in either direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingFault {
    /// A `Content-Length` that is not decimal digits alone, or is beyond 64 bits.
    #[error("`Content-Length` is not a number")]
    Length,
    /// More than one `Content-Length`, even when equal.
    #[error("more than one `Content-Length`")]
    LengthRepeated,
    /// `Content-Length` beside `Transfer-Encoding`.
    #[error("`Content-Length` beside `Transfer-Encoding`")]
    LengthAndChunked,
    /// A `Transfer-Encoding` other than exactly `chunked`.
    #[error("`Transfer-Encoding` is not exactly `chunked`")]
    Encoding,
    /// More than one `Transfer-Encoding`: together a list, and so not exactly `chunked`.
    #[error("more than one `Transfer-Encoding`")]
    EncodingRepeated,
    /// `Transfer-Encoding` in HTTP/1.0, which does not know it.
    #[error("`Transfer-Encoding` in HTTP/1.0")]
    EncodingBeforeHttp11,
}

impl FramingFault {
    /// The status for a request with this fault: codings that nobody implements are 501 (RFC 9112, 6.1).
    pub fn status(self) -> StatusCode {
        match self {
            Self::Encoding | Self::EncodingRepeated => StatusCode::NOT_IMPLEMENTED,
            Self::Length
            | Self::LengthRepeated
            | Self::LengthAndChunked
            | Self::EncodingBeforeHttp11 => StatusCode::BAD_REQUEST,
        }
    }

    /// A short word for logs and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::LengthRepeated => "length_repeated",
            Self::LengthAndChunked => "length_and_chunked",
            Self::Encoding => "transfer_encoding",
            Self::EncodingRepeated => "transfer_encoding_repeated",
            Self::EncodingBeforeHttp11 => "transfer_encoding_http10",
        }
    }
}

/// The framing fields of one message, gathered while its fields are read.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FramingFields {
    length: Option<u64>,
    encoding: Option<Coding>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Chunked,
    Other,
}

impl FramingFields {
    /// Takes note of a `Content-Length`.
    pub(crate) fn read_length(&mut self, value: &[u8]) -> Result<(), FramingFault> {
        if self.length.is_some() {
            return Err(FramingFault::LengthRepeated);
        }
        self.length = Some(parse_length(value).ok_or(FramingFault::Length)?);
        Ok(())
    }

    /// Takes note of a `Transfer-Encoding`.
    pub(crate) fn read_encoding(&mut self, value: &[u8]) -> Result<(), FramingFault> {
        if self.encoding.is_some() {
            return Err(FramingFault::EncodingRepeated);
        }
        self.encoding = Some(if value.eq_ignore_ascii_case(b"chunked") {
            Coding::Chunked
        } else {
            Coding::Other
        });
        Ok(())
    }

    /// What the fields say together; `None` when there are none of them.
    pub(crate) fn decide(self, version: http::Version) -> Result<Option<Framing>, FramingFault> {
        match (self.length, self.encoding) {
            (None, None) => Ok(None),
            (Some(length), None) => Ok(Some(Framing::Length(length))),
            (Some(_), Some(_)) => Err(FramingFault::LengthAndChunked),
            (None, Some(_)) if version != http::Version::HTTP_11 => {
                Err(FramingFault::EncodingBeforeHttp11)
            }
            (None, Some(Coding::Other)) => Err(FramingFault::Encoding),
            (None, Some(Coding::Chunked)) => Ok(Some(Framing::Chunked)),
        }
    }
}

/// Decimal digits alone, within 64 bits: no sign, no space, no list.
fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |length, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })
}

/// Whether a field name is one that some servers read as a framing field: they map `_` to `-`.
pub(crate) fn looks_like_framing(name: &[u8]) -> bool {
    let like = |known: &[u8]| {
        name.len() == known.len()
            && name.iter().zip(known).all(|(&byte, &wanted)| {
                byte.eq_ignore_ascii_case(&wanted) || (byte == b'_' && wanted == b'-')
            })
    };
    name.contains(&b'_') && (like(b"content-length") || like(b"transfer-encoding"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::Version;

    #[test]
    fn lengths() {
        let table: &[(&str, Option<u64>)] = &[
            ("0", Some(0)),
            ("42", Some(42)),
            ("0042", Some(42)),
            ("18446744073709551615", Some(u64::MAX)),
            ("18446744073709551616", None),
            ("", None),
            ("+1", None),
            ("-1", None),
            ("1 ", None),
            ("1,1", None),
            ("0x1", None),
            ("1_0", None),
            ("1.0", None),
            ("\u{661}", None),
        ];
        for (value, expected) in table {
            assert_eq!(parse_length(value.as_bytes()), *expected, "`{value}`");
        }
    }

    #[test]
    fn decisions() {
        use FramingFault as Fault;
        type Case = (&'static [&'static str], &'static [&'static str], Version);
        let table: &[(Case, Result<Option<Framing>, Fault>)] = &[
            ((&[], &[], Version::HTTP_11), Ok(None)),
            (
                (&["5"], &[], Version::HTTP_10),
                Ok(Some(Framing::Length(5))),
            ),
            (
                (&[], &["Chunked"], Version::HTTP_11),
                Ok(Some(Framing::Chunked)),
            ),
            (
                (&[], &["chunked"], Version::HTTP_10),
                Err(Fault::EncodingBeforeHttp11),
            ),
            (
                (&["5"], &["chunked"], Version::HTTP_11),
                Err(Fault::LengthAndChunked),
            ),
            (
                (&["5"], &["gzip"], Version::HTTP_11),
                Err(Fault::LengthAndChunked),
            ),
            (
                (&["5", "5"], &[], Version::HTTP_11),
                Err(Fault::LengthRepeated),
            ),
            (
                (&[], &["chunked", "chunked"], Version::HTTP_11),
                Err(Fault::EncodingRepeated),
            ),
            (
                (&[], &["gzip, chunked"], Version::HTTP_11),
                Err(Fault::Encoding),
            ),
            ((&[], &["chunked,"], Version::HTTP_11), Err(Fault::Encoding)),
            ((&[], &["identity"], Version::HTTP_11), Err(Fault::Encoding)),
            ((&[], &[""], Version::HTTP_11), Err(Fault::Encoding)),
            (
                (&[], &["\"chunked\""], Version::HTTP_11),
                Err(Fault::Encoding),
            ),
        ];
        for ((lengths, encodings, version), expected) in table {
            let mut fields = FramingFields::default();
            let result = lengths
                .iter()
                .try_for_each(|value| fields.read_length(value.as_bytes()))
                .and_then(|()| {
                    encodings
                        .iter()
                        .try_for_each(|value| fields.read_encoding(value.as_bytes()))
                })
                .and_then(|()| fields.decide(*version));
            assert_eq!(result, *expected, "{lengths:?} {encodings:?} {version:?}");
        }
    }

    #[test]
    fn look_alikes() {
        for name in ["Content_Length", "transfer_encoding", "CONTENT_length"] {
            assert!(looks_like_framing(name.as_bytes()), "{name}");
        }
        for name in [
            "Content-Length",
            "transfer-encoding",
            "content_type",
            "x_content_length",
        ] {
            assert!(!looks_like_framing(name.as_bytes()), "{name}");
        }
    }
}
