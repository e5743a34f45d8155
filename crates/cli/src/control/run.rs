//! The life of an instance, from start to stop. What happens between stands in `serve`.

use super::invocation::{self, Invocation};
use super::runtime_dir::RuntimeDir;
use super::signals::Signals;
use super::state::Control;
use crate::failure::Failure;
use crate::{Outcome, say};

/// Runs as the control plane.
pub(crate) fn main() -> Outcome {
    let invocation = invocation::receive()?;
    say::from_a_thread().map_err(|error| Failure::internal("a thread", error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("the runtime", error))?;
    runtime.block_on(run(invocation))
}

/// From start to stop, in order.
async fn run(invocation: Invocation) -> Outcome {
    let mut signals = Signals::new().map_err(|error| Failure::internal("signals", error))?;
    let runtime_dir = RuntimeDir::claim(&invocation.name)?;
    let mut control = Control::start(invocation, &runtime_dir)?;
    let result = control.serve(&mut signals).await;
    control.stop(&mut signals).await;
    result
}
