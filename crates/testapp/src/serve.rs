//! Connections: one thread each, requests in order until one side has enough.

use std::io::{self, Read as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::answer::Then;
use crate::misbehave::crash;
use crate::options::Options;
use crate::request::{Body, Reader, Request};
use crate::routes::{self, Call};
use crate::socket::{Listener, Stream};

/// A keep-alive idle time as Node's default.
const IDLE: Duration = Duration::from_secs(5);

pub(crate) fn serve(listener: &Listener, options: Options) -> io::Result<()> {
    let options = Arc::new(options);
    let served = Arc::new(AtomicU64::new(0));
    loop {
        let stream = listener.accept()?;
        let options = Arc::clone(&options);
        let served = Arc::clone(&served);
        thread::spawn(move || {
            // A client that goes away is no trouble of ours.
            let _ = converse(&stream, &options, &served);
        });
    }
}

fn converse(stream: &Stream, options: &Options, served: &AtomicU64) -> io::Result<()> {
    let mut reader = Reader::new(stream);
    let idle = options.milliseconds("keep-alive").unwrap_or(IDLE);
    loop {
        stream.set_read_timeout(Some(idle))?;
        let Some(request) = Request::read(&mut reader)? else {
            return Ok(());
        };
        stream.set_read_timeout(None)?;
        let number = served.fetch_add(1, Ordering::Relaxed) + 1;
        if options
            .number("crash-after")
            .is_some_and(|limit| number > limit)
        {
            crash();
        }
        let mut call = Call {
            request: &request,
            body: Body::of(&request, &mut reader),
            stream,
            options,
            number,
        };
        if routes::answer(&mut call)? == Then::Close {
            return Ok(());
        }
        drain(&mut call.body)?;
    }
}

/// Whatever a route left of the body belongs to this request, not to the next.
fn drain(body: &mut Body<'_, '_>) -> io::Result<()> {
    let mut buffer = [0; 16 * 1024];
    while body.read(&mut buffer)? > 0 {}
    Ok(())
}
