//! Folders, users and limits of the machine, and what is left unprotected. Changes none of them.

use std::os::unix::fs::PermissionsExt as _;

use mainstay_config::{Layer, Preset, Settings};
use mainstay_pipeline::{CorsOptions, KeyPart, RatePolicy};
use mainstay_values::Address;
use rustix::process::{Resource, getrlimit};

use super::{Finding, Subject};
use crate::control::{gateway_identity, runtime_dir};

/// Connections for which there should be descriptors: one for the client, one for the worker.
const FEW_FILES: u64 = 8_192;
/// Connections that we ask the kernel to let wait.
const BACKLOG: u64 = 4_096;

pub(super) fn runtime_folder(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let running = runtime_dir::instances()
        .into_iter()
        .any(|(name, _)| name == subject.name);
    if running {
        found.push(
            Finding::note(
                "name",
                format!("an instance `{}` is running", subject.name),
            )
            .costs("another one of that name would be refused")
            .hint("`mainstay reload` brings these settings in, `mainstay diff` says what that would change"),
        );
        return;
    }
    match runtime_dir::choose(subject.name) {
        Ok(path) => found.push(Finding::note(
            "",
            format!("sockets will be in `{}`", path.display()),
        )),
        Err(failure) => found.push(failure.into()),
    }
}

pub(super) fn gateway(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    match gateway_identity(subject.settings) {
        Err(failure) => found.push(Finding::error("user", failure)),
        Ok(Some(identity)) if identity.uid != 0 => found.push(Finding::note(
            "user",
            format!("the gateway will run as user {}", identity.uid),
        )),
        Ok(_) if rustix::process::geteuid().is_root() => found.push(
            Finding::warning("user", "the gateway stays root")
                .costs("it reads what strangers send; a hole in it would be a hole in the machine")
                .hint("write `user = \"www-data\"`, and let `mainstay` keep CAP_SETUID and CAP_SETGID"),
        ),
        Ok(_) => {}
    }
}

/// What the kernel bounds for everybody.
pub(super) fn kernel(found: &mut Vec<Finding>) {
    let files = getrlimit(Resource::Nofile).maximum;
    if let Some(files) = files.filter(|files| *files < FEW_FILES) {
        found.push(
            Finding::warning("", format!("the gateway may open {files} files"))
                .costs(format!(
                    "each client and its worker take one: about {} connections at once, then new ones wait",
                    files / 2
                ))
                .hint("raise `ulimit -Hn`, or systemd's `LimitNOFILE=`, where `mainstay` is started"),
        );
    }
    let backlog = std::fs::read_to_string("/proc/sys/net/core/somaxconn");
    let backlog = backlog.ok().and_then(|text| text.trim().parse().ok());
    if let Some(backlog) = backlog.filter(|backlog: &u64| *backlog < BACKLOG) {
        found.push(
            Finding::warning("", format!("the kernel lets {backlog} connections wait to be accepted"))
                .costs("in a burst, or while a gateway is replaced, further ones are dropped and try again after a second")
                .hint(format!("`sysctl net.core.somaxconn={BACKLOG}`")),
        );
    }
}

/// What the settings leave open.
pub(super) fn protection(settings: &Settings, found: &mut Vec<Finding>) {
    if settings.preset == Preset::Off {
        found.push(
            Finding::warning("preset", "the preset is `off`")
                .costs("nothing is added to what the app sends: no security headers, `X-Powered-By` stays")
                .hint("`safe` breaks no correct app"),
        );
    }
    if !settings.has(Layer::Health) {
        found.push(
            Finding::warning("without", "the layer `health` is left out")
                .costs("a load balancer cannot see that the instance starts or drains: it sends requests into the end")
                .hint("take `health` out of `without`"),
        );
    }
    if settings.preset != Preset::Off && !settings.has(Layer::Headers) {
        found.push(
            Finding::warning("without", "the layer `headers` is left out")
                .costs("browsers guess types and embed what they like, unless the app says otherwise itself"),
        );
    }
    if settings.preset != Preset::Off && !settings.has(Layer::Filter) {
        found.push(
            Finding::warning("without", "the layer `filter` is left out").costs(
                "`.git` and `.env` are there for everybody wherever the app serves its folder",
            ),
        );
    }
    if !settings.log.access {
        found.push(
            Finding::warning("log.access", "requests leave no line")
                .costs("after an attack or an outage nobody can tell who asked for what")
                .hint("take `access = false` out"),
        );
    }
    if let Some(policy) = counted_by_client(settings) {
        found.push(
            Finding::warning(
                "trusted_proxies",
                "nobody else but this machine can connect, and no proxy is trusted",
            )
            .costs(format!(
                "all clients look like the proxy in front and share one budget of `{}`: some use it up for all",
                policy.name
            ))
            .hint("`trusted_proxies = [\"loopback\"]` believes what the proxy on this machine says of clients"),
        );
    }
    let proxies = settings.trusted_proxies.to_string();
    if proxies.parse::<u32>().is_ok_and(|hops| hops > 0) {
        found.push(
            Finding::warning(
                "trusted_proxies",
                format!("{proxies} proxies in front are believed, whoever they are"),
            )
            .costs(
                "a client that reaches this address without them can claim any address as its own",
            )
            .hint("name their addresses instead, such as `trusted_proxies = [\"10.0.0.0/8\"]`"),
        );
    }
}

/// Whom browsers are told to trust with cookies.
pub(super) fn foreign_pages(settings: &Settings, found: &mut Vec<Finding>) {
    let general = ("cors".to_owned(), &settings.layers.cors);
    let routes = settings.routes.iter().filter_map(|route| {
        let own = &route.layers.as_ref()?.cors;
        // what is inherited is told once
        (*own != settings.layers.cors).then(|| (format!("route.{}.cors", route.name), own))
    });
    let takes_null = |options: &CorsOptions| {
        let mut origins = options.origins.iter();
        options.credentials && origins.any(|origin| origin.matches("null"))
    };
    for (path, _) in std::iter::once(general)
        .chain(routes)
        .filter(|(_, options)| takes_null(options))
    {
        found.push(
            Finding::warning(
                format!("{path}.origins"),
                "pages without an origin (`null`) may read answers, cookies included",
            )
            .costs("every site can make such a page, in a sandboxed frame: whoever visits it while signed in is read out")
            .hint("take `null` out, or write `credentials = false`"),
        );
    }
}

/// A limit by the client's address where every client has the same: only this machine can connect, so somebody
/// stands in front, whose word nobody takes.
fn counted_by_client(settings: &Settings) -> Option<&RatePolicy> {
    let is_local = |address: &Address| match address {
        Address::Socket(address) => address.ip().is_loopback(),
        Address::Name { host, .. } => host == "localhost",
        Address::Port(_) => false,
        Address::Unix(_) => true,
    };
    let addresses = &settings.listen.http;
    if addresses.is_empty()
        || !addresses.iter().all(is_local)
        || !settings.trusted_proxies.is_none()
    {
        return None;
    }
    let mut policies = settings.rate_limits.iter();
    policies.find(|policy| policy.key.contains(&KeyPart::Client))
}

/// A file that others may read, and that says something to an app.
pub(super) fn file(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let Some(name) = &subject.origin.file else {
        return;
    };
    let path = subject.origin.folder.join(name);
    let Ok(mode) = path.metadata().map(|found| found.permissions().mode()) else {
        return;
    };
    let apps = subject.settings.apps.iter();
    let secret = apps
        .flat_map(|app| app.options.env.keys())
        .find(|name| sounds_secret(name));
    if let (Some(secret), true) = (secret, mode & 0o004 != 0) {
        found.push(
            Finding::warning(
                "",
                format!("`{name}` holds `{secret}`, and every user may read it"),
            )
            .costs("whoever gets onto the machine gets the secret")
            .hint(format!(
                "`chmod o-r {name}`, or set the variable where `mainstay` is started"
            )),
        );
    }
    if mode & 0o002 != 0 {
        found.push(
            Finding::warning("", format!("every user may change `{name}`"))
                .costs("whoever does decides what is run, and as whom")
                .hint(format!("`chmod o-w {name}`")),
        );
    }
}

fn sounds_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    [
        "PASSWORD",
        "SECRET",
        "TOKEN",
        "PRIVATE",
        "_KEY",
        "CREDENTIAL",
    ]
    .iter()
    .any(|part| name.contains(part))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_told_by_their_names() {
        for name in ["DB_PASSWORD", "jwt_secret", "API_KEY", "GITHUB_TOKEN"] {
            assert!(sounds_secret(name), "{name}");
        }
        for name in ["KEYBOARD", "LOG_LEVEL", "PORT"] {
            assert!(!sounds_secret(name), "{name}");
        }
    }
}
