//! What can be wrong with any head and with any body, whichever side sent it. What is wrong
//! with a request or a response alone is in `refused` and `malformed`.

use http::StatusCode;

/// A fault in the lines of a head or a trailer section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HeadFault {
    /// A line that ends in LF without CR.
    #[error("a line ends in a bare LF, expected CRLF")]
    BareLf,
    /// A CR that no LF follows.
    #[error("a CR without its LF, expected CRLF")]
    BareCr,
    /// A NUL byte.
    #[error("a NUL byte in the head")]
    Nul,
    /// Another control character, or a tab where none may be.
    #[error("a control character in the head")]
    Control,
    /// A line that continues the one before (obs-fold).
    #[error("a line begins with white space, which folds it into the one before")]
    Fold,
    /// White space between a field's name and its colon.
    #[error("white space before the colon of a field")]
    SpaceBeforeColon,
    /// A field whose name is empty or is no token, or a line without colon.
    #[error("a field whose name is not a token, expected `name: value`")]
    FieldName,
    /// A field value with a byte that may not be there.
    #[error("a field value with a byte that is not allowed there")]
    FieldValue,
    /// The first line is neither a request line nor a status line.
    #[error("the first line is not that of an HTTP/1 message")]
    StartLine,
    /// The head is longer than [`Limits::head`](crate::Limits::head), or the trailers than
    /// [`Limits::trailers`](crate::Limits::trailers).
    #[error("the head is longer than allowed")]
    HeadTooLarge,
    /// One field is longer than [`Limits::field`](crate::Limits::field).
    #[error("a field is longer than allowed")]
    FieldTooLarge,
    /// There are more fields than [`Limits::fields`](crate::Limits::fields).
    #[error("more fields than allowed")]
    TooManyFields,
}

impl HeadFault {
    /// The status that tells a client: 431 for the sizes, else 400.
    pub fn status(self) -> StatusCode {
        match self {
            Self::HeadTooLarge | Self::FieldTooLarge | Self::TooManyFields => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// A short word for logs and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::BareLf => "bare_lf",
            Self::BareCr => "bare_cr",
            Self::Nul => "nul",
            Self::Control => "control_character",
            Self::Fold => "folded_field",
            Self::SpaceBeforeColon => "space_before_colon",
            Self::FieldName => "field_name",
            Self::FieldValue => "field_value",
            Self::StartLine => "start_line",
            Self::HeadTooLarge => "head_too_large",
            Self::FieldTooLarge => "field_too_large",
            Self::TooManyFields => "too_many_fields",
        }
    }
}

/// A fault in the framing of a body. The connection cannot be used after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BodyFault {
    /// A chunk size that is not hexadecimal digits alone.
    #[error("a chunk size that is not hexadecimal digits alone")]
    ChunkSize,
    /// A chunk size beyond 64 bits.
    #[error("a chunk size beyond 64 bits")]
    ChunkSizeOverflow,
    /// A bare CR, a bare LF or another control character in a chunk extension, or a size line
    /// that does not end in CRLF.
    #[error("a chunk's size line holds a control character or does not end in CRLF")]
    ChunkLine,
    /// Chunk data that CRLF does not follow.
    #[error("a chunk is longer than its size, or its CRLF is missing")]
    ChunkEnd,
    /// Longer chunk extensions than [`Limits::chunk_extensions`](crate::Limits::chunk_extensions).
    #[error("chunk extensions longer than allowed")]
    ChunkExtensions,
    /// A fault in the trailer section.
    #[error("in the trailers: {0}")]
    Trailers(HeadFault),
    /// The peer ended before the body did.
    #[error("the peer ended before the body did")]
    Truncated,
}

impl BodyFault {
    /// The status that tells a client: 431 for the size of trailers, else 400.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Trailers(fault) => fault.status(),
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// A short word for logs and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::ChunkSize => "chunk_size",
            Self::ChunkSizeOverflow => "chunk_size_overflow",
            Self::ChunkLine => "chunk_line",
            Self::ChunkEnd => "chunk_end",
            Self::ChunkExtensions => "chunk_extensions",
            Self::Trailers(fault) => fault.reason(),
            Self::Truncated => "truncated_body",
        }
    }
}
