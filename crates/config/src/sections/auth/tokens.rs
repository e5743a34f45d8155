//! `[auth.jwt.NAME]`: whose signed tokens are believed. Verifies none, and holds no secret in a message.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use http::Uri;
use mainstay_pipeline::jwt::{Algorithm, KeySource, TokenOptions, keys_of_pem};
use mainstay_pipeline::{AuthOptions, Sealed};
use mainstay_values::{BadValue, Problem};

use super::super::authorities::Authorities;
use super::header_name;
use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::value::{Item, Value};
use crate::word::Word;

/// A file with keys or a secret is not longer.
const LONGEST_FILE: usize = 64 * 1024;
/// Whoever needs more has clocks that are wrong.
const MOST_LEEWAY: Duration = Duration::from_mins(10);
/// A secret is as long as the hash of HS256 (RFC 7518, 3.2).
const SHORTEST_SECRET: usize = 32;
/// Where the keys come from, one of them.
const SOURCES: [&str; 4] = ["jwks", "key_file", "secret_env", "secret_file"];

impl Word for Algorithm {
    const WANTED: &'static str = "a signature";
    const WORDS: &'static [(&'static str, Self)] = &Algorithm::ALL;
}

pub(crate) const SECTION: Section = Section {
    heading: "[auth.jwt.NAME]",
    doc: "Whose signed tokens (JWT) are believed. A token comes as `Authorization: Bearer`, or in a cookie. Exactly one of `jwks`, \
          `key_file`, `secret_env` and `secret_file` says what verifies.",
    keys: &[
        Key {
            name: "jwks",
            kind: "URL",
            default: "(none)",
            doc: "Where the issuer publishes its keys: `https`, or `http` within a private network. Fetched every 10 minutes, and when a token names a key that is not known.",
        },
        Key {
            name: "ca_file",
            kind: "file with certificates in PEM",
            default: "(the machine's authorities)",
            doc: "The authorities that are believed where keys are fetched over `https`.",
        },
        Key {
            name: "key_file",
            kind: "file with public keys in PEM",
            default: "(none)",
            doc: "Public keys, for RS, PS, ES and EdDSA signatures.",
        },
        Key {
            name: "secret_env",
            kind: "name of an environment variable",
            default: "(none)",
            doc: "The variable with the secret that is shared with the issuer, for HS signatures: at least 32 bytes.",
        },
        Key {
            name: "secret_file",
            kind: "file with a secret",
            default: "(none)",
            doc: "The file with that secret in one line.",
        },
        Key {
            name: "issuer",
            kind: "text",
            default: "(any)",
            doc: "What `iss` must be.",
        },
        Key {
            name: "audience",
            kind: "list of texts",
            default: "[]",
            doc: "One of these must be in `aud`; without it tokens meant for others are taken too.",
        },
        Key {
            name: "algorithms",
            kind: "list of `HS256`, `HS384`, `HS512`, `RS256`, `RS384`, `RS512`, `PS256`, `PS384`, `PS512`, `ES256`, `ES384`, `EdDSA`",
            default: "[]",
            doc: "The signatures that count; those that fit the keys if none is named. A token that says another is refused.",
        },
        Key {
            name: "leeway",
            kind: "duration, 0s to 10m",
            default: "\"30s\"",
            doc: "How far the issuer's clock may be from ours.",
        },
        Key {
            name: "required",
            kind: "list of claim names",
            default: "[\"exp\"]",
            doc: "Claims that must be there.",
        },
        Key {
            name: "match",
            kind: "section of texts",
            default: "(nothing)",
            doc: "Claims, each with what it must be or hold: `{ scope = \"orders:read\" }`. Others are answered with 403.",
        },
        Key {
            name: "claims",
            kind: "section of header names",
            default: "(none)",
            doc: "Claims that the app is told, each with its request field: `{ sub = \"x-user-id\" }`. What clients put there is taken out, on every route.",
        },
        Key {
            name: "cookie",
            kind: "cookie name",
            default: "(none)",
            doc: "A cookie in which a token comes too.",
        },
    ],
    aliases: &[
        ("jwks_url", "jwks"),
        ("jwks_uri", "jwks"),
        ("secret", "secret_env` or `secret_file"),
        ("public_key", "key_file"),
        ("key", "key_file"),
        ("iss", "issuer"),
        ("aud", "audience"),
        ("alg", "algorithms"),
        ("skew", "leeway"),
        ("clock_skew", "leeway"),
        ("headers", "claims"),
    ],
    example: "\
[auth.jwt.staff]
jwks = \"https://id.example.com/.well-known/jwks.json\"
issuer = \"https://id.example.com/\"
audience = \"shop\"
claims = { sub = \"x-user-id\", email = \"x-user-email\" }
",
};

pub(super) fn read(section: &Reader<'_>, slot: &mut AuthOptions) {
    let before = slot.tokens.len();
    for (name, token) in section.named("jwt", &SECTION) {
        let is_off = token.get::<bool>(Key::ENABLED.name) == Some(false);
        let options = one(name, &token);
        token.finish();
        if let (Some(options), false) = (options, is_off) {
            slot.tokens.push(options);
        }
    }
    let new = &slot.tokens[before..];
    // which of them a token comes from is told by its issuer
    let is_told = |token: &TokenOptions| {
        token.issuer.is_some()
            && new
                .iter()
                .filter(|other| other.issuer == token.issuer)
                .count()
                == 1
    };
    if new.len() > 1 && !new.iter().all(is_told) {
        let problem = Problem::new(format!(
            "`{}.jwt` has issuers that cannot be told apart",
            section.path()
        ));
        section.reject(problem.expected("`issuer` for each of them, each another"));
    }
}

fn one(name: String, token: &Reader<'_>) -> Option<TokenOptions> {
    let keys = source(token);
    let mut leeway = Duration::from_secs(30);
    token.set_within("leeway", &(Duration::ZERO..=MOST_LEEWAY), &mut leeway);
    let required: Option<Vec<String>> = token.list("required");
    let matching = texts(token, "match", String::read);
    let claims = texts(token, "claims", header_name);
    let cookie = token.item("cookie").and_then(|item| cookie(&item));
    let options = TokenOptions {
        name,
        issuer: token.get("issuer"),
        audience: token.list("audience").unwrap_or_default(),
        algorithms: token.list("algorithms").unwrap_or_default(),
        leeway,
        required: required.unwrap_or_else(|| vec!["exp".to_owned()]),
        matching,
        claims,
        cookie,
        source: keys
            .as_ref()
            .map(|(key, text, _)| (key.to_string(), text.clone()))?,
        authorities_file: token.get("ca_file"),
        keys: keys?.2,
    };
    Some(options)
}

/// Where the keys come from: the setting, what it says, and what that leads to.
fn source(token: &Reader<'_>) -> Option<(&'static str, String, KeySource)> {
    let named: Vec<&'static str> = SOURCES
        .into_iter()
        .filter(|key| token.item(key).is_some())
        .collect();
    let [key] = named[..] else {
        let what = if named.is_empty() {
            "has no key to verify with"
        } else {
            "has several kinds of keys"
        };
        token.reject(
            Problem::new(format!("`{}` {what}", token.path()))
                .expected("one of `jwks`, `key_file`, `secret_env`, `secret_file`"),
        );
        return None;
    };
    let item = token.item(key)?;
    let authorities = token.item("ca_file");
    if let (Some(wrong), true) = (&authorities, key != "jwks") {
        wrong.push(Problem::new(format!(
            "`{}` has nothing to do without `jwks`",
            wrong.path
        )));
    }
    let (text, source) = match key {
        "jwks" => {
            let url = String::read(&item)?;
            check_url(&url).map_err(|cause| item.reject(cause)).ok()?;
            let authorities = match &authorities {
                Some(file) => Some(Authorities::read(file)?.pem),
                None => None,
            };
            (url.clone(), KeySource::Fetched { url, authorities })
        }
        "key_file" => {
            let (name, text) = item.text_of_file(LONGEST_FILE)?;
            if let Err(fault) = keys_of_pem(&text) {
                item.push(
                    Problem::new(format!("`{name}` holds no public key: {fault}"))
                        .expected("`-----BEGIN PUBLIC KEY-----`"),
                );
                return None;
            }
            (name, KeySource::Public(text))
        }
        "secret_env" => {
            let name = String::read(&item)?;
            let environment = &item.report.sources().environment;
            let Some(secret) = environment.get(&name) else {
                item.push(
                    Problem::new(format!("the variable `{name}` is not set"))
                        .expected("a secret in it, when Mainstay starts"),
                );
                return None;
            };
            (name, secret_of(&item, secret)?)
        }
        _ => {
            let (name, text) = item.text_of_file(LONGEST_FILE)?;
            (name, secret_of(&item, text.trim_end_matches(['\r', '\n']))?)
        }
    };
    Some((key, text, source))
}

fn secret_of(item: &Item<'_>, secret: &str) -> Option<KeySource> {
    if secret.len() < SHORTEST_SECRET {
        item.push(
            Problem::new(format!(
                "`{}` leads to a secret of {} bytes",
                item.path,
                secret.len()
            ))
            .expected(format!("at least {SHORTEST_SECRET}, as long as the hash"))
            .hint(
                "`openssl rand -base64 48` makes one; whoever guesses it signs tokens of their own",
            ),
        );
        return None;
    }
    Some(KeySource::Secret(Sealed::new(secret.to_owned())))
}

/// Keys that anybody on the way could change verify nothing: in the clear only where nobody is on the way.
fn check_url(url: &str) -> Result<(), BadValue> {
    let wanted = || BadValue::new("an address of keys", "`https://HOST/PATH`");
    let uri: Uri = url.parse().map_err(|_| wanted())?;
    let host = uri
        .host()
        .filter(|host| !host.is_empty())
        .ok_or_else(wanted)?;
    if uri
        .authority()
        .is_some_and(|authority| authority.as_str().contains('@'))
    {
        return Err(wanted().hint("without a password"));
    }
    match uri.scheme_str() {
        Some("https") => Ok(()),
        Some("http") if is_private(host) => Ok(()),
        Some("http") => {
            Err(wanted()
                .hint("over plain `http` anybody on the way could put in keys of their own"))
        }
        _ => Err(wanted()),
    }
}

/// Loopback, a private network, or a name that only means something in one.
fn is_private(host: &str) -> bool {
    match host.trim_matches(['[', ']']).parse() {
        Ok(IpAddr::V4(address)) => address.is_loopback() || address.is_private(),
        Ok(IpAddr::V6(address)) => address.is_loopback() || address.is_unique_local(),
        Err(_) => {
            !host.contains('.')
                || host.ends_with(".internal")
                || host.ends_with(".svc.cluster.local")
        }
    }
}

/// A section whose keys are claims.
fn texts(
    token: &Reader<'_>,
    key: &'static str,
    read: impl Fn(&Item<'_>) -> Option<String>,
) -> BTreeMap<String, String> {
    const BELOW: Section = Section {
        heading: "[auth.jwt.NAME.claims]",
        doc: "",
        keys: &[],
        aliases: &[],
        example: "",
    };
    let Some(below) = token.section(key, &BELOW) else {
        return BTreeMap::new();
    };
    let entries = below.entries().into_iter();
    entries
        .filter_map(|(claim, item)| Some((claim.get_ref().to_string(), read(&item)?)))
        .collect()
}

/// A token (RFC 6265, 4.1.1).
fn cookie(item: &Item<'_>) -> Option<String> {
    let name = String::read(item)?;
    let is_name = !name.is_empty()
        && name.len() <= 128
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_.!#$%&'*+^`|~".contains(&byte));
    if !is_name {
        item.reject(BadValue::new(
            "a cookie's name",
            "letters, digits, `-` and `_`",
        ));
    }
    is_name.then_some(name)
}
