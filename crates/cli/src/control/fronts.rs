//! Which addresses lead where, and the sockets for them. Decides nothing about requests.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use mainstay_config::{AppListen, AppSettings, Reach, Settings};
use mainstay_pipeline::{RouteOptions, TargetKind};
use mainstay_proxy::{Address as Resolved, Bound, BoundState, Listener, SocketAccess, bind};
use mainstay_supervisor::events::ReadyWorker;
use mainstay_supervisor::identity::group_id;
use mainstay_supervisor::options::AppKind;
use mainstay_values::Address;
use serde::{Deserialize, Serialize};

use crate::failure::Failure;
use crate::holder;
use crate::protocol::TargetOptions;

/// Addresses with their sockets, and the routes behind them.
#[derive(Debug)]
pub(super) struct OpenFront {
    /// The addresses as they were written.
    written: Vec<Address>,
    pub(super) bound: Vec<Bound>,
    pub(super) routes: Vec<RouteOptions>,
}

/// The addresses that apps ask for themselves, where the settings leave it to them.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Asked {
    /// Of the app that decides the common address.
    shared: Option<Address>,
    /// Of each app that has its own, by its name.
    own: BTreeMap<String, Address>,
    /// Apps that have listened.
    heard: BTreeSet<String>,
    /// Apps that have not, where nobody knew whether they would.
    nowhere: BTreeSet<String>,
}

/// Sockets of a running instance. Made once, never closed while it runs.
#[derive(Debug)]
pub(super) struct Sockets {
    pub(super) fronts: Vec<OpenFront>,
    pub(super) observe: Option<Bound>,
    observe_written: Option<Address>,
}

/// The same for the next program.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SocketsState {
    fronts: Vec<FrontState>,
    observe: Option<BoundState>,
    observe_written: Option<Address>,
}

#[derive(Debug, Serialize, Deserialize)]
struct FrontState {
    written: Vec<Address>,
    bound: Vec<BoundState>,
    routes: Vec<RouteOptions>,
}

/// Names and kinds of all targets, in the order by which everybody counts them. `workers` says how many each
/// app has.
pub(super) fn targets(settings: &Settings, workers: &[(String, u32)]) -> Vec<TargetOptions> {
    let wanted = |name: &str| {
        let found = workers.iter().find(|(app, _)| app == name);
        found.map_or(1, |(_, count)| *count as usize)
    };
    let apps = settings.servers().map(|app| TargetOptions {
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
pub(crate) fn decides_the_address(settings: &Settings) -> Option<&AppSettings> {
    let has_address =
        !settings.listen.http.is_empty() || settings.shared_targets().next().is_none();
    if has_address {
        None
    } else {
        let mut apps = settings.servers();
        apps.find(|app| app.listen == AppListen::Shared)
    }
}

impl Asked {
    /// Notes what an app asked for at its first start. Whether that is news, and decides where it is reached.
    pub(super) fn note(&mut self, settings: &Settings, worker: &ReadyWorker) -> bool {
        let app = &*worker.worker.app;
        if worker.endpoint.is_none() {
            return false;
        }
        let address = || asked_address(settings, worker);
        let mut apps = settings.apps.iter();
        let known = apps.find(|known| known.name() == app);
        // one that a reload brings in is not among the settings yet
        if known.is_none_or(|known| known.listen == AppListen::Own) {
            let is_news = !self.own.contains_key(app);
            self.own.entry(app.to_owned()).or_insert_with(address);
            return is_news && known.is_some();
        }
        let decides = decides_the_address(settings).is_some_and(|known| known.name() == app);
        let is_news = decides && self.shared.is_none();
        if is_news {
            self.shared = Some(address());
        }
        is_news
    }

    /// Notes whether a worker that is ready listens. Whether that is news of its app.
    pub(super) fn hear(&mut self, worker: &ReadyWorker) -> bool {
        let app = worker.worker.app.to_string();
        if worker.endpoint.is_none() {
            return !self.heard.contains(&app) && self.nowhere.insert(app);
        }
        let was_nowhere = self.nowhere.remove(&app);
        self.heard.insert(app);
        was_nowhere
    }

    /// Whether an app has listened once: so will its next workers.
    pub(super) fn has_listened(&self, app: &str) -> bool {
        self.heard.contains(app)
    }

    /// Notes in the settings what was found out of apps of which they leave it open.
    pub(super) fn tell(&self, settings: &mut Settings) {
        for app in &mut settings.apps {
            if app.options.kind != AppKind::Either {
                continue;
            }
            // who says where it is reached means that it is
            let is_said = app.listen == AppListen::Shared && !settings.listen.http.is_empty();
            app.reach = if self.nowhere.contains(app.name()) && !is_said {
                Reach::Nowhere
            } else {
                Reach::Gateway
            };
        }
    }

    /// Whether an app has yet to say where it wants to be reached, before anybody can be. Those that `failed` are not
    /// waited for.
    pub(super) fn is_awaited(
        &self,
        settings: &Settings,
        failed: &BTreeMap<String, String>,
    ) -> bool {
        let mut own = settings
            .servers()
            .filter(|app| app.listen == AppListen::Own && !failed.contains_key(app.name()));
        let shared = decides_the_address(settings).is_some() && self.shared.is_none();
        shared || own.any(|app| !self.own.contains_key(app.name()))
    }

    /// An app is gone.
    pub(super) fn forget(&mut self, app: &str) {
        self.own.remove(app);
        self.heard.remove(app);
        self.nowhere.remove(app);
    }

    /// Two apps that want to be reached at the same place, and the place.
    pub(super) fn clash(&self) -> Option<(&str, &str, &Address)> {
        let own = self.own.iter().enumerate();
        own.flat_map(|(index, one)| self.own.iter().skip(index + 1).map(move |two| (one, two)))
            .find(|((_, one), (_, two))| one.overlaps(two))
            .map(|((one, _), (two, address))| (one.as_str(), two.as_str(), address))
    }

    /// The addresses of an app's own front, those that are not known yet left out.
    fn own(&self, app: &AppSettings) -> Option<Vec<Address>> {
        match &app.listen {
            AppListen::Shared => None,
            AppListen::At(address) => Some(vec![address.clone()]),
            AppListen::Own => Some(self.own.get(app.name()).cloned().into_iter().collect()),
        }
    }
}

/// Whether there is anything that a gateway could do.
pub(super) fn need_a_gateway(settings: &Settings) -> bool {
    settings.targets().next().is_some() || settings.listen.observe.is_some()
}

/// Where the app wanted to listen: there we listen in its place.
fn asked_address(settings: &Settings, worker: &ReadyWorker) -> Address {
    let mut apps = settings.apps.iter();
    let app = apps.find(|app| app.name() == &*worker.worker.app);
    let told = app.and_then(|app| app.options.env.get("PORT")?.parse().ok());
    let port = worker.port_asked.or(told).unwrap_or_else(usual_port);
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
                timeouts: route.timeouts,
                admission: route.admission,
                layers: route.layers.clone().map(Box::new),
            })
        });
        fronts.push(routes.collect());
    }
    let own = settings
        .servers()
        .filter(|app| app.listen != AppListen::Shared);
    fronts.extend(own.filter_map(|app| {
        Some(vec![RouteOptions {
            name: app.name().to_owned(),
            ..RouteOptions::everything(index(app.name())?)
        }])
    }));
    fronts
}

/// Opens every address, front by front as [`routes`] has them. `asked` are those that apps ask for themselves. What `present`
/// has open already is taken from there: nobody who waits to be accepted is turned away.
pub(super) fn open(
    settings: &Settings,
    asked: &Asked,
    threads: usize,
    present: Option<&Sockets>,
) -> Result<Sockets, Failure> {
    let access = socket_access(settings)?;
    let open_one = |address: &Address, threads, present: Option<&Bound>| match present {
        Some(bound) => again(bound, &access, address),
        None => bind(address, threads, &access).map_err(|error| holder::refused(error, address)),
    };
    let open_all = |addresses: Vec<Address>, routes| {
        let bound = addresses.iter().map(|address| {
            let present = present.and_then(|present| present.find(address));
            open_one(address, threads, present)
        });
        Ok::<_, Failure>(OpenFront {
            bound: bound.collect::<Result<_, _>>()?,
            written: addresses,
            routes,
        })
    };
    let mut fronts = Vec::new();
    let mut routes = routes(settings).into_iter();
    if let Some(addresses) = shared_addresses(settings, asked.shared.as_ref()) {
        fronts.push(open_all(addresses, routes.next().unwrap_or_default())?);
    }
    let own = settings.servers().filter_map(|app| asked.own(app));
    for (addresses, routes) in own.zip(routes) {
        fronts.push(open_all(addresses, routes)?);
    }
    let observe_written = settings.listen.observe.clone();
    let observe = observe_written.as_ref().map(|address| {
        let present = present.filter(|known| known.observe_written.as_ref() == Some(address));
        open_one(address, 1, present.and_then(|known| known.observe.as_ref()))
    });
    Ok(Sockets {
        fronts,
        observe: observe.transpose()?,
        observe_written,
    })
}

/// Every address that would be listened on, front by front, then that for observers.
pub(super) fn written(settings: &Settings, asked: &Asked) -> Vec<Vec<Address>> {
    let own = settings.servers().filter_map(|app| asked.own(app));
    let fronts = shared_addresses(settings, asked.shared.as_ref()).into_iter();
    let fronts = fronts.chain(own);
    let observe = settings.listen.observe.iter().cloned().collect();
    fronts.chain([observe]).collect()
}

/// The addresses of the front that all targets without one of their own share, if there are such targets.
pub(crate) fn shared_addresses(
    settings: &Settings,
    asked: Option<&Address>,
) -> Option<Vec<Address>> {
    settings.shared_targets().next()?;
    Some(match asked {
        _ if !settings.listen.http.is_empty() => settings.listen.http.clone(),
        Some(asked) => vec![asked.clone()],
        None => vec![Address::Port(usual_port())],
    })
}

/// The same sockets once more, for whom the settings say.
fn again(bound: &Bound, access: &SocketAccess, address: &Address) -> Result<Bound, Failure> {
    bound
        .allow(access)
        .map_err(|error| holder::refused(error, address))?;
    bound
        .try_clone()
        .map_err(|error| Failure::machine(format!("the listening sockets: {error}")))
}

/// Who may connect to Unix sockets.
pub(crate) fn socket_access(settings: &Settings) -> Result<SocketAccess, Failure> {
    let group = settings.listen.socket_group.as_deref().map(group_id);
    let group = group
        .transpose()
        .map_err(|error| Failure::usage(format!("`listen.socket_group`: {error}")))?;
    Ok(SocketAccess {
        mode: settings.listen.socket_mode.bits(),
        group,
    })
}

impl Sockets {
    /// All of them, each as `state` tells it.
    pub(super) fn put_down(
        &self,
        state: &mut impl FnMut(&Bound) -> io::Result<BoundState>,
    ) -> io::Result<SocketsState> {
        let mut fronts = Vec::new();
        for front in &self.fronts {
            fronts.push(FrontState {
                written: front.written.clone(),
                bound: front
                    .bound
                    .iter()
                    .map(&mut *state)
                    .collect::<io::Result<_>>()?,
                routes: front.routes.clone(),
            });
        }
        Ok(SocketsState {
            fronts,
            observe: self.observe.as_ref().map(state).transpose()?,
            observe_written: self.observe_written.clone(),
        })
    }

    /// All of them, each as `take` gives it.
    pub(super) fn taken_up(
        state: SocketsState,
        take: &mut impl FnMut(BoundState) -> io::Result<Bound>,
    ) -> io::Result<Self> {
        let mut fronts = Vec::new();
        for front in state.fronts {
            let bound = front.bound.into_iter().map(&mut *take);
            fronts.push(OpenFront {
                bound: bound.collect::<io::Result<_>>()?,
                written: front.written,
                routes: front.routes,
            });
        }
        Ok(Self {
            fronts,
            observe: state.observe.map(take).transpose()?,
            observe_written: state.observe_written,
        })
    }

    /// The sockets of an address, by how it was written.
    fn find(&self, address: &Address) -> Option<&Bound> {
        let bound = self.fronts.iter().flat_map(|front| {
            let written = front.written.iter();
            written.zip(&front.bound)
        });
        let mut found = bound.filter(|(written, _)| *written == address);
        found.next().map(|(_, bound)| bound)
    }

    /// A socket for each thread at least. To new ones nobody comes before a gateway accepts from them.
    pub(super) fn widen(&mut self, threads: usize) -> Result<(), Failure> {
        let mut bound = self.fronts.iter_mut().flat_map(|front| &mut front.bound);
        bound
            .try_for_each(|bound| bound.widen(threads))
            .map_err(|error| Failure::machine(format!("the listening sockets: {error}")))
    }

    /// See [`Bound::rest`], for the number of sockets of each address that somebody accepts from.
    pub(super) fn rest(&mut self, accepted: &[(Resolved, usize)]) {
        for bound in self.fronts.iter_mut().flat_map(|front| &mut front.bound) {
            let known = accepted
                .iter()
                .find(|(address, _)| *address == bound.address);
            bound.rest(known.map_or(0, |(_, count)| *count));
        }
    }

    /// Whether both listen at the same places, for the same fronts.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        let written = |sockets: &Self| -> Vec<Vec<Address>> {
            let fronts = sockets.fronts.iter();
            fronts.map(|front| front.written.clone()).collect()
        };
        written(self) == written(other) && self.observe_written == other.observe_written
    }

    /// Where requests are taken.
    pub(super) fn addresses(&self) -> Vec<Resolved> {
        let bound = self.fronts.iter().flat_map(|front| &front.bound);
        bound.map(|bound| bound.address.clone()).collect()
    }

    /// How many sockets each address of each front has.
    pub(super) fn counts(&self) -> Vec<Vec<usize>> {
        let of = |front: &OpenFront| {
            front
                .bound
                .iter()
                .map(|bound| bound.sockets.len())
                .collect()
        };
        self.fronts.iter().map(of).collect()
    }

    /// All addresses of the fronts, in the order in which a gateway counts them.
    pub(super) fn bound(&self) -> impl Iterator<Item = &Bound> {
        self.fronts.iter().flat_map(|front| &front.bound)
    }

    /// Closes our copies; the addresses stay known, and claimed.
    pub(super) fn release(&mut self) {
        let fronts = self.fronts.iter_mut().flat_map(|front| &mut front.bound);
        for bound in fronts.chain(&mut self.observe) {
            bound.sockets.clear();
        }
    }

    /// All sockets in the order in which a gateway expects them.
    pub(super) fn all(&self) -> impl Iterator<Item = &Listener> {
        let fronts = self.fronts.iter().flat_map(|front| &front.bound);
        fronts.chain(&self.observe).flat_map(|bound| &bound.sockets)
    }
}
