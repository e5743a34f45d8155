//! `[cors]`: which other sites' pages may read what is answered. How they are told is in the pipeline's stage.

use std::time::Duration;

use mainstay_pipeline::{CorsOptions, OriginPattern};
use mainstay_values::{BadValue, Problem};

use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::value::{Item, Value};

/// Browsers remember a preflight for at most this long.
const LONGEST_MEMORY: Duration = Duration::from_hours(24);

pub(crate) const SECTION: Section = Section {
    heading: "[cors]",
    doc: "Which other sites' pages may read answers, and what they may send (CORS). Preflights are answered here and never \
          reach the app; what the app says about CORS itself is replaced. Without this section its own word holds.",
    keys: &[
        Key {
            name: "origins",
            kind: "origin or list of origins",
            default: "[]",
            doc: "Whose pages: `https://shop.example`, `https://*.shop.example` for all hosts below it, `http://localhost:*` for every port, `/…/` around a regular expression that the whole origin must match, `null`, or `*` for everybody.",
        },
        Key {
            name: "methods",
            kind: "list of methods",
            default: "[\"GET\", \"HEAD\", \"PUT\", \"PATCH\", \"POST\", \"DELETE\"]",
            doc: "The methods they may use.",
        },
        Key {
            name: "headers",
            kind: "list of header names",
            default: "(whatever they ask for)",
            doc: "The request headers they may send.",
        },
        Key {
            name: "expose",
            kind: "list of header names",
            default: "[]",
            doc: "The response headers they may read, beside the few that every page may.",
        },
        Key {
            name: "credentials",
            kind: "`true` or `false`",
            default: "false",
            doc: "Whether browsers send cookies and the like along, and let the page read what is answered then.",
        },
        Key {
            name: "max_age",
            kind: "duration, up to 24h",
            default: "(the browser's: 5s)",
            doc: "How long a browser may remember the answer to a preflight.",
        },
        Key {
            name: "private_network",
            kind: "`true` or `false`",
            default: "false",
            doc: "Whether pages on the internet may reach this service though it is in a private network.",
        },
        Key::DRY_RUN,
    ],
    aliases: &[
        ("origin", "origins"),
        ("allow_origins", "origins"),
        ("allowed_origins", "origins"),
        ("allow_methods", "methods"),
        ("allowedHeaders", "headers"),
        ("allowed_headers", "headers"),
        ("allow_headers", "headers"),
        ("exposedHeaders", "expose"),
        ("exposed_headers", "expose"),
        ("expose_headers", "expose"),
        ("allow_credentials", "credentials"),
        ("maxAge", "max_age"),
    ],
    example: "\
[cors]
origins = [\"https://shop.example\", \"https://*.shop.example\"]
credentials = true
max_age = \"10m\"
",
};

impl Value for OriginPattern {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        text.parse()
    }

    fn print(&self) -> String {
        self.to_string()
    }
}

pub(crate) fn read(section: Reader<'_>, slot: &mut CorsOptions) {
    if let Some(origins) = section.list("origins") {
        slot.origins = origins;
    } else if slot.origins.is_empty() && section.item("origins").is_none() {
        section.reject(
            Problem::new(format!("`{}` allows nobody", section.path()))
                .expected("`origins`, such as `origins = [\"https://shop.example\"]`"),
        );
    }
    if let Some(item) = section.item("methods") {
        slot.methods = item.elements().iter().filter_map(method).collect();
    }
    if let Some(item) = section.item("headers") {
        slot.headers = Some(names(&item));
    }
    if let Some(item) = section.item("expose") {
        slot.expose = names(&item);
    }
    section.set("credentials", &mut slot.credentials);
    let memory = Duration::ZERO..=LONGEST_MEMORY;
    if let Some(age) = section.get_within("max_age", &memory) {
        slot.max_age = Some(age);
    }
    section.set("private_network", &mut slot.private_network);
    section.set(Key::DRY_RUN.name, &mut slot.enforcement);
    check(&section, slot);
    section.finish();
}

/// With credentials `*` is a name like any other for browsers, and an origin that nobody has (Fetch, 3.2.5).
fn check(section: &Reader<'_>, options: &CorsOptions) {
    if !options.credentials || options.origins.is_empty() {
        return;
    }
    let reject = |key: &'static str, cure: &str| {
        let problem = Problem::new(format!(
            "`{}.{key}` is for everybody, and `credentials` is on",
            section.path()
        ))
        .expected(cure)
        .hint("browsers take no `*` together with credentials");
        match section.item(key) {
            Some(item) => item.push(problem),
            // what a route inherits is told where it was written
            None if section.item("credentials").is_some() => section.reject(problem),
            None => {}
        }
    };
    if options.origins.iter().any(OriginPattern::is_any) {
        reject(
            "origins",
            "the origins that are meant, or `credentials = false`",
        );
    }
    let is_any = |names: &[String]| names.iter().any(|name| name == "*");
    if is_any(&options.methods) {
        reject("methods", "the methods that are meant");
    }
    if options.headers.as_deref().is_some_and(is_any) {
        reject(
            "headers",
            "the names that are meant, or no `headers` for whatever is asked for",
        );
    }
    if is_any(&options.expose) {
        reject("expose", "the names that are meant");
    }
}

fn method(item: &Item<'_>) -> Option<String> {
    let text = String::read(item)?;
    let complaint = BadValue::new("a method", "its name in capitals, such as `GET`");
    let fault = if !is_token(&text) {
        complaint
    } else if text.bytes().any(|byte| byte.is_ascii_lowercase()) {
        complaint.hint(format!(
            "browsers compare letter by letter: write `{}`",
            text.to_ascii_uppercase()
        ))
    } else {
        return Some(text);
    };
    item.reject(fault);
    None
}

fn names(item: &Item<'_>) -> Vec<String> {
    let name = |item: &Item<'_>| {
        let text = String::read(item)?;
        if is_token(&text) {
            return Some(text.to_ascii_lowercase());
        }
        let hint = text.contains([',', ' ']).then(|| {
            let names: Vec<_> = text
                .split([',', ' '])
                .filter(|name| !name.is_empty())
                .collect();
            format!(
                "a list has each in quotes of its own: [\"{}\"]",
                names.join("\", \"")
            )
        });
        item.reject(BadValue {
            hint,
            ..BadValue::new(
                "a header's name",
                "letters, digits and `-`, such as `x-total`",
            )
        });
        None
    };
    item.elements().iter().filter_map(name).collect()
}

/// A token (RFC 9110, 5.6.2).
fn is_token(text: &str) -> bool {
    (1..=128).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}
