//! Gives apps that are scaled by their work the workers that they need: measures how busy those are that there are, asks
//! [`Scaler`] what follows, and orders it. An order like all others: it waits for those before it.

use std::collections::BTreeMap;
use std::time::Duration;

use mainstay_supervisor::options::{WorkerRange, Workers};
use mainstay_supervisor::usage::{self, Usage};
use mainstay_supervisor::{WorkerId, count};
use mainstay_values::format_duration;
use tokio::time::Instant;

use super::gateways::Gateways;
use super::replace::counted;
use super::roster::Record;
use super::scaling::{Look, Reason, Room, Scaler, Verdict};
use super::state::Control;
use crate::listing::WorkerState;
use crate::order::Order;
use crate::say;

/// A worker's own measurements count for so long: it reports every second.
const FRESH: Duration = Duration::from_secs(3);
/// What a worker is expected to take of which nothing is known yet; as for `workers = "auto"`.
const USUAL_MEMORY: u64 = 256 << 20;

/// See the module.
#[derive(Debug)]
pub(super) struct Autoscale {
    /// What is remembered of each app that is scaled.
    apps: BTreeMap<String, Scaler>,
    /// What processes had used of the CPUs when that was looked at last, and when.
    used: BTreeMap<u32, Duration>,
    looked: Instant,
    begun: Instant,
}

impl Default for Autoscale {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            apps: BTreeMap::new(),
            used: BTreeMap::new(),
            looked: now,
            begun: now,
        }
    }
}

impl Control {
    /// Looks at every app that is scaled, and orders what follows.
    pub(super) fn autoscale(&mut self) {
        let waits = self.gateways.as_mut().map(Gateways::take_waits);
        let waits = waits.unwrap_or_default();
        if self.reloads.running().is_some() {
            // whoever is being replaced says nothing about those who stay
            self.autoscale.apps.values_mut().for_each(Scaler::disturbed);
            return;
        }
        let scaled = self.scaled_apps();
        self.autoscale
            .apps
            .retain(|name, _| scaled.iter().any(|(app, _)| app == name));
        let busy = self.busy(&scaled);
        let now = self.autoscale.begun.elapsed();
        for (app, range) in scaled {
            let look = Look {
                workers: range.now,
                ready: self.ready(&app),
                busy: busy.get(&app).copied().unwrap_or(0.0),
                waited: waits.get(&app).copied().unwrap_or_default(),
                room: self.room(&app),
            };
            let known = self.autoscale.apps.entry(app.clone()).or_default();
            match known.look(now, range, &look) {
                Verdict::Stay => {}
                Verdict::NoRoom(reason) => say::warning(&format!(
                    "`{app}` needs another worker ({}), and there is no memory for it",
                    why(reason)
                )),
                Verdict::To(workers, reason) => {
                    let order = Order::Fit {
                        app,
                        workers,
                        why: why(reason),
                    };
                    // one at a time: the next look finds what this one has changed
                    return self.reload(order, None);
                }
            }
        }
    }

    /// A number of workers that the work asked for was brought about, or was not.
    pub(super) fn on_fitted(&mut self, app: &str, code: u8) {
        let now = self.autoscale.begun.elapsed();
        let scaler = self.autoscale.apps.entry(app.to_owned()).or_default();
        if code != 0 {
            scaler.failed(now);
        } else if let (Some(direction), Some(gateways)) = (scaler.direction(), &mut self.gateways) {
            gateways.count_step(app, direction);
        }
    }

    /// Apps that are scaled now, with their bounds: not those that somebody stopped or scaled by hand.
    fn scaled_apps(&self) -> Vec<(String, WorkerRange)> {
        let apps = self.settings.apps.iter();
        let scaled = apps.filter_map(|app| match app.options.workers {
            Workers::Between(range) if self.by_hand.halted(app.name()).is_none() => {
                Some((app.name().to_owned(), range))
            }
            _ => None,
        });
        scaled.collect()
    }

    fn ready(&self, app: &str) -> u32 {
        let workers = self.roster.of(app);
        let ready = workers.filter(|(_, record)| record.state == WorkerState::Ready);
        u32::try_from(ready.count()).unwrap_or(u32::MAX)
    }

    /// How busy the workers of each app were, on average: their event loops where they tell, else the CPU they used, one
    /// CPU being all that a worker needs to be busy.
    fn busy(&mut self, scaled: &[(String, WorkerRange)]) -> BTreeMap<String, f64> {
        let ready: Vec<(WorkerId, Record)> = scaled
            .iter()
            .flat_map(|(app, _)| self.roster.of(app))
            .filter(|(_, record)| record.state == WorkerState::Ready)
            .map(|(worker, record)| (worker.clone(), record.clone()))
            .collect();
        let silent: Vec<u32> = ready
            .iter()
            .filter(|(_, record)| record.busy_within(FRESH).is_none())
            .filter_map(|(_, record)| record.group)
            .collect();
        let passed = self.autoscale.looked.elapsed();
        self.autoscale.looked = Instant::now();
        let used = if silent.is_empty() {
            BTreeMap::new()
        } else {
            usage::of(&silent)
        };
        let mut sums: BTreeMap<String, (f64, u32)> = BTreeMap::new();
        for (worker, record) in &ready {
            let busy = record.busy_within(FRESH).unwrap_or_else(|| {
                let group = record.group.unwrap_or_default();
                let before = self.autoscale.used.get(&group);
                part(before, used.get(&group), passed)
            });
            let sum = sums.entry(worker.app.to_string()).or_default();
            *sum = (sum.0 + busy, sum.1 + 1);
        }
        self.autoscale.used = used
            .into_iter()
            .map(|(pid, usage)| (pid, usage.cpu))
            .collect();
        sums.into_iter()
            .map(|(app, (sum, count))| (app, sum / f64::from(count.max(1))))
            .collect()
    }

    /// Whether another worker of an app would find the memory that the largest of them takes.
    fn room(&self, app: &str) -> Room {
        let records = self.roster.of(app);
        let largest = records.filter_map(|(_, record)| record.memory).max();
        let needed = largest.unwrap_or(USUAL_MEMORY);
        match count::memory_left() {
            // a quarter more: the others grow too
            Some(left) if left < needed.saturating_add(needed / 4) => Room::TooLittle,
            _ => Room::Enough,
        }
    }
}

/// The part of the time that has passed in which a process and those below it were on a CPU.
fn part(before: Option<&Duration>, now: Option<&Usage>, passed: Duration) -> f64 {
    let (Some(before), Some(now)) = (before, now) else {
        return 0.0;
    };
    let used = now.cpu.saturating_sub(*before);
    (used.as_secs_f64() / passed.as_secs_f64().max(0.001)).min(1.0)
}

/// The sentence that says what became of it.
pub(super) fn fitted(app: &str, workers: u32, why: &str) -> String {
    format!("`{app}` has {} now: {why}", counted(workers as usize))
}

fn why(reason: Reason) -> String {
    let whole = |time: Duration| format_duration(Duration::from_secs(time.as_secs()));
    match reason {
        Reason::Busy(part) => format!("its workers were {:.0}% busy", part * 100.0),
        Reason::Waited(time) => format!(
            "requests waited {} for one",
            format_duration(Duration::from_millis(
                u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
            ))
        ),
        Reason::Easy(part, time) => format!(
            "one fewer has been enough for {} ({:.0}% busy)",
            whole(time),
            part * 100.0
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_processes_use_is_a_part_of_one_cpu() {
        let second = Duration::from_secs(1);
        let usage = |millis| Usage {
            cpu: Duration::from_millis(millis),
            memory: 0,
        };
        let before = Duration::from_millis(500);
        assert!((part(Some(&before), Some(&usage(1_000)), second) - 0.5).abs() < 1e-9);
        assert!((part(Some(&before), Some(&usage(9_000)), second) - 1.0).abs() < 1e-9);
        assert!((part(None, Some(&usage(9_000)), second) - 0.0).abs() < 1e-9);
        assert!((part(Some(&before), Some(&usage(0)), second) - 0.0).abs() < 1e-9);
    }

    #[test]
    fn the_reason_is_one_line_with_numbers() {
        for (reason, expected) in [
            (Reason::Busy(0.876), "its workers were 88% busy"),
            (
                Reason::Waited(Duration::from_millis(140)),
                "requests waited 140ms for one",
            ),
            (
                Reason::Easy(0.1, Duration::from_millis(60_400)),
                "one fewer has been enough for 1m (10% busy)",
            ),
        ] {
            assert_eq!(why(reason), expected);
        }
        let sentence = fitted("api", 3, "its workers were 88% busy");
        assert_eq!(
            sentence,
            "`api` has 3 workers now: its workers were 88% busy"
        );
    }
}
