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

    /// Whether this is somebody's name or one of its labels.
    pub(crate) fn is_called(&self, word: &str) -> bool {
        *self.name == *word || self.labels.iter().any(|label| **label == *word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_called_by_its_id_and_its_labels() {
        let key = Identity::of_key("billing", &["partner".to_owned()]);
        assert!(key.is_called("billing") && key.is_called("partner") && !key.is_called("part"));
    }
}
