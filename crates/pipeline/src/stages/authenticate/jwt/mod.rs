//! Signed tokens: JWS (RFC 7515) in its compact form, with the claims of a JWT (RFC 7519).
//!
//! A token's own words decide nothing about how it is verified: `alg` must be one that its key is for, keys are never
//! taken from the token, and what it calls critical is refused. Nothing of a token is believed before its signature is.

mod algorithm;
mod claims;
mod der;
mod key;
mod key_set;
mod options;
mod token;

pub use algorithm::Algorithm;
pub use key::{VerifyingKey, keys_of_pem, secret_key};
pub use key_set::{KeySet, KeySets, SELDOM};
pub use options::{KeySource, TokenOptions};

pub(super) use claims::Flaw;

use std::sync::Arc;
use std::time::SystemTime;

use http::HeaderName;

use crate::Identity;
use token::Token;

/// Who signs, and what is demanded of what they sign.
#[derive(Debug)]
pub(super) struct Issuer {
    options: TokenOptions,
    keys: Keys,
    /// The fields that the app gets, each with the claim it holds.
    pub(super) told: Vec<(String, HeaderName)>,
}

#[derive(Debug)]
enum Keys {
    Fixed(Arc<[VerifyingKey]>),
    Fetched(Arc<KeySet>),
}

/// What is known of a token.
pub(super) enum Verdict {
    Good(Arc<Identity>),
    Bad(Flaw),
    /// Signed with a key that is not known yet: its issuer may be asked for new ones.
    Unknown(Arc<KeySet>),
    /// Its issuer's keys were never to be had.
    NoKeys(Arc<KeySet>),
}

impl Issuer {
    pub(super) fn new(options: TokenOptions, sets: &KeySets) -> Self {
        let keys = match &options.keys {
            KeySource::Secret(secret) => Keys::Fixed([secret_key(secret)].into()),
            KeySource::Public(pem) => Keys::Fixed(keys_of_pem(pem).unwrap_or_default().into()),
            KeySource::Fetched { url, .. } => Keys::Fetched(sets.of(url)),
        };
        let told = options.claims.iter().filter_map(|(claim, field)| {
            let field = field.to_ascii_lowercase().parse().ok()?;
            Some((claim.clone(), field))
        });
        Self {
            told: told.collect(),
            keys,
            options,
        }
    }

    /// Whether a token says that it comes from here. One whose issuer is not demanded may.
    fn is_meant(&self, token: &Token) -> bool {
        self.options
            .issuer
            .as_ref()
            .is_none_or(|issuer| token.issuer() == Some(issuer))
    }

    /// Whether the holder of a good token may come.
    pub(super) fn lets_in(&self, identity: &Identity) -> bool {
        let mut wanted = self.options.matching.iter();
        wanted.all(|(claim, word)| identity.claims(claim, word))
    }

    fn verify(&self, token: Token, now: SystemTime) -> Verdict {
        let (keys, set) = match &self.keys {
            Keys::Fixed(keys) => (Arc::clone(keys), None),
            Keys::Fetched(set) => match set.keys() {
                Some(keys) => (keys, Some(set)),
                None => return Verdict::NoKeys(Arc::clone(set)),
            },
        };
        let Some(algorithm) = token.algorithm() else {
            return Verdict::Bad(Flaw::Algorithm);
        };
        if !self.options.algorithms.is_empty() && !self.options.algorithms.contains(&algorithm) {
            return Verdict::Bad(Flaw::Algorithm);
        }
        let mut candidates = keys
            .iter()
            .filter(|key| key.may_be(token.key_id()))
            .filter(|key| key.fits(algorithm))
            .peekable();
        if candidates.peek().is_none() {
            return match set {
                Some(set) => Verdict::Unknown(Arc::clone(set)),
                None => Verdict::Bad(Flaw::Algorithm),
            };
        }
        if !candidates.any(|key| key.verifies(algorithm, token.signed(), token.signature())) {
            return Verdict::Bad(Flaw::Signature);
        }
        match claims::check(token.claims(), &self.options, now) {
            Ok(()) => Verdict::Good(Arc::new(Identity::of_token(token.into_claims()))),
            Err(flaw) => Verdict::Bad(flaw),
        }
    }
}

/// Verifies a token by the first issuer that it says it comes from; that one's fields are told to the app.
pub(super) fn verify<'a>(
    issuers: &'a [Issuer],
    text: &str,
    now: SystemTime,
) -> (Verdict, Option<&'a Issuer>) {
    let token = match Token::read(text) {
        Ok(token) => token,
        Err(flaw) => return (Verdict::Bad(flaw), None),
    };
    match issuers.iter().find(|issuer| issuer.is_meant(&token)) {
        Some(issuer) => (issuer.verify(token, now), Some(issuer)),
        None => (Verdict::Bad(Flaw::Issuer), None),
    }
}

/// Whose token it is, at this time, by the keys that the options hold themselves.
///
/// # Errors
/// What is wrong with it, in a word; keys that would have to be fetched are not known here.
pub fn identify(
    text: &str,
    options: &TokenOptions,
    now: SystemTime,
) -> Result<Arc<Identity>, &'static str> {
    let issuer = Issuer::new(options.clone(), &KeySets::default());
    match verify(&[issuer], text, now).0 {
        Verdict::Good(identity) => Ok(identity),
        Verdict::Bad(flaw) => Err(flaw.reason()),
        Verdict::Unknown(_) | Verdict::NoKeys(_) => Err(Flaw::UnknownKey.reason()),
    }
}

#[cfg(test)]
mod tests;
