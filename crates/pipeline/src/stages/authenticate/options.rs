//! Options of this stage. Verifies nothing.

use std::collections::BTreeMap;

use mainstay_values::Rate;
use serde::{Deserialize, Serialize};

use super::api_key::KeyOptions;
use super::forward::ForwardOptions;
use super::jwt::TokenOptions;
use super::password_hash::PasswordHash;
use crate::Enforcement;

/// A way to say who one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// A user and a password.
    Basic,
    /// An API key.
    Key,
    /// A signed token.
    Jwt,
    /// Another server is asked.
    Forward,
}

/// Wrong passwords of one client when nothing is said.
pub(super) const DEFAULT_FAILURES: &str = "10/5m";

/// What becomes of credentials that were verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// The app sees them too.
    #[default]
    ByTheApp,
    /// The app sees only who asks.
    ByNobody,
}

/// Options of this stage. Where nobody is named who may come, it has nothing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AuthOptions {
    /// Whether refusals are enforced.
    pub enforcement: Enforcement,
    /// What browsers show when they ask for a password: visible ASCII without `"` and `\`.
    pub realm: String,
    /// Which of the ways count that are set up; all of them if none is named.
    pub accept: Vec<Method>,
    /// Users, keys, labels and subjects that may come; anybody who is verified if none is named.
    pub only: Vec<String>,
    /// The field in which an app is told who asks.
    pub user_header: Option<String>,
    /// Who sees the credentials.
    pub credentials: Seen,
    /// The file that users were read from, for whoever explains them.
    pub users_file: Option<String>,
    /// Users with the hashes of their passwords.
    pub users: BTreeMap<String, PasswordHash>,
    /// API keys.
    pub keys: Vec<KeyOptions>,
    /// The field of a key, in lower case.
    pub key_header: String,
    /// The query parameter of a key.
    pub key_query: Option<String>,
    /// Whose tokens are believed.
    pub tokens: Vec<TokenOptions>,
    /// Who is asked about whoever shows nothing else.
    pub forward: Option<ForwardOptions>,
    /// So many wrong passwords of one client in so long; any number if there is none.
    pub failures: Option<Rate>,
}

impl Default for AuthOptions {
    fn default() -> Self {
        Self {
            enforcement: Enforcement::default(),
            realm: "restricted".to_owned(),
            accept: Vec::new(),
            only: Vec::new(),
            user_header: None,
            credentials: Seen::default(),
            users_file: None,
            users: BTreeMap::new(),
            keys: Vec::new(),
            key_header: "x-api-key".to_owned(),
            key_query: None,
            tokens: Vec::new(),
            forward: None,
            failures: DEFAULT_FAILURES.parse().ok(),
        }
    }
}

impl AuthOptions {
    /// Takes out everybody who is named, and what is said about them.
    pub fn forget_everybody(&mut self) {
        self.accept.clear();
        self.only.clear();
        self.users_file = None;
        self.users.clear();
        self.keys.clear();
        self.tokens.clear();
        self.forward = None;
    }

    /// Whether nobody may come here who may not come where `other` holds: it is the same, or everybody may come there.
    pub(crate) fn is_as_strict_as(&self, other: &Self) -> bool {
        self == other || other.set_up().is_empty()
    }

    /// The ways that count: set up, and not left out by `accept`.
    pub fn methods(&self) -> Vec<Method> {
        let set_up = self.set_up().into_iter();
        set_up
            .filter(|method| self.accept.is_empty() || self.accept.contains(method))
            .collect()
    }

    /// The ways for which somebody is named.
    pub fn set_up(&self) -> Vec<Method> {
        [
            (Method::Basic, !self.users.is_empty()),
            (Method::Key, !self.keys.is_empty()),
            (Method::Jwt, !self.tokens.is_empty()),
            (Method::Forward, self.forward.is_some()),
        ]
        .into_iter()
        .filter_map(|(method, is_there)| is_there.then_some(method))
        .collect()
    }

    /// The request fields in which an app is told who asks.
    pub fn told(&self) -> impl Iterator<Item = &str> {
        let copied = self.forward.iter().flat_map(|forward| &forward.copy);
        let claims = self.tokens.iter().flat_map(|token| token.claims.values());
        self.user_header
            .as_deref()
            .into_iter()
            .chain(claims.chain(copied).map(String::as_str))
    }
}
