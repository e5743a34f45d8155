//! The order of the pipeline as names, and the trail an exchange leaves. Runs nothing.

use std::fmt;

/// A step of the pipeline. The variants stand in the order in which requests pass them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Step {
    /// Finds out who asks, for what, and under which id.
    Identify,
    /// Answers probes, and takes browsers' reports.
    Health,
    /// Finds the route whose options hold from here on.
    Route,
    /// Lets the request in, or makes it wait, or turns it away for now.
    Admit,
    /// Sends it elsewhere: https, the canonical host, user rules.
    Redirect,
    /// Turns away by network, method, path and known scanners' habits.
    Filter,
    /// Answers CORS preflights and marks what other origins may read.
    Cors,
    /// Takes from the budget of this client.
    LimitRate,
    /// Verifies who the client says it is.
    Authenticate,
    /// Takes from the budget of a verified key, user or claim.
    LimitIdentity,
    /// Bounds the body's size and the time it may take.
    LimitSize,
    /// Answers from memory, or fetches once for many.
    Cache,
    /// Asks the origin: a worker, another server, files, a service.
    Origin,
    /// Replaces answers of the app that would leak its insides.
    Scrub,
    /// Compresses, without holding back what streams.
    Compress,
    /// Turns a refusal into an answer.
    Pages,
    /// Sets and removes response headers.
    Headers,
    /// Writes the access line and counts, when the body has ended.
    Record,
}

impl Step {
    /// All steps, in order.
    pub const ALL: [Step; 18] = [
        Step::Identify,
        Step::Health,
        Step::Route,
        Step::Admit,
        Step::Redirect,
        Step::Filter,
        Step::Cors,
        Step::LimitRate,
        Step::Authenticate,
        Step::LimitIdentity,
        Step::LimitSize,
        Step::Cache,
        Step::Origin,
        Step::Scrub,
        Step::Compress,
        Step::Pages,
        Step::Headers,
        Step::Record,
    ];

    /// Its name in configuration, logs and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Step::Identify => "identify",
            Step::Health => "health",
            Step::Route => "route",
            Step::Admit => "admit",
            Step::Redirect => "redirect",
            Step::Filter => "filter",
            Step::Cors => "cors",
            Step::LimitRate => "limit_rate",
            Step::Authenticate => "authenticate",
            Step::LimitIdentity => "limit_identity",
            Step::LimitSize => "limit_size",
            Step::Cache => "cache",
            Step::Origin => "origin",
            Step::Scrub => "scrub",
            Step::Compress => "compress",
            Step::Pages => "pages",
            Step::Headers => "headers",
            Step::Record => "record",
        }
    }

    /// What it does, in a sentence.
    pub const fn sentence(self) -> &'static str {
        match self {
            Step::Identify => {
                "Finds the real client address, scheme and host behind trusted proxies, gives the request an id, and \
                 normalises the path for matching (the bytes forwarded stay the client's)."
            }
            Step::Health => {
                "Answers liveness, readiness and startup probes; takes browsers' reports against the content security policy."
            }
            Step::Route => "Finds the route, whose options hold from here on.",
            Step::Admit => {
                "Lets the request in; makes it wait while its app starts, is overloaded, or the instance is paused; turns it away during \
                 maintenance."
            }
            Step::Redirect => "Sends the client elsewhere: https, the canonical host, user rules.",
            Step::Filter => "Turns away by network, host, method, hidden file and scanner trap.",
            Step::Cors => "Answers preflights; its headers go on the response.",
            Step::LimitRate => "Takes from this client's budget.",
            Step::Authenticate => {
                "Verifies basic credentials, API keys, JWTs, or asks a forward-auth server."
            }
            Step::LimitIdentity => "Takes from the budget of the verified key, user or claim.",
            Step::LimitSize => "Bounds the body's size and the time it may take.",
            Step::Cache => "Answers from the shared cache, or fetches once for many.",
            Step::Origin => {
                "Asks the origin: a worker, another server, files, or an embedded service."
            }
            Step::Scrub => "Replaces server errors of the app that would leak its insides.",
            Step::Compress => "Compresses without holding back what streams.",
            Step::Pages => "Turns a refusal into an answer that fits the client.",
            Step::Headers => "Sets security headers and removes what tells too much.",
            Step::Record => "Writes the access line and counts, when the body has ended.",
        }
    }

    /// The statuses it may refuse or answer with, as the documents write them.
    pub const fn statuses(self) -> &'static str {
        match self {
            Step::Identify => "400, 508",
            Step::Health => "200, 204, 400, 413, 415, 503",
            Step::Route => "421, 404, 400",
            Step::Admit => "503",
            Step::Redirect => "301, 308",
            Step::Filter => "403, 404, 405, 421",
            Step::Cors => "204, 403",
            Step::LimitRate | Step::LimitIdentity => "429, 403",
            Step::Authenticate => "401, 403",
            Step::LimitSize => "408, 413",
            Step::Cache => "504",
            Step::Origin => "502, 503, 504",
            Step::Scrub | Step::Compress | Step::Pages | Step::Headers | Step::Record => "–",
        }
    }
}

/// The steps an exchange took. Since the order is fixed, a set of steps is a list of steps.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Trail(u32);

impl Trail {
    /// Notes a step.
    pub fn note(&mut self, step: Step) {
        debug_assert!(
            self.0 >> (step as u8) == 0,
            "{step:?} after a later step: {self:?}"
        );
        self.0 |= 1 << (step as u8);
    }

    /// Whether a step was taken.
    pub fn has(self, step: Step) -> bool {
        self.0 & (1 << (step as u8)) != 0
    }

    /// The steps taken, in order.
    pub fn steps(self) -> impl Iterator<Item = Step> {
        Step::ALL.into_iter().filter(move |step| self.has(*step))
    }
}

impl fmt::Debug for Trail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list()
            .entries(self.steps().map(Step::name))
            .finish()
    }
}
