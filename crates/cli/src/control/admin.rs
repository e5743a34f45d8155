//! The admin socket: for this user, on this machine. Knows how to ask; what is answered stands in `status`.

use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use http::StatusCode;
use mainstay_observe::Exposition;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use crate::plain_http::{self, Call, Reply};

/// A question, and where the answer goes.
#[derive(Debug)]
pub(super) enum Question {
    /// `/status`.
    Status(oneshot::Sender<String>),
    /// `/status.json`.
    StatusJson(oneshot::Sender<String>),
    /// `/metrics`.
    Metrics(oneshot::Sender<String>),
}

/// Questions that may wait.
const WAITING: usize = 16;

/// Opens the socket: 0600, and only this user (or root) is heard.
pub(super) fn open(path: &Path) -> io::Result<mpsc::Receiver<Question>> {
    let listener = UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    let (sender, questions) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let is_ours = stream.peer_cred().is_ok_and(|peer| {
                peer.uid() == 0 || peer.uid() == rustix::process::geteuid().as_raw()
            });
            if is_ours {
                let sender = sender.clone();
                tokio::spawn(async move {
                    plain_http::serve(stream, |call| answer(sender.clone(), call)).await;
                });
            }
        }
    });
    Ok(questions)
}

async fn answer(sender: mpsc::Sender<Question>, call: Call) -> Reply {
    let (reply, answered) = oneshot::channel();
    let (question, media_type) = match call.uri().path() {
        "/status" => (Question::Status(reply), "text/plain; charset=utf-8"),
        "/status.json" => (Question::StatusJson(reply), "application/json"),
        "/metrics" => (Question::Metrics(reply), Exposition::CONTENT_TYPE),
        _ => {
            let known = "there is /status, /status.json and /metrics\n";
            return plain_http::text(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", known);
        }
    };
    if sender.send(question).await.is_ok()
        && let Ok(text) = answered.await
    {
        return plain_http::text(StatusCode::OK, media_type, text);
    }
    plain_http::text(
        StatusCode::SERVICE_UNAVAILABLE,
        "text/plain; charset=utf-8",
        "not available now\n",
    )
}
