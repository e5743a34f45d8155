//! Which addresses lead where, and the sockets for them. Decides nothing about requests.

use std::net::TcpListener;

use mainstay_config::{AppSettings, Settings};
use mainstay_pipeline::{RouteOptions, TargetKind};
use mainstay_proxy::{Bound, bind};
use mainstay_supervisor::events::ReadyWorker;
use mainstay_values::Address;

use crate::failure::Failure;
use crate::protocol::TargetOptions;

/// Addresses with their sockets, and the routes behind them.
#[derive(Debug)]
pub(super) struct OpenFront {
    pub(super) bound: Vec<Bound>,
    pub(super) routes: Vec<RouteOptions>,
}

/// Sockets of a running instance. Made once, never closed while it runs.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) fronts: Vec<OpenFront>,
    pub(super) observe: Option<Bound>,
}

/// Names and kinds of all targets, in the order by which everybody counts them. `workers` says how many each
/// app has.
pub(super) fn targets(settings: &Settings, workers: &[(String, u32)]) -> Vec<TargetOptions> {
    let wanted = |name: &str| {
        let found = workers.iter().find(|(app, _)| app == name);
        found.map_or(1, |(_, count)| *count as usize)
    };
    let apps = settings.apps.iter().map(|app| TargetOptions {
        name: app.name().to_owned(),
        kind: TargetKind::App,
        wanted: wanted(app.name()),
    });
    let upstreams = settings.upstreams.iter().map(|upstream| TargetOptions {
        name: upstream.name.clone(),
        kind: TargetKind::Upstream,
        wanted: upstream.servers.len(),
    });
    apps.chain(upstreams).collect()
}

/// The app whose own wish decides the address, if nobody else did.
pub(super) fn decides_the_address(settings: &Settings) -> Option<&AppSettings> {
    let has_address =
        !settings.listen.http.is_empty() || settings.shared_targets().next().is_none();
    if has_address {
        None
    } else {
        settings.apps.iter().find(|app| app.listen.is_none())
    }
}

/// Where the app wanted to listen: there we listen in its place.
pub(super) fn asked_address(worker: &ReadyWorker) -> Address {
    let port = worker.port_asked.unwrap_or_else(usual_port);
    let ip = worker
        .address_asked
        .as_deref()
        .and_then(|address| address.parse::<std::net::IpAddr>().ok());
    match ip {
        Some(ip) if !ip.is_unspecified() => Address::Socket((ip, port).into()),
        _ => Address::Port(port),
    }
}

/// The port when nobody says one.
fn usual_port() -> u16 {
    let named = std::env::var("PORT").ok();
    named.and_then(|port| port.parse().ok()).unwrap_or(3000)
}

/// The routes of each front: first those that all targets without an address of their own share, then
/// one for each app that has one.
pub(super) fn routes(settings: &Settings) -> Vec<Vec<RouteOptions>> {
    let index = |name: &str| settings.targets().position(|target| target == name);
    let mut fronts = Vec::new();
    if settings.shared_targets().next().is_some() {
        let routes = settings.routes.iter().filter_map(|route| {
            Some(RouteOptions {
                name: route.name.clone(),
                host: route.host.clone(),
                path: route.path.clone(),
                target: index(&route.to)?,
            })
        });
        fronts.push(routes.collect());
    }
    let own = settings.apps.iter().filter(|app| app.listen.is_some());
    fronts.extend(own.filter_map(|app| {
        Some(vec![RouteOptions {
            name: app.name().to_owned(),
            ..RouteOptions::everything(index(app.name())?)
        }])
    }));
    fronts
}

/// Opens every address, front by front as [`routes`] has them. `asked` is the one the app asked for.
pub(super) fn open(
    settings: &Settings,
    asked: Option<&Address>,
    threads: usize,
) -> Result<Sockets, Failure> {
    let mut fronts = Vec::new();
    let mut routes = routes(settings).into_iter();
    if settings.shared_targets().next().is_some() {
        let addresses: Vec<Address> = match asked {
            Some(asked) if settings.listen.http.is_empty() => vec![asked.clone()],
            None if settings.listen.http.is_empty() => vec![Address::Port(usual_port())],
            _ => settings.listen.http.clone(),
        };
        fronts.push(OpenFront {
            bound: bind_all(&addresses, threads)?,
            routes: routes.next().unwrap_or_default(),
        });
    }
    let own = settings.apps.iter().filter_map(|app| app.listen.as_ref());
    for (address, routes) in own.zip(routes) {
        fronts.push(OpenFront {
            bound: bind_all(std::slice::from_ref(address), threads)?,
            routes,
        });
    }
    let observe = settings
        .listen
        .observe
        .as_ref()
        .map(|address| bind(address, 1))
        .transpose()?;
    Ok(Sockets { fronts, observe })
}

fn bind_all(addresses: &[Address], threads: usize) -> Result<Vec<Bound>, Failure> {
    addresses
        .iter()
        .map(|address| bind(address, threads).map_err(Failure::from))
        .collect()
}

impl Sockets {
    /// How many addresses each front has.
    pub(super) fn addresses(&self) -> Vec<usize> {
        self.fronts.iter().map(|front| front.bound.len()).collect()
    }

    /// Closes our copies; the addresses stay known.
    pub(super) fn release(&mut self) {
        let fronts = self.fronts.iter_mut().flat_map(|front| &mut front.bound);
        for bound in fronts.chain(&mut self.observe) {
            bound.sockets.clear();
        }
    }

    /// All sockets in the order in which a gateway expects them.
    pub(super) fn all(&self) -> impl Iterator<Item = &TcpListener> {
        let fronts = self.fronts.iter().flat_map(|front| &front.bound);
        fronts.chain(&self.observe).flat_map(|bound| &bound.sockets)
    }
}
