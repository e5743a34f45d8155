//! What all threads counted. Counts nothing itself, and does not make the text: that is the control plane's, which
//! knows of other gateways too.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::StatusCode;
use mainstay_observe::{Exposition, Totals};
use mainstay_pipeline::{AccessLog, Phase, Standing};
use mainstay_proxy::Counters;
use tokio::sync::{mpsc, oneshot};

use super::process::{Book, not_found};
use crate::plain_http::{self, Call, Reply};
use crate::protocol::{Beginning, Up};

/// The control plane has so long to make the text.
const PATIENCE: Duration = Duration::from_secs(2);

/// The books of all threads.
pub(super) struct Metrics {
    /// By thread, by front.
    books: Vec<Vec<Book>>,
    /// The routes' names by front.
    routes: Vec<Vec<String>>,
    standing: Arc<Standing>,
    up: mpsc::UnboundedSender<Up>,
    /// Clients that wait for the text.
    waiting: Mutex<HashMap<u64, oneshot::Sender<String>>>,
    next_ticket: AtomicU64,
}

impl Metrics {
    pub(super) fn new(
        beginning: &Beginning,
        standing: Arc<Standing>,
        up: mpsc::UnboundedSender<Up>,
    ) -> Self {
        let settings = &beginning.settings;
        let fronts = || {
            let routes = settings.routes.iter();
            routes.map(|routes| Book::new(routes.len(), settings.access_log))
        };
        Self {
            books: (0..beginning.threads).map(|_| fronts().collect()).collect(),
            routes: settings
                .routes
                .iter()
                .map(|routes| routes.iter().map(|route| route.name.clone()).collect())
                .collect(),
            standing,
            up,
            waiting: Mutex::default(),
            next_ticket: AtomicU64::new(1),
        }
    }

    /// One thread's books, by front.
    pub(super) fn books(&self, thread: usize) -> &[Book] {
        &self.books[thread]
    }

    /// Where access lines collect.
    pub(super) fn logs(&self) -> Vec<Arc<AccessLog>> {
        self.all().filter_map(|book| book.log.clone()).collect()
    }

    fn all(&self) -> impl Iterator<Item = &Book> {
        self.books.iter().flatten()
    }

    /// All of it.
    pub(super) fn totals(&self) -> Totals {
        let sum =
            |read: fn(&Counters) -> u64| self.all().map(|book| read(&book.counters)).sum::<u64>();
        let mut totals = Totals {
            connections: self.all().map(|book| book.counters.connections.get()).sum(),
            accepted: sum(|counters| counters.accepted.get()),
            accept_pauses: sum(|counters| counters.accept_pauses.get()),
            resends: sum(|counters| counters.resends.get()),
            origin_connections: sum(|counters| counters.origin_connections.get()),
            access_lines_dropped: self
                .all()
                .filter_map(|book| book.log.as_ref())
                .map(|log| log.dropped())
                .sum(),
            ..Totals::default()
        };
        for thread in &self.books {
            for (book, routes) in thread.iter().zip(&self.routes) {
                totals.requests.add(&book.requests, routes);
            }
        }
        totals
    }

    /// The control plane has made the text.
    pub(super) fn told(&self, ticket: u64, text: String) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(asker) = waiting.remove(&ticket) {
            let _ = asker.send(text);
        }
    }

    async fn ask(&self) -> Option<String> {
        let ticket = self.next_ticket.fetch_add(1, Relaxed);
        let (asker, answer) = oneshot::channel();
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(ticket, asker);
        let _ = self.up.send(Up::AskMetrics { ticket });
        let text = tokio::time::timeout(PATIENCE, answer).await;
        self.waiting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&ticket);
        text.ok()?.ok()
    }

    /// Answers on the socket for observers.
    pub(super) async fn answer(&self, call: &Call) -> Reply {
        const TEXT: &str = "text/plain; charset=utf-8";
        match call.uri().path() {
            "/metrics" => match self.ask().await {
                Some(text) => plain_http::text(StatusCode::OK, Exposition::CONTENT_TYPE, text),
                None => {
                    plain_http::text(StatusCode::SERVICE_UNAVAILABLE, TEXT, "not available now\n")
                }
            },
            "/live" => plain_http::text(StatusCode::OK, TEXT, "alive\n"),
            "/ready" => {
                let (status, word) = match self.standing.phase() {
                    Phase::Ready => (StatusCode::OK, "ready\n"),
                    Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
                    Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
                };
                plain_http::text(status, TEXT, word)
            }
            _ => not_found(),
        }
    }
}
