//! What a worker tells about its failures. Sentences and facts, no decisions.

use std::time::Duration;

use crate::cgroup::AppGroup;
use crate::events::{Cause, Event, Failure, Why};
use crate::hint::{hint, over_limit};
use crate::process::Exit;
use crate::worker::Worker;

impl Worker {
    pub(crate) fn report_draining(&mut self, why: Why) {
        self.heard.leaving = true;
        self.tell(Event::Draining {
            worker: self.id.clone(),
            why,
        });
    }

    pub(crate) fn report_crash_loop(&mut self) {
        self.tell(Event::CrashLoop {
            worker: self.id.clone(),
            deaths: self.plan.policy.loop_deaths,
            within: self.plan.policy.loop_window,
        });
    }

    pub(crate) fn report_recovery(&mut self) {
        self.tell(Event::Recovered {
            worker: self.id.clone(),
        });
    }

    pub(crate) fn report_given_up(&mut self) {
        self.tell(Event::GaveUp {
            worker: self.id.clone(),
        });
    }

    pub(crate) fn report_finished(&mut self) {
        self.pass_turn();
        let exit = self.exit.unwrap_or(Exit::Unknown);
        let is_well = self.cause.is_none() && self.plan.options.lives.is_well(exit);
        if !is_well && !self.ever_ready {
            let cause = self.cause.take().unwrap_or(Cause::Ended(exit));
            self.fail(cause);
        }
        self.tell(Event::Finished {
            worker: self.id.clone(),
            exit,
            is_well,
        });
    }

    pub(crate) fn report_end(&mut self, restart_in: Option<Duration>) {
        if restart_in != Some(Duration::ZERO) {
            self.pass_turn();
        }
        let exit = self.exit.unwrap_or(Exit::Unknown);
        let cause = self.cause.take().unwrap_or(Cause::Ended(exit));
        if !self.ever_ready {
            self.fail(cause.clone());
        }
        if matches!(cause, Cause::NotStarted(_)) {
            return; // nothing has ended
        }
        let last_lines = self.output.last_lines();
        self.tell(Event::Exited {
            worker: self.id.clone(),
            exit,
            cause,
            uptime: self.uptime,
            was_ready: self.heard.announced,
            hint: self.hint(&last_lines, Some(exit)),
            last_lines,
            restart_in,
        });
    }

    pub(crate) fn report_timeout(&mut self) {
        let limit = self.plan.options.start_timeout;
        self.cause.get_or_insert(Cause::TimedOut(limit));
    }

    /// What an end means; a limit that we hold it to is named.
    fn hint(&self, last_lines: &[String], exit: Option<Exit>) -> Option<String> {
        let cgroup = self.plan.cgroup.as_ref();
        let overrun = cgroup.filter(|_| exit == Some(Exit::OutOfMemory));
        match overrun.and_then(AppGroup::overrun) {
            Some(limit) => Some(over_limit(limit)),
            None => hint(last_lines, exit),
        }
    }

    /// Told once per worker: who waits for the first start wants to know, who sees a crash loop is told by `Exited`.
    fn fail(&mut self, cause: Cause) {
        if std::mem::replace(&mut self.failure_told, true) {
            return;
        }
        let last_lines = self.output.last_lines();
        let exit = match &cause {
            Cause::Ended(exit) => Some(*exit),
            _ => None,
        };
        self.tell(Event::Failed(Box::new(Failure {
            worker: self.id.clone(),
            hint: self.hint(&last_lines, exit),
            cause,
            last_lines,
        })));
    }
}

/// Why there is no process, in a sentence.
pub(crate) fn not_started(program: &str, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound if !program.is_empty() => format!(
            "cannot start `{program}`: there is no such program; is it installed, and on the PATH?"
        ),
        std::io::ErrorKind::PermissionDenied if !program.is_empty() => format!(
            "cannot start `{program}`: {error}; is it executable, and may this user run it?"
        ),
        std::io::ErrorKind::Other => error.to_string(),
        _ => format!("cannot start `{program}`: {error}"),
    }
}
