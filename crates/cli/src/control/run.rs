//! The life of an instance, from start to stop. What happens between stands in `serve`.

use std::path::PathBuf;

use mainstay_supervisor::os::hear_signals;
use tokio::runtime::Runtime;

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
    if let Some(arrival) = handover::receive()? {
        if arrival.handover.is_in_background() {
            say::into_a_log();
        }
        let runtime = arrival.way_back.unless(prepared)?;
        return runtime.block_on(carry_on(arrival));
    }
    let invocation = invocation::receive()?;
    let mut background = invocation.background.iter();
    background.try_for_each(Background::enter)?;
    prepared()?.block_on(run(invocation))
}

/// A thread for what is said, and the runtime for all else.
fn prepared() -> Result<Runtime, Failure> {
    say::from_a_thread().map_err(|error| Failure::internal("a thread", error))?;
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build();
    runtime.map_err(|error| Failure::internal("the runtime", error))
}

/// From the end of the program before to stop, in order.
async fn carry_on(arrival: Arrival) -> Outcome {
    let Arrival {
        handover,
        mut descriptors,
        way_back,
    } = arrival;
    let _links = Links::of(&handover.invocation.origin.greeting);
    // while there is a way back the directory stays, as the program before needs it
    let runtime_dir = way_back.unless(|| handover.claim(&mut descriptors))?;
    let (mut signals, mut control) = way_back.unless(|| {
        let signals = Signals::new().map_err(|error| Failure::internal("signals", error))?;
        let control = Control::take_up(handover, &mut descriptors, &runtime_dir)?;
        Ok((signals, control))
    })?;
    hear_signals().map_err(|error| Failure::internal("signals", error))?;
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
    control.begin_all()?;
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
