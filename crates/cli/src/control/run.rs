//! The life of an instance, from start to stop. What happens between stands in `serve`.

use std::path::PathBuf;

use mainstay_supervisor::os::hear_signals;

use super::background::Background;
use super::handover::{self, Arrival};
use super::invocation::{self, Greeting, Invocation};
use super::runtime_dir::RuntimeDir;
use super::signals::Signals;
use super::state::Control;
use super::upgrade;
use crate::failure::Failure;
use crate::{Outcome, say};

/// Runs as the control plane.
pub(crate) fn main() -> Outcome {
    if let Some(number) = upgrade::self_test_wanted() {
        return upgrade::self_test(number);
    }
    invocation::allow_huge_pages();
    let arrival = handover::receive()?;
    let start = match arrival {
        Some(arrival) => Start::After(Box::new(arrival)),
        None => Start::First(Box::new(invocation::receive()?)),
    };
    match &start {
        Start::First(invocation) => invocation
            .background
            .iter()
            .try_for_each(Background::enter)?,
        Start::After(arrival) if arrival.handover.is_in_background() => say::into_a_log(),
        Start::After(_) => {}
    }
    say::from_a_thread().map_err(|error| Failure::internal("a thread", error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::internal("the runtime", error))?;
    match start {
        Start::First(invocation) => runtime.block_on(run(*invocation)),
        Start::After(arrival) => runtime.block_on(carry_on(*arrival)),
    }
}

/// How this program came to be the control plane.
enum Start {
    /// It was started.
    First(Box<Invocation>),
    /// It follows another one in the same process.
    After(Box<Arrival>),
}

/// From the end of the program before to stop, in order.
async fn carry_on(arrival: Arrival) -> Outcome {
    let mut signals = Signals::new().map_err(|error| Failure::internal("signals", error))?;
    hear_signals().map_err(|error| Failure::internal("signals", error))?;
    let Arrival {
        handover,
        mut descriptors,
        way_back,
    } = arrival;
    let _links = Links::of(&handover.invocation.origin.greeting);
    let claimed = handover.claim(&mut descriptors);
    let runtime_dir = claimed.map_err(|failure| way_back.go(failure))?;
    let taken = Control::take_up(handover, &mut descriptors, &runtime_dir);
    // here the directory is still there, as the program before needs it
    let mut control = taken.map_err(|failure| way_back.go(failure))?;
    // with the file of the program before, which is needed no more
    drop(descriptors);
    let before = way_back.close();
    control.complete_upgrade(before);
    let result = control.serve(&mut signals).await;
    control.stop(&mut signals).await;
    result
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
