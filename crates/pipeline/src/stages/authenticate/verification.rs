//! What all threads of a gateway share to verify credentials. Decides nothing.

use super::jwt::KeySets;
use super::passwords::Passwords;

/// Kept when settings change: what is remembered, and who works for it.
#[derive(Debug, Default)]
pub struct Verification {
    pub(super) passwords: Passwords,
    /// The keys that issuers publish: whoever can fetch them keeps them fresh.
    pub key_sets: KeySets,
}
