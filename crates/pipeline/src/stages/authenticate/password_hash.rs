//! A password's hash as it stands in a file: argon2 (RFC 9106) or bcrypt. Keeps no password.

use std::fmt;
use std::str::FromStr;

use argon2::password_hash::phc;
use argon2::{Argon2, PasswordHasher as _, PasswordVerifier as _};
use mainstay_values::{BadValue, Secret};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::sealed::Sealed;

/// Memory of one verification in KiB; more would let a few guesses take the machine's.
const MOST_MEMORY: u32 = 256 * 1024;
/// Passes and lanes of argon2: more of either takes seconds.
const MOST_WORK: u32 = 32;
/// bcrypt's cost is an exponent: 15 takes about two seconds.
const MOST_COST: u32 = 15;

/// A hash that can be verified against: `$argon2id$…`, `$argon2i$…`, `$argon2d$…`, `$2a$…`, `$2b$…` or `$2y$…`.
///
/// Is never printed, though no password can be read from it: whoever has it may guess at leisure.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash {
    text: Sealed,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Argon2,
    Bcrypt,
}

impl PasswordHash {
    /// Hashes a password by argon2id with a fresh salt: 19 MiB, two passes, one lane, as OWASP advises.
    ///
    /// # Errors
    /// When the machine gives no random bytes, or no memory.
    pub fn make(password: &Secret) -> Result<Self, String> {
        let hash = Argon2::default()
            .hash_password(password.expose().as_bytes())
            .map_err(|error| error.to_string())?;
        Ok(Self {
            text: Sealed::new(hash.to_string()),
            kind: Kind::Argon2,
        })
    }

    /// The hash as it is written in a file.
    pub fn expose(&self) -> &str {
        self.text.expose()
    }

    /// Whether it is this password's. Takes tens of milliseconds: never on a thread that serves.
    pub(crate) fn is_of(&self, password: &[u8]) -> bool {
        let text = self.text.expose();
        match self.kind {
            Kind::Argon2 => phc::PasswordHash::new(text)
                .is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok()),
            Kind::Bcrypt => bcrypt::verify(password, text).unwrap_or(false),
        }
    }
}

impl FromStr for PasswordHash {
    type Err = BadValue;

    fn from_str(text: &str) -> Result<Self, BadValue> {
        let kind = if text.starts_with("$argon2") {
            argon2(text)?;
            Kind::Argon2
        } else if ["$2a$", "$2b$", "$2y$", "$2x$"]
            .iter()
            .any(|id| text.starts_with(id))
        {
            bcrypt(text)?;
            Kind::Bcrypt
        } else {
            return Err(unfit(text));
        };
        Ok(Self {
            text: Sealed::new(text.to_owned()),
            kind,
        })
    }
}

fn wanted() -> BadValue {
    BadValue::new(
        "a password's hash",
        "`$argon2id$…`, as `mainstay hash` makes it, or bcrypt's `$2b$…`",
    )
}

fn argon2(text: &str) -> Result<(), BadValue> {
    let hash = phc::PasswordHash::new(text).map_err(|_| wanted())?;
    if hash.salt.is_none() || hash.hash.is_none() {
        return Err(wanted().hint("its end is missing"));
    }
    let params = argon2::Params::try_from(&hash).map_err(|_| wanted())?;
    if params.m_cost() > MOST_MEMORY || params.t_cost() > MOST_WORK || params.p_cost() > MOST_WORK {
        return Err(wanted().hint(format!(
            "it takes too much for each guess: at most m={MOST_MEMORY}, t={MOST_WORK}, p={MOST_WORK}"
        )));
    }
    Ok(())
}

fn bcrypt(text: &str) -> Result<(), BadValue> {
    text.parse::<bcrypt::HashParts>().map_err(|_| wanted())?;
    let cost = text.get(4..6).and_then(|cost| cost.parse().ok());
    if cost.is_none_or(|cost: u32| !(4..=MOST_COST).contains(&cost)) {
        return Err(wanted().hint(format!("a cost of 4 to {MOST_COST}")));
    }
    Ok(())
}

/// What others write into such files, and why it does not do.
fn unfit(text: &str) -> BadValue {
    let hint = if text.starts_with("$apr1$") || text.starts_with("$1$") {
        "this is MD5, of which a graphics card guesses millions each second; make it anew: `htpasswd -B`, or `mainstay hash`"
    } else if text.starts_with("{SHA}") {
        "this is SHA-1 without a salt, of which a graphics card guesses billions each second; make it anew: `htpasswd -B`, or `mainstay hash`"
    } else if text.starts_with("$5$") || text.starts_with("$6$") {
        "crypt's SHA is not supported; make it anew: `htpasswd -B`, or `mainstay hash`"
    } else {
        "a password itself is never written down; `mainstay hash` makes its hash"
    };
    wanted().hint(hint)
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

impl Serialize for PasswordHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.text.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PasswordHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse()
            .map_err(|_: BadValue| de::Error::custom("not a password's hash"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // made by PHP's password_hash and Apache's `htpasswd -nbBC 4 anna geheim`
    const BCRYPT: &str = "$2y$04$CpBLmLQCpNG0OxvJ3nYzLOwkm9F7e2aSOk3i6DR1PRnN8WBRHrBJS";

    #[test]
    fn what_was_hashed_is_known_again_and_nothing_else() {
        let made = PasswordHash::make(&Secret::new("geheim".to_owned())).expect("a hash");
        assert!(made.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        let read: PasswordHash = made.expose().parse().expect("a hash");
        assert!(read.is_of(b"geheim") && !read.is_of(b"Geheim") && !read.is_of(b""));
        let bcrypt = bcrypt::hash("geheim", 4).expect("a hash");
        for id in ["$2a$", "$2b$", "$2y$"] {
            let text = bcrypt.replacen("$2b$", id, 1);
            let read: PasswordHash = text.parse().expect("a hash");
            assert!(read.is_of(b"geheim") && !read.is_of(b"geheim!"), "{id}");
        }
    }

    #[test]
    fn what_is_weak_or_costs_too_much_is_refused_with_its_reason() {
        for (text, hint) in [
            ("$apr1$x$y", "MD5"),
            ("{SHA}0DPiKuNIrrVmD8IUCuw1hQxNqZc=", "SHA-1"),
            ("$6$salt$hash", "crypt"),
            ("geheim", "never written down"),
            (
                "$argon2id$v=19$m=19456,t=2,p=1$c2FsdHNhbHRzYWx0",
                "end is missing",
            ),
            (
                "$argon2id$v=19$m=1048576,t=2,p=1$c2FsdHNhbHRzYWx0$aGFzaGhhc2hoYXNoaGFzaA",
                "too much",
            ),
            (&BCRYPT.replace("$04$", "$31$"), "cost"),
        ] {
            let cause = text.parse::<PasswordHash>().expect_err(text);
            let told = cause.hint.unwrap_or_default();
            assert!(told.contains(hint), "{text}: {told}");
        }
        assert!(BCRYPT.parse::<PasswordHash>().is_ok());
    }

    #[test]
    fn it_is_not_printed() {
        let hash: PasswordHash = BCRYPT.parse().expect("a hash");
        assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
    }
}
