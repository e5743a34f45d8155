//! The passes from sources to checked settings, in order.

use std::path::{Path, PathBuf};

use mainstay_pipeline::{OverloadOptions, RouteAdmission, RouteTimeouts};
use mainstay_values::{Address, Problems};

use crate::layout::Layout;
use crate::origin::{Origin, Origins};
use crate::reader::Reader;
use crate::report::Report;
use crate::sections::{self, AppListen, AppSettings, Layer, Preset, RouteSettings};
use crate::settings::Settings;
use crate::source::Sources;
use crate::{check, merge, overrides, profile, switch};

/// Settings, and where each of them came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Where each value that somebody gave came from.
    pub origins: Origins,
}

/// Loads the settings, or tells every problem at once, in file order.
pub fn load(sources: &Sources) -> Result<Settings, Problems> {
    explain(sources).map(|loaded| loaded.settings)
}

/// As [`load`], with the origin of each value.
pub fn explain(sources: &Sources) -> Result<Loaded, Problems> {
    let report = Report::new(Layout::of(sources));
    let table = merge::merged(sources, &report)?;
    let mut table = profile::apply(table, sources, &report);
    let off = switch::take_out(&mut table, &report);
    let top = Reader::top(&sections::TOP, &table, &report);

    // A wrong preset in the file is a problem even where a flag names another.
    let in_file = top.get::<Preset>("preset");
    let preset = overrides::preset(sources, &report).or(in_file);
    let mut settings = Settings::of(preset.unwrap_or_default());
    sections::read(top, &mut settings);
    off.leave_out(&mut settings.without, &report);
    off.take_out_policies(&mut settings.rate_limits);
    settings
        .apps
        .iter_mut()
        .for_each(|app| run_in(app, sources.base()));
    if settings.is_empty() && !overrides::names_a_target(sources) {
        off.refuse_to_leave_nothing(&report);
    }
    overrides::add_app(&mut settings, sources, &report);
    overrides::apply(&mut settings, sources, &report);
    resolve_paths(&mut settings, &sources.folder);
    empty_left_out_layers(&mut settings);
    check::all(&settings, &report);
    complete_routes(&mut settings);
    show_errors_in_development(&mut settings, sources, &report);

    let (settings, origins) = report.finish(settings)?;
    Ok(Loaded { settings, origins })
}

/// An app of the file of which nobody says where it runs.
fn run_in(app: &mut AppSettings, folder: &Path) {
    app.options.cwd.get_or_insert_with(|| folder.to_path_buf());
}

/// Makes relative paths absolute (when `base` is). Those of files were resolved when they were read.
fn resolve_paths(settings: &mut Settings, base: &Path) {
    let resolve = |path: &mut PathBuf| {
        if path.is_relative() {
            *path = base.join(&*path);
        }
    };
    let listeners = settings
        .listen
        .http
        .iter_mut()
        .chain(&mut settings.listen.observe);
    let servers = settings
        .upstreams
        .iter_mut()
        .flat_map(|upstream| &mut upstream.servers);
    for address in listeners.chain(servers) {
        if let Address::Unix(path) = address {
            resolve(path);
        }
    }
    for app in &mut settings.apps {
        app.options.cwd.iter_mut().for_each(resolve);
        if let AppListen::At(Address::Unix(path)) = &mut app.listen {
            resolve(path);
        }
    }
}

/// A layer that is left out has nothing to do, so that nobody needs to ask whether it is.
pub(crate) fn empty_left_out_layers(settings: &mut Settings) {
    let off = sections::layers::of(Preset::Off);
    if !settings.has(Layer::RateLimit) {
        settings.rate_limits.clear();
    }
    let without = settings.without.clone();
    if without.contains(&Layer::Overload) {
        settings.overload = OverloadOptions::default();
        for route in &mut settings.routes {
            route.admission = RouteAdmission::default();
        }
    }
    if without.contains(&Layer::Errors) {
        settings.pages.clear();
    }
    let of_routes = settings.routes.iter_mut();
    let of_routes = of_routes.filter_map(|route| route.layers.as_mut());
    for layers in of_routes.chain([&mut settings.layers]) {
        if without.contains(&Layer::Cors) {
            layers.cors = off.cors.clone();
        }
        if without.contains(&Layer::Body) {
            layers.body = off.body.clone();
        }
        if without.contains(&Layer::Filter) {
            layers.filter = off.filter.clone();
        }
        if without.contains(&Layer::Cache) {
            layers.cache = off.cache.clone();
        }
        if without.contains(&Layer::Compress) {
            layers.compress = off.compress.clone();
        }
        if without.contains(&Layer::Auth) {
            layers.auth = off.auth.clone();
        }
        if without.contains(&Layer::Headers) {
            layers.headers = off.headers.clone();
        }
        if without.contains(&Layer::Errors) {
            layers.errors = off.errors.clone();
        }
    }
}

/// The most specific route first; without any, one to the only target.
fn complete_routes(settings: &mut Settings) {
    settings.routes.sort_by_key(RouteSettings::rank);
    let target = settings.shared_targets().next().map(str::to_owned);
    if let (Some(to), true) = (target, settings.routes.is_empty()) {
        settings.routes.push(RouteSettings {
            name: "default".to_owned(),
            host: None,
            path: None,
            to,
            timeouts: RouteTimeouts::default(),
            admission: RouteAdmission::default(),
            layers: None,
        });
    }
}

/// Where nobody says whether errors are scrubbed and nothing asks for all that is safe, an app in development shows its
/// traces to whoever develops it.
fn show_errors_in_development(settings: &mut Settings, sources: &Sources, report: &Report<'_>) {
    let is_said = |path: &str| report.origin(path) != Origin::Preset;
    let is_open = settings.preset == Preset::Safe && settings.has(Layer::Errors);
    if !is_open || is_said("errors.scrub") {
        return;
    }
    let of_all = sources.environment.get("NODE_ENV");
    let is_development = |app: Option<&AppSettings>| {
        let own = app.and_then(|app| app.options.env.get("NODE_ENV"));
        own.or(of_all).is_some_and(|value| value == "development")
    };
    settings.layers.errors.scrub = !is_development(None);
    for route in &mut settings.routes {
        let path = format!("route.{}.errors", route.name);
        if is_said(&format!("{path}.scrub")) || is_said(&format!("{path}.enabled")) {
            continue;
        }
        let app = settings.apps.iter().find(|app| app.name() == route.to);
        let scrub = !is_development(app);
        let layers = route.layers.as_mut();
        if let Some(layers) = layers {
            layers.errors.scrub = scrub;
        } else if scrub != settings.layers.errors.scrub {
            let layers = route.layers.insert(settings.layers.clone());
            layers.errors.scrub = scrub;
        }
    }
}
