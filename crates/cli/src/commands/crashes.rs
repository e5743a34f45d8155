//! `mainstay crashes`: the last workers that died, and what is known of it: of the running instance, else of those that
//! ran.

use std::fmt::Write as _;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mainstay_observe::log::{Colours, shown};
use mainstay_values::format_duration;

use super::instance::Instance;
use crate::Outcome;
use crate::arguments::Crashes;
use crate::crash::Crash;
use crate::failure::Failure;
use crate::state::CrashStore;

/// Lines that are shown of each; programs get all.
const SHOWN: usize = 10;

pub(crate) fn execute(wish: &Crashes) -> Outcome {
    let mut crashes = match Instance::find(wish.which.name.as_deref()) {
        Ok(instance) => of(&instance)?,
        Err(failure) => kept(wish.which.name.as_deref()).ok_or(failure)?,
    };
    if let Some(app) = &wish.app {
        crashes.retain(|crash| crash.app == *app);
    }
    if wish.json {
        let json = serde_json::to_string(&crashes)
            .map_err(|error| Failure::internal("the reports", error))?;
        return super::print(format!("{json}\n").as_bytes());
    }
    super::print(text(&crashes, &TimeZone::system()).as_bytes())
}

/// Those of a running instance.
pub(super) fn of(instance: &Instance) -> Result<Vec<Crash>, Failure> {
    let json = instance.ask("/crashes.json")?;
    serde_json::from_str(&json)
        .map_err(|error| Failure::machine(format!("the instance speaks another version: {error}")))
}

/// What instances left that do not run: that of this name, or all, if none does. `None`: nothing.
fn kept(name: Option<&str>) -> Option<Vec<Crash>> {
    let names = match name {
        Some(name) => vec![name.to_owned()],
        None if Instance::all().is_empty() => CrashStore::names(),
        None => return None,
    };
    let mut crashes: Vec<Crash> = names
        .iter()
        .flat_map(|name| CrashStore::read(name))
        .collect();
    crashes.sort_by_key(|crash| crash.at);
    (!crashes.is_empty()).then_some(crashes)
}

/// The oldest first: what matters most stands where the cursor is.
fn text(crashes: &[Crash], zone: &TimeZone) -> String {
    if crashes.is_empty() {
        return "no worker has died\n".to_owned();
    }
    let mut text = String::new();
    for crash in crashes {
        let _ = writeln!(text, "{}", headline(crash, zone));
        if let Some(hint) = &crash.hint {
            let _ = writeln!(text, "  hint: {hint}");
        }
        let hidden = crash.lines.len().saturating_sub(SHOWN);
        if hidden > 0 {
            let _ = writeln!(text, "  {hidden} lines before these: `--json`");
        }
        for line in &crash.lines[hidden..] {
            let _ = writeln!(text, "  │ {}", shown(line.as_bytes(), Colours::LeftOut));
        }
    }
    text
}

pub(super) fn headline(crash: &Crash, zone: &TimeZone) -> String {
    let at = i64::try_from(crash.at).ok();
    let at = at.and_then(|at| Timestamp::from_second(at).ok());
    let at = at.map(|at| {
        at.to_zoned(zone.clone())
            .strftime("%Y-%m-%d %H:%M:%S")
            .to_string()
    });
    let uptime = std::time::Duration::from_secs(crash.uptime_ms / 1_000);
    let mut line = format!(
        "{} {}:{} {} · {} · after {}",
        at.unwrap_or_default(),
        crash.app,
        crash.worker,
        crash.reason.word(),
        crash.exit,
        format_duration(uptime)
    );
    if !crash.was_ready {
        line.push_str(", never ready");
    }
    if let Some(memory) = crash.memory {
        let _ = write!(line, " · {} MiB", memory >> 20);
    }
    match crash.in_flight {
        None | Some(0) => {}
        Some(1) => line.push_str(" · with 1 request"),
        Some(several) => {
            let _ = write!(line, " · with {several} requests");
        }
    }
    let _ = match crash.restart_in_ms {
        None => write!(line, " · not started again"),
        Some(0) => write!(line, " · started again at once"),
        Some(pause) => write!(line, " · started again after {pause} ms"),
    };
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crash::Reason;

    #[test]
    fn a_report_is_told_in_a_few_lines() {
        let crash = Crash {
            app: "api".to_owned(),
            worker: 1,
            release: 3,
            at: 1_767_225_600,
            reason: Reason::Crash,
            exit: "exit status 3".to_owned(),
            code: Some(3),
            signal: None,
            uptime_ms: 61_900,
            was_ready: true,
            memory: Some(84 << 20),
            in_flight: Some(3),
            restart_in_ms: Some(0),
            hint: Some("install it".to_owned()),
            lines: (0..12)
                .map(|line| format!("line {line}\u{1b}[31m"))
                .collect(),
        };
        let found = text(&[crash], &TimeZone::UTC);
        let lines: Vec<&str> = found.lines().collect();
        assert_eq!(
            lines[0],
            "2026-01-01 00:00:00 api:1 crash · exit status 3 · after 1m1s · 84 MiB · with 3 requests · started again at once"
        );
        assert_eq!(lines[1], "  hint: install it");
        assert_eq!(lines[2], "  2 lines before these: `--json`");
        assert_eq!(lines[3], "  │ line 2");
        assert_eq!(lines.len(), 13);
        assert_eq!(text(&[], &TimeZone::UTC), "no worker has died\n");
    }
}
