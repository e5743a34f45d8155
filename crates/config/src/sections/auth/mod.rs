//! `[auth]`: who may come, at the top of the file or below a route. Verifies nobody.
//!
//! Where the section stands, there it holds. A route that names somebody itself has those only: whoever may come
//! elsewhere may not come there.

mod forward;
mod keys;
mod tokens;
mod users;

use mainstay_observe::is_masked;
use mainstay_pipeline::{AuthMethod, AuthOptions, Seen};
use mainstay_values::{BadValue, Problem, Rate};

use super::headers::check_name;
use crate::key::{Key, Section};
use crate::origin::Origin;
use crate::reader::Reader;
use crate::report::Report;
use crate::value::{Item, Value};
use crate::word::Word;

pub(crate) use forward::SECTION as FORWARD;
pub(crate) use keys::SECTION as KEY;
pub(crate) use tokens::SECTION as JWT;
pub(crate) use users::SECTION as USERS;

impl Word for AuthMethod {
    const WANTED: &'static str = "a way to say who one is";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("basic", Self::Basic),
        ("key", Self::Key),
        ("jwt", Self::Jwt),
        ("forward", Self::Forward),
    ];
}

pub(crate) const SECTION: Section = Section {
    heading: "[auth]",
    doc: "Who may come. It holds where it stands: at the top for every request, as `[route.NAME.auth]` for that route; \
          `enabled = false` there opens the route again, and whoever is named there may come there alone. Whoever is not verified is answered with 401.",
    keys: &[
        Key {
            name: "users_file",
            kind: "path",
            default: "",
            doc: "A file with a user and the hash of a password in each line, `NAME:HASH`, as `htpasswd -B` writes it.",
        },
        Key {
            name: "users",
            kind: "section",
            default: "",
            doc: "Users, over those of the file.",
        },
        Key {
            name: "key",
            kind: "sections",
            default: "",
            doc: "API keys, one section each.",
        },
        Key {
            name: "jwt",
            kind: "sections",
            default: "",
            doc: "Issuers of signed tokens, one section each.",
        },
        Key {
            name: "forward",
            kind: "section",
            default: "",
            doc: "A server that is asked who comes, where the request shows nothing else.",
        },
        Key {
            name: "failures",
            kind: "rate, or `false` for any number",
            default: "\"10/5m\"",
            doc: "How many wrong passwords one client (a /56 with IPv6) may send in which time; then 429 before any of them is verified.",
        },
        Key {
            name: "key_header",
            kind: "header name",
            default: "\"x-api-key\"",
            doc: "The field in which a key comes; `Authorization: Bearer` does as well.",
        },
        Key {
            name: "key_query",
            kind: "parameter name",
            default: "(none)",
            doc: "The query parameter in which a key may come too; discouraged, since addresses are kept in many places. Ours masks it in logs.",
        },
        Key {
            name: "accept",
            kind: "list of `basic`, `key`, `jwt`, `forward`",
            default: "[]",
            doc: "Which ways count of those that are set up; all of them if none is named.",
        },
        Key {
            name: "only",
            kind: "list of names",
            default: "[]",
            doc: "Users, keys, labels of keys and subjects of tokens that may come; anybody else who is verified is answered with 403.",
        },
        Key {
            name: "user_header",
            kind: "header name",
            default: "(none)",
            doc: "The request field that tells the app who asks; what clients put there is taken out, on every route.",
        },
        Key {
            name: "hide_credentials",
            kind: "`true` or `false`",
            default: "false",
            doc: "Takes password or key out of the request before the app sees it.",
        },
        Key {
            name: "realm",
            kind: "text",
            default: "\"restricted\"",
            doc: "What browsers show when they ask for a password.",
        },
        Key::DRY_RUN,
    ],
    aliases: &[
        ("htpasswd", "users_file"),
        ("auth_basic_user_file", "users_file"),
        ("basicauth", "users"),
        ("basic", "users"),
        ("password", "[auth.users]"),
        ("keys", "[auth.key.NAME]"),
        ("api_keys", "[auth.key.NAME]"),
        ("user", "[auth.users]"),
        ("methods", "accept"),
        ("require", "only"),
        ("jwks", "[auth.jwt.NAME]"),
        ("oidc", "[auth.jwt.NAME]"),
    ],
    example: "\
[auth]
realm = \"staging\"
user_header = \"x-user\"

[auth.users]
anna = \"$2y$10$mnPZB2cqn5cqQ6Ev8kFqo.8iJ2vmYWpXb6Qz8Yc0aR3bqC3q5S7Oe\"
",
};

/// The keys by which somebody is named.
const NAMING: [&str; 5] = ["users_file", "users", "key", "jwt", "forward"];

/// Reads it over what holds in general.
pub(crate) fn read(section: Reader<'_>, slot: &mut AuthOptions) {
    if names_somebody(&section) {
        slot.forget_everybody();
    }
    section.set("dry_run", &mut slot.enforcement);
    users::read(&section, slot);
    keys::read(&section, slot);
    tokens::read(&section, slot);
    forward::read(&section, slot);
    if let Some(item) = section.item("failures") {
        if item.is_false() {
            slot.failures = None;
        } else if let Some(rate) = Rate::read(&item) {
            slot.failures = Some(rate);
        }
    }
    if let Some(name) = header(&section, "key_header") {
        slot.key_header = name;
    }
    if let Some(name) = query(&section) {
        slot.key_query = Some(name);
    }
    if let Some(methods) = section.list("accept") {
        slot.accept = methods;
    }
    if let Some(names) = section.list("only") {
        slot.only = names;
    }
    if let Some(name) = header(&section, "user_header") {
        slot.user_header = Some(name);
    }
    if let Some(hides) = section.get::<bool>("hide_credentials") {
        slot.credentials = if hides {
            Seen::ByNobody
        } else {
            Seen::ByTheApp
        };
    }
    if let Some(realm) = realm(&section) {
        slot.realm = realm;
    }
    refuse_what_lets_nobody_in(&section, slot);
    section.finish();
}

fn names_somebody(section: &Reader<'_>) -> bool {
    NAMING.iter().any(|key| section.item(key).is_some())
}

/// Whether somebody is named in `[auth]` at the top, be it wrongly.
pub(crate) fn tries_to_name_somebody(report: &Report<'_>) -> bool {
    let is_written = |key: &&str| report.origin(&format!("auth.{key}")) != Origin::Preset;
    NAMING.iter().any(is_written)
}

/// A route that says `auth` and names nobody, and ways that are not set up: whoever wrote that believes it protected.
fn refuse_what_lets_nobody_in(section: &Reader<'_>, slot: &AuthOptions) {
    let set_up = slot.set_up();
    if section.path() != "auth"
        && set_up.is_empty()
        && !names_somebody(section)
        && section.get::<bool>(Key::ENABLED.name) != Some(false)
    {
        section.reject(nobody(section.path()));
    }
    for method in slot.accept.iter().filter(|method| !set_up.contains(method)) {
        if set_up.is_empty() || section.item("accept").is_none() {
            continue;
        }
        let word = method.print();
        let problem = Problem::new(format!(
            "`{}` accepts what is not set up: `{word}`",
            section.path()
        ));
        section.reject(problem.expected(match method {
            AuthMethod::Basic => "`users_file`, or `[auth.users]`",
            AuthMethod::Key => "`[auth.key.NAME]`",
            AuthMethod::Jwt => "`[auth.jwt.NAME]`",
            AuthMethod::Forward => "`[auth.forward]`",
        }));
    }
}

/// The complaint about a section that protects nothing.
pub(crate) fn nobody(path: &str) -> Problem {
    Problem::new(format!("`{path}` names nobody who may come"))
        .expected("`users_file`, users, keys or issuers")
        .hint("without them everybody may come; write `enabled = false` if that is meant")
}

/// The name of a request field, in lower case.
fn header(section: &Reader<'_>, key: &'static str) -> Option<String> {
    header_name(&section.item(key)?)
}

/// A name that no other meaning goes with.
fn header_name(item: &Item<'_>) -> Option<String> {
    /// They mean something else to everybody.
    const TAKEN: [&str; 4] = ["authorization", "cookie", "host", "expect"];
    let name = String::read(item)?.to_ascii_lowercase();
    let outcome = check_name(&name).and_then(|()| {
        if TAKEN.contains(&name.as_str()) || name.starts_with("x-forwarded") {
            return Err(BadValue::new(
                "a header of its own",
                "another one, such as `x-user`: this has a meaning already",
            ));
        }
        Ok(())
    });
    outcome.map_err(|cause| item.reject(cause)).ok()?;
    Some(name)
}

fn query(section: &Reader<'_>) -> Option<String> {
    let item = section.item("key_query")?;
    let name = String::read(&item)?;
    if is_masked(&name) {
        return Some(name);
    }
    item.reject(
        BadValue::new(
            "a parameter that logs leave out",
            "`api_key`, `apikey`, `key` or `token`",
        )
        .hint("of other parameters the values stand in the access log"),
    );
    None
}

fn realm(section: &Reader<'_>) -> Option<String> {
    let item = section.item("realm")?;
    let realm = String::read(&item)?;
    let is_sound = realm.len() <= 100
        && realm
            .bytes()
            .all(|byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\');
    if is_sound {
        return Some(realm);
    }
    item.reject(BadValue::new(
        "a realm",
        "at most 100 visible ASCII characters without `\"` and `\\`",
    ));
    None
}
