//! Why a response of an upstream is not passed on. The proxy answers 502 to each of them.

use crate::{FramingFault, HeadFault};

/// A response that is not passed on because its framing or its meaning is in doubt.
///
/// The connection is closed after any of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// A fault in the lines of the head.
    #[error(transparent)]
    Head(#[from] HeadFault),
    /// The first bytes are not `HTTP/1.`.
    #[error("the first bytes are not `HTTP/1.`")]
    NotHttp,
    /// A version other than HTTP/1.0 and HTTP/1.1.
    #[error("the version is neither HTTP/1.0 nor HTTP/1.1")]
    Version,
    /// A status outside 100 to 599.
    #[error("the status is not a number from 100 to 599")]
    Status,
    /// A fault in the framing fields.
    #[error(transparent)]
    Framing(#[from] FramingFault),
}

impl Malformed {
    /// A short word for logs and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Head(fault) => fault.reason(),
            Self::NotHttp => "not_http",
            Self::Version => "version",
            Self::Status => "status",
            Self::Framing(fault) => fault.reason(),
        }
    }
}
