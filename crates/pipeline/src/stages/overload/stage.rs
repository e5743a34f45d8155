//! The stage: which bounds hold for a request, in which order it is held to them. Counts nothing itself.

use std::sync::Arc;

use http::StatusCode;
use http::header::CONTENT_TYPE;

use super::gate::{Gate, Permit, Permits};
use super::{Adaptation, Connection, Connections, OverloadOptions, Priority};
use crate::{Enforcement, Exchange, Peer, Refusal, Response, RouteOptions, Standing, Step};

/// See the module.
#[derive(Debug)]
pub(crate) struct Overload {
    options: OverloadOptions,
    connections: Arc<Connections>,
    /// None: no request is bounded, and nothing looked at.
    bounds: Option<Bounds>,
}

#[derive(Debug)]
struct Bounds {
    /// By route.
    routes: Vec<(Priority, Option<Arc<Gate>>)>,
    /// By target; none where no target is bounded.
    targets: Vec<Arc<Gate>>,
}

impl Overload {
    pub(crate) fn new(
        options: &OverloadOptions,
        routes: &[RouteOptions],
        standing: &Standing,
    ) -> Self {
        let per_worker = options.in_flight_per_worker;
        let bounds_targets = per_worker.is_some() || options.adaptive == Adaptation::Auto;
        let bounds_routes = routes
            .iter()
            .any(|route| route.admission.in_flight.is_some());
        let nothing = Self {
            options: options.clone(),
            connections: Arc::clone(standing.connections()),
            bounds: None,
        };
        if !bounds_targets && !bounds_routes {
            return nothing;
        }
        let of_route = |route: &RouteOptions| {
            let gate = route.admission.in_flight.map(|most| {
                let gate = standing.gates().of(&format!("route {}", route.name), None);
                gate.set(Some(most), Adaptation::Off);
                gate
            });
            (route.admission.priority, gate)
        };
        let targets = standing.targets().iter().filter(|_| bounds_targets);
        let of_target = |target: &Arc<crate::Target>| {
            let name = format!("{:?} {}", target.kind, target.name);
            let gate = standing.gates().of(&name, Some(target));
            gate.set(per_worker, options.adaptive);
            gate
        };
        Self {
            bounds: Some(Bounds {
                routes: routes.iter().map(of_route).collect(),
                targets: targets.map(of_target).collect(),
            }),
            ..nothing
        }
    }

    /// Takes a new connection in; none if it is to be closed unheard.
    pub(crate) fn connect(&self, peer: &mut Peer, peer_is_trusted: bool) -> Option<Connection> {
        self.connections.take(&self.options, peer, peer_is_trusted)
    }

    /// Whether there is anything to wait for, or to be refused for.
    pub(crate) fn concerns(&self, exchange: &Exchange) -> bool {
        self.bounds.is_some() || exchange.peer.is_excess
    }

    /// The origin has begun its answer. What goes on without an end of its own counts no more.
    pub(crate) fn answered(&self, exchange: &mut Exchange, response: &Response) {
        if self.bounds.is_none() {
            return;
        }
        if is_endless(response) {
            exchange.permits = Permits::default();
        } else if let (Some(permit), Some(took)) =
            (&exchange.permits.of_target, exchange.origin_duration)
        {
            permit.answered(took);
        }
    }

    /// Takes the places that the request needs: first of its route, then of its target.
    pub(crate) async fn enter(&self, exchange: &mut Exchange) -> Result<(), Refusal> {
        if exchange.is_probe {
            return Ok(());
        }
        if exchange.peer.is_excess {
            let enforcement = self.options.enforcement;
            enforcement.apply(exchange, Step::Admit, Refusal::TooManyConnections)?;
        }
        let Some(bounds) = &self.bounds else {
            return Ok(());
        };
        let route = exchange.route.and_then(|route| bounds.routes.get(route));
        let (priority, gate) = route.map_or_else(Default::default, |(priority, gate)| {
            (*priority, gate.as_ref())
        });
        if let Some(gate) = gate {
            exchange.permits.of_route = Some(self.pass(gate, priority, exchange).await?);
        }
        if let Some(gate) = bounds.targets.get(exchange.target) {
            exchange.permits.of_target = Some(self.pass(gate, priority, exchange).await?);
        }
        Ok(())
    }

    async fn pass(
        &self,
        gate: &Arc<Gate>,
        priority: Priority,
        exchange: &mut Exchange,
    ) -> Result<Permit, Refusal> {
        let enforcement = self.options.enforcement;
        if enforcement == Enforcement::DryRun {
            let (permit, is_within) = gate.count();
            if !is_within {
                enforcement.apply(exchange, Step::Admit, Refusal::Overloaded)?;
            }
            return Ok(permit);
        }
        let permit = gate.enter(priority, &self.options).await;
        permit.ok_or(Refusal::Overloaded)
    }
}

/// Media types know no case (RFC 9110, 8.3.1).
const EVENTS: &[u8] = b"text/event-stream";

fn is_endless(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE);
    let kind = kind.and_then(|kind| kind.as_bytes().get(..EVENTS.len()));
    response.status() == StatusCode::SWITCHING_PROTOCOLS
        || kind.is_some_and(|kind| kind.eq_ignore_ascii_case(EVENTS))
}
