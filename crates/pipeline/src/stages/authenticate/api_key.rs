//! API keys: long random texts, of which only a hash is kept. Finds whose one is.

use std::collections::HashMap;
use std::fmt;
use std::hint::black_box;
use std::str::FromStr;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mainstay_values::{BadValue, Secret};
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::Identity;

/// What stands before the hash.
const PREFIX: &str = "sha256:";
/// What keys of ours begin with, so that scanners for leaked secrets can know them.
const OURS: &str = "mk_";

/// The SHA-256 of a key. Enough for keys that nobody can guess, which is why Mainstay makes them; never for passwords.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// The hash of a key.
    pub fn of(key: &[u8]) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, key).as_ref());
        Self(hash)
    }

    /// As it is written: `sha256:` and 64 digits.
    pub fn expose(&self) -> String {
        use fmt::Write as _;
        let mut text = PREFIX.to_owned();
        for byte in self.0 {
            let _ = write!(text, "{byte:02x}");
        }
        text
    }

    /// In time that does not depend on where two differ.
    fn is(&self, other: &Self) -> bool {
        let bytes = self.0.iter().zip(&other.0);
        black_box(bytes.fold(0_u8, |seen, (a, b)| black_box(seen | (a ^ b)))) == 0
    }
}

/// Makes a key of 256 random bits.
///
/// # Errors
/// When the machine gives no random bytes.
pub fn make_key() -> Result<Secret, String> {
    let mut bytes = [0; 32];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| "the machine gives no random bytes".to_owned())?;
    Ok(Secret::new(format!(
        "{OURS}{}",
        URL_SAFE_NO_PAD.encode(bytes)
    )))
}

impl FromStr for KeyHash {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let wanted = || {
            BadValue::new("a key's hash", "`sha256:` and 64 hexadecimal digits")
                .hint("`mainstay hash --key` makes a key and its hash")
        };
        let digits = text.strip_prefix(PREFIX).ok_or_else(wanted)?;
        if digits.len() != 64 || !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wanted());
        }
        let mut hash = [0; 32];
        for (byte, pair) in hash.iter_mut().zip(digits.as_bytes().chunks(2)) {
            let pair = str::from_utf8(pair).map_err(|_| wanted())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| wanted())?;
        }
        Ok(Self(hash))
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(…)")
    }
}

impl Serialize for KeyHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.expose())
    }
}

impl<'de> Deserialize<'de> for KeyHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_: BadValue| de::Error::custom("not a key's hash"))
    }
}

/// One key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyOptions {
    /// Its name, in logs and towards the app.
    pub id: String,
    /// Its hash.
    pub hash: KeyHash,
    /// What its owner is called besides.
    pub labels: Vec<String>,
}

/// All keys of a route.
#[derive(Debug, Default)]
pub(crate) struct ApiKeys {
    /// By the first bytes of the hash: where a wrong guess leaves the table says nothing about a key.
    keys: HashMap<[u8; 8], Vec<(KeyHash, Arc<Identity>)>>,
}

impl ApiKeys {
    pub(crate) fn new(options: &[KeyOptions]) -> Self {
        let mut keys: HashMap<_, Vec<_>> = HashMap::new();
        for key in options {
            let identity = Arc::new(Identity::of_key(&key.id, &key.labels));
            let place = keys.entry(first(&key.hash)).or_default();
            place.push((key.hash, identity));
        }
        Self { keys }
    }

    /// Whose key it is.
    pub(crate) fn find(&self, key: &[u8]) -> Option<&Arc<Identity>> {
        let hash = KeyHash::of(key);
        let place = self.keys.get(&first(&hash))?;
        place
            .iter()
            .find(|(known, _)| known.is(&hash))
            .map(|(_, identity)| identity)
    }
}

fn first(hash: &KeyHash) -> [u8; 8] {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&hash.0[..8]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_by_its_hash() {
        let key = make_key().expect("random bytes");
        assert!(key.expose().starts_with(OURS) && key.expose().len() == OURS.len() + 43);
        let options = KeyOptions {
            id: "billing".to_owned(),
            hash: KeyHash::of(key.expose().as_bytes()),
            labels: Vec::new(),
        };
        let keys = ApiKeys::new(&[options]);
        let found = keys.find(key.expose().as_bytes()).expect("the key");
        assert_eq!(&*found.name, "billing");
        assert!(keys.find(b"mk_other").is_none() && keys.find(b"").is_none());
    }

    #[test]
    fn hashes_are_read_as_they_are_written() {
        // FIPS 180-4's example
        let hash = KeyHash::of(b"abc");
        let text = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(hash.expose(), text);
        assert_eq!(text.parse(), Ok(hash));
        for wrong in [
            "",
            "abc",
            &text[..70],
            &text[7..],
            &format!("{text}0"),
            "sha256:+1",
        ] {
            assert!(wrong.parse::<KeyHash>().is_err(), "{wrong}");
        }
        assert_eq!(format!("{hash:?}"), "KeyHash(…)");
    }
}
