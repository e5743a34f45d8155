//! Every way to say no. A closed list, so that no refusal is forgotten where they are told apart.

use http::StatusCode;

/// Whose doing a refusal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The client's: it can do better.
    Client,
    /// The origin's.
    Origin,
    /// Ours, or nobody's: the service is busy, starting or stopping.
    Service,
}

/// A request that is not served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// Not a message we are sure to understand as everybody else does. The codec says why.
    Codec(StatusCode, &'static str),
    /// A path without a normal form: a broken escape, an escaped NUL, ASCII in more bytes than one.
    BadPath,
    /// A forwarded host or scheme from a trusted proxy that cannot be one.
    BadForwarded,
    /// The request has been here before.
    Loop,
    /// No route for this path.
    NoRoute,
    /// A host that is not served here.
    WrongHost,
    /// What was sent to the collector of reports is none, or too much.
    Report(StatusCode, &'static str),
    /// A preflight from a site whose pages may not read what is here.
    ForeignOrigin,
    /// A path that can be read in several ways, and different rules hold for them.
    AmbiguousPath,
    /// A client of a network that is not served.
    Network,
    /// A method that is not served.
    Method,
    /// A file that is there for nobody.
    HiddenFile,
    /// A path that only scanners ask for.
    Trap,
    /// Its client walked into so many traps that for a time nothing is heard.
    TrapBanned,
    /// Nobody is verified: nothing was shown, or what was shown is not right. Why, in a word.
    Unauthenticated(&'static str),
    /// Somebody is verified, and may not come here. Why, in a word.
    Forbidden(&'static str),
    /// Too many passwords wait to be verified.
    AuthBusy,
    /// Whoever could say who it is cannot be asked.
    AuthUnavailable,
    /// On the way out.
    Draining,
    /// An operator paused the instance for longer than the request may wait, or too many wait.
    Paused,
    /// An operator closed the service for a while.
    Maintenance {
        /// Seconds after which it may be open again.
        retry_after: u32,
    },
    /// More is under way than may be, and the wait for a place was in vain.
    Overloaded,
    /// Its connection is one too many.
    TooManyConnections,
    /// The head did not come in time.
    HeadTimeout,
    /// The body did not come in time.
    BodyTimeout,
    /// The body breaks its own framing.
    BodyBroken,
    /// The body is larger than it may be.
    BodyTooLarge,
    /// The client went away.
    ClientGone,
    /// No worker came up in time, or too many are waiting for one.
    NoWorker,
    /// The origin could not be connected to.
    OriginUnreachable,
    /// The origin hung up, or broke off, before its answer's head was whole.
    OriginGone,
    /// The origin answered with something that is not HTTP, or not allowed.
    OriginMalformed(&'static str),
    /// The origin took too long to accept the connection.
    ConnectTimeout,
    /// The origin took too long to answer.
    OriginTimeout,
    /// More requests than a rate allows.
    RateLimited {
        /// Seconds.
        retry_after: u32,
    },
    /// Refused so often that for a time nothing is heard.
    RateBanned {
        /// Seconds.
        retry_after: u32,
    },
    /// On a list of those whom a rate denies everything.
    RateDenied,
    /// Nobody knows what is left of a budget, and nothing passes then.
    StoreAway,
    /// The client wants a kept answer or none, and none is kept.
    OnlyIfCached,
}

impl Refusal {
    /// The status that says so.
    pub const fn status(self) -> StatusCode {
        match self {
            Refusal::Codec(status, _) | Refusal::Report(status, _) => status,
            Refusal::BadPath
            | Refusal::BadForwarded
            | Refusal::AmbiguousPath
            | Refusal::BodyBroken => StatusCode::BAD_REQUEST,
            Refusal::Loop => StatusCode::LOOP_DETECTED,
            Refusal::NoRoute | Refusal::HiddenFile | Refusal::Trap => StatusCode::NOT_FOUND,
            Refusal::ForeignOrigin
            | Refusal::Network
            | Refusal::TrapBanned
            | Refusal::RateDenied
            | Refusal::Forbidden(_) => StatusCode::FORBIDDEN,
            Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::WrongHost => StatusCode::MISDIRECTED_REQUEST,
            Refusal::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Refusal::Draining
            | Refusal::Overloaded
            | Refusal::TooManyConnections
            | Refusal::Paused
            | Refusal::Maintenance { .. }
            | Refusal::AuthBusy
            | Refusal::StoreAway
            | Refusal::AuthUnavailable
            | Refusal::NoWorker => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::HeadTimeout | Refusal::BodyTimeout => StatusCode::REQUEST_TIMEOUT,
            Refusal::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            // only for the log: nobody is there to read it. http has no name for 499.
            Refusal::ClientGone => CLIENT_CLOSED_REQUEST,
            Refusal::OriginUnreachable | Refusal::OriginGone | Refusal::OriginMalformed(_) => {
                StatusCode::BAD_GATEWAY
            }
            Refusal::ConnectTimeout | Refusal::OriginTimeout | Refusal::OnlyIfCached => {
                StatusCode::GATEWAY_TIMEOUT
            }
            Refusal::RateLimited { .. } | Refusal::RateBanned { .. } => {
                StatusCode::TOO_MANY_REQUESTS
            }
        }
    }

    /// Why, in a word for logs and metrics: one of a closed list, never the client's.
    pub const fn reason(self) -> &'static str {
        match self {
            Refusal::BadPath => "bad_path",
            Refusal::Codec(_, reason)
            | Refusal::Report(_, reason)
            | Refusal::OriginMalformed(reason)
            | Refusal::Unauthenticated(reason)
            | Refusal::Forbidden(reason) => reason,
            Refusal::BadForwarded => "bad_forwarded",
            Refusal::Loop => "loop",
            Refusal::NoRoute => "no_route",
            Refusal::WrongHost => "wrong_host",
            Refusal::ForeignOrigin => "cors_origin",
            Refusal::AmbiguousPath => "ambiguous_path",
            Refusal::Network => "network",
            Refusal::Method => "method_not_allowed",
            Refusal::HiddenFile => "hidden_file",
            Refusal::Trap => "trap",
            Refusal::TrapBanned => "trap_banned",
            Refusal::AuthBusy => "auth_busy",
            Refusal::AuthUnavailable => "auth_unavailable",
            Refusal::Draining => "draining",
            Refusal::Overloaded => "overloaded",
            Refusal::TooManyConnections => "too_many_connections",
            Refusal::Paused => "paused",
            Refusal::Maintenance { .. } => "maintenance",
            Refusal::HeadTimeout => "head_timeout",
            Refusal::BodyTimeout => "body_timeout",
            Refusal::BodyBroken => "body_broken",
            Refusal::BodyTooLarge => "body_too_large",
            Refusal::ClientGone => "client_gone",
            Refusal::NoWorker => "no_worker",
            Refusal::OriginUnreachable => "origin_unreachable",
            Refusal::OriginGone => "origin_gone",
            Refusal::ConnectTimeout => "connect_timeout",
            Refusal::OriginTimeout => "origin_timeout",
            Refusal::RateLimited { .. } => "rate_limited",
            Refusal::RateBanned { .. } => "rate_banned",
            Refusal::RateDenied => "rate_denied",
            Refusal::StoreAway => "store_away",
            Refusal::OnlyIfCached => "only_if_cached",
        }
    }

    /// Whose doing it is.
    pub const fn fault(self) -> Fault {
        match self {
            Refusal::Codec(..)
            | Refusal::BadPath
            | Refusal::BadForwarded
            | Refusal::Loop
            | Refusal::NoRoute
            | Refusal::WrongHost
            | Refusal::ForeignOrigin
            | Refusal::Report(..)
            | Refusal::AmbiguousPath
            | Refusal::Network
            | Refusal::Method
            | Refusal::HiddenFile
            | Refusal::Trap
            | Refusal::TrapBanned
            | Refusal::Unauthenticated(_)
            | Refusal::Forbidden(_)
            | Refusal::HeadTimeout
            | Refusal::BodyTimeout
            | Refusal::BodyBroken
            | Refusal::BodyTooLarge
            | Refusal::ClientGone
            | Refusal::RateLimited { .. }
            | Refusal::RateBanned { .. }
            | Refusal::OnlyIfCached
            | Refusal::RateDenied => Fault::Client,
            Refusal::Draining
            | Refusal::Overloaded
            | Refusal::TooManyConnections
            | Refusal::Paused
            | Refusal::Maintenance { .. }
            | Refusal::AuthBusy
            | Refusal::StoreAway
            | Refusal::AuthUnavailable
            | Refusal::NoWorker => Fault::Service,
            Refusal::OriginUnreachable
            | Refusal::OriginGone
            | Refusal::OriginMalformed(_)
            | Refusal::ConnectTimeout
            | Refusal::OriginTimeout => Fault::Origin,
        }
    }

    /// Seconds after which trying again makes sense, for `Retry-After`.
    pub const fn retry_after(self) -> Option<u32> {
        if let Refusal::Maintenance { retry_after }
        | Refusal::RateLimited { retry_after }
        | Refusal::RateBanned { retry_after } = self
        {
            return Some(retry_after);
        }
        match self.fault() {
            Fault::Service => Some(1),
            Fault::Client | Fault::Origin => None,
        }
    }

    /// Whether the client's connection can carry another request afterwards. After a message whose
    /// framing is in doubt it cannot.
    pub const fn keeps_connection(self) -> bool {
        !matches!(
            self,
            Refusal::Codec(..)
                | Refusal::HeadTimeout
                | Refusal::BodyTimeout
                | Refusal::BodyBroken
                | Refusal::TooManyConnections
                | Refusal::ClientGone
        )
    }
}

/// 499, nginx's word for a client that closed the connection before its answer.
const CLIENT_CLOSED_REQUEST: StatusCode = match StatusCode::from_u16(499) {
    Ok(status) => status,
    Err(_) => StatusCode::BAD_REQUEST,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_may_come_again_is_told_when() {
        assert_eq!(Refusal::NoWorker.retry_after(), Some(1));
        assert_eq!(Refusal::OriginGone.retry_after(), None);
        let limited = Refusal::RateLimited { retry_after: 7 };
        assert_eq!(limited.retry_after(), Some(7));
        assert_eq!(Refusal::ClientGone.status().as_u16(), 499);
    }
}
