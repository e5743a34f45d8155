//! Rules that cross sections, one function each, named as sentences. They change nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mainstay_supervisor::options::{AppKind, Liveness, Ready};
use mainstay_values::{Address, Problem, nearest};

use crate::origin::Origin;
use crate::report::Report;
use crate::sections::{AppListen, AppSettings, Awaited, Layer, Ranks, auth};
use crate::settings::Settings;
use crate::value::Value as _;

/// All rules.
pub(crate) fn all(settings: &Settings, report: &Report<'_>) {
    names_are_unique(settings, report);
    every_route_has_a_target(settings, report);
    no_two_routes_are_equal(settings, report);
    several_targets_need_routes_or_own_addresses(settings, report);
    no_address_is_used_twice(settings, report);
    liveness_has_a_path_to_ask(settings, report);
    an_app_in_the_background_is_not_called(settings, report);
    apps_wait_for_apps_that_are_there(settings, report);
    no_apps_wait_for_each_other(settings, report);
    somebody_answers_where_is_listened(settings, report);
    every_socket_path_fits(settings, report);
    a_field_and_a_target_fit_in_the_head(settings, report);
    auth_names_somebody(settings, report);
    whoever_is_asked_who_comes_is_there(settings, report);
    authorities_are_for_an_encrypted_store(settings, report);
}

fn authorities_are_for_an_encrypted_store(settings: &Settings, report: &Report<'_>) {
    let is_plain = settings
        .store
        .as_ref()
        .is_some_and(|store| !store.is_encrypted());
    if is_plain && settings.store_authorities.is_some() {
        let problem = Problem::new(
            "`store_ca_file` has nothing to do: the `store` is not spoken to over TLS",
        );
        report.push_about(
            "store_ca_file",
            problem.expected("`store = \"rediss://HOST\"`"),
        );
    }
}

fn whoever_is_asked_who_comes_is_there(settings: &Settings, report: &Report<'_>) {
    for (path, to) in settings.asked() {
        if settings.targets().any(|name| name == to) {
            continue;
        }
        let problem = Problem::new(format!("`{path}` names no app or upstream"));
        let problem = match nearest(to, settings.targets()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None => problem.expected("a name, and `[upstream.NAME]` to define it"),
        };
        report.push_about(&path, problem);
    }
}

/// Whoever writes `[auth]` believes the service protected. Routes see to themselves.
fn auth_names_somebody(settings: &Settings, report: &Report<'_>) {
    let is_written = report.origin("auth") != Origin::Preset
        && settings.has(Layer::Auth)
        && !auth::tries_to_name_somebody(report);
    let routes = settings.routes.iter();
    let mut everywhere = routes
        .filter_map(|route| route.layers.as_ref())
        .chain([&settings.layers]);
    if is_written && everywhere.all(|layers| layers.auth.set_up().is_empty()) {
        report.push_about("auth", auth::nobody("auth"));
    }
}

fn names_are_unique(settings: &Settings, report: &Report<'_>) {
    for upstream in &settings.upstreams {
        let name = &upstream.name;
        if settings.apps.iter().any(|app| app.name() == name) {
            report.push_about(
                &format!("upstream.{name}"),
                Problem::new(format!("`{name}` is an app and an upstream"))
                    .expected("a name of its own")
                    .hint("routes could not tell them apart"),
            );
        }
    }
}

fn liveness_has_a_path_to_ask(settings: &Settings, report: &Report<'_>) {
    for app in &settings.apps {
        let options = &app.options;
        if options.liveness == Liveness::Asked && !matches!(options.ready, Ready::Http(_)) {
            let path = format!("app.{}.liveness", app.name());
            report.push_about(
                &path,
                Problem::new(format!("`{path}` has no path to ask"))
                    .expected("`ready = \"http:/path\"` beside it")
                    .hint("the path that says when a worker is ready is asked"),
            );
        }
    }
}

fn an_app_in_the_background_is_not_called(settings: &Settings, report: &Report<'_>) {
    for app in &settings.apps {
        let path = |key: &str| format!("app.{}.{key}", app.name());
        let ready = path("ready");
        let spelled = app.options.ready.print();
        match (app.options.kind, &app.options.ready) {
            (AppKind::Background, Ready::Listen | Ready::Http(_)) => report.push_about(
                &ready,
                Problem::new(format!("`{spelled}` needs an app that listens"))
                    .expected("`alive`, `message` or `log:text`")
                    .hint("with `http = false` nothing is known of where it listens"),
            ),
            (AppKind::Server | AppKind::Either, Ready::Alive) => report.push_about(
                &ready,
                Problem::new(format!(
                    "`{ready}` is `alive`, but the app is there to be called"
                ))
                .expected("`listen`, `message`, `http:/path` or `log:text`")
                .hint("or, for an app that listens nowhere, `http = false`"),
            ),
            _ => {}
        }
        if app.options.kind == AppKind::Background && app.listen != AppListen::Shared {
            let listen = path("listen");
            report.push_about(
                &listen,
                Problem::new(format!("`{listen}` leads to an app that is not called"))
                    .hint("take it out, or take `http = false` out"),
            );
        }
    }
}

fn apps_wait_for_apps_that_are_there(settings: &Settings, report: &Report<'_>) {
    let names: BTreeSet<&str> = settings.apps.iter().map(AppSettings::name).collect();
    for app in &settings.apps {
        let path = format!("app.{}.after", app.name());
        let awaited = app.order.after.iter().filter_map(Awaited::app);
        for name in awaited.filter(|name| !names.contains(name)) {
            if settings
                .upstreams
                .iter()
                .any(|upstream| upstream.name == name)
            {
                let problem = Problem::new(format!("`{path}` names the upstream `{name}`"));
                let problem = problem.expected("an app of this file, or an address");
                report.push_about(
                    &path,
                    problem.hint("for a server that runs elsewhere write `tcp://HOST:PORT`"),
                );
                continue;
            }
            let problem = Problem::new(format!("`{path}` names `{name}`, which is no app"));
            // Comparing with every name takes a while, and nobody reads the fifty-first hint.
            let near = (!report.is_full())
                .then(|| nearest(name, names.iter().copied()))
                .flatten();
            report.push_about(
                &path,
                match near {
                    Some(near) => problem.hint(format!("did you mean `{near}`?")),
                    None => problem.expected("an app of this file, or an address"),
                },
            );
        }
    }
}

/// None of them would ever be started.
fn no_apps_wait_for_each_other(settings: &Settings, report: &Report<'_>) {
    for circle in Ranks::of(&settings.apps).circles {
        let Some(first) = circle.first() else {
            continue;
        };
        let path = format!("app.{first}.after");
        let members = circle.iter().chain([first]);
        let members: Vec<String> = members.map(|name| format!("`{name}`")).collect();
        let problem = Problem::new(format!("apps wait in a circle: {}", members.join(" → ")));
        report.push_about(
            &path,
            problem
                .expected("one of them that waits for none of the others")
                .hint("none of them would ever be started"),
        );
    }
}

fn somebody_answers_where_is_listened(settings: &Settings, report: &Report<'_>) {
    let is_served = settings.is_empty() || settings.targets().next().is_some();
    if is_served || settings.listen.http.is_empty() {
        return;
    }
    let about = match report.origin("listen.http") {
        Origin::Preset => "listen",
        _ => "listen.http",
    };
    report.push_about(
        about,
        Problem::new("nobody would answer there: every app has `http = false`")
            .expected("an app or upstream that takes requests, or no address"),
    );
}

fn every_route_has_a_target(settings: &Settings, report: &Report<'_>) {
    let targets: Vec<&str> = settings.targets().collect();
    for route in &settings.routes {
        if targets.contains(&route.to.as_str()) {
            continue;
        }
        let path = format!("route.{}.to", route.name);
        if settings.apps.iter().any(|app| app.name() == route.to) {
            let problem = Problem::new(format!("`{}` takes no requests", route.to));
            report.push_about(
                &path,
                problem.hint(format!("`app.{}.http` is `false`", route.to)),
            );
            continue;
        }
        let problem = Problem::new(format!("`{path}` names no app or upstream"));
        // Comparing with every name takes a while, and nobody reads the fifty-first hint.
        let candidates = if report.is_full() {
            &[]
        } else {
            targets.as_slice()
        };
        let problem = match nearest(&route.to, candidates.iter().copied()) {
            Some(near) => problem.hint(format!("did you mean `{near}`?")),
            None if targets.is_empty() => problem.expected("a name, and `[app.NAME]` to define it"),
            None => problem.expected(format!("one of {}", in_backticks(&targets))),
        };
        report.push_about(&path, problem);
    }
}

fn no_two_routes_are_equal(settings: &Settings, report: &Report<'_>) {
    let mut seen: BTreeMap<_, &str> = BTreeMap::new();
    let mut routes: Vec<_> = settings.routes.iter().collect();
    routes.sort_by_key(|route| report.order(&format!("route.{}", route.name)));
    for route in routes {
        // `/` and no path are the same.
        let path = route.path.as_ref().filter(|path| path.specificity() > 0);
        if let Some(first) = seen.insert((&route.host, path), &route.name) {
            let origin = report.origin(&format!("route.{first}"));
            report.push_about(
                &format!("route.{}", route.name),
                Problem::new(format!(
                    "`route.{}` is for the same requests as `route.{first}`",
                    route.name
                ))
                .expected("another host or path")
                .hint(format!("the other one is at {origin}")),
            );
        }
    }
}

fn several_targets_need_routes_or_own_addresses(settings: &Settings, report: &Report<'_>) {
    let targets: Vec<&str> = settings.shared_targets().collect();
    if targets.len() < 2 || !settings.routes.is_empty() || report.origin("route") != Origin::Preset
    {
        return;
    }
    let mut hint = String::from("write, with the paths or hosts you want:");
    for name in targets.iter().take(10) {
        let _ = write!(
            hint,
            "\n[route.{name}]\npath = \"/{name}\"\nto = \"{name}\""
        );
    }
    let problem = Problem::new(format!(
        "nothing says which requests go to {}",
        in_backticks(&targets)
    ))
    .expected("a route for each, or `listen` of its own")
    .hint(hint);
    let last = targets.last().copied().unwrap_or_default();
    let path = [format!("app.{last}"), format!("upstream.{last}")]
        .into_iter()
        .find(|path| report.origin(path) != Origin::Preset);
    match path {
        Some(path) => report.push_about(&path, problem),
        None => report.push(problem),
    }
}

/// Two listeners of one instance may not overlap: with `SO_REUSEPORT` the system would not
/// refuse, but share the connections out between them.
fn no_address_is_used_twice(settings: &Settings, report: &Report<'_>) {
    let mut seen: Vec<&Address> = Vec::new();
    for (path, address) in listeners(settings, report) {
        if let Some(other) = seen.iter().find(|other| other.overlaps(address)) {
            report.push_about(
                &path,
                Problem::new(format!("`{address}` is used twice"))
                    .expected("an address of its own")
                    .hint(format!("`{other}` is listened on already")),
            );
        }
        seen.push(address);
    }
}

/// Relative paths have become longer since they were read.
fn every_socket_path_fits(settings: &Settings, report: &Report<'_>) {
    let servers = settings.upstreams.iter().flat_map(|upstream| {
        let path = format!("upstream.{}", upstream.name);
        upstream
            .servers
            .iter()
            .map(move |server| (path.clone(), server))
    });
    for (path, address) in listeners(settings, report).into_iter().chain(servers) {
        if let Address::Unix(socket) = address
            && socket.as_os_str().len() > Address::LONGEST_UNIX_PATH
        {
            report.push_about(
                &path,
                Problem::new(format!("`{address}` is too long for a socket"))
                    .expected(format!("at most {} bytes", Address::LONGEST_UNIX_PATH))
                    .hint("the system cuts longer socket paths off; use a shorter folder"),
            );
        }
    }
}

/// Every address that is listened on, with the path of its setting.
fn listeners<'a>(settings: &'a Settings, report: &Report<'_>) -> Vec<(String, &'a Address)> {
    let http = match report.origin("listen.http") {
        Origin::Preset => "listen",
        _ => "listen.http",
    };
    let listen = &settings.listen;
    let http = listen.http.iter().map(|address| (http.to_owned(), address));
    let observe = listen
        .observe
        .iter()
        .map(|address| ("listen.observe".to_owned(), address));
    let apps = settings.apps.iter().filter_map(|app| {
        let address = app.address()?;
        Some((format!("app.{}.listen", app.name()), address))
    });
    http.chain(observe).chain(apps).collect()
}

fn a_field_and_a_target_fit_in_the_head(settings: &Settings, report: &Report<'_>) {
    let limits = &settings.limits;
    for (key, size) in [("field", limits.field), ("target", limits.target)] {
        let path = format!("limits.{key}");
        if size > limits.head {
            let problem = Problem::new(format!("`{path}` is larger than `limits.head`"))
                .expected(format!("at most `{}`", limits.head))
                .hint("raise `head` with it");
            let about = match report.origin(&path) {
                Origin::Preset => "limits.head",
                _ => &path,
            };
            report.push_about(about, problem);
        }
    }
}

/// The first ten of them, for a sentence.
fn in_backticks(names: &[&str]) -> String {
    let shown = names.iter().take(10);
    let mut quoted: Vec<String> = shown.map(|name| format!("`{name}`")).collect();
    if names.len() > quoted.len() {
        quoted.push(format!("{} more", names.len() - quoted.len()));
    }
    match quoted.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => quoted.concat(),
    }
}
