//! What all threads counted. Counts nothing itself, and does not make the text: that is the control plane's, which
//! knows of other gateways too.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use mainstay_observe::{Exposition, RequestMetrics, RequestTotals, Totals};
use mainstay_pipeline::{AccessLog, CacheMemory, ErrorLog, Options, Phase, Recorder, Standing};
use mainstay_proxy::Counters;
use tokio::sync::{Notify, mpsc, oneshot};

use crate::plain_http::{self, Call, Reply};
use crate::protocol::{AccessLogging, GatewaySettings, Up};

/// The control plane has so long to make the text.
const PATIENCE: Duration = Duration::from_secs(2);

/// The books of all threads.
pub(super) struct Metrics {
    /// By thread, by front.
    desks: Vec<Vec<Desk>>,
    /// Told when one has a good many access lines.
    full: Arc<Notify>,
    books: Mutex<Books>,
    up: mpsc::UnboundedSender<Up>,
    /// Clients that wait for the text.
    waiting: Mutex<HashMap<u64, oneshot::Sender<String>>>,
    next_ticket: AtomicU64,
}

/// What one thread has for one front as long as it runs.
#[derive(Debug)]
struct Desk {
    counters: Arc<Counters>,
    log: Arc<AccessLog>,
    errors: Arc<ErrorLog>,
}

impl Desk {
    fn new(full: &Arc<Notify>) -> Self {
        let log = Arc::new(AccessLog::telling(full));
        Self {
            counters: Arc::default(),
            errors: Arc::new(ErrorLog::new(Arc::clone(&log))),
            log,
        }
    }
}

/// Requests by route. Routes change with the settings; requests that have begun are counted where they began.
struct Books {
    standing: Arc<Standing>,
    /// By thread, by front.
    open: Vec<Vec<Book>>,
    /// Of earlier settings, while requests of theirs may run.
    old: Vec<Book>,
    /// Of settings whose last request has ended.
    closed: RequestTotals,
}

/// What one thread counts for the routes of one front.
#[derive(Clone, Debug)]
struct Book {
    requests: Arc<RequestMetrics>,
    routes: Arc<[String]>,
}

impl Books {
    fn fresh(threads: usize, settings: &GatewaySettings) -> Vec<Vec<Book>> {
        let book = |front: &Options| Book {
            requests: Arc::new(RequestMetrics::new(front.routes.len())),
            routes: front
                .routes
                .iter()
                .map(|route| route.name.clone())
                .collect(),
        };
        (0..threads)
            .map(|_| settings.fronts.iter().map(book).collect())
            .collect()
    }

    /// Closes old books that nobody writes in any more.
    fn close(&mut self) {
        let closed = &mut self.closed;
        self.old.retain(|book| {
            let is_open = Arc::strong_count(&book.requests) > 1;
            if !is_open {
                closed.add(&book.requests, &book.routes);
            }
            is_open
        });
    }
}

impl Metrics {
    pub(super) fn new(
        threads: usize,
        settings: &GatewaySettings,
        standing: Arc<Standing>,
        up: mpsc::UnboundedSender<Up>,
    ) -> Self {
        let full = Arc::default();
        let desks = || settings.fronts.iter().map(|_| Desk::new(&full)).collect();
        Self {
            desks: (0..threads).map(|_| desks()).collect(),
            full: Arc::clone(&full),
            books: Mutex::new(Books {
                standing,
                open: Books::fresh(threads, settings),
                old: Vec::new(),
                closed: RequestTotals::default(),
            }),
            up,
            waiting: Mutex::default(),
            next_ticket: AtomicU64::new(1),
        }
    }

    /// One thread's counters, by front.
    pub(super) fn counters(&self, thread: usize) -> Vec<Arc<Counters>> {
        let desks = self.desks[thread].iter();
        desks.map(|desk| Arc::clone(&desk.counters)).collect()
    }

    /// Who writes down what one thread serves, by front.
    pub(super) fn recorders(
        &self,
        thread: usize,
        settings: &GatewaySettings,
    ) -> Vec<Arc<Recorder>> {
        let books = self.books();
        let recorders = books.open[thread].iter().zip(&self.desks[thread]);
        recorders
            .map(|(book, desk)| {
                Arc::new(Recorder {
                    metrics: Arc::clone(&book.requests),
                    log: (settings.access_log == AccessLogging::Json)
                        .then(|| Arc::clone(&desk.log)),
                    errors: Some(Arc::clone(&desk.errors)),
                    routes: Arc::clone(&book.routes),
                })
            })
            .collect()
    }

    /// Other settings hold from now on. Routes keep what was counted under their names.
    pub(super) fn serve_with(&self, settings: &GatewaySettings, standing: Arc<Standing>) {
        let mut books = self.books();
        books.standing = standing;
        let fresh = Books::fresh(self.desks.len(), settings);
        let Books { open, old, .. } = &mut *books;
        for (open, fresh) in open.iter_mut().flatten().zip(fresh.into_iter().flatten()) {
            if open.routes != fresh.routes {
                old.push(std::mem::replace(open, fresh));
            }
        }
        books.close();
    }

    /// Where access lines collect, and who is told when there are many.
    pub(super) fn logs(&self) -> (Vec<Arc<AccessLog>>, Arc<Notify>) {
        let logs = self.all().map(|desk| Arc::clone(&desk.log)).collect();
        (logs, Arc::clone(&self.full))
    }

    fn all(&self) -> impl Iterator<Item = &Desk> {
        self.desks.iter().flatten()
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All of it.
    pub(super) fn totals(&self) -> Totals {
        let sum =
            |read: fn(&Counters) -> u64| self.all().map(|desk| read(&desk.counters)).sum::<u64>();
        let mut books = self.books();
        books.close();
        let cache = books.standing.used_cache().cloned();
        let of_cache = |read: fn(&CacheMemory) -> u64| cache.as_deref().map_or(0, read);
        let mut requests = books.closed.clone();
        for book in books.old.iter().chain(books.open.iter().flatten()) {
            requests.add(&book.requests, &book.routes);
        }
        Totals {
            requests,
            connections: self.all().map(|desk| desk.counters.connections.get()).sum(),
            accepted: sum(|counters| counters.accepted.get()),
            turned_away: sum(|counters| counters.turned_away.get()),
            accept_pauses: sum(|counters| counters.accept_pauses.get()),
            resends: sum(|counters| counters.resends.get()),
            origin_connections: sum(|counters| counters.origin_connections.get()),
            access_lines_dropped: self.all().map(|desk| desk.log.dropped()).sum(),
            cache_bytes: of_cache(CacheMemory::bytes),
            cache_resources: of_cache(|memory| memory.len() as u64),
            cache_evictions: of_cache(CacheMemory::evicted),
            error_lines_dropped: self.all().map(|desk| desk.errors.dropped()).sum(),
        }
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
        // probes are asked for by the same path on either address
        let path = call.uri().path();
        match path.strip_prefix("/.mainstay").unwrap_or(path) {
            "/metrics" => match self.ask().await {
                Some(text) => plain_http::text(StatusCode::OK, Exposition::CONTENT_TYPE, text),
                None => {
                    plain_http::text(StatusCode::SERVICE_UNAVAILABLE, TEXT, "not available now\n")
                }
            },
            "/live" => plain_http::text(StatusCode::OK, TEXT, "alive\n"),
            "/ready" => {
                let (status, word) = match self.books().standing.phase() {
                    Phase::Ready => (StatusCode::OK, "ready\n"),
                    Phase::Starting => (StatusCode::SERVICE_UNAVAILABLE, "starting\n"),
                    Phase::Draining => (StatusCode::SERVICE_UNAVAILABLE, "draining\n"),
                };
                plain_http::text(status, TEXT, word)
            }
            _ => plain_http::text(
                StatusCode::NOT_FOUND,
                TEXT,
                "there is /metrics, /live and /ready\n",
            ),
        }
    }
}
