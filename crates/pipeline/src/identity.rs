//! Who a client is, once that has been verified. Verifies nothing.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// What was verified to know who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdentityKind {
    /// A user and a password (RFC 7617).
    User,
    /// An API key.
    Key,
    /// A signed token (RFC 7519).
    Token,
    /// What another server said.
    Forward,
}

impl IdentityKind {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            IdentityKind::User => "user",
            IdentityKind::Key => "key",
            IdentityKind::Token => "token",
            IdentityKind::Forward => "forward",
        }
    }
}

/// Who asks. Holds no secret: neither password nor key nor token.
#[derive(Clone, Debug)]
pub struct Identity {
    /// What was verified.
    pub kind: IdentityKind,
    /// The user, the key's id, or the token's subject; empty where a token names none.
    pub name: Box<str>,
    /// Of a key: what its owner is called besides.
    pub labels: Box<[Box<str>]>,
    /// Of a token: all its claims.
    claims: Map<String, Value>,
}

impl Identity {
    /// Somebody known by name alone.
    pub fn named(kind: IdentityKind, name: &str) -> Self {
        Self {
            kind,
            name: name.into(),
            labels: Box::default(),
            claims: Map::new(),
        }
    }

    /// The owner of a key.
    pub(crate) fn of_key(id: &str, labels: &[String]) -> Self {
        let labels = labels.iter().map(|label| label.as_str().into());
        Self {
            labels: labels.collect(),
            ..Self::named(IdentityKind::Key, id)
        }
    }

    /// The subject of a token with these claims.
    pub(crate) fn of_token(claims: Map<String, Value>) -> Self {
        let name = claims.get("sub").and_then(Value::as_str).unwrap_or("");
        let named = Self::named(IdentityKind::Token, name);
        Self { claims, ..named }
    }

    /// A claim of the token as text: numbers and truth values as JSON writes them, lists of texts with spaces
    /// between. None where there is no such claim, or it is an object.
    pub fn claim(&self, name: &str) -> Option<Cow<'_, str>> {
        match self.claims.get(name)? {
            Value::String(text) => Some(Cow::Borrowed(text)),
            Value::Number(number) => Some(Cow::Owned(number.to_string())),
            Value::Bool(value) => Some(Cow::Borrowed(if *value { "true" } else { "false" })),
            Value::Array(list) => {
                let texts: Option<Vec<&str>> = list.iter().map(Value::as_str).collect();
                texts.map(|texts| Cow::Owned(texts.join(" ")))
            }
            Value::Null | Value::Object(_) => None,
        }
    }

    /// Whether a claim is this word, or holds it: in a list, or among words with spaces between, as `scope` has
    /// them (RFC 8693, 4.2).
    pub(crate) fn claims(&self, name: &str, word: &str) -> bool {
        self.claim(name)
            .is_some_and(|text| text == word || text.split(' ').any(|one| one == word))
    }

    /// Whether this is somebody's name or one of its labels.
    pub(crate) fn is_called(&self, word: &str) -> bool {
        *self.name == *word || self.labels.iter().any(|label| **label == *word)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn claims_are_texts() {
        let Value::Object(claims) = json!({
            "sub": "42", "admin": true, "level": 7, "scope": "read write", "roles": ["a b", "c"], "deep": {}, "mixed": [1],
        }) else {
            unreachable!()
        };
        let identity = Identity::of_token(claims);
        assert_eq!(&*identity.name, "42");
        for (claim, text) in [
            ("admin", Some("true")),
            ("level", Some("7")),
            ("scope", Some("read write")),
            ("roles", Some("a b c")),
            ("deep", None),
            ("mixed", None),
            ("none", None),
        ] {
            assert_eq!(identity.claim(claim).as_deref(), text, "{claim}");
        }
        for (claim, word, has) in [
            ("scope", "read", true),
            ("scope", "rea", false),
            ("roles", "c", true),
            ("level", "7", true),
        ] {
            assert_eq!(identity.claims(claim, word), has, "{claim} {word}");
        }
    }

    #[test]
    fn a_key_is_called_by_its_id_and_its_labels() {
        let key = Identity::of_key("billing", &["partner".to_owned()]);
        assert!(key.is_called("billing") && key.is_called("partner") && !key.is_called("part"));
    }
}
