//! Every setting in force, as a line that could stand in the file: for whoever explains settings or compares them.
//! Reads no source and decides nothing.

mod app;
mod auth;
mod filter;
mod rate_limits;
mod top;

use std::path::Path;
use std::time::Duration;

use mainstay_pipeline::{
    BodyOptions, BreachGuard, CacheOptions, CacheState, CompressOptions, CorsOptions, CspBase,
    CspEffect, CspOptions, Directive, ErrorOptions, HeaderOptions, HeaderSetting, Heuristic,
    Layers, QueryRule,
};
use mainstay_values::Size;

use crate::key::{Key, Section};
use crate::sections::{self, PageSettings, Preset, RouteSettings, UpstreamSettings};
use crate::settings::Settings;
use crate::value::{Value, quoted};

/// One setting in force.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// Its path in the file: `app.api.workers`.
    pub path: String,
    /// What holds.
    pub value: InForce,
}

/// What holds for a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InForce {
    /// This value, as the file would spell it.
    Value(String),
    /// Nothing was said; this holds then, in words.
    Unsaid(&'static str),
    /// A value that is not shown: it may be a secret.
    Hidden,
}

impl std::fmt::Display for InForce {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(text) => f.write_str(text),
            Self::Unsaid("") => f.write_str("(none)"),
            Self::Unsaid(words) => f.write_str(words),
            Self::Hidden => f.write_str("(not shown)"),
        }
    }
}

impl Settings {
    /// Every setting in force, in the order of the reference.
    #[must_use]
    pub fn effective(&self) -> Vec<Effective> {
        let mut out = Vec::new();
        top::lines(self, &mut out);
        listen(self, &mut out);
        limits(self, &mut out);
        timeouts(self, &mut out);
        self.apps.iter().for_each(|each| app::lines(each, &mut out));
        reload(self, &mut out);
        shutdown(self, &mut out);
        self.upstreams
            .iter()
            .for_each(|each| upstream(each, &mut out));
        self.routes
            .iter()
            .for_each(|each| route(each, &self.layers, &mut out));
        maintenance(self, &mut out);
        overload(self, &mut out);
        filter::lines("filter", &self.layers.filter, &mut out);
        cors("cors", &self.layers.cors, &mut out);
        rate_limits::write(self, &mut out);
        auth::lines("auth", &self.layers.auth, &mut out);
        body("body", &self.layers.body, &mut out);
        cache("cache", &self.layers.cache, &mut out);
        compress("compress", &self.layers.compress, &mut out);
        headers("headers", &self.layers.headers, &mut out);
        errors("errors", &self.layers.errors, &mut out);
        pages(&self.pages, &mut out);
        let mut log = Lines::new(&sections::keys::LOG, "log", &mut out);
        log.value("access", &self.log.access);
        out
    }
}

/// Writes the lines of one section.
struct Lines<'a> {
    section: &'static Section,
    path: String,
    out: &'a mut Vec<Effective>,
}

impl<'a> Lines<'a> {
    fn new(
        section: &'static Section,
        path: impl Into<String>,
        out: &'a mut Vec<Effective>,
    ) -> Self {
        Self {
            section,
            path: path.into(),
            out,
        }
    }

    fn value<T: Value>(&mut self, key: &str, value: &T) {
        self.push(key, InForce::Value(value.toml()));
    }

    /// A setting of which the reference says in words what holds without it.
    fn option<T: Value>(&mut self, key: &str, value: Option<&T>) {
        match value {
            Some(value) => self.value(key, value),
            None => self.unsaid(key),
        }
    }

    fn unsaid(&mut self, key: &str) {
        let known = self.section.keys.iter().find(|known| known.name == key);
        self.push(key, InForce::Unsaid(known.map_or("", |key| key.default)));
    }

    fn list<T: Value>(&mut self, key: &str, values: &[T]) {
        let values: Vec<String> = values.iter().map(Value::toml).collect();
        self.push(key, InForce::Value(format!("[{}]", values.join(", "))));
    }

    fn folder(&mut self, key: &str, path: &Path) {
        self.push(key, InForce::Value(quoted(&path.display().to_string())));
    }

    fn push(&mut self, key: &str, value: InForce) {
        let path = if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        };
        self.out.push(Effective { path, value });
    }
}

fn listen(settings: &Settings, out: &mut Vec<Effective>) {
    let mut lines = Lines::new(&sections::keys::LISTEN, "listen", out);
    match &settings.listen.http[..] {
        [] => lines.unsaid("http"),
        several => lines.list("http", several),
    }
    lines.option("observe", settings.listen.observe.as_ref());
    lines.option("threads", settings.listen.threads.as_ref());
    lines.value("socket_mode", &settings.listen.socket_mode);
    lines.option("socket_group", settings.listen.socket_group.as_ref());
}

fn limits(settings: &Settings, out: &mut Vec<Effective>) {
    let limits = &settings.limits;
    let mut lines = Lines::new(&sections::keys::LIMITS, "limits", out);
    lines.value("head", &limits.head);
    lines.value("field", &limits.field);
    lines.value("fields", &limits.fields);
    lines.value("target", &limits.target);
    lines.value("body_rate", &limits.body_rate);
    lines.value("queue", &limits.queue);
}

fn timeouts(settings: &Settings, out: &mut Vec<Effective>) {
    let timeouts = &settings.timeouts;
    let mut lines = Lines::new(&sections::keys::TIMEOUTS, "timeouts", out);
    for (key, value) in [
        ("head", &timeouts.head),
        ("keep_alive", &timeouts.keep_alive),
        ("keep_alive_trusted", &timeouts.keep_alive_trusted),
        ("body_period", &timeouts.body_period),
        ("connect", &timeouts.connect),
        ("response", &timeouts.response),
        ("send", &timeouts.send),
        ("idle", &timeouts.idle),
        ("queue", &timeouts.queue),
        ("store", &timeouts.store),
    ] {
        lines.value(key, value);
    }
}

fn reload(settings: &Settings, out: &mut Vec<Effective>) {
    let mut lines = Lines::new(&sections::keys::RELOAD, "reload", out);
    lines.value("settle", &settings.reload.settle);
    lines.value("max_surge", &settings.reload.max_surge);
    lines.option("share", settings.reload.share.as_ref());
    lines.value("max_errors", &settings.reload.max_errors);
    lines.option("max_latency", settings.reload.max_latency.as_ref());
}

fn shutdown(settings: &Settings, out: &mut Vec<Effective>) {
    let shutdown = &settings.shutdown;
    let mut lines = Lines::new(&sections::keys::SHUTDOWN, "shutdown", out);
    lines.option::<Duration>("delay", shutdown.delay.as_ref());
    lines.value("idle", &shutdown.idle);
    lines.value("streams", &shutdown.streams);
    lines.value("grace", &shutdown.grace);
}

fn upstream(upstream: &UpstreamSettings, out: &mut Vec<Effective>) {
    let path = format!("upstream.{}", upstream.name);
    Lines::new(&sections::keys::UPSTREAM, path, out).list("servers", &upstream.servers);
}

fn route(route: &RouteSettings, general: &Layers, out: &mut Vec<Effective>) {
    let path = format!("route.{}", route.name);
    let mut lines = Lines::new(&sections::keys::ROUTE, path, out);
    lines.option("host", route.host.as_ref());
    lines.option("path", route.path.as_ref());
    lines.value("to", &route.to);
    lines.option("in_flight", route.admission.in_flight.as_ref());
    lines.value("priority", &route.admission.priority);
    lines.option("response_timeout", route.timeouts.response.as_ref());
    lines.option("idle_timeout", route.timeouts.idle.as_ref());
    let Some(layers) = &route.layers else {
        return;
    };
    let off = sections::layers::of(Preset::Off);
    let path = |section| format!("route.{}.{section}", route.name);
    own(
        &path("cors"),
        [&layers.cors, &general.cors, &off.cors],
        cors,
        out,
    );
    let three = [&layers.auth, &general.auth, &off.auth];
    own(&path("auth"), three, auth::lines, out);
    own(
        &path("body"),
        [&layers.body, &general.body, &off.body],
        body,
        out,
    );
    let three = [&layers.filter, &general.filter, &off.filter];
    own(&path("filter"), three, filter::lines, out);
    let three = [&layers.cache, &general.cache, &off.cache];
    own(&path("cache"), three, cache, out);
    let three = [&layers.compress, &general.compress, &off.compress];
    own(&path("compress"), three, compress, out);
    let three = [&layers.headers, &general.headers, &off.headers];
    own(&path("headers"), three, headers, out);
    let three = [&layers.errors, &general.errors, &off.errors];
    own(&path("errors"), three, errors, out);
}

/// What a route says of a layer: nothing, that it is off, or what holds then. Given are its own options, those of
/// the whole file, and what is off.
fn own<T: PartialEq>(
    path: &str,
    [own, general, off]: [&T; 3],
    lines: impl Fn(&str, &T, &mut Vec<Effective>),
    out: &mut Vec<Effective>,
) {
    if own == general {
        return;
    }
    if own == off {
        let path = format!("{path}.{}", Key::ENABLED.name);
        let value = InForce::Value(false.toml());
        out.push(Effective { path, value });
    } else {
        lines(path, own, out);
    }
}

fn overload(settings: &Settings, out: &mut Vec<Effective>) {
    let options = &settings.overload;
    let mut lines = Lines::new(&sections::keys::OVERLOAD, "overload", out);
    lines.option("connections", options.connections.as_ref());
    lines.option(
        "connections_per_client",
        options.connections_per_client.as_ref(),
    );
    lines.option(
        "in_flight_per_worker",
        options.in_flight_per_worker.as_ref(),
    );
    lines.value("adaptive", &options.adaptive);
    lines.value("queue", &options.queue);
    lines.value("wait", &options.wait);
    lines.value(Key::DRY_RUN.name, &options.enforcement);
}

fn maintenance(settings: &Settings, out: &mut Vec<Effective>) {
    let mut lines = Lines::new(&sections::keys::MAINTENANCE, "maintenance", out);
    lines.list("allow", &settings.maintenance.allow);
    lines.value("retry_after", &settings.maintenance.retry_after);
}

fn cache(path: &str, options: &CacheOptions, out: &mut Vec<Effective>) {
    let mut lines = Lines::new(&sections::keys::CACHE, path, out);
    // one that is on is on by being written
    if options.state == CacheState::Off {
        return lines.push(Key::ENABLED.name, InForce::Unsaid("(off)"));
    }
    // of all routes together
    if path == "cache" {
        lines.value("memory", &options.memory);
    }
    lines.value("object_limit", &options.object_limit);
    lines.option("ttl", options.ttl.as_ref());
    lines.option("negative", options.negative.as_ref());
    let is_heuristic = options.heuristic == Heuristic::On;
    lines.value("heuristic", &is_heuristic);
    lines.value("stale", &options.stale);
    lines.value("validators", &options.validators);
    lines.value("credentials", &options.credentials);
    lines.value("share", &options.reach);
    lines.value("requests", &options.requests);
    match &options.query {
        QueryRule::Only(names) => lines.list("query", names),
        QueryRule::All | QueryRule::Without(_) => lines.unsaid("query"),
    }
    match &options.query {
        QueryRule::Without(names) => lines.list("query_without", names),
        QueryRule::All | QueryRule::Only(_) => lines.list::<String>("query_without", &[]),
    }
    lines.value("query_order", &options.query_order);
    lines.list("key_headers", &options.key_headers);
    lines.list("key_cookies", &options.key_cookies);
    lines.list("ignore_cookies", &options.ignore_cookies);
    lines.list("unsafe", &options.sharing);
}

fn compress(path: &str, options: &CompressOptions, out: &mut Vec<Effective>) {
    let mut lines = Lines::new(&sections::keys::COMPRESS, path, out);
    lines.list("codings", &options.codings);
    lines.value("minimum", &Size::bytes(options.minimum));
    lines.value("gzip_level", &options.gzip_level);
    lines.value("br_level", &options.br_level);
    lines.value("zstd_level", &options.zstd_level);
    lines.value("origins", &options.origins);
    lines.value("breach", &(options.breach == BreachGuard::On));
}

fn cors(path: &str, options: &CorsOptions, out: &mut Vec<Effective>) {
    let mut lines = Lines::new(&sections::keys::CORS, path, out);
    lines.list("origins", &options.origins);
    lines.list("methods", &options.methods);
    match &options.headers {
        Some(names) => lines.list("headers", names),
        None => lines.unsaid("headers"),
    }
    lines.list("expose", &options.expose);
    lines.value("credentials", &options.credentials);
    lines.option("max_age", options.max_age.as_ref());
    lines.value("private_network", &options.private_network);
    lines.value(Key::DRY_RUN.name, &options.enforcement);
}

fn body(path: &str, options: &BodyOptions, out: &mut Vec<Effective>) {
    let mut lines = Lines::new(&sections::keys::BODY, path, out);
    match &options.limit {
        Some(limit) => lines.value("limit", limit),
        None => lines.push("limit", InForce::Value("false".to_owned())),
    }
    lines.value("dry_run", &options.enforcement);
}

/// What is sent, whichever way it came about: a preset's headers are written out.
fn headers(path: &str, options: &HeaderOptions, out: &mut Vec<Effective>) {
    let mut lines = Lines::new(&sections::keys::HEADERS, path, out);
    lines.value("mode", &options.mode);
    let mut sent = options.resolved();
    let spelled = |name: &str, value: &String| match options.modes.get(name) {
        Some(mode) => format!("{{ value = {}, mode = {} }}", value.toml(), mode.toml()),
        None => value.toml(),
    };
    for name in sections::headers::KNOWN {
        if options.csp.is_some() && name == "content-security-policy" {
            continue;
        }
        let value = match sent.remove(name) {
            Some(value) => spelled(name, &value),
            None => "false".to_owned(),
        };
        lines.push(name, InForce::Value(value));
    }
    lines.list("remove", &options.removed());
    for (name, setting) in &options.set {
        if let (HeaderSetting::Value(value), true) = (setting, sent.contains_key(name)) {
            let value = spelled(name, value);
            lines.push(&format!("add.{name}"), InForce::Value(value));
        }
    }
    if let Some(policy) = &options.csp {
        csp(&format!("{path}.csp"), policy, out);
    }
}

/// The directives that are sent, whichever way they came about, and those that are taken out.
fn csp(path: &str, policy: &CspOptions, out: &mut Vec<Effective>) {
    let mut lines = Lines::new(&sections::keys::CSP, path, out);
    lines.value("defaults", &(policy.base == CspBase::Defaults));
    lines.value("report_only", &(policy.effect == CspEffect::ReportOnly));
    match &policy.report {
        Some(path) => lines.value("report", path),
        None => lines.value("report", &false),
    }
    let sent = policy.policy();
    for key in sections::keys::CSP.keys {
        let found = sent.iter().find(|(name, _)| name == key.name);
        match found.map(|(_, sources)| &sources[..]) {
            Some([]) => lines.value(key.name, &true),
            Some(several) => lines.list(key.name, several),
            None if policy.directive(key.name) == Some(&Directive::Off) => {
                lines.value(key.name, &false);
            }
            None => {}
        }
    }
}

fn errors(path: &str, options: &ErrorOptions, out: &mut Vec<Effective>) {
    let mut lines = Lines::new(&sections::keys::ERRORS, path, out);
    lines.value("scrub", &options.scrub);
    lines.value("log", &options.log);
    lines.list("replace", &options.replace);
}

fn pages(pages: &[PageSettings], out: &mut Vec<Effective>) {
    for page in pages {
        out.push(Effective {
            path: format!("errors.pages.{}", page.options.status),
            value: InForce::Value(quoted(&page.file.display().to_string())),
        });
    }
}

#[cfg(test)]
mod tests;
