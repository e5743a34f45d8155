//! Whether a layer that refuses really does: `dry_run` in its section. Judges nothing itself.
//!
//! Every stage that refuses by a rule of the user has one among its options, and hands each of its refusals through
//! [`Enforcement::apply`]. What is refused because a message is ambiguous or broken never goes through here.

use serde::{Deserialize, Serialize};

use crate::{Exchange, Refusal, Step};

/// What becomes of a layer's refusals. The stricter is the lesser.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Enforcement {
    /// They are refusals.
    #[default]
    Enforce,
    /// They are noted, and the request goes on: for trying a rule out on real traffic.
    DryRun,
}

impl Enforcement {
    /// The refusal, unless this is a dry run: then the exchange notes it, and `Ok` lets the request pass.
    ///
    /// # Errors
    /// `refusal`, when it is enforced.
    pub fn apply(
        self,
        exchange: &mut Exchange,
        step: Step,
        refusal: Refusal,
    ) -> Result<(), Refusal> {
        match self {
            Self::Enforce => Err(refusal),
            Self::DryRun => {
                // the first one is what the client would have met
                exchange.spared.get_or_insert((step, refusal));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use super::*;

    #[test]
    fn a_dry_run_lets_pass_and_notes_the_first_refusal() {
        let mut exchange = Exchange::unread(&Arc::default(), Instant::now());
        let (first, second) = (Refusal::WrongHost, Refusal::NoRoute);
        let dry = Enforcement::DryRun;
        assert_eq!(dry.apply(&mut exchange, Step::Filter, first), Ok(()));
        assert_eq!(dry.apply(&mut exchange, Step::LimitRate, second), Ok(()));
        assert_eq!(exchange.spared, Some((Step::Filter, first)));
        let enforced = Enforcement::Enforce.apply(&mut exchange, Step::LimitSize, second);
        assert_eq!(enforced, Err(second));
        assert_eq!(exchange.spared, Some((Step::Filter, first)));
    }
}
