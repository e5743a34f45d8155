//! What follows the end of a worker, as `[app.NAME]` says it. Decides nothing.

use std::time::Duration;

use mainstay_supervisor::options::{Lives, Restart};

use crate::reader::Reader;

pub(super) fn read(section: &Reader<'_>, lives: &mut Lives) {
    if let Some(false) = section.get("autorestart") {
        lives.restart = Restart::Never;
    }
    if let Some(codes) = section.list("stop_exit_codes") {
        lives.stop_exit_codes = codes.into_iter().collect();
    }
    let hour = Duration::from_hours(1);
    let delay = Duration::ZERO..=hour;
    section.set_within("restart_delay", &delay, &mut lives.restart_delay);
    lives.backoff = section.get_within("backoff", &(Duration::from_millis(1)..=hour));
    let uptime = Duration::from_millis(100)..=hour;
    section.set_within("min_uptime", &uptime, &mut lives.min_uptime);
    section.set_within("max_restarts", &(1..=1_000), &mut lives.max_restarts);
}
