//! What follows when a worker ends by itself: whether it is started again, and after what wait. Options and what they say;
//! `lifecycle` decides.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::lifecycle::Policy;
use crate::options::AppOptions;
use crate::process::Exit;

/// What follows when a worker ends by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Lives {
    /// Whether it is started again at all.
    pub restart: Restart,
    /// Statuses (0 to 255) after which it is not.
    pub stop_exit_codes: BTreeSet<u8>,
    /// The shortest wait before any start that follows an end.
    pub restart_delay: Duration,
    /// The wait after the first end, half as long again after each further one, up to 15 s; a life of 30 s begins anew. In
    /// the place of the waits that only failed starts have.
    pub backoff: Option<Duration>,
    /// A worker that was ready this long did not fail to start, whatever ends it.
    pub min_uptime: Duration,
    /// So many failed starts, within a minute or as long as they take with their waits, are a crash loop.
    pub max_restarts: u32,
}

/// Whether a worker that ended by itself is started again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Restart {
    /// It is.
    #[default]
    Always,
    /// Its end is the end of its work.
    Never,
}

impl Default for Lives {
    fn default() -> Self {
        Self {
            restart: Restart::Always,
            stop_exit_codes: BTreeSet::new(),
            restart_delay: Duration::ZERO,
            backoff: None,
            min_uptime: Duration::from_secs(1),
            max_restarts: 5,
        }
    }
}

impl Lives {
    /// Whether a worker that ended like this by itself is not started again.
    pub(crate) fn is_over(&self, exit: Exit) -> bool {
        self.restart == Restart::Never || self.stops_on(exit)
    }

    /// Whether such an end is the end of work that was done.
    pub(crate) fn is_well(&self, exit: Exit) -> bool {
        exit == Exit::Code(0) || self.stops_on(exit)
    }

    fn stops_on(&self, exit: Exit) -> bool {
        matches!(exit, Exit::Code(code)
            if u8::try_from(code).is_ok_and(|code| self.stop_exit_codes.contains(&code)))
    }
}

impl AppOptions {
    /// What `lifecycle` needs to know of them.
    pub(crate) fn policy(&self) -> Policy {
        let usual = Policy {
            start_timeout: self.start_timeout,
            drain_timeout: self.drain_timeout,
            kill_timeout: self.kill_timeout,
            restart_delay: self.lives.restart_delay,
            backoff: self.lives.backoff,
            proven_after: self.lives.min_uptime,
            loop_deaths: self.lives.max_restarts,
            give_up: self.give_up,
            ..Policy::default()
        };
        Policy {
            loop_window: usual.loop_window.max(usual.span_of_a_loop()),
            ..usual
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_the_end_where_the_options_say_so() {
        let usual = Lives::default();
        let codes = Lives {
            stop_exit_codes: [3, 0].into(),
            ..Lives::default()
        };
        let once = Lives {
            restart: Restart::Never,
            ..Lives::default()
        };
        let cases = [
            (&usual, Exit::Code(0), (false, true)),
            (&usual, Exit::Code(3), (false, false)),
            (&codes, Exit::Code(0), (true, true)),
            (&codes, Exit::Code(3), (true, true)),
            (&codes, Exit::Code(259), (false, false)),
            (&codes, Exit::Signal(3), (false, false)),
            (&once, Exit::Code(0), (true, true)),
            (&once, Exit::Code(1), (true, false)),
            (&once, Exit::OutOfMemory, (true, false)),
        ];
        for (lives, exit, expected) in cases {
            let found = (lives.is_over(exit), lives.is_well(exit));
            assert_eq!(found, expected, "{exit} with {lives:?}");
        }
    }

    #[test]
    fn the_window_of_a_loop_holds_as_many_deaths_as_make_one() {
        let window = |lives: Lives| {
            let options = AppOptions {
                lives,
                ..AppOptions::default()
            };
            options.policy().loop_window.as_secs()
        };
        assert_eq!(window(Lives::default()), 60, "five fit into a minute");
        let sixteen = Lives {
            max_restarts: 16,
            ..Lives::default()
        };
        // 100 ms, doubled to 30 s nine times: 51 s; six times 30 s; a fifth more; and 16 lives of a second
        assert_eq!(window(sixteen.clone()), 293);
        let delayed = Lives {
            restart_delay: Duration::from_mins(1),
            ..sixteen.clone()
        };
        assert_eq!(window(delayed), 15 * 60 + 16);
        let growing = Lives {
            backoff: Some(Duration::from_secs(15)),
            ..sixteen
        };
        assert_eq!(window(growing), 15 * 15 + 16);
    }
}
