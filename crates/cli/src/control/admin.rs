//! The admin socket: for this user, on this machine. Knows how to ask; what is answered stands elsewhere.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener as StdUnixListener;
use std::path::Path;
use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use mainstay_config::Layer;
use mainstay_observe::Exposition;
use mainstay_pipeline::Purge;
use tokio::net::UnixListener;
use tokio::sync::{mpsc, oneshot};

use super::output::Told;
use super::recent::written;
use crate::order::{Asker, CacheList, Disable, Order, Signalling, Suspend, Unban, VERSION_FIELD};
use crate::plain_http::{self, Call, Reply};
use crate::said::{LogWish, Memory, Word};

/// A question, and where the answer goes.
#[derive(Debug)]
pub(super) enum Question {
    /// `GET /status`.
    Status(oneshot::Sender<String>),
    /// `GET /status.json`.
    StatusJson(oneshot::Sender<String>),
    /// `GET /diff.json`: a [`Comparison`](crate::order::Comparison).
    Diff(oneshot::Sender<String>),
    /// `GET /csp.json`: what browsers reported, a [`Collected`](crate::policy::Collected).
    Csp(oneshot::Sender<String>),
    /// `GET /crashes.json`: a list of [`Crash`](crate::crash::Crash).
    Crashes(oneshot::Sender<String>),
    /// `POST /logs`, with a [`LogWish`] as JSON: a [`Word`] for each line.
    Logs(LogWish, oneshot::Sender<Told>),
    /// `GET /debug.json`: an [`Insight`](crate::order::Insight).
    Debug(oneshot::Sender<String>),
    /// `GET /metrics`.
    Metrics(oneshot::Sender<String>),
    /// `POST /reload`, with an [`Order`] as JSON or nothing.
    Reload(Order, Asker),
    /// `POST /disable`, with a [`Disable`] as JSON.
    Disable(Disable, Asker),
    /// `POST /enable`, with a layer as JSON.
    Enable(Layer, Asker),
    /// `POST /suspend`, with a [`Suspend`] as JSON.
    Suspend(Suspend, Asker),
    /// `GET /limits.json`: a list of [`LimitState`](crate::order::LimitState).
    Limits(oneshot::Sender<String>),
    /// `POST /unban`, with an [`Unban`] as JSON.
    Unban(Unban, Asker),
    /// `GET /cache.json`: a [`CacheCounts`](crate::order::CacheCounts).
    CacheCounts(oneshot::Sender<String>),
    /// `POST /cache/list`, with a [`CacheList`] as JSON: an [`Inventory`](mainstay_pipeline::Inventory).
    CacheList(CacheList, oneshot::Sender<String>),
    /// `POST /cache/purge`, with a [`Purge`] as JSON: a [`Purged`](crate::order::Purged).
    CachePurge(Purge, oneshot::Sender<String>),
    /// `GET /list.json`: a [`Listing`](crate::listing::Listing).
    List(oneshot::Sender<String>),
    /// `POST /signal`, with a [`Signalling`] as JSON.
    Signal(Signalling, Asker),
    /// `POST /upgraded`: how the last upgrade ended, once it has.
    Upgraded(Asker),
    /// `POST /stop`.
    Stop(Asker),
}

/// Questions that may wait.
const WAITING: usize = 16;
/// How long is waited for log files to be written.
const DISK_PATIENCE: Duration = Duration::from_secs(2);
const TEXT: &str = "text/plain; charset=utf-8";
const JSON: &str = "application/json";
/// One JSON value for each line, as things happen.
const LINES: &str = "application/x-ndjson";
const KNOWN: &str = "there is GET /status, /status.json, /diff.json, /csp.json, /crashes.json, /debug.json, /limits.json, /cache.json, /list.json and /metrics, POST /reload, /logs, /disable, /enable, /suspend, /unban, /cache/list, /cache/purge, /signal, /upgraded and /stop\n";

/// Opens the socket: 0600, and only this user (or root) is heard.
pub(super) fn open(path: &Path) -> io::Result<OwnedFd> {
    let listener = StdUnixListener::bind(path)?;
    listener.set_nonblocking(true)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener.into())
}

/// Listens on a socket that was opened.
pub(super) fn listen(socket: &OwnedFd) -> io::Result<mpsc::Receiver<Question>> {
    let listener = UnixListener::from_std(socket.try_clone()?.into())?;
    let (sender, questions) = mpsc::channel(WAITING);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let is_ours = stream.peer_cred().is_ok_and(|peer| {
                peer.uid() == 0 || peer.uid() == rustix::process::geteuid().as_raw()
            });
            if is_ours {
                let sender = sender.clone();
                tokio::spawn(async move {
                    plain_http::serve(stream, |call| versioned(answer(sender.clone(), call))).await;
                });
            }
        }
    });
    Ok(questions)
}

/// Whoever asks learns which version answers: a command of another one says so.
async fn versioned(answer: impl Future<Output = Reply>) -> Reply {
    let mut reply = answer.await;
    let version = HeaderValue::from_static(env!("CARGO_PKG_VERSION"));
    reply.headers_mut().insert(VERSION_FIELD, version);
    reply
}

async fn answer(sender: mpsc::Sender<Question>, call: Call) -> Reply {
    let path = call.uri().path();
    match (call.method(), path) {
        (&Method::GET, "/status") => text(&sender, Question::Status, TEXT).await,
        (&Method::GET, "/status.json") => text(&sender, Question::StatusJson, JSON).await,
        (&Method::GET, "/diff.json") => text(&sender, Question::Diff, JSON).await,
        (&Method::GET, "/csp.json") => text(&sender, Question::Csp, JSON).await,
        (&Method::GET, "/crashes.json") => text(&sender, Question::Crashes, JSON).await,
        (&Method::GET, "/debug.json") => text(&sender, Question::Debug, JSON).await,
        (&Method::GET, "/metrics") => {
            text(&sender, Question::Metrics, Exposition::CONTENT_TYPE).await
        }
        (&Method::POST, "/reload") => match order(call.body()) {
            Ok(order) => told(&sender, |asker| Question::Reload(order, asker)).await,
            Err(error) => plain_http::text(StatusCode::BAD_REQUEST, TEXT, format!("{error}\n")),
        },
        (&Method::POST, "/logs") => match serde_json::from_slice(call.body()) {
            Ok(wish) => logs(&sender, wish).await,
            Err(error) => plain_http::text(StatusCode::BAD_REQUEST, TEXT, format!("{error}\n")),
        },
        (&Method::POST, "/disable") => match serde_json::from_slice(call.body()) {
            Ok(wish) => told(&sender, |asker| Question::Disable(wish, asker)).await,
            Err(error) => plain_http::text(StatusCode::BAD_REQUEST, TEXT, format!("{error}\n")),
        },
        (&Method::POST, "/enable") => match serde_json::from_slice(call.body()) {
            Ok(layer) => told(&sender, |asker| Question::Enable(layer, asker)).await,
            Err(error) => plain_http::text(StatusCode::BAD_REQUEST, TEXT, format!("{error}\n")),
        },
        (&Method::POST, "/suspend") => match serde_json::from_slice(call.body()) {
            Ok(wish) => told(&sender, |asker| Question::Suspend(wish, asker)).await,
            Err(error) => plain_http::text(StatusCode::BAD_REQUEST, TEXT, format!("{error}\n")),
        },
        (&Method::GET, "/limits.json") => text(&sender, Question::Limits, JSON).await,
        (&Method::POST, "/unban") => match serde_json::from_slice(call.body()) {
            Ok(wish) => told(&sender, |asker| Question::Unban(wish, asker)).await,
            Err(error) => plain_http::text(StatusCode::BAD_REQUEST, TEXT, format!("{error}\n")),
        },
        (&Method::GET, "/cache.json") => text(&sender, Question::CacheCounts, JSON).await,
        (&Method::POST, "/cache/list") => match serde_json::from_slice(call.body()) {
            Ok(wish) => text(&sender, |asker| Question::CacheList(wish, asker), JSON).await,
            Err(error) => plain_http::text(StatusCode::BAD_REQUEST, TEXT, format!("{error}\n")),
        },
        (&Method::POST, "/cache/purge") => match serde_json::from_slice(call.body()) {
            Ok(wish) => text(&sender, |asker| Question::CachePurge(wish, asker), JSON).await,
            Err(error) => plain_http::text(StatusCode::BAD_REQUEST, TEXT, format!("{error}\n")),
        },
        (&Method::GET, "/list.json") => text(&sender, Question::List, JSON).await,
        (&Method::POST, "/signal") => match serde_json::from_slice(call.body()) {
            Ok(wish) => told(&sender, |asker| Question::Signal(wish, asker)).await,
            Err(error) => plain_http::text(StatusCode::BAD_REQUEST, TEXT, format!("{error}\n")),
        },
        (&Method::POST, "/upgraded") => told(&sender, Question::Upgraded).await,
        (&Method::POST, "/stop") => told(&sender, Question::Stop).await,
        (
            _,
            "/status" | "/status.json" | "/diff.json" | "/csp.json" | "/crashes.json"
            | "/debug.json" | "/metrics" | "/reload" | "/logs" | "/disable" | "/enable"
            | "/suspend" | "/limits.json" | "/cache.json" | "/cache/list" | "/cache/purge"
            | "/list.json" | "/unban" | "/signal" | "/upgraded" | "/stop",
        ) => plain_http::text(StatusCode::METHOD_NOT_ALLOWED, TEXT, KNOWN),
        _ => plain_http::text(StatusCode::NOT_FOUND, TEXT, KNOWN),
    }
}

fn order(body: &[u8]) -> serde_json::Result<Order> {
    if body.is_empty() {
        return Ok(Order::default());
    }
    serde_json::from_slice(body)
}

async fn text(
    sender: &mpsc::Sender<Question>,
    question: impl FnOnce(oneshot::Sender<String>) -> Question,
    media_type: &'static str,
) -> Reply {
    let (reply, answered) = oneshot::channel();
    if sender.send(question(reply)).await.is_ok()
        && let Ok(text) = answered.await
    {
        return plain_http::text(StatusCode::OK, media_type, text);
    }
    not_available()
}

async fn told(sender: &mpsc::Sender<Question>, question: impl FnOnce(Asker) -> Question) -> Reply {
    let (lines, pieces) = mpsc::unbounded_channel();
    match sender.send(question(Asker::new(lines))).await {
        Ok(()) => plain_http::pieces(LINES, pieces),
        Err(_) => not_available(),
    }
}

/// What is remembered; then, if that is wanted, what comes, until whoever asks goes away.
async fn logs(sender: &mpsc::Sender<Question>, wish: LogWish) -> Reply {
    let (reply, answered) = oneshot::channel();
    let follow = wish.follow;
    if sender.send(Question::Logs(wish, reply)).await.is_err() {
        return not_available();
    }
    let Ok(Told { remembrance, files }) = answered.await else {
        return not_available();
    };
    // a disk that hangs is no reason to say nothing
    let files = tokio::time::timeout(DISK_PATIENCE, files).await;
    let memory = Memory {
        began_ms: remembrance.began_ms,
        apps: remembrance.apps,
        files: files.ok().and_then(Result::ok).unwrap_or_default(),
    };
    let mut text = written(&Word::Memory(memory));
    text.extend(remembrance.lines);
    text.extend(written(&Word::Now));
    match remembrance.feed {
        Some(feed) => plain_http::feed(LINES, text.into(), feed),
        None if follow => plain_http::text(
            StatusCode::SERVICE_UNAVAILABLE,
            TEXT,
            "too many follow already\n",
        ),
        None => plain_http::text(StatusCode::OK, LINES, text),
    }
}

fn not_available() -> Reply {
    plain_http::text(StatusCode::SERVICE_UNAVAILABLE, TEXT, "not available now\n")
}
