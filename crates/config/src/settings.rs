//! The whole of the settings, checked. Serialisable: it travels to the gateway process.

use std::collections::BTreeSet;

use mainstay_pipeline::{Layers, MaintenanceOptions, OverloadOptions, RatePolicy};
use mainstay_store::StoreAddress;
use mainstay_values::TrustedProxies;
use serde::{Deserialize, Serialize};

use crate::load::empty_left_out_layers;
use crate::sections::{
    AppListen, AppSettings, Authorities, Layer, Limits, ListenSettings, LogSettings, PageSettings,
    Preset, ReloadSettings, RouteSettings, ShutdownSettings, Timeouts, UpstreamSettings, layers,
    rate_limit,
};

/// Everything that was decided. Immutable once loaded; a reload makes another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// The instance's name. `None`: the folder's.
    pub name: Option<String>,
    /// Where the rest began.
    pub preset: Preset,
    /// Where machines keep what they share. None: each is alone.
    pub store: Option<StoreAddress>,
    /// Whom the store's certificate must come from, if not from one of the machine's authorities.
    pub store_authorities: Option<Authorities>,
    /// Where connections are accepted.
    pub listen: ListenSettings,
    /// Whose word about the client is believed.
    pub trusted_proxies: TrustedProxies,
    /// The user the gateway runs as.
    pub user: Option<String>,
    /// The group the gateway runs as.
    pub group: Option<String>,
    /// Layers that are left out.
    pub without: BTreeSet<Layer>,
    /// Bounds on what clients send.
    pub limits: Limits,
    /// How long each wait may last.
    pub timeouts: Timeouts,
    /// What is run, in file order.
    pub apps: Vec<AppSettings>,
    /// How a new release takes the place of the old one.
    pub reload: ReloadSettings,
    /// How the instance ends.
    pub shutdown: ShutdownSettings,
    /// Servers that run elsewhere, in file order.
    pub upstreams: Vec<UpstreamSettings>,
    /// Which requests go where, the most specific first: the first that matches is meant.
    pub routes: Vec<RouteSettings>,
    /// How much may be under way at once.
    pub overload: OverloadOptions,
    /// What holds during maintenance.
    pub maintenance: MaintenanceOptions,
    /// What the layers do where a route says nothing else; one that is left out does nothing.
    pub layers: Layers,
    /// How much one client may ask for, in the order in which it is asked; nothing when left out.
    pub rate_limits: Vec<RatePolicy>,
    /// The own pages for errors.
    pub pages: Vec<PageSettings>,
    /// What is written about requests.
    pub log: LogSettings,
}

impl Settings {
    /// What a preset says, with nothing to run yet.
    pub fn of(preset: Preset) -> Self {
        Self {
            name: None,
            preset,
            store: None,
            store_authorities: None,
            listen: ListenSettings::default(),
            trusted_proxies: TrustedProxies::none(),
            user: None,
            group: None,
            without: BTreeSet::new(),
            limits: Limits::default(),
            timeouts: Timeouts::default(),
            apps: Vec::new(),
            reload: ReloadSettings::default(),
            shutdown: ShutdownSettings::default(),
            upstreams: Vec::new(),
            routes: Vec::new(),
            overload: OverloadOptions::default(),
            maintenance: MaintenanceOptions::default(),
            layers: layers::of(preset),
            rate_limits: rate_limit::of(preset),
            pages: Vec::new(),
            log: LogSettings::default(),
        }
    }

    /// Names of all apps that requests can come to, then of all upstreams: what the pipeline counts its targets by.
    pub fn targets(&self) -> impl Iterator<Item = &str> {
        let apps = self.servers().map(AppSettings::name);
        apps.chain(self.upstreams.iter().map(|upstream| upstream.name.as_str()))
    }

    /// The apps to which requests can come, in file order.
    pub fn servers(&self) -> impl Iterator<Item = &AppSettings> {
        self.apps.iter().filter(|app| app.is_server())
    }

    /// Whether there is anything to run or to pass requests on to.
    pub(crate) fn is_empty(&self) -> bool {
        self.apps.is_empty() && self.upstreams.is_empty()
    }

    /// What the gateway may hold: everything but the environments of the apps, where their secrets
    /// are.
    #[must_use]
    pub fn for_gateway(&self) -> Self {
        let mut settings = self.clone();
        for app in &mut settings.apps {
            app.options.env.clear();
        }
        settings
    }

    /// Whether a layer takes part.
    pub fn has(&self, layer: Layer) -> bool {
        !self.without.contains(&layer)
    }

    /// Leaves these layers out as well, whatever was said of them. There is no way back from that: keep the settings
    /// that it is done to.
    pub fn leave_out(&mut self, layers: impl IntoIterator<Item = Layer>) {
        self.without.extend(layers);
        empty_left_out_layers(self);
    }

    /// Names of apps and upstreams that share the common listeners, in file order.
    pub fn shared_targets(&self) -> impl Iterator<Item = &str> {
        let apps = self.servers();
        let apps = apps.filter(|app| app.listen == AppListen::Shared);
        let upstreams = self.upstreams.iter();
        let upstreams = upstreams.filter(|upstream| !self.is_only_asked(&upstream.name));
        apps.map(AppSettings::name)
            .chain(upstreams.map(|upstream| upstream.name.as_str()))
    }

    /// Who is asked who comes, everywhere in the settings.
    pub(crate) fn asked(&self) -> impl Iterator<Item = (String, &str)> {
        let routes = self.routes.iter().filter_map(|route| {
            let path = format!("route.{}.auth.forward.to", route.name);
            Some((path, route.layers.as_ref()?))
        });
        let general = [("auth.forward.to".to_owned(), &self.layers)];
        let everywhere = routes.chain(general);
        everywhere
            .filter_map(|(path, layers)| Some((path, layers.auth.forward.as_ref()?.to.as_str())))
    }

    /// Whether an upstream is asked who comes, and no route leads to it.
    fn is_only_asked(&self, upstream: &str) -> bool {
        self.routes.iter().all(|route| route.to != upstream)
            && self.asked().any(|(_, to)| to == upstream)
    }
}
