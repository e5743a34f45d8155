//! Addresses to listen on, and servers that should answer. Listens nowhere; a connection to a server is closed at once.

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use mainstay_config::{AppListen, Settings};
use mainstay_proxy::{Address as Resolved, BindError, probe};
use mainstay_values::Address;

use super::{Finding, Subject};
use crate::commands::Instance;
use crate::control::{Servers, decides_the_address, shared_addresses, socket_access};
use crate::failure::Failure;
use crate::holder;

/// How long a server may take to accept.
const PATIENCE: Duration = Duration::from_secs(1);
/// More servers than these are not tried.
const MOST_SERVERS: usize = 16;

/// Every address that a start would open.
pub(super) fn listeners(subject: &Subject<'_>, found: &mut Vec<Finding>) {
    let settings = subject.settings;
    if let Err(failure) = socket_access(settings) {
        found.push(Finding::error("listen.socket_group", failure));
    }
    if let Some(app) = decides_the_address(settings) {
        found.push(
            Finding::note(
                "listen.http",
                format!(
                    "the address is the one that app `{}` asks for when it starts",
                    app.name()
                ),
            )
            .costs("whether it is free cannot be looked at before")
            .hint("name it: `listen = \":3000\"`"),
        );
    } else {
        for address in shared_addresses(settings, None).unwrap_or_default() {
            listener(subject, "listen.http", &address, found);
        }
    }
    for app in settings.servers() {
        let setting = format!("app.{}.listen", app.name());
        match &app.listen {
            AppListen::Shared => {}
            AppListen::At(address) => listener(subject, &setting, address, found),
            AppListen::Own => found.push(Finding::note(
                setting,
                format!(
                    "the address of app `{}` is the one that it asks for when it starts",
                    app.name()
                ),
            )),
        }
    }
    if let Some(address) = &settings.listen.observe {
        listener(subject, "listen.observe", address, found);
        if !address.is_local() {
            found.push(
                Finding::warning(
                    "listen.observe",
                    format!(
                        "health and metrics are served on `{address}`, not only to this machine"
                    ),
                )
                .costs("whoever reaches that address reads names, counts and timings of all routes")
                .hint("name an address of loopback or of an internal network"),
            );
        }
    }
}

fn listener(subject: &Subject<'_>, setting: &str, address: &Address, found: &mut Vec<Finding>) {
    match probe(address) {
        Ok(()) => found.push(Finding::note(setting, format!("`{address}` is free"))),
        Err(BindError::InUse(_)) if runs_there(subject.name, address) => found.push(Finding::note(
            setting,
            format!(
                "`{address}` belongs to the running instance `{}`",
                subject.name
            ),
        )),
        Err(error) => found.push(Finding::error(setting, holder::refused(error, address))),
    }
}

/// Whether an instance of this name listens there already.
fn runs_there(name: &str, address: &Address) -> bool {
    let status = Instance::find(Some(name)).and_then(|instance| instance.ask("/status.json"));
    let status: serde_json::Value = status
        .ok()
        .and_then(|text| serde_json::from_str(&text).ok())
        .unwrap_or_default();
    let addresses = status["addresses"].as_array().into_iter().flatten();
    addresses
        .filter_map(|listened| listened.as_str()?.parse().ok())
        .any(|listened: Address| listened.overlaps(address))
}

/// Servers that run elsewhere: a start does not wait for them, clients will.
pub(super) fn upstreams(settings: &Settings, found: &mut Vec<Finding>) {
    for upstream in &settings.upstreams {
        let setting = format!("upstream.{}.servers", upstream.name);
        let servers = match Servers::resolve(upstream) {
            Ok(servers) => servers,
            Err(failure) => {
                found.push(Finding::error(setting, failure));
                continue;
            }
        };
        for (name, address) in servers.addresses().iter().take(MOST_SERVERS) {
            if let Err(error) = reach(address) {
                found.push(
                    Finding::warning(
                        setting.as_str(),
                        format!("`{name}` does not answer now: {error}"),
                    )
                    .costs("requests are answered with 502 until a server does")
                    .hint("start it, or correct the address"),
                );
            }
        }
    }
}

fn reach(address: &Resolved) -> std::io::Result<()> {
    match address {
        Resolved::Tcp(address) => TcpStream::connect_timeout(address, PATIENCE).map(drop),
        Resolved::Unix(path) => UnixStream::connect(path).map(drop),
    }
}

impl From<Failure> for Finding {
    fn from(failure: Failure) -> Self {
        Self::error("", failure)
    }
}
