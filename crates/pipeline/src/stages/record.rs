//! The access line and the counts, when the body has ended; what is put into an error's line. Sends nothing: lines collect in a buffer.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use http::HeaderValue;
use http::header::CONTENT_TYPE;
use mainstay_observe::{
    AccessRecord, Effect, ErrorRecord, NO_ROUTE, NO_STEP, RefusalKind, RequestMetrics,
    TimestampCache,
};
use tokio::sync::Notify;

use super::{ErrorLog, Leak};
use crate::{Exchange, Refusal, Response, Step};

/// Lines that nobody has fetched yet; beyond this new ones are dropped and counted.
const MOST_WAITING: usize = 4 * 1024 * 1024;

/// So many bytes of lines are worth fetching at once: they are still near the processor then, which those of a longer while are not.
const WORTH_FETCHING: usize = 32 * 1024;

/// Access lines of one thread on their way to the log.
#[derive(Debug, Default)]
pub struct AccessLog {
    lines: Mutex<Lines>,
    dropped: AtomicU64,
    full: Arc<Notify>,
}

#[derive(Default)]
struct Lines {
    text: Vec<u8>,
    clock: TimestampCache,
}

impl fmt::Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.text.len())
    }
}

impl AccessLog {
    /// One that tells `full` when it has collected a good many lines.
    pub fn telling(full: &Arc<Notify>) -> Self {
        Self {
            full: Arc::clone(full),
            ..Self::default()
        }
    }

    /// Takes the lines that have collected, and leaves `empty` to collect the next in.
    pub fn take_into(&self, empty: &mut Vec<u8>) {
        empty.clear();
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut lines.text, empty);
    }

    /// Takes the lines that have collected.
    pub fn take(&self) -> Vec<u8> {
        let mut lines = Vec::new();
        self.take_into(&mut lines);
        lines
    }

    /// Lines that were dropped because nobody fetched them in time.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Relaxed)
    }

    pub(super) fn write(&self, write: impl FnOnce(&mut Vec<u8>, &mut TimestampCache)) {
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        if lines.text.len() >= MOST_WAITING {
            self.dropped.fetch_add(1, Relaxed);
            return;
        }
        let Lines { text, clock } = &mut *lines;
        let before = text.len();
        write(text, clock);
        let is_worth_it = before < WORTH_FETCHING && text.len() >= WORTH_FETCHING;
        drop(lines);
        if is_worth_it {
            self.full.notify_one();
        }
    }
}

/// Writes down what was served. One a thread.
#[derive(Debug)]
pub struct Recorder {
    /// Counts by route, method and status.
    pub metrics: Arc<RequestMetrics>,
    /// Access lines; none are written without it.
    pub log: Option<Arc<AccessLog>>,
    /// What apps said in answers that were replaced; nothing is written without it.
    pub errors: Option<Arc<ErrorLog>>,
    /// The routes' names by index.
    pub routes: Arc<[String]>,
}

impl Recorder {
    /// Opens the books on an exchange. Until it is answered, its end means that the client went away.
    #[inline]
    pub(crate) fn begin(self: &Arc<Self>, exchange: Exchange) -> Ending {
        self.metrics.active.add(1);
        Ending(Box::new(Open {
            recorder: Arc::clone(self),
            exchange,
            status: Refusal::ClientGone.status().as_u16(),
            bytes: 0,
            reason: Some(Refusal::ClientGone.reason()),
        }))
    }
}

/// The reason in the access line of an answer that was replaced.
const SCRUBBED: &str = "scrubbed";

impl Recorder {
    /// Writes down what an app said in an answer that is replaced.
    pub(crate) fn error(&self, exchange: &Exchange, response: &Response, leak: Leak, body: &[u8]) {
        let Some(log) = &self.errors else { return };
        let elapsed = exchange.elapsed();
        let record = ErrorRecord {
            time: exchange.began() + elapsed,
            request_id: exchange.request_id.as_bytes(),
            client: exchange.client,
            method: exchange.method.as_str(),
            host: exchange.host.as_bytes(),
            target: target(exchange),
            status: response.status().as_u16(),
            route: self.route(exchange),
            user: exchange.identity.as_ref().map(|identity| &*identity.name),
            origin: exchange.origin.as_deref(),
            leak: leak.word(),
            content_type: response
                .headers()
                .get(CONTENT_TYPE)
                .map(HeaderValue::as_bytes),
            body,
            dropped_before: 0,
        };
        log.write(record, exchange.started() + elapsed);
    }

    fn route(&self, exchange: &Exchange) -> &str {
        let route = exchange.route.and_then(|route| self.routes.get(route));
        route.map_or(NO_ROUTE, String::as_str)
    }
}

/// Path and query as sent.
fn target(exchange: &Exchange) -> &str {
    let target = exchange.uri.path_and_query();
    target.map_or("*", http::uri::PathAndQuery::as_str)
}

/// The end of an exchange, whichever way it comes: dropping it writes it down.
///
/// Boxed: it goes through many hands, and moving an exchange costs more than allocating it once.
#[derive(Debug)]
pub struct Ending(Box<Open>);

#[derive(Debug)]
struct Open {
    recorder: Arc<Recorder>,
    exchange: Exchange,
    status: u16,
    bytes: u64,
    reason: Option<&'static str>,
}

impl Ending {
    /// Notes bytes of the body that were sent.
    pub fn sent(&mut self, bytes: usize) {
        self.0.bytes += bytes as u64;
    }

    /// Notes why the response was broken off.
    pub fn broken(&mut self, reason: &'static str) {
        self.0.reason = Some(reason);
    }

    /// The exchange.
    pub fn exchange(&self) -> &Exchange {
        &self.0.exchange
    }

    pub(crate) fn exchange_mut(&mut self) -> &mut Exchange {
        &mut self.0.exchange
    }

    /// There is an answer to send.
    pub(crate) fn answered(&mut self, status: u16) {
        self.0.exchange.pass(Step::Record);
        self.0.status = status;
        self.0.reason = None;
    }
}

impl Open {
    /// Counts every refusal, whichever step it came from: the one that holds, and the first that a dry run spared.
    fn count_refusals(&self, spared: Option<(Step, Refusal)>) {
        let count = |step: Option<Step>, refusal: Refusal, effect| {
            self.recorder.metrics.refusals.count(RefusalKind {
                step: step.map_or(NO_STEP, Step::name),
                reason: refusal.reason(),
                status: refusal.status().as_u16(),
                effect,
            });
        };
        // nobody was refused who went away
        let refusal = self.exchange.refusal;
        if let Some(refusal) = refusal.filter(|refusal| *refusal != Refusal::ClientGone) {
            count(self.exchange.refused_by(refusal), refusal, Effect::Refused);
        }
        if let Some((step, refusal)) = spared {
            count(Some(step), refusal, Effect::DryRun);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        let (exchange, recorder) = (&self.exchange, &self.recorder);
        let duration = exchange.elapsed();
        recorder.metrics.active.add(-1);
        recorder.metrics.observe(
            exchange.route,
            exchange.method.as_str(),
            self.status,
            duration,
            self.bytes,
        );
        let spared = exchange.spared();
        self.count_refusals(spared);
        let cache = exchange.cache();
        if let Some((outcome, reason)) = cache {
            recorder.metrics.cache.observe(outcome.word(), reason);
        }
        let Some(log) = &recorder.log else { return };
        let record = AccessRecord {
            time: exchange.began() + duration,
            request_id: exchange.request_id.as_bytes(),
            client: exchange.client,
            method: exchange.method.as_str(),
            host: exchange.host.as_bytes(),
            target: target(exchange),
            status: self.status,
            bytes: self.bytes,
            duration,
            origin_duration: exchange.origin_duration,
            route: recorder.route(exchange),
            user: exchange.identity.as_ref().map(|identity| &*identity.name),
            origin: exchange.origin.as_deref(),
            cache: cache.map(|(outcome, _)| outcome.word()),
            reason: self
                .reason
                .or_else(|| exchange.refusal.map(Refusal::reason))
                .or(exchange.scrubbed.map(|_| SCRUBBED)),
            dry_run: spared.map(|(_, refusal)| refusal.reason()),
            user_agent: exchange.user_agent.as_ref().map(HeaderValue::as_bytes),
        };
        log.write(|text, clock| record.write(text, clock));
    }
}
