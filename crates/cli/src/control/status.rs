//! How an instance stands, for `mainstay status`: as JSON for programs and as lines for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use mainstay_config::Layer;
use mainstay_pipeline::TargetKind;
use mainstay_proxy::Address;
use mainstay_supervisor::WorkerId;
use mainstay_values::format_duration;
use serde::Serialize;

use super::fronts::{self, Sockets};
use super::gateways::{GatewayPhase, GatewayState};
use super::reloads::Last;
use super::report;
use super::roster::Record;
use super::state::Control;
use super::suspended::SuspendedSpan;
use crate::listing::{Bounds, WorkerState};
use crate::order::Order;

/// One answer.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    name: String,
    version: &'static str,
    pid: u32,
    /// None while there is no gateway.
    gateway_pid: Option<u32>,
    /// None while no address is known to start one on.
    gateway: Option<GatewayState>,
    #[serde(serialize_with = "as_texts")]
    addresses: Vec<Address>,
    targets: Vec<TargetStatus>,
    /// Null when it is not paused.
    paused: Option<SuspendedStatus>,
    /// Null when it is not in maintenance.
    maintenance: Option<SuspendedStatus>,
    /// Layers that are left out for now, whatever the settings say.
    disabled: Vec<DisabledStatus>,
    reload: ReloadStatus,
}

#[derive(Debug, Serialize)]
struct TargetStatus {
    name: String,
    kind: Kind,
    wanted: usize,
    ready: usize,
    /// Bounds between which the number of workers follows the work. Null: it does not.
    scaled: Option<Bounds>,
    /// Some of its workers fail to start again and again.
    crash_loop: bool,
    /// What must be there before it is started. Empty: it was.
    waits_for: Vec<String>,
    /// Empty for servers that run elsewhere.
    workers: Vec<WorkerStatus>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "lowercase")]
enum Kind {
    App,
    Upstream,
    /// An app that takes no requests.
    Background,
}

impl From<TargetKind> for Kind {
    fn from(kind: TargetKind) -> Self {
        match kind {
            TargetKind::App => Self::App,
            TargetKind::Upstream => Self::Upstream,
        }
    }
}

impl TargetStatus {
    /// What is known of an app by its workers.
    fn of(control: &Control, name: String) -> Self {
        let records = control.roster.of(&name);
        let in_flight = control.in_flight();
        let worker = |one| worker(one, &in_flight);
        let (ready, workers): (Vec<_>, Vec<_>) = records
            .map(|one| (one.1.state == WorkerState::Ready, worker(one)))
            .unzip();
        Self {
            kind: Kind::Background,
            wanted: workers.len(),
            ready: ready.into_iter().filter(|is_ready| *is_ready).count(),
            scaled: control.bounds(&name),
            crash_loop: workers.iter().any(|worker| worker.crash_loop),
            waits_for: control.waiting.of(&name),
            workers,
            name,
        }
    }
}

/// Apps that take no requests.
fn background(control: &Control) -> impl Iterator<Item = TargetStatus> {
    let apps = control.settings.apps.iter().filter(|app| !app.is_server());
    let workers = control.workers();
    apps.map(move |app| {
        let wanted = workers.iter().find(|(name, _)| name == app.name());
        let wanted = wanted.map_or(0, |(_, count)| *count as usize);
        TargetStatus {
            wanted,
            ..TargetStatus::of(control, app.name().to_owned())
        }
    })
}

#[derive(Debug, Serialize)]
struct WorkerStatus {
    index: u32,
    release: u32,
    state: WorkerState,
    /// None while no process of it runs.
    pid: Option<u32>,
    /// Of its process.
    uptime_ms: Option<u64>,
    /// Bytes in memory (RSS), with all below it, some seconds ago.
    memory: Option<u64>,
    /// Requests that it works on, about a second ago.
    in_flight: usize,
    /// The part of the time its event loop was busy, 0 to 1; of Node only.
    busy: Option<f64>,
    /// The longest delay of its event loop in the last seconds, in milliseconds; of Node only.
    lag_ms: Option<f64>,
    restarts: u64,
    last_exit: Option<String>,
    crash_loop: bool,
}

#[derive(Debug, Serialize)]
struct DisabledStatus {
    layer: Layer,
    /// How long it has been so.
    since_ms: u64,
    /// How long it will. None: until somebody enables it.
    left_ms: Option<u64>,
}

#[derive(Debug, Serialize)]
struct SuspendedStatus {
    /// How long it has been so.
    since_ms: u64,
    /// How long it will. None: until somebody ends it.
    left_ms: Option<u64>,
}

impl SuspendedStatus {
    fn of(span: SuspendedSpan) -> Self {
        Self {
            since_ms: milliseconds(span.since),
            left_ms: span.left.map(milliseconds),
        }
    }

    /// In words; `end` says what ends it where no time does.
    fn left(&self, end: &str) -> String {
        match self.left_ms {
            Some(left) => format!("{} left", rounded(Duration::from_millis(left))),
            None => format!("until `{end}`"),
        }
    }
}

#[derive(Debug, Serialize)]
struct ReloadStatus {
    running: Option<Order>,
    /// How long it has been running.
    running_ms: Option<u64>,
    last: Option<Last>,
}

impl Status {
    /// Looks at everything once.
    pub(super) fn of(
        control: &Control,
        sockets: Option<&Sockets>,
        gateway: Option<GatewayState>,
    ) -> Self {
        let fronts = sockets.into_iter().flat_map(|sockets| &sockets.fronts);
        let bound = fronts.flat_map(|front| &front.bound);
        let targets = fronts::targets(&control.settings, &control.workers());
        let running = control.reloads.running();
        let now = tokio::time::Instant::now();
        Self {
            name: control.name.clone(),
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            gateway_pid: gateway.as_ref().and_then(|gateway| gateway.pid),
            gateway,
            addresses: bound.map(|bound| bound.address.clone()).collect(),
            targets: targets
                .into_iter()
                .map(|target| TargetStatus {
                    ready: control.members.count(&target.name),
                    kind: target.kind.into(),
                    wanted: target.wanted,
                    ..TargetStatus::of(control, target.name)
                })
                .chain(background(control))
                .collect(),
            paused: control.suspended.pause_at(now).map(SuspendedStatus::of),
            maintenance: control
                .suspended
                .maintenance_at(now)
                .map(SuspendedStatus::of),
            disabled: control
                .disabled
                .list(now)
                .into_iter()
                .map(|one| DisabledStatus {
                    layer: one.layer,
                    since_ms: milliseconds(one.since),
                    left_ms: one.left.map(milliseconds),
                })
                .collect(),
            reload: ReloadStatus {
                running: running.map(|(order, _)| order.clone()),
                running_ms: running.map(|(_, begun)| milliseconds(begun.elapsed())),
                last: control.reloads.last().cloned(),
            },
        }
    }

    /// For programs.
    pub(super) fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default() + "\n"
    }

    /// For people.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{} · mainstay {} · pid {}\n",
            self.name, self.version, self.pid
        );
        for address in &self.addresses {
            let _ = writeln!(text, "  {}{}", report::url(address), report::reach(address));
        }
        if let Some(gateway) = &self.gateway {
            let _ = writeln!(text, "  {}", gateway_line(gateway));
        }
        if let Some(pause) = &self.paused {
            let _ = writeln!(text, "  PAUSED · {}", pause.left("mainstay resume"));
        }
        if let Some(maintenance) = &self.maintenance {
            let left = maintenance.left("mainstay maintenance off");
            let _ = writeln!(text, "  MAINTENANCE · {left}");
        }
        for target in &self.targets {
            let alarm = if target.crash_loop {
                " · CRASH LOOP".to_owned()
            } else {
                waits(&target.waits_for)
            };
            let scaled = target.scaled.map(Bounds::words).unwrap_or_default();
            let _ = writeln!(
                text,
                "  {}: {} of {} ready{scaled}{alarm}",
                target.name, target.ready, target.wanted
            );
            for worker in &target.workers {
                let _ = writeln!(text, "    {}", worker_line(&target.name, worker));
            }
        }
        for one in &self.disabled {
            let _ = match one.left_ms {
                Some(left) => {
                    let left = rounded(Duration::from_millis(left));
                    writeln!(text, "  layer {} DISABLED · {left} left", one.layer)
                }
                None => writeln!(
                    text,
                    "  layer {} DISABLED · until `mainstay enable {}`",
                    one.layer, one.layer
                ),
            };
        }
        if let Some(order) = &self.reload.running {
            let since = Duration::from_millis(self.reload.running_ms.unwrap_or_default());
            let _ = writeln!(text, "  reload of {} for {}", named(order), rounded(since));
        }
        if let Some(last) = &self.reload.last {
            let outcome = if last.code == 0 { "done" } else { "FAILED" };
            let _ = writeln!(
                text,
                "  last reload, of {}: {outcome}: {}",
                named(&last.order),
                last.message.replace('\n', "\n  ")
            );
        }
        text
    }
}

/// As settings spell them.
fn as_texts<S: serde::Serializer>(addresses: &[Address], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(addresses.iter().map(ToString::to_string))
}

fn worker(
    (id, record): (&WorkerId, &Record),
    in_flight: &BTreeMap<WorkerId, usize>,
) -> WorkerStatus {
    WorkerStatus {
        index: id.index,
        release: id.release,
        state: record.state,
        pid: record.pid,
        uptime_ms: record.pid.map(|_| milliseconds(record.started.elapsed())),
        memory: record.memory.filter(|_| record.pid.is_some()),
        in_flight: in_flight.get(id).copied().unwrap_or_default(),
        busy: record.stats().map(|stats| stats.busy),
        lag_ms: record.stats().map(|stats| stats.lag),
        restarts: record.restarts(),
        last_exit: record.last_exit.clone(),
        crash_loop: record.is_looping,
    }
}

fn worker_line(app: &str, worker: &WorkerStatus) -> String {
    let mut line = format!(
        "{app}:{} {} · release {}",
        worker.index,
        worker.state.word(),
        worker.release
    );
    if let (Some(pid), Some(uptime)) = (worker.pid, worker.uptime_ms) {
        let up = rounded(Duration::from_millis(uptime));
        let _ = write!(line, " · pid {pid} · up {up}");
    }
    if worker.restarts > 0 {
        let _ = write!(line, " · {}", restarts(worker.restarts));
    }
    if let Some(exit) = &worker.last_exit {
        let _ = write!(line, " · last {exit}");
    }
    if worker.crash_loop {
        line.push_str(" · CRASH LOOP");
    }
    line
}

/// Behind the number of workers.
fn waits(waits_for: &[String]) -> String {
    match waits_for {
        [] => String::new(),
        several => format!(" · waits for {}", several.join(", ")),
    }
}

fn gateway_line(gateway: &GatewayState) -> String {
    let phase = match gateway.phase {
        GatewayPhase::Starting => "starting",
        GatewayPhase::Serving => "serving",
        GatewayPhase::CrashLoop => "CRASH LOOP",
        GatewayPhase::Draining => "draining",
    };
    let mut line = format!("gateway {phase}");
    if let Some(pid) = gateway.pid {
        let _ = write!(line, " · pid {pid}");
    }
    if gateway.restarts > 0 {
        let _ = write!(line, " · {}", restarts(gateway.restarts));
    }
    if let Some(exit) = &gateway.last_exit {
        let _ = write!(line, " · last {exit}");
    }
    if !gateway.draining.is_empty() {
        let _ = write!(line, " · {} that finish", gateway.draining.len());
    }
    line
}

fn restarts(count: u64) -> String {
    match count {
        1 => "1 restart".to_owned(),
        several => format!("{several} restarts"),
    }
}

fn named(order: &Order) -> String {
    match order {
        Order::Everything => "everything".to_owned(),
        Order::Apps(apps) => apps.join(", "),
        Order::Settings => "the settings".to_owned(),
        Order::Gateway => "the gateway".to_owned(),
        Order::Upgrade(_) | Order::Upgraded { .. } => "the program".to_owned(),
        Order::Fresh(apps, _) => format!("{} with fresh workers", apps.join(", ")),
        Order::Relieve { app, index, .. } => format!("{app}:{index} for its memory"),
        Order::Restart(apps) | Order::Start(apps) | Order::Stop(apps) | Order::Delete(apps) => {
            apps.join(", ")
        }
        Order::Worker { app, index } => format!("{app}:{index}"),
        Order::Scale { app, .. } | Order::Fit { app, .. } => app.clone(),
    }
}

/// Whole seconds are enough for people.
fn rounded(time: Duration) -> String {
    format_duration(Duration::from_secs(time.as_secs()))
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
