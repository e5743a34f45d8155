//! Keys that tokens are verified with: shared secrets, public keys in PEM, and those of a JWK set (RFC 7517).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::{hmac, signature};
use serde::Deserialize;

use super::algorithm::Algorithm;
use super::der::{self, Kind};
use crate::Sealed;

/// A set with more keys is none.
const MOST_KEYS: usize = 100;
/// RSA keys below are guessed (RFC 7518, 3.3), above they are a way to make us work.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2_048..=8_192;

/// One key, and what it may be used for.
#[derive(Clone)]
pub struct VerifyingKey {
    id: Option<String>,
    /// The only signature it is for, where its owner says so.
    algorithm: Option<Algorithm>,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Secret(Sealed),
    /// Modulus and exponent.
    Rsa {
        n: Vec<u8>,
        e: Vec<u8>,
    },
    /// Points, uncompressed.
    P256(Vec<u8>),
    P384(Vec<u8>),
    Ed25519(Vec<u8>),
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({:?})", self.id)
    }
}

/// A key that is shared with the issuer.
pub fn secret_key(secret: &Sealed) -> VerifyingKey {
    VerifyingKey {
        id: None,
        algorithm: None,
        material: Material::Secret(secret.clone()),
    }
}

/// The public keys of a text in PEM (RFC 7468, 13), or what is wrong with it.
///
/// # Errors
/// What was found that is no such key.
pub fn keys_of_pem(text: &str) -> Result<Vec<VerifyingKey>, &'static str> {
    let mut keys = Vec::new();
    let mut rest = text;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----").ok_or("a line is cut off")?;
        let (body, after) = after.split_once("-----END ").ok_or("its end is missing")?;
        rest = after;
        match label {
            "PUBLIC KEY" => {}
            "CERTIFICATE" => {
                return Err(
                    "this is a certificate; `openssl x509 -pubkey -noout` makes its public key",
                );
            }
            label if label.contains("PRIVATE") => {
                return Err("this is a private key, which only the issuer may have");
            }
            _ => {
                return Err(
                    "this is another kind of key; `openssl pkey -pubout` makes a public key",
                );
            }
        }
        let body: String = body.split_ascii_whitespace().collect();
        let bytes = STANDARD.decode(body).map_err(|_| "it is not base64")?;
        let material = der::public_key(&bytes).and_then(|(kind, bytes)| of_der(kind, bytes));
        keys.push(VerifyingKey {
            id: None,
            algorithm: None,
            material: material
                .ok_or("it is none of RSA (2048 to 8192 bits), P-256, P-384, Ed25519")?,
        });
    }
    if keys.is_empty() {
        return Err("there is no `-----BEGIN PUBLIC KEY-----` in it");
    }
    Ok(keys)
}

fn of_der(kind: Kind, bytes: &[u8]) -> Option<Material> {
    match kind {
        Kind::Rsa => {
            let (n, e) = der::rsa_parts(bytes)?;
            rsa(n.to_vec(), e.to_vec())
        }
        Kind::P256 => (bytes.len() == 65).then(|| Material::P256(bytes.to_vec())),
        Kind::P384 => (bytes.len() == 97).then(|| Material::P384(bytes.to_vec())),
        Kind::Ed25519 => (bytes.len() == 32).then(|| Material::Ed25519(bytes.to_vec())),
    }
}

fn rsa(n: Vec<u8>, e: Vec<u8>) -> Option<Material> {
    let bits = n.len() * 8 - n.first()?.leading_zeros() as usize;
    (RSA_BITS.contains(&bits) && !e.is_empty() && e.len() <= 8).then_some(Material::Rsa { n, e })
}

/// A key as its issuer publishes it (RFC 7517, 4; RFC 7518, 6; RFC 8037, 2).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    alg: Option<String>,
    #[serde(rename = "use")]
    meant_for: Option<String>,
    key_ops: Option<Vec<String>>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

#[derive(Deserialize)]
struct JwkSet {
    /// One that cannot be read hides no other.
    keys: Vec<serde_json::Value>,
}

/// The keys of a set that can verify; none if it is not a set. A shared secret is nothing to publish: it is left out.
pub(super) fn keys_of_set(bytes: &[u8]) -> Option<Vec<VerifyingKey>> {
    let set: JwkSet = serde_json::from_slice(bytes).ok()?;
    if set.keys.len() > MOST_KEYS {
        return None;
    }
    let keys = set.keys.into_iter();
    let keys = keys.filter_map(|key| serde_json::from_value(key).ok().and_then(of_jwk));
    Some(keys.collect())
}

fn of_jwk(key: Jwk) -> Option<VerifyingKey> {
    if key.meant_for.is_some_and(|meant| meant != "sig")
        || key
            .key_ops
            .is_some_and(|ops| !ops.iter().any(|op| op == "verify"))
    {
        return None;
    }
    let bytes = |text: &Option<String>| URL_SAFE_NO_PAD.decode(text.as_ref()?).ok();
    let point = |length: usize| {
        let (x, y) = (bytes(&key.x)?, bytes(&key.y)?);
        (x.len() == length && y.len() == length).then(|| [&[4][..], &x, &y].concat())
    };
    let material = match (key.kty.as_str(), key.crv.as_deref()) {
        ("RSA", _) => rsa(bytes(&key.n)?, bytes(&key.e)?)?,
        ("EC", Some("P-256")) => Material::P256(point(32)?),
        ("EC", Some("P-384")) => Material::P384(point(48)?),
        ("OKP", Some("Ed25519")) => Material::Ed25519(bytes(&key.x).filter(|x| x.len() == 32)?),
        _ => return None,
    };
    let algorithm = match &key.alg {
        // made for a signature that we do not know
        Some(name) => Some(Algorithm::find(name)?),
        None => None,
    };
    Some(VerifyingKey {
        id: key.kid,
        algorithm,
        material,
    })
}

impl VerifyingKey {
    /// Whether a token that names this key may mean it. Keys of a file have no names.
    pub(super) fn may_be(&self, id: Option<&str>) -> bool {
        match (&self.id, id) {
            (Some(own), Some(id)) => own == id,
            _ => true,
        }
    }

    /// Whether a signature of this kind can be this key's: a public key is never taken for a secret.
    pub(super) fn fits(&self, algorithm: Algorithm) -> bool {
        use Algorithm::{EdDsa, Es256, Es384, Hs256, Hs384, Hs512};
        let is_own = match &self.material {
            Material::Secret(secret) => {
                // a key is as long as the hash (RFC 7518, 3.2)
                let least = match algorithm {
                    Hs256 => 32,
                    Hs384 => 48,
                    Hs512 => 64,
                    _ => return false,
                };
                secret.expose().len() >= least
            }
            Material::Rsa { .. } => parameters(algorithm).is_some(),
            Material::P256(_) => algorithm == Es256,
            Material::P384(_) => algorithm == Es384,
            Material::Ed25519(_) => algorithm == EdDsa,
        };
        is_own && self.algorithm.is_none_or(|own| own == algorithm)
    }

    /// Whether the signature is this key's. The kind must fit.
    pub(super) fn verifies(&self, algorithm: Algorithm, message: &[u8], sign: &[u8]) -> bool {
        let plain = |kind: &'static dyn signature::VerificationAlgorithm, key: &[u8]| {
            signature::UnparsedPublicKey::new(kind, key)
                .verify(message, sign)
                .is_ok()
        };
        match &self.material {
            Material::Secret(secret) => {
                let hash = match algorithm {
                    Algorithm::Hs384 => hmac::HMAC_SHA384,
                    Algorithm::Hs512 => hmac::HMAC_SHA512,
                    _ => hmac::HMAC_SHA256,
                };
                let key = hmac::Key::new(hash, secret.expose().as_bytes());
                hmac::verify(&key, message, sign).is_ok()
            }
            Material::Rsa { n, e } => parameters(algorithm).is_some_and(|parameters| {
                signature::RsaPublicKeyComponents { n, e }
                    .verify(parameters, message, sign)
                    .is_ok()
            }),
            Material::P256(key) => plain(&signature::ECDSA_P256_SHA256_FIXED, key),
            Material::P384(key) => plain(&signature::ECDSA_P384_SHA384_FIXED, key),
            Material::Ed25519(key) => plain(&signature::ED25519, key),
        }
    }
}

fn parameters(algorithm: Algorithm) -> Option<&'static signature::RsaParameters> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_2048_8192_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_2048_8192_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_2048_8192_SHA512,
        _ => return None,
    })
}
