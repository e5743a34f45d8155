//! The bundled sample app as a worker process: a socket by `LISTEN_FDS`, links in a file that all workers
//! read.

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::process::ExitCode;
use std::rc::Rc;

use mainstay_shortener::Shortener;
use mainstay_supervisor::os::inherited_fd;

use crate::Outcome;
use crate::failure::Failure;
use crate::plain_http::{self, Call, Content, Reply};

/// systemd's first descriptor.
const LISTEN_FD: i32 = 3;
/// Where the links are.
pub(crate) const LINKS: &str = "SHORTENER_LINKS";

/// Serves until it is told to end.
pub(crate) fn main() -> Outcome {
    let socket = inherited_fd(LISTEN_FD).map_err(|error| {
        Failure::usage(format!(
            "the sample app takes its socket by LISTEN_FDS: {error}"
        ))
    })?;
    let links = PathBuf::from(std::env::var_os(LINKS).unwrap_or_else(|| "links.jsonl".into()));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build_local(tokio::runtime::LocalOptions::default())
        .map_err(|error| Failure::internal("the runtime", error))?;
    runtime.block_on(async {
        let listener = UnixListener::from(socket);
        listener.set_nonblocking(true)?;
        let listener = tokio::net::UnixListener::from_std(listener)?;
        let shortener = Rc::new(Shortener::open(&links)?);
        let mut term = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let (stream, _) = accepted?;
                    let shortener = Rc::clone(&shortener);
                    tokio::task::spawn_local(async move {
                        plain_http::serve(stream, |call| answer(Rc::clone(&shortener), call)).await;
                    });
                }
                _ = term.recv() => return Ok(()),
            }
        }
    })
    .map_err(|error: std::io::Error| Failure::machine(format!("the sample app: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

async fn answer(shortener: Rc<Shortener>, call: Call) -> Reply {
    let answer = shortener.handle(&call);
    if !answer.delay.is_zero() {
        #[expect(
            clippy::disallowed_methods,
            reason = "the sample app is slow on request"
        )]
        tokio::time::sleep(answer.delay).await;
    }
    answer.response.map(Content::Whole)
}
