//! What all threads counted, as one text. Counts nothing itself.

use std::sync::Arc;

use http::StatusCode;
use mainstay_observe::{Exposition, RequestTotals, names};
use mainstay_pipeline::{AccessLog, Phase, Standing};
use mainstay_proxy::Counters;

use super::process::{Book, not_found};
use crate::plain_http::{self, Call, Reply};
use crate::protocol::Beginning;

/// The books of all threads.
pub(super) struct Metrics {
    /// By thread, by front.
    books: Vec<Vec<Book>>,
    /// All fronts' routes, one front after the other.
    routes: Vec<String>,
    /// Where each front's routes begin.
    first_routes: Vec<usize>,
    standing: Arc<Standing>,
}

impl Metrics {
    pub(super) fn new(beginning: &Beginning, standing: Arc<Standing>) -> Self {
        let mut routes = Vec::new();
        let mut first_routes = Vec::new();
        for front in &beginning.fronts {
            first_routes.push(routes.len());
            routes.extend(front.routes.iter().map(|route| route.name.clone()));
        }
        let fronts = || {
            beginning
                .fronts
                .iter()
                .map(|front| Book::new(front.routes.len(), beginning.access_log))
        };
        Self {
            books: (0..beginning.threads).map(|_| fronts().collect()).collect(),
            routes,
            first_routes,
            standing,
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

    /// All of it as Prometheus text.
    pub(super) fn render(&self) -> String {
        let mut totals = RequestTotals::default();
        for thread in &self.books {
            for (book, first) in thread.iter().zip(&self.first_routes) {
                totals.add(&book.requests, *first);
            }
        }
        let mut text = Exposition::default();
        text.requests(&totals, &self.routes);
        let sum =
            |read: fn(&Counters) -> u64| self.all().map(|book| read(&book.counters)).sum::<u64>();
        let open: i64 = self.all().map(|book| book.counters.connections.get()).sum();
        text.single(
            names::ACTIVE_CONNECTIONS,
            "gauge",
            "Client connections open now.",
            open,
        );
        for (name, help, value) in [
            (
                names::CONNECTIONS_TOTAL,
                "Client connections accepted.",
                sum(|counters| counters.accepted.get()),
            ),
            (
                names::ACCEPT_PAUSES_TOTAL,
                "Pauses in accepting.",
                sum(|counters| counters.accept_pauses.get()),
            ),
            (
                names::RESENDS_TOTAL,
                "Attempts beyond the first.",
                sum(|counters| counters.resends.get()),
            ),
            (
                names::ORIGIN_CONNECTIONS_TOTAL,
                "Connections to origins.",
                sum(|counters| counters.origin_connections.get()),
            ),
            (
                names::ACCESS_LINES_DROPPED_TOTAL,
                "Access lines dropped.",
                self.all()
                    .filter_map(|book| book.log.as_ref())
                    .map(|log| log.dropped())
                    .sum(),
            ),
        ] {
            text.single(name, "counter", help, value);
        }
        text.family(
            names::WORKERS_READY,
            "gauge",
            "Workers or servers that are ready.",
        );
        for target in self.standing.targets() {
            text.sample(
                names::WORKERS_READY,
                &[("target", &target.name)],
                target.ready(),
            );
        }
        text.finish()
    }

    /// Answers on the socket for observers.
    pub(super) fn answer(&self, call: &Call) -> Reply {
        let phase = self.standing.phase();
        match call.uri().path() {
            "/metrics" => plain_http::text(StatusCode::OK, Exposition::CONTENT_TYPE, self.render()),
            "/live" => plain_http::text(StatusCode::OK, "text/plain; charset=utf-8", "alive\n"),
            "/ready" => {
                let (status, word) = match phase {
                    Phase::Ready => (StatusCode::OK, "ready\n"),
                    Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
                    Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
                };
                plain_http::text(status, "text/plain; charset=utf-8", word)
            }
            _ => not_found(),
        }
    }
}
