//! The life of an instance, from start to stop. What happens between stands in `serve`.

use std::path::PathBuf;

use super::invocation::{self, Greeting, Invocation};
use super::runtime_dir::RuntimeDir;
use super::signals::Signals;
use super::state::Control;
use crate::failure::Failure;
use crate::{Outcome, say};

/// Runs as the control plane.
pub(crate) fn main() -> Outcome {
    let invocation = invocation::receive()?;
    if let Some(background) = &invocation.background {
        background.enter()?;
    }
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
    let _links = Links::of(&invocation.origin.greeting);
    let runtime_dir = RuntimeDir::claim(&invocation.name)?;
    let mut control = Control::start(invocation, &runtime_dir)?;
    let result = control.serve(&mut signals).await;
    control.stop(&mut signals).await;
    result
}

/// The demo's links, gone when it ends, however it does.
struct Links(Option<PathBuf>);

impl Links {
    fn of(greeting: &Greeting) -> Self {
        Self(match greeting {
            Greeting::Demo { links } => links.clone(),
            Greeting::Usual => None,
        })
    }
}

impl Drop for Links {
    fn drop(&mut self) {
        if let Some(folder) = &self.0 {
            let _ = std::fs::remove_dir_all(folder);
        }
    }
}
