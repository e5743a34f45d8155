//! The default file says what is: it is the committed file, nothing in it counts, and each line counts when its `#` is
//! taken away.

mod golden;

use std::path::Path;

use mainstay_config::{Reachable, Settings, SourceFile, Sources, default_file, load};

#[test]
fn the_page_is_up_to_date_with_the_default_file() {
    golden::expect_file("../../docs/mainstay.default.toml", &default_file());
}

const SECRET: &str = "as long as the hash that it is made for";
const KEY: &str = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n";

/// The files that examples name.
fn files() -> Reachable {
    let user = "anna:$2y$04$CpBLmLQCpNG0OxvJ3nYzLOwkm9F7e2aSOk3i6DR1PRnN8WBRHrBJS\n";
    let pages = ["not-found.html", "error.html", "error.json"];
    let pages = pages.map(|name| (Path::new("/srv/pages").join(name), b"{title}".to_vec()));
    let files = [
        ("/srv/htpasswd", user),
        ("/srv/ca.pem", CERTIFICATE),
        ("/srv/issuer.pem", KEY),
        ("/srv/jwt-secret", SECRET),
    ];
    let files = files.map(|(name, text)| (name.into(), text.into()));
    Reachable::Memory(files.into_iter().chain(pages).collect())
}

fn sources(text: &str) -> Sources {
    Sources {
        reachable: files(),
        environment: [("JWT_SECRET".to_owned(), SECRET.to_owned())].into(),
        file: Some(SourceFile::new("mainstay.toml", "/srv", text.into())),
        folder: "/srv".into(),
        ..Sources::default()
    }
}

fn loaded(text: &str) -> Settings {
    load(&sources(text)).unwrap_or_else(|problems| panic!("{problems}\n{text}"))
}

/// The settings of the file, each with the heading it stands below.
fn settings() -> Vec<(String, String)> {
    let mut heading = String::new();
    let mut found = Vec::new();
    for line in default_file().lines() {
        let Some(setting) = line.strip_prefix('#').filter(|rest| !rest.starts_with(' ')) else {
            continue;
        };
        if setting.starts_with('[') {
            setting.clone_into(&mut heading);
        } else if !setting.is_empty() {
            found.push((heading.clone(), setting.to_owned()));
        }
    }
    found
}

#[test]
fn as_it_is_it_says_nothing() {
    assert!(settings().len() > 60);
    assert_eq!(loaded(&default_file()), loaded(""));
}

/// The second spelling of a thing, which cannot stand beside the first.
fn is_second(heading: &str, setting: &str) -> bool {
    matches!(
        (heading, setting.split_once(' ')),
        ("", Some(("listen", _)))
            | ("[headers]", Some(("content-security-policy", _)))
            | ("[upstream.reports]", Some(("server", _)))
            | (
                "[auth.jwt.web]",
                Some(("key_file" | "secret_env" | "secret_file", _))
            )
    )
}

/// One after the other, each heading once.
fn text<'a>(settings: impl Iterator<Item = &'a (String, String)>) -> String {
    let mut text = String::new();
    let mut last = "";
    for (heading, setting) in settings {
        if heading != last {
            text.push_str(heading);
            text.push('\n');
            last = heading;
        }
        text.push_str(setting);
        text.push('\n');
    }
    text
}

#[test]
fn each_line_may_stand_alone_or_with_its_section() {
    let settings = settings();
    for one in &settings {
        let (heading, setting) = one;
        // whom a route leads to, and what is run where nothing else is
        let app = match heading.as_str() {
            "[app.web]" | "[upstream.reports]" => "",
            _ => "[app.web]\n",
        };
        let alone = text(std::iter::once(one)) + app;
        if load(&sources(&alone)).is_ok() {
            continue;
        }
        let section = settings
            .iter()
            .filter(|(other, setting)| other == heading && !is_second(other, setting));
        let whole = text(section);
        assert!(whole.contains(setting), "{alone}");
        loaded(&(whole + app));
    }
}

#[test]
fn all_of_it_may_stand_together() {
    let settings = settings();
    let first = settings
        .iter()
        .filter(|(heading, setting)| !is_second(heading, setting));
    let text = text(first);
    let settings = loaded(&text);
    assert_eq!(settings.apps.len(), 1, "{text}");
    assert_eq!(settings.upstreams.len(), 1, "{text}");
    assert_eq!(settings.routes.len(), 1, "{text}");
}
