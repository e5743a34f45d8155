//! The address of a store as it was written: checked, kept, never shown. Opens nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::server::{BadServer, Server};

/// A Redis, by its address, which may hold a password. Shown are its hosts only; it is serialised whole, for whoever is to
/// connect.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoreAddress(String);

impl StoreAddress {
    /// As it was written. Named so that every use stands out in review.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is spoken to over TLS.
    pub fn is_encrypted(&self) -> bool {
        Server::parse(&self.0).is_ok_and(|server| server.is_encrypted())
    }
}

impl FromStr for StoreAddress {
    type Err = BadServer;

    fn from_str(text: &str) -> Result<Self, BadServer> {
        Server::parse(text).map(|_| Self(text.to_owned()))
    }
}

impl fmt::Display for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Server::parse(&self.0) {
            Ok(server) => write!(f, "{server}"),
            Err(_) => f.write_str("a store"),
        }
    }
}

impl fmt::Debug for StoreAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
