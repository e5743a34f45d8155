//! The threads that do heavy work for those that serve: as many as there are cores, for the whole process.

use std::io;
use std::num::NonZero;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;

use tokio::sync::oneshot;

type Job = Box<dyn FnOnce() + Send>;

static HANDS: OnceLock<Option<Sender<Job>>> = OnceLock::new();

/// Has it done by another thread; here and now where there is none. Each exchange has one job at most, so that no more wait
/// than there are exchanges.
pub(super) fn submit<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> oneshot::Receiver<io::Result<T>> {
    let (done, result) = oneshot::channel();
    let job = move || {
        // whoever waited may be gone
        let _ = done.send(work());
    };
    match HANDS.get_or_init(open) {
        Some(hands) => {
            if let Err(back) = hands.send(Box::new(job)) {
                (back.0)();
            }
        }
        None => job(),
    }
    result
}

fn open() -> Option<Sender<Job>> {
    let (sender, receiver) = channel::<Job>();
    let receiver = Arc::new(Mutex::new(receiver));
    let count = thread::available_parallelism().map_or(1, NonZero::get);
    let started = (0..count).filter(|number| {
        let receiver = Arc::clone(&receiver);
        let thread = thread::Builder::new().name(format!("encode-{number}"));
        thread.spawn(move || work(&receiver)).is_ok()
    });
    (started.count() > 0).then_some(sender)
}

fn work(jobs: &Mutex<Receiver<Job>>) {
    loop {
        let job = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = job else { return };
        // a job that panics fails its own exchange and nobody else's
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(job));
    }
}
