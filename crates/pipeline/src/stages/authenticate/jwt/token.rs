//! A token taken apart (RFC 7515, 5.2). Nothing in it is verified here.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::claims::Flaw;

/// Longer ones do not fit into a field either.
const LONGEST: usize = 16 * 1024;

/// What of the header counts. Keys and addresses of keys that stand there are not even read.
#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    /// Extensions that must be understood: none are (RFC 7515, 4.1.11).
    crit: Option<Value>,
}

/// A token's parts.
pub(super) struct Token<'a> {
    header: Header,
    claims: Map<String, Value>,
    signature: Vec<u8>,
    signed: &'a [u8],
}

impl<'a> Token<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, Flaw> {
        if text.len() > LONGEST {
            return Err(Flaw::Malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Flaw::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(Flaw::Malformed)?;
        if claims.contains('.') {
            return Err(Flaw::Malformed);
        }
        let decoded = |part: &str| URL_SAFE_NO_PAD.decode(part).map_err(|_| Flaw::Malformed);
        let header: Header =
            serde_json::from_slice(&decoded(header)?).map_err(|_| Flaw::Malformed)?;
        if header.crit.is_some() {
            return Err(Flaw::Malformed);
        }
        Ok(Self {
            header,
            claims: serde_json::from_slice(&decoded(claims)?).map_err(|_| Flaw::Malformed)?,
            signature: decoded(signature)?,
            signed: signed.as_bytes(),
        })
    }

    pub(super) fn algorithm(&self) -> Option<Algorithm> {
        Algorithm::find(&self.header.alg)
    }

    pub(super) fn key_id(&self) -> Option<&str> {
        self.header.kid.as_deref()
    }

    /// What the token says of its issuer: to be compared, not to be believed.
    pub(super) fn issuer(&self) -> Option<&str> {
        self.claims.get("iss").and_then(Value::as_str)
    }

    pub(super) fn claims(&self) -> &Map<String, Value> {
        &self.claims
    }

    pub(super) fn into_claims(self) -> Map<String, Value> {
        self.claims
    }

    pub(super) fn signed(&self) -> &[u8] {
        self.signed
    }

    pub(super) fn signature(&self) -> &[u8] {
        &self.signature
    }
}
