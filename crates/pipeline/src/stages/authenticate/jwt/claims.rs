//! What a token's claims must say (RFC 7519, 4.1). The signature has been verified before.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::options::TokenOptions;

/// What is wrong with a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    Malformed,
    Algorithm,
    Signature,
    UnknownKey,
    Issuer,
    Audience,
    Expired,
    NotYet,
    Missing,
    /// It is good, and its holder may not come here.
    NotMatching,
}

impl Flaw {
    /// For logs, in a word.
    pub(crate) const fn reason(self) -> &'static str {
        match self {
            Flaw::Malformed => "token_malformed",
            Flaw::Algorithm => "token_algorithm",
            Flaw::Signature => "token_signature",
            Flaw::UnknownKey => "token_unknown_key",
            Flaw::Issuer => "token_issuer",
            Flaw::Audience => "token_audience",
            Flaw::Expired => "token_expired",
            Flaw::NotYet => "token_not_yet",
            Flaw::Missing => "token_claim_missing",
            Flaw::NotMatching => "token_claim",
        }
    }

    /// For the client (RFC 6750, 3): enough to know whether another token helps.
    pub(crate) const fn sentence(self) -> &'static str {
        match self {
            Flaw::Expired => "it has expired",
            Flaw::NotYet => "it is not valid yet",
            _ => "it is not accepted here",
        }
    }
}

/// Whether the claims are such as these options demand, at this time.
pub(super) fn check(
    claims: &Map<String, Value>,
    options: &TokenOptions,
    now: SystemTime,
) -> Result<(), Flaw> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    if options
        .required
        .iter()
        .any(|name| !claims.contains_key(name))
    {
        return Err(Flaw::Missing);
    }
    let now = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    if let Some(end) = date(claims, "exp")?
        && now >= end.saturating_add(options.leeway)
    {
        return Err(Flaw::Expired);
    }
    if let Some(begin) = date(claims, "nbf")?
        && now.saturating_add(options.leeway) < begin
    {
        return Err(Flaw::NotYet);
    }
    if let Some(issuer) = &options.issuer
        && text("iss") != Some(issuer)
    {
        return Err(Flaw::Issuer);
    }
    if !options.audience.is_empty() && !is_for(claims.get("aud"), &options.audience) {
        return Err(Flaw::Audience);
    }
    Ok(())
}

/// Seconds since 1970, fractions allowed (RFC 7519, 2). What is there and is no date makes the token worthless.
fn date(claims: &Map<String, Value>, name: &str) -> Result<Option<Duration>, Flaw> {
    let Some(value) = claims.get(name) else {
        return Ok(None);
    };
    let seconds = value.as_f64().ok_or(Flaw::Malformed)?;
    if seconds <= 0.0 {
        return Ok(Some(Duration::ZERO));
    }
    // beyond what can be said is for ever
    Ok(Some(
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX),
    ))
}

/// One text, or a list of them (RFC 7519, 4.1.3).
fn is_for(audience: Option<&Value>, wanted: &[String]) -> bool {
    let is_wanted = |value: &Value| {
        value
            .as_str()
            .is_some_and(|one| wanted.iter().any(|w| w == one))
    };
    match audience {
        Some(Value::Array(list)) => list.iter().any(is_wanted),
        Some(value) => is_wanted(value),
        None => false,
    }
}
