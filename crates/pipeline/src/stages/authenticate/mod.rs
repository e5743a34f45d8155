//! Who the client is: a user with a password, the owner of an API key, the holder of a signed token, or whoever
//! another server vouches for.
//!
//! - **Does**: verifies the credentials a request shows, notes who asks ([`Identity`](crate::Identity)), tells the app
//!   in fields that no client can set; takes those fields out of every request first, on every route.
//! - **Refuses**: 401 with `WWW-Authenticate` when nobody is verified, 403 when somebody is who may not come here, 503
//!   when too many passwords wait to be verified, or an issuer's keys were never to be had.
//! - **Deployment caveat**: passwords, keys and tokens are seen by whoever reads the connection: over plain HTTP they
//!   are nobody's secret.
//! - **Follows**: RFC 9110, 11; RFC 7617; RFC 6750; RFC 7515 to 7519.

mod api_key;
mod challenge;
mod credentials;
mod forward;
pub mod jwt;
mod options;
mod password_hash;
mod passwords;
mod stage;
mod verification;

pub use api_key::{KeyHash, KeyOptions, make_key};
pub use forward::ForwardOptions;
pub use options::{AuthOptions, Method as AuthMethod, Seen};
pub use password_hash::PasswordHash;
pub(crate) use stage::{Authentication, Check};
pub use verification::Verification;

#[cfg(test)]
mod tests;
