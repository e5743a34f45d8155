//! No key of the reference is forgotten.

use std::collections::BTreeMap;
use std::path::PathBuf;

use mainstay_pipeline::jwt::{KeySource, TokenOptions};
use mainstay_pipeline::{KeyOptions, RouteAdmission, RouteTimeouts};
use mainstay_supervisor::launch::Target;

use super::*;
use crate::sections::AppSettings;

#[test]
fn every_key_of_the_reference_has_its_line() {
    let mut settings = Settings::of(Preset::Safe);
    // one that is off has nothing to tell but that
    settings.layers.cache = CacheOptions::on();
    let folder = PathBuf::from("/srv");
    let target = Target::Path(PathBuf::from("."));
    settings.apps.push(AppSettings::new(
        "NAME".to_owned(),
        target,
        folder,
        Preset::Safe,
    ));
    settings.upstreams.push(UpstreamSettings {
        name: "NAME".to_owned(),
        servers: Vec::new(),
    });
    settings.routes.push(RouteSettings {
        name: "NAME".to_owned(),
        host: None,
        path: None,
        to: "NAME".to_owned(),
        timeouts: RouteTimeouts::default(),
        admission: RouteAdmission::default(),
        layers: Some(settings.layers.clone()),
    });
    let hash = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    settings.layers.auth.keys.push(KeyOptions {
        id: "NAME".to_owned(),
        hash: hash.parse().expect("a hash"),
        labels: Vec::new(),
    });
    let rate = "1/s".parse().expect("a rate");
    settings
        .rate_limits
        .push(mainstay_pipeline::RatePolicy::new("NAME", rate));
    settings.layers.auth.forward = Some(mainstay_pipeline::ForwardOptions {
        to: "NAME".to_owned(),
        path: "/".to_owned(),
        timeout: Duration::ZERO,
        copy: Vec::new(),
        user: None,
    });
    settings.layers.auth.tokens.push(TokenOptions {
        name: "NAME".to_owned(),
        keys: KeySource::Public(String::new()),
        source: ("key_file".to_owned(), "keys.pem".to_owned()),
        authorities_file: None,
        issuer: None,
        audience: Vec::new(),
        algorithms: Vec::new(),
        leeway: Duration::ZERO,
        required: Vec::new(),
        matching: BTreeMap::new(),
        claims: BTreeMap::new(),
        cookie: None,
    });
    let lines = settings.effective();
    for section in sections::ALL {
        let heading = section.heading.trim_matches(['[', ']']);
        for key in section.keys {
            let path = match heading {
                "" => key.name.to_owned(),
                heading => format!("{heading}.{}", key.name),
            };
            // sections, and a key that is another's short form
            let has_lines_below = key.kind.starts_with("section")
                // directives that are not sent
                || heading == "headers.csp"
                || matches!(path.as_str(), "include" | "listen" | "upstream.NAME.server");
            let there = lines.iter().any(|line| line.path == path);
            assert!(there || has_lines_below, "{path}");
        }
    }
}
