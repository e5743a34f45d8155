//! Security headers of every response: what the presets set, and what the file changes. Sets none.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_values::{BadValue, Problem, nearest};
use serde::{Deserialize, Serialize};

use super::preset::Preset;
use crate::key::{Key, Section};
use crate::reader::Reader;
use crate::value::{Item, Value};
use crate::word::Word;

/// The longest value; with all of them a response head still fits where others read it.
const LONGEST_VALUE: usize = 4_096;

/// More added or removed fields than this are a mistake.
const MOST_FIELDS: usize = 64;

/// Security headers of every response.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderSettings {
    /// What happens when the app sent one of them itself.
    pub mode: HeaderMode,
    /// Name (lower case) and value of each header that is set.
    pub fields: BTreeMap<String, String>,
    /// Names (lower case) of headers that are taken out of the app's responses.
    pub remove: BTreeSet<String>,
}

impl HeaderSettings {
    /// What a preset sets. `strict` is helmet 8's set byte for byte; `safe` leaves out what can
    /// break a page that works (CSP, the cross-origin policies, framing, HSTS).
    pub fn of(preset: Preset) -> Self {
        let mut settings = Self::default();
        for header in HEADERS {
            let value = match preset {
                Preset::Off => None,
                Preset::Safe => header.safe,
                Preset::Strict => header.strict,
            };
            if let Some(value) = value {
                settings
                    .fields
                    .insert(header.name.to_owned(), value.to_owned());
            }
        }
        if preset != Preset::Off {
            settings.remove.insert("x-powered-by".to_owned());
        }
        settings
    }
}

/// What happens when the app sent one of our headers itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeaderMode {
    /// The app's own stays.
    #[default]
    SetIfAbsent,
    /// Ours takes its place.
    Override,
}

impl Word for HeaderMode {
    const WANTED: &'static str = "a mode";
    const WORDS: &'static [(&'static str, Self)] = &[
        ("set-if-absent", Self::SetIfAbsent),
        ("override", Self::Override),
    ];
}

/// A security header and what the presets set it to.
struct Header {
    name: &'static str,
    safe: Option<&'static str>,
    strict: Option<&'static str>,
}

const fn header(
    name: &'static str,
    safe: Option<&'static str>,
    strict: Option<&'static str>,
) -> Header {
    Header { name, safe, strict }
}

/// The thirteen headers, with the values of helmet 8.
const HEADERS: [Header; 13] = [
    header(
        "content-security-policy",
        None,
        Some(
            "default-src 'self';base-uri 'self';font-src 'self' https: data:;form-action 'self';\
             frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';\
             script-src-attr 'none';style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests",
        ),
    ),
    header("cross-origin-embedder-policy", None, None),
    header("cross-origin-opener-policy", None, Some("same-origin")),
    header("cross-origin-resource-policy", None, Some("same-origin")),
    header("origin-agent-cluster", Some("?1"), Some("?1")),
    header(
        "referrer-policy",
        Some("strict-origin-when-cross-origin"),
        Some("no-referrer"),
    ),
    header(
        "strict-transport-security",
        None,
        Some("max-age=31536000; includeSubDomains"),
    ),
    header("x-content-type-options", Some("nosniff"), Some("nosniff")),
    header("x-dns-prefetch-control", Some("off"), Some("off")),
    header("x-download-options", Some("noopen"), Some("noopen")),
    header("x-frame-options", None, Some("SAMEORIGIN")),
    header(
        "x-permitted-cross-domain-policies",
        Some("none"),
        Some("none"),
    ),
    header("x-xss-protection", Some("0"), Some("0")),
];

/// Fields that belong to the message's framing or the connection (RFC 9110 7.6.1): setting or
/// removing them would break messages.
const FRAMING: [&str; 10] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "via",
];

const fn key(name: &'static str, default: &'static str) -> Key {
    Key {
        name,
        kind: "text, or `false` for none",
        default,
        doc: "Its value.",
    }
}

pub(crate) const SECTION: Section = Section {
    heading: "[headers]",
    doc: "Security headers of every response, those of refusals and errors too. The presets set them as \
          helmet does; `strict-transport-security` is only sent over HTTPS.",
    keys: &[
        Key {
            name: "mode",
            kind: "`set-if-absent` or `override`",
            default: "\"set-if-absent\"",
            doc: "What happens when the app sent one of them itself: the app's stays, or ours takes its place.",
        },
        key("content-security-policy", "(strict: helmet's)"),
        key("cross-origin-embedder-policy", "(none)"),
        key("cross-origin-opener-policy", "(strict: `same-origin`)"),
        key("cross-origin-resource-policy", "(strict: `same-origin`)"),
        key("origin-agent-cluster", "(`?1`)"),
        key(
            "referrer-policy",
            "(`strict-origin-when-cross-origin`; strict: `no-referrer`)",
        ),
        key(
            "strict-transport-security",
            "(strict: `max-age=31536000; includeSubDomains`)",
        ),
        key("x-content-type-options", "(`nosniff`)"),
        key("x-dns-prefetch-control", "(`off`)"),
        key("x-download-options", "(`noopen`)"),
        key("x-frame-options", "(strict: `SAMEORIGIN`)"),
        key("x-permitted-cross-domain-policies", "(`none`)"),
        key("x-xss-protection", "(`0`)"),
        Key {
            name: "remove",
            kind: "list of header names",
            default: "(`x-powered-by`)",
            doc: "Headers taken out of the app's responses, beside those of the preset.",
        },
        Key {
            name: "add",
            kind: "section",
            default: "",
            doc: "Other headers.",
        },
    ],
    aliases: &[
        ("csp", "content-security-policy"),
        ("hsts", "strict-transport-security"),
        ("frameguard", "x-frame-options"),
        ("no-sniff", "x-content-type-options"),
        ("noSniff", "x-content-type-options"),
        ("hide-powered-by", "remove"),
        ("hidePoweredBy", "remove"),
        ("ieNoOpen", "x-download-options"),
        ("dnsPrefetchControl", "x-dns-prefetch-control"),
        ("xssFilter", "x-xss-protection"),
        (
            "permittedCrossDomainPolicies",
            "x-permitted-cross-domain-policies",
        ),
    ],
    example: "\
[headers]
x-frame-options = \"DENY\"
referrer-policy = false
remove = [\"server\"]
",
};

pub(crate) const ADD: Section = Section {
    heading: "[headers.add]",
    doc: "Other headers, each `name = \"value\"`. They follow `mode`.",
    keys: &[],
    aliases: &[],
    example: "\
[headers.add]
permissions-policy = \"camera=(), microphone=()\"
",
};

pub(crate) fn read(section: Reader<'_>, slot: &mut HeaderSettings) {
    section.set("mode", &mut slot.mode);
    for header in HEADERS {
        let Some(item) = section.item(header.name) else {
            continue;
        };
        if item.is_false() {
            slot.fields.remove(header.name);
        } else if let Some(value) = field_value(&item) {
            slot.fields.insert(header.name.to_owned(), value);
        }
    }
    if let Some(item) = section.item("remove") {
        slot.remove
            .extend(item.elements().iter().filter_map(removed));
    }
    if let Some(add) = section.section("add", &ADD) {
        for (name, item) in add.entries() {
            let name = name.get_ref().to_ascii_lowercase();
            if let Err(problem) = added_name(&name, &item.path) {
                item.push(problem);
            } else if let Some(value) = field_value(&item) {
                slot.fields.insert(name, value);
            }
        }
    }
    if slot.fields.len() + slot.remove.len() > MOST_FIELDS {
        section.reject(
            Problem::new("`headers` changes too many headers")
                .expected(format!("at most {MOST_FIELDS}")),
        );
    }
    section.finish();
}

/// A value that can be sent as it is (RFC 9110 5.5), in visible ASCII.
fn field_value(item: &Item<'_>) -> Option<String> {
    let wanted = |expected: &str| BadValue::new("a header's value", expected);
    let Some(value) = item.value.get_ref().as_str() else {
        item.reject(wanted("text in quotes, or `false` for no such header"));
        return None;
    };
    let fault = if value.contains(['\r', '\n', '\0']) {
        Some(wanted("one line: a line break would begin another header"))
    } else if value.contains(|c: char| c.is_ascii_control() && c != '\t') {
        Some(wanted("text without control characters"))
    } else if !value.is_ascii() {
        Some(wanted(
            "ASCII: other characters are not read alike everywhere",
        ))
    } else if value.len() > LONGEST_VALUE {
        Some(wanted("at most 4096 bytes"))
    } else if value.trim().is_empty() {
        Some(wanted("a value, or `false` for no such header"))
    } else if value.trim() != value {
        Some(wanted("a value without spaces at its ends"))
    } else {
        None
    };
    match fault {
        Some(fault) => {
            item.reject(fault);
            None
        }
        None => Some(value.to_owned()),
    }
}

fn removed(item: &Item<'_>) -> Option<String> {
    let name = String::read(item)?.to_ascii_lowercase();
    match check_name(&name) {
        Ok(()) => Some(name),
        Err(cause) => {
            item.reject(cause);
            None
        }
    }
}

fn added_name(name: &str, path: &str) -> Result<(), Problem> {
    check_name(name).map_err(|cause| Problem::bad_value(path, cause))?;
    let near = nearest(name, HEADERS.iter().map(|header| header.name));
    match near {
        Some(known) if known == name => {
            Err(Problem::new(format!("`{path}` has a setting of its own"))
                .hint(format!("write `{known} = …` below `[headers]`")))
        }
        _ => Ok(()),
    }
}

/// A token (RFC 9110 5.6.2) that does not belong to framing.
fn check_name(name: &str) -> Result<(), BadValue> {
    let complaint = BadValue::new(
        "a header's name",
        "letters, digits and `-`, such as `permissions-policy`",
    );
    let is_token = !name.is_empty()
        && name.len() <= 128
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte));
    if !is_token {
        return Err(complaint);
    }
    if FRAMING.contains(&name) {
        return Err(BadValue::new(
            "a header that may be changed",
            "another one: this belongs to the message's framing or the connection",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_header_is_a_key() {
        for header in HEADERS {
            assert!(
                SECTION.keys.iter().any(|key| key.name == header.name),
                "{}",
                header.name
            );
        }
    }

    #[test]
    fn presets_are_as_documented() {
        assert_eq!(HeaderSettings::of(Preset::Off), HeaderSettings::default());
        let safe = HeaderSettings::of(Preset::Safe);
        assert_eq!(safe.fields.len(), 7);
        let strict = HeaderSettings::of(Preset::Strict);
        assert_eq!(strict.fields.len(), 12, "helmet sends twelve");
        assert!(
            strict.fields["content-security-policy"].contains("data:;form-action 'self';frame")
        );
        assert!(safe.remove.contains("x-powered-by") && strict.remove.contains("x-powered-by"));
    }
}
