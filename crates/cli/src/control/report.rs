//! What is printed at start and when something happens: sentences only, no decisions.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use mainstay_config::{AppSettings, Layer, Preset, Settings};
use mainstay_pipeline::{
    Adaptation, BodyOptions, CacheState, CompressOptions, Enforcement, FilterOptions, HeaderPreset,
    Layers, RatePolicy,
};
use mainstay_proxy::Address;
use mainstay_supervisor::WorkerId;
use mainstay_supervisor::count::processors;
use mainstay_supervisor::events::{Failure as AppFailure, Note, ReadyWorker, ServerKind};
use mainstay_supervisor::launch::OtherNode;
use mainstay_supervisor::process::Exit;

use super::fronts::Sockets;
use super::gateways::Heard;
use super::invocation::Greeting;
use crate::say;

/// What was decided, in a few calm lines.
pub(super) fn start(
    settings: &Settings,
    name: &str,
    sockets: Option<&Sockets>,
    workers: &[(String, u32)],
) {
    let preset = match settings.preset {
        Preset::Off => "off",
        Preset::Safe => "safe",
        Preset::Strict => "strict",
    };
    say::line(&format!(
        "{} {} · {} · preset {preset}",
        say::strong("mainstay"),
        env!("CARGO_PKG_VERSION"),
        say::strong(name)
    ));
    for front in sockets.into_iter().flat_map(|sockets| &sockets.fronts) {
        let targets: Vec<&str> = front
            .routes
            .iter()
            .filter_map(|route| settings.targets().nth(route.target))
            .collect();
        for bound in &front.bound {
            say::line(&format!(
                "  {} → {}{}",
                say::strong(&url(&bound.address)),
                targets.join(", "),
                say::dim(reach(&bound.address))
            ));
        }
    }
    for (app, count) in workers {
        let app_settings = settings.apps.iter().find(|known| known.name() == app);
        let is_server = app_settings.is_none_or(AppSettings::is_server);
        let workers = if is_server {
            workers_of(*count)
        } else {
            in_the_background(*count)
        };
        say::line(&format!("  {app}: {workers}"));
    }
    for upstream in &settings.upstreams {
        let servers: Vec<String> = upstream.servers.iter().map(ToString::to_string).collect();
        say::line(&format!("  {}: {}", upstream.name, servers.join(", ")));
    }
    let Some(sockets) = sockets else { return };
    say::line(&format!("  layers: {}", layers(settings)));
    if let Some(bound) = &sockets.observe {
        let place = match &bound.address {
            Address::Tcp(_) => format!("{}/metrics", url(&bound.address)),
            Address::Unix(_) => format!("/metrics on {}", bound.address),
        };
        say::line(&format!("  metrics: {place}"));
    }
}

fn in_the_background(count: u32) -> String {
    match count {
        1 => "1 worker in the background".to_owned(),
        several => format!("{several} workers in the background"),
    }
}

fn workers_of(count: u32) -> String {
    let cores = processors();
    let noun = if count == 1 { "worker" } else { "workers" };
    let advice = if count == 1 {
        "; `-n auto` if the app keeps nothing in memory"
    } else {
        ""
    };
    let of = if cores == 1 {
        "1 core".to_owned()
    } else {
        format!("{cores} cores")
    };
    format!("{count} {noun} of {of}{advice}")
}

fn layers(settings: &Settings) -> String {
    let headers = match (settings.has(Layer::Headers), settings.layers.headers.preset) {
        (false, _) => "left out",
        (true, HeaderPreset::Off) => "off",
        (true, HeaderPreset::Safe) => "safe",
        (true, HeaderPreset::Strict) => "strict",
    };
    let cors = match &settings.layers.cors {
        options if options.origins.is_empty() => "off",
        options if options.enforcement == Enforcement::DryRun => "dry run",
        _ => "on",
    };
    let compress = codings(&settings.layers.compress);
    let auth = auth(settings);
    let word = |on: bool| if on { "on" } else { "off" };
    let filter = match &settings.layers.filter {
        _ if !settings.has(Layer::Filter) => "left out",
        options if *options == FilterOptions::default() => "off",
        options if options.enforcement == Enforcement::DryRun => "dry run",
        _ => "on",
    };
    let proxies = &settings.trusted_proxies;
    let proxies = if proxies.is_none() {
        "none".to_owned()
    } else {
        proxies.to_string()
    };
    [
        format!("headers {headers}"),
        format!("filter {filter}"),
        format!("cors {cors}"),
        format!("auth {auth}"),
        format!("cache {}", cache(settings)),
        format!("compress {compress}"),
        format!("health {}", word(settings.has(Layer::Health))),
        format!("overload {}", overload(settings)),
        format!("rate limits {}", rate_limits(&settings.rate_limits)),
        format!("body limit {}", body_limit(&settings.layers.body)),
        format!("scrubbing of errors {}", word(settings.layers.errors.scrub)),
        "framing, head limits and slow-client clocks on".to_owned(),
        format!("trusted proxies {proxies}"),
        format!("access log {}", word(settings.log.access)),
    ]
    .join(" · ")
}

/// Of the whole file, and of routes that say something of their own.
fn cache(settings: &Settings) -> &'static str {
    let is_on = |layers: &Layers| layers.cache.state == CacheState::On;
    let of_routes = settings
        .routes
        .iter()
        .filter_map(|route| route.layers.as_ref());
    match (is_on(&settings.layers), of_routes.into_iter().any(is_on)) {
        (true, _) => "on",
        (false, true) => "on some routes",
        (false, false) => "off",
    }
}

fn codings(options: &CompressOptions) -> String {
    let names: Vec<_> = options.codings.iter().map(|coding| coding.name()).collect();
    if names.is_empty() {
        "off".to_owned()
    } else {
        names.join(" ")
    }
}

fn overload(settings: &Settings) -> &'static str {
    let options = &settings.overload;
    let mut routes = settings.routes.iter();
    let is_on = options.connections.is_some()
        || options.connections_per_client.is_some()
        || options.in_flight_per_worker.is_some()
        || options.adaptive == Adaptation::Auto
        || routes.any(|route| route.admission.in_flight.is_some());
    match (is_on, options.enforcement) {
        (false, _) => "off",
        (true, Enforcement::Enforce) => "on",
        (true, Enforcement::DryRun) => "dry run",
    }
}

fn rate_limits(policies: &[RatePolicy]) -> String {
    let told = policies.iter().map(|policy| {
        let RatePolicy { name, rate, .. } = policy;
        match policy.enforcement {
            Enforcement::Enforce => format!("{name} {rate}"),
            Enforcement::DryRun => format!("{name} {rate} (dry run)"),
        }
    });
    match &told.collect::<Vec<_>>()[..] {
        [] => "off".to_owned(),
        several => several.join(", "),
    }
}

fn body_limit(options: &BodyOptions) -> String {
    match (&options.limit, options.enforcement) {
        (None, _) => "none".to_owned(),
        (Some(limit), Enforcement::Enforce) => limit.to_string(),
        (Some(limit), Enforcement::DryRun) => format!("{limit} (dry run)"),
    }
}

/// Where somebody has to say who they are.
fn auth(settings: &Settings) -> String {
    if !settings.has(Layer::Auth) {
        return "left out".to_owned();
    }
    let asks = |layers: &Layers| !layers.auth.set_up().is_empty();
    let routes = settings.routes.iter();
    let asking = routes.filter(|route| asks(route.layers.as_ref().unwrap_or(&settings.layers)));
    match (asking.count(), settings.routes.len()) {
        (0, 0) if asks(&settings.layers) => "on".to_owned(),
        (0, _) => "off".to_owned(),
        (asking, all) if asking == all => "on".to_owned(),
        (asking, all) => format!("on {asking} of {all} routes"),
    }
}

/// What to try, for who has just begun.
pub(super) fn greeting(greeting: &Greeting, sockets: Option<&Sockets>) {
    let front = sockets.and_then(|sockets| sockets.fronts.first());
    let Some(bound) = front.and_then(|front| front.bound.first()) else {
        return;
    };
    if matches!(greeting, Greeting::Demo { .. }) {
        let (curl, url) = match &bound.address {
            Address::Tcp(_) => ("curl".to_owned(), url(&bound.address)),
            Address::Unix(path) => {
                let curl = format!("curl --unix-socket {}", path.display());
                (curl, "http://localhost".to_owned())
            }
        };
        say::line("\n  Four things to try:");
        for (what, command) in [
            ("the app, in a browser", url.clone()),
            (
                "make a link",
                format!("{curl} -d url=https://example.com {url}/links"),
            ),
            ("headers that Mainstay adds", format!("{curl} -I {url}/")),
            ("its health", format!("{curl} {url}/.mainstay/full")),
        ] {
            say::line(&format!("    {what:28}{command}"));
        }
        say::line("");
    }
}

/// How a browser on this machine is sent there; a Unix socket as the settings spell it.
pub(super) fn url(address: &Address) -> String {
    match address {
        Address::Tcp(address) if address.ip().is_unspecified() => {
            format!("http://localhost:{}", address.port())
        }
        Address::Tcp(address) => format!("http://{address}"),
        Address::Unix(_) => address.to_string(),
    }
}

/// Whether others reach it too.
pub(super) fn reach(address: &Address) -> &'static str {
    match address {
        Address::Tcp(address) if address.ip().is_unspecified() => " (on every interface)",
        Address::Tcp(_) | Address::Unix(_) => "",
    }
}

/// `NODE_ENV` was not set.
pub(super) fn node_env() {
    say::line(&format!(
        "  {}",
        say::dim("NODE_ENV=production (it was not set)")
    ));
}

/// When a worker that ended is started again.
pub(super) fn again(restart_in: Option<Duration>) -> String {
    match restart_in {
        None => "it stays down".to_owned(),
        Some(Duration::ZERO) => "it starts again at once".to_owned(),
        Some(pause) => format!("it starts again in {} ms", pause.as_millis()),
    }
}

/// A worker has ended, and is not started again since nobody wants it to be.
pub(super) fn finished(worker: &WorkerId, exit: Exit) -> String {
    format!("{worker} has ended, {exit}; it is not started again, as its settings want it")
}

/// An app has not listened, where nobody knew whether it would.
pub(super) fn listens_nowhere(app: &str) -> String {
    format!(
        "app `{app}` listens nowhere: it runs without requests until it does; with `http = false` nobody waits for that"
    )
}

/// A worker does not react any more.
pub(super) fn hung(worker: &WorkerId) -> String {
    format!("{worker} does not react any more; it is ended and started again")
}

/// A worker fails to start again and again.
pub(super) fn crash_loop(worker: &WorkerId, deaths: u32, within: Duration) -> String {
    format!(
        "{worker} is in a crash loop: {deaths} failed starts within {} s; it is tried again slowly",
        within.as_secs()
    )
}

/// A crash loop is over.
pub(super) fn recovered(worker: &WorkerId) -> String {
    format!("{worker} has recovered from its crash loop")
}

/// A worker is not tried any more.
pub(super) fn gave_up(worker: &WorkerId) -> String {
    format!("{worker} is given up after its crash loop: repair the app, then `mainstay reload`")
}

/// Something about a worker.
pub(super) fn note(worker: &WorkerId, note: &Note) {
    match note {
        Note::OwnCluster => say::note(&format!(
            "{worker} would fork its own cluster; it runs as one worker instead, `-n` says how many there are"
        )),
        Note::ExtraPort {
            port,
            given_up: false,
        } => {
            say::note(&format!(
                "{worker} also listens on port {port}, which is left alone"
            ));
        }
        Note::ExtraPort {
            port,
            given_up: true,
        } => say::warning(&format!(
            "{worker} goes without port {port}, which worker 0 has: only one process can listen there; \
             let the app open it in worker 0 only (NODE_APP_INSTANCE is its number), or use one worker"
        )),
        Note::RandomPort => say::warning(&format!(
            "{worker} listens on a random port, where nobody finds it; let it listen on PORT or a fixed number"
        )),
        Note::RefusedServer { port, server } => say::warning(&format!(
            "{worker} asked for port {port} with an {} server, which was refused: TLS ends in front of the workers; \
             let the app serve plain http (`http.createServer`)",
            match server {
                ServerKind::Https => "https",
                ServerKind::Http2 => "http2",
                ServerKind::Http => "http",
                ServerKind::Net => "other",
            }
        )),
        Note::OwnPort { port } => {
            say::note(&format!(
                "{worker} listens on port {port} of its own choice, not on PORT; with one worker that works"
            ));
        }
        Note::DroppedOutput { lines } => {
            say::warning(&format!(
                "{worker}: {lines} lines of output were dropped, since nobody read them in time"
            ));
        }
        Note::Killed => say::warning(&format!("{worker} did not end in time and was killed")),
    }
}

/// Something about the gateways.
pub(super) fn gateway(heard: &Heard) {
    match heard {
        Heard::Notices(sentences) => sentences.iter().for_each(|sentence| say::warning(sentence)),
        Heard::Died { exit, restarts_in } => say::warning(&format!(
            "the gateway {exit}; it starts again in {} ms",
            restarts_in.as_millis()
        )),
        Heard::DiedDraining { exit } => say::warning(&format!(
            "a gateway that was replaced {exit} before it had finished; its last connections are lost"
        )),
        Heard::CrashLoop { deaths, exit } => say::warning(&format!(
            "the gateway ended {deaths} times within seconds of its start, last with {exit}: nothing is served; \
             connections wait, and it is tried again every few seconds; please report it with what stands above"
        )),
        Heard::Recovered => say::line("the gateway serves again"),
        Heard::NotReplaced { exit } => say::warning(&format!(
            "the new gateway {exit} before it accepted connections; the one before it goes on"
        )),
        Heard::Ready
        | Heard::Replaced
        | Heard::Released(_)
        | Heard::Answered(_)
        | Heard::Trial(_)
        | Heard::Violations(_)
        | Heard::Agreed(_)
        | Heard::Drained => {}
    }
}

/// What an app that cannot see its clients must be told.
pub(super) fn trust_hint(worker: &ReadyWorker) {
    if worker.trusts_loopback == Some(false) {
        say::warning(&format!(
            "app `{}` does not trust its proxy, so `req.ip` is 127.0.0.1 for everybody; add: app.set('trust proxy', 'loopback')",
            worker.worker.app
        ));
    }
}

/// Why an app did not come up, with its last words.
pub(super) fn failed(failure: &AppFailure) -> String {
    let mut text = format!(
        "app `{}` did not come up: worker {} {}",
        failure.worker.app, failure.worker.index, failure.cause
    );
    push_words(&mut text, &failure.last_lines, failure.hint.as_deref());
    text
}

/// Which apps of a start did not come up, while others run.
pub(super) fn without(failed: &BTreeMap<String, String>, apps: usize) -> String {
    let names: Vec<_> = failed.keys().map(|app| format!("`{app}`")).collect();
    let (names, tried) = match &names[..] {
        [one] => (one.clone(), "it is"),
        several => (several.join(", "), "they are"),
    };
    format!(
        "{} of {apps} apps did not come up: {names}; {tried} tried again, and the others run (`mainstay ls` shows them, \
         `mainstay crashes` what went wrong)",
        failed.len()
    )
}

/// An app that another Node runs than its project wants.
pub(super) fn other_node(app: &str, other: &OtherNode) -> String {
    format!(
        "app `{app}`: {other}; put the one that is wanted first on the PATH, or name it with `interpreter`"
    )
}

/// How a worker that had been ready died, with its last words.
pub(super) fn died(
    worker: &WorkerId,
    exit: Exit,
    last_lines: &[String],
    hint: Option<&str>,
) -> String {
    let mut text = format!("worker {} died, {exit}", worker.index);
    push_words(&mut text, last_lines, hint);
    text
}

/// Lines that a complaint shows; `mainstay crashes` has more.
const MOST_WORDS: usize = 20;

fn push_words(text: &mut String, last_lines: &[String], hint: Option<&str>) {
    if !last_lines.is_empty() {
        text.push_str("\n  its last lines:");
        let shown = last_lines.len().saturating_sub(MOST_WORDS);
        for line in &last_lines[shown..] {
            let _ = write!(text, "\n  │ {}", printable(line));
        }
    }
    if let Some(hint) = hint {
        let _ = write!(text, "\n  hint: {hint}");
    }
}

/// An app's words without what terminals would act on.
fn printable(line: &str) -> String {
    line.chars()
        .map(|character| {
            if character.is_control() && character != '\t' {
                '\u{fffd}'
            } else {
                character
            }
        })
        .collect()
}
