//! What all threads of a gateway share to verify credentials. Decides nothing.

use super::passwords::Passwords;

/// Kept when settings change: what is remembered, and who works for it.
#[derive(Debug, Default)]
pub struct Verification {
    pub(super) passwords: Passwords,
}
