//! How an instance stands, for `mainstay status`: as JSON for programs and as lines for people.

use std::fmt::Write as _;

use mainstay_config::Settings;
use mainstay_pipeline::TargetKind;
use serde::Serialize;

use super::fronts::{self, Sockets};
use super::gateways::{GatewayPhase, GatewayState};
use super::members::Members;

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
    addresses: Vec<String>,
    targets: Vec<TargetStatus>,
}

#[derive(Debug, Serialize)]
struct TargetStatus {
    name: String,
    kind: TargetKind,
    wanted: usize,
    ready: usize,
}

impl Status {
    /// Looks at everything once.
    pub(super) fn of(
        name: &str,
        settings: &Settings,
        sockets: Option<&Sockets>,
        members: &Members,
        workers: &[(String, u32)],
        gateway: Option<GatewayState>,
    ) -> Self {
        let fronts = sockets.into_iter().flat_map(|sockets| &sockets.fronts);
        let bound = fronts.flat_map(|front| &front.bound);
        let targets = fronts::targets(settings, workers).into_iter().enumerate();
        Self {
            name: name.to_owned(),
            version: env!("CARGO_PKG_VERSION"),
            pid: std::process::id(),
            gateway_pid: gateway.as_ref().and_then(|gateway| gateway.pid),
            gateway,
            addresses: bound.map(|bound| bound.address.to_string()).collect(),
            targets: targets
                .map(|(index, target)| TargetStatus {
                    ready: members.count(index),
                    name: target.name,
                    kind: target.kind,
                    wanted: target.wanted,
                })
                .collect(),
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
            let _ = writeln!(text, "  http://{address}");
        }
        if let Some(gateway) = &self.gateway
            && gateway.phase == GatewayPhase::CrashLoop
        {
            let _ = writeln!(
                text,
                "  the gateway ends again and again, last with {}",
                gateway.last_exit.as_deref().unwrap_or("an unknown status")
            );
        }
        for target in &self.targets {
            let _ = writeln!(
                text,
                "  {}: {} of {} ready",
                target.name, target.ready, target.wanted
            );
        }
        text
    }
}
