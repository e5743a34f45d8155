//! An app's 5xx that shows its insides becomes a safe one.
//!
//! - **Does**: looks at the beginning of the bodies of 5xx answers, compressed ones too; one with a stack trace, SQL or a
//!   path of the machine is replaced by the page that a refusal of that status would have. What the app said goes to the
//!   error log.
//! - **Refuses**: nothing.
//! - **Passes byte for byte**: every answer below 500, every 5xx without such things, and of streams what comes behind
//!   their beginning.
//! - **Deployment caveat**: a message is no leak by itself. What an app's own words give away, it gives away.

mod coding;
mod forms;
mod leak;
mod look;
mod paths;
mod sql;
mod text;
mod traces;

use std::sync::Arc;

use http::{Method, StatusCode};
use mainstay_values::StatusPattern;
use serde::{Deserialize, Serialize};

pub use leak::Leak;

use super::pages::Pages;
use crate::{Exchange, Recorder, Response, Step};

/// What becomes of an app's errors.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorOptions {
    /// 5xx answers that show an app's insides are replaced.
    pub scrub: bool,
    /// What was replaced is written to the error log.
    pub log: bool,
    /// The app's answers of these statuses get our page, whatever they say.
    pub replace: Vec<StatusPattern>,
}

#[derive(Debug)]
pub(crate) struct Scrub {
    options: ErrorOptions,
    pages: Arc<Pages>,
    recorder: Arc<Recorder>,
}

impl Scrub {
    pub(crate) fn new(options: ErrorOptions, pages: Arc<Pages>, recorder: Arc<Recorder>) -> Self {
        Self {
            options,
            pages,
            recorder,
        }
    }

    /// Whether there is anything to do about such an answer.
    pub(crate) fn concerns(&self, exchange: &mut Exchange, status: StatusCode) -> bool {
        exchange.pass(Step::Scrub);
        status.as_u16() >= 400 && (self.scrubs(status) || self.replaces(status))
    }

    fn scrubs(&self, status: StatusCode) -> bool {
        self.options.scrub && status.is_server_error()
    }

    fn replaces(&self, status: StatusCode) -> bool {
        let status = status.as_u16();
        self.options
            .replace
            .iter()
            .any(|pattern| pattern.matches(status))
    }

    /// The answer as the client gets it.
    pub(crate) async fn answer(&self, exchange: &mut Exchange, mut response: Response) -> Response {
        let status = response.status();
        if self.scrubs(status)
            && exchange.method != Method::HEAD
            && let Some(leak) = self.judge(exchange, &mut response).await
        {
            exchange.scrubbed = Some(leak);
            self.recorder.metrics.scrubbed.increment();
            return self.pages.replace(exchange, response);
        }
        if self.replaces(status) {
            return self.pages.replace(exchange, response);
        }
        response
    }

    /// What the body leaks, if it does. Then it is in the error log.
    async fn judge(&self, exchange: &Exchange, response: &mut Response) -> Option<Leak> {
        let seen = look::look(response.body_mut()).await;
        let content = coding::decode(response.headers(), &seen.bytes, seen.extent);
        let leak = match &content {
            Ok(content) => Leak::find(content, exchange.uri.path())?,
            Err(coding::Unreadable) => Leak::Unreadable,
        };
        if self.options.log {
            let content = content.as_deref().unwrap_or_default();
            self.recorder.error(exchange, response, leak, content);
        }
        Some(leak)
    }
}

#[cfg(test)]
mod bodies;
#[cfg(test)]
mod tests;
