//! Why the codec refuses a request, each with its status. No policy refusals: those are the
//! pipeline's.

use http::StatusCode;

use crate::{FramingFault, HeadFault};

/// A request that is not served because it can be understood in two ways, or in none.
///
/// The connection is closed after any of them: where the next request would begin is unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A fault in the lines of the head.
    #[error(transparent)]
    Head(#[from] HeadFault),
    /// The first byte cannot begin a request: TLS or another protocol on a plain port.
    #[error("the first byte cannot begin a request")]
    NotHttp,
    /// More empty lines in front of the request than
    /// [`Limits::LEADING_LINES`](crate::Limits::LEADING_LINES).
    #[error("too many empty lines before the request")]
    LeadingLines,
    /// A version other than HTTP/1.0 and HTTP/1.1.
    #[error("the version is neither HTTP/1.0 nor HTTP/1.1")]
    Version,
    /// A method longer than [`Limits::METHOD`](crate::Limits::METHOD).
    #[error("a method that nobody implements")]
    Method,
    /// `CONNECT`: we are no tunnel. Whoever answers it names what is allowed instead.
    #[error("`CONNECT` asks for a tunnel, which is not offered")]
    Connect,
    /// A request target that is not one, holds a fragment, or has a form its method may not have.
    #[error("the request target is not a path, an http URL, or `*` for OPTIONS")]
    Target,
    /// A request target longer than [`Limits::target`](crate::Limits::target).
    #[error("the request target is longer than allowed")]
    TargetTooLong,
    /// HTTP/1.1 without `Host`.
    #[error("HTTP/1.1 without `Host`")]
    HostMissing,
    /// More than one `Host`.
    #[error("more than one `Host`")]
    HostRepeated,
    /// A `Host` or authority that is not a name or address with an optional port.
    #[error("`Host` is not a name or an address with an optional port")]
    Host,
    /// A fault in the framing fields.
    #[error(transparent)]
    Framing(#[from] FramingFault),
    /// A field that some servers take for `Content-Length` or `Transfer-Encoding`, such as
    /// `Content_Length`.
    #[error("a field that looks like a framing field")]
    FramingLookAlike,
    /// An `Expect` other than `100-continue`.
    #[error("`Expect` asks for something other than `100-continue`")]
    Expectation,
    /// An upgrade to a WebSocket with a body.
    #[error("an upgrade with a body")]
    UpgradeWithBody,
}

impl Refused {
    /// The status the client gets: 400, 405, 414, 417, 431, 501 or 505.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Head(fault) => fault.status(),
            Self::TargetTooLong => StatusCode::URI_TOO_LONG,
            Self::Expectation => StatusCode::EXPECTATION_FAILED,
            Self::Framing(fault) => fault.status(),
            // understood, and allowed for nothing here (RFC 9110, 15.5.6); unknown ones are not
            Self::Connect => StatusCode::METHOD_NOT_ALLOWED,
            Self::Method => StatusCode::NOT_IMPLEMENTED,
            Self::Version => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::NotHttp
            | Self::LeadingLines
            | Self::Target
            | Self::HostMissing
            | Self::HostRepeated
            | Self::Host
            | Self::FramingLookAlike
            | Self::UpgradeWithBody => StatusCode::BAD_REQUEST,
        }
    }

    /// A short word for logs and metrics.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Head(fault) => fault.reason(),
            Self::NotHttp => "not_http",
            Self::LeadingLines => "leading_lines",
            Self::Version => "version",
            Self::Method => "method",
            Self::Connect => "connect",
            Self::Target => "target",
            Self::TargetTooLong => "target_too_long",
            Self::HostMissing => "host_missing",
            Self::HostRepeated => "host_repeated",
            Self::Host => "host",
            Self::Framing(fault) => fault.reason(),
            Self::FramingLookAlike => "framing_look_alike",
            Self::Expectation => "expectation",
            Self::UpgradeWithBody => "upgrade_with_body",
        }
    }
}
