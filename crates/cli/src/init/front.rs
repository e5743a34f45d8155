//! Where the app is to be found: what nginx in front says of it, a Dockerfile, an example of an `.env` file.

use super::container;
use super::find::{App, Findings, Line, list};
use super::folder::Folder;
use super::nginx;

/// nginx in front: its file says where the app is to be found, and whom to believe. Returns that place.
pub(super) fn in_front(folder: &Folder, found: &mut Findings) -> Option<String> {
    let names = [
        "nginx.conf",
        "nginx/nginx.conf",
        "nginx/default.conf",
        "conf/nginx.conf",
    ];
    let (name, text) = names
        .into_iter()
        .find_map(|name| Some((name, folder.text(name)?)))?;
    let nginx = nginx::read(text);
    let mut places: Vec<&String> = nginx.passes.iter().map(|(_, place)| place).collect();
    places.sort();
    places.dedup();
    let hosts = if nginx.server_names.is_empty() {
        "every host".to_owned()
    } else {
        nginx.server_names.join(", ")
    };
    let shown: Vec<String> = places.iter().map(|place| format!("`{place}`")).collect();
    let passed = if shown.is_empty() {
        "nothing".to_owned()
    } else {
        shown.join(", ")
    };
    let ports = if nginx.listens.is_empty() {
        String::new()
    } else {
        format!(" on {}", nginx.listens.join(", "))
    };
    found.notes.push(format!(
        "nginx in {name}: {hosts}{ports}, passed to {passed}"
    ));
    let [place] = places[..] else { return None };
    let line = nginx.passes.first().map_or(0, |(line, _)| *line);
    let (host, port) = place.rsplit_once(':').unwrap_or((place, "80"));
    let here = ["127.0.0.1", "localhost", "[::1]"].contains(&host) && port.parse::<u16>().is_ok();
    if !here && !place.starts_with("unix:/") {
        found.notes.push(
            "nginx runs elsewhere: say in `trusted_proxies` where its requests come from, or clients look like it".to_owned(),
        );
        return None;
    }
    let address = place.replace("localhost", "127.0.0.1");
    let reason = format!("where nginx passes requests ({name}:{line})");
    found.top.push(Line::text("listen", &address, reason));
    found.top.push(trusting(name));
    Some(address)
}

fn trusting(name: &str) -> Line {
    Line {
        key: "trusted_proxies",
        value: list(&["loopback".to_owned()]),
        reason: format!("nginx on this machine says who the client is ({name})"),
    }
}

/// Where to listen, if a file says it.
pub(super) fn listen(folder: &Folder, app: &App) -> Option<Line> {
    let exposed = folder
        .text("Dockerfile")
        .and_then(|text| container::dockerfile(text).port);
    let named = || {
        let variables =
            container::variables(folder.text(".env.example").or(folder.text(".env.sample"))?);
        let (_, value) = variables.into_iter().find(|(name, _)| name == "PORT")?;
        value.parse::<u16>().ok().filter(|port| *port > 0)
    };
    let told = app
        .port
        .as_ref()
        .filter(|(_, place)| place == "the command");
    let (port, reason) = match (exposed, told) {
        (Some(port), _) => (port, "EXPOSE in Dockerfile"),
        (None, Some((port, _))) => (*port, "the port that stood in the command"),
        (None, None) => (named()?, "PORT in the example of the .env file"),
    };
    Some(Line::text("listen", &format!(":{port}"), reason.to_owned()))
}
