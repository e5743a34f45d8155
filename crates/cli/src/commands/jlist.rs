//! `mainstay jlist`: one entry for each worker, in the shape that scripts read of `pm2 jlist`. Nothing but data goes to
//! standard output, and no variable's value but of those that are never secret.

use serde_json::{Value, json};

use super::landscape::{Known, gather};
use super::list::{Measured, mode};
use crate::Outcome;
use crate::listing::{ListedApp, ListedWorker, LogFile, WorkerState};

pub(crate) fn execute() -> Outcome {
    let instances = gather(None);
    let measured = Measured::of(&instances);
    let mut entries = Vec::new();
    for known in &instances {
        for app in &known.apps {
            let workers = app.workers.iter().map(|worker| {
                let id = worker.id.or_else(|| app.ids.first().copied());
                entry(known, app, Some(worker), id, &measured)
            });
            entries.extend(workers);
            if app.workers.is_empty() {
                let stopped = app.ids.iter();
                entries.extend(stopped.map(|id| entry(known, app, None, Some(*id), &measured)));
            }
        }
    }
    super::print(format!("{}\n", Value::Array(entries)).as_bytes())
}

fn entry(
    known: &Known,
    app: &ListedApp,
    worker: Option<&ListedWorker>,
    id: Option<u32>,
    measured: &Measured,
) -> Value {
    let log = |stream| {
        let files = known.files(app);
        let index = worker.map(|worker| worker.index);
        let is_its = |file: &&LogFile| {
            file.stream == Some(stream) && (file.worker.is_none() || file.worker == index)
        };
        files.iter().find(is_its).map(|file| file.path.clone())
    };
    let environment = match &known.record {
        Some(Ok(record)) => json!(record.environment),
        _ => json!({}),
    };
    let pid = worker.and_then(|worker| worker.pid).unwrap_or_default();
    json!({
        "pid": pid,
        "name": app.name,
        "pm_id": id,
        "monit": {
            "memory": worker.map_or(0, |worker| measured.memory(worker)),
            "cpu": worker.map_or(0.0, |worker| (measured.cpu(worker) * 10.0).round() / 10.0),
        },
        "pm2_env": {
            "name": app.name,
            "namespace": app.namespace,
            "pm_id": id,
            "status": status(app, worker),
            "pm_uptime": worker.map(|worker| worker.started_at_ms),
            "created_at": worker.map(|worker| worker.started_at_ms),
            "restart_time": worker.map_or(0, |worker| worker.restarts),
            "unstable_restarts": 0,
            "exec_mode": format!("{}_mode", mode(app)),
            "instances": app.wanted,
            "NODE_APP_INSTANCE": worker.map(|worker| worker.index),
            "pm_exec_path": app.program,
            "pm_cwd": app.folder,
            "pm_out_log_path": log(mainstay_supervisor::output::Stream::Stdout),
            "pm_err_log_path": log(mainstay_supervisor::output::Stream::Stderr),
            "autorestart": true,
            "env": environment,
            "mainstay_instance": known.name,
        },
    })
}

/// PM2's words.
fn status(app: &ListedApp, worker: Option<&ListedWorker>) -> &'static str {
    let Some(worker) = worker else {
        return "stopped";
    };
    match worker.state {
        WorkerState::Ready if app.is_stopped => "stopping",
        WorkerState::Ready => "online",
        WorkerState::Starting => "launching",
        WorkerState::Draining => "stopping",
        WorkerState::Finished => "stopped",
        WorkerState::Waiting => "waiting restart",
        WorkerState::GivenUp => "errored",
    }
}
