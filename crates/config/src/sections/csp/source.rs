//! One source expression of a content security policy (CSP 3, 2.3.1): may it stand where it is written? Knows no
//! directive by name and no policy.

use mainstay_values::{BadValue, nearest};

/// What a directive takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Takes {
    /// Hosts, schemes and keywords.
    Sources,
    /// As sources, but of the keywords `'self'` and `'none'` only.
    Ancestors,
    /// What a sandboxed page may do.
    Permissions,
    /// What must not be text.
    Sinks,
    /// Names of Trusted Types policies.
    Policies,
    /// Addresses or names that are somebody else's.
    Endpoints,
    /// Nothing: it stands alone.
    Nothing,
}

/// Every keyword, without its quotes.
const KEYWORDS: [&str; 9] = [
    "self",
    "none",
    "unsafe-inline",
    "unsafe-eval",
    "unsafe-hashes",
    "strict-dynamic",
    "wasm-unsafe-eval",
    "report-sample",
    "inline-speculation-rules",
];

/// What may follow `sandbox` (HTML, 4.8.5).
const PERMISSIONS: [&str; 14] = [
    "allow-downloads",
    "allow-forms",
    "allow-modals",
    "allow-orientation-lock",
    "allow-pointer-lock",
    "allow-popups",
    "allow-popups-to-escape-sandbox",
    "allow-presentation",
    "allow-same-origin",
    "allow-scripts",
    "allow-storage-access-by-user-activation",
    "allow-top-navigation",
    "allow-top-navigation-by-user-activation",
    "allow-top-navigation-to-custom-protocols",
];

/// The longest source: nobody writes a longer one by hand.
const LONGEST: usize = 512;

/// Judges one.
pub(super) fn check(text: &str, takes: Takes) -> Result<(), BadValue> {
    one_word(text)?;
    match takes {
        Takes::Sources => source(text, &KEYWORDS),
        Takes::Ancestors => source(text, &KEYWORDS[..2]),
        Takes::Permissions => word(text, &PERMISSIONS, "a permission of a sandboxed page"),
        Takes::Sinks => word(text, &["'script'"], "a kind of sink"),
        Takes::Policies => policy(text),
        Takes::Endpoints => Ok(()),
        Takes::Nothing => Err(BadValue::new("on or off", "`true` or `false`")),
    }
}

/// A policy is cut at `;`, a field at `,`, and a directive at spaces.
fn one_word(text: &str) -> Result<(), BadValue> {
    let complaint = || BadValue::new("one source", "one word, such as `https://cdn.example`");
    if text.is_empty() {
        return Err(complaint().hint("for nothing at all write `\"'none'\"`"));
    }
    if text.len() > LONGEST {
        return Err(complaint().hint(format!("at most {LONGEST} bytes")));
    }
    if text.contains([';', ',']) {
        let hint = "`;` would begin another directive and `,` another policy; in an address write `%3B` and `%2C`";
        return Err(complaint().hint(hint));
    }
    if text.contains(char::is_whitespace) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let hint = format!(
            "a list has each in quotes of its own: [\"{}\"]",
            words.join("\", \"")
        );
        return Err(complaint().hint(hint));
    }
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(complaint().hint("write the `xn--` form of a host, as browsers compare it"));
    }
    Ok(())
}

fn word(text: &str, known: &[&str], wanted: &'static str) -> Result<(), BadValue> {
    if known.contains(&text) {
        return Ok(());
    }
    let listed: Vec<String> = known.iter().map(|word| format!("`{word}`")).collect();
    let complaint = BadValue::new(wanted, format!("one of {}", listed.join(", ")));
    Err(match nearest(text, known.iter().copied()) {
        Some(near) => complaint.hint(format!("did you mean `{near}`?")),
        None => complaint,
    })
}

fn policy(text: &str) -> Result<(), BadValue> {
    let is_known = ["*", "'none'", "'allow-duplicates'"].contains(&text);
    let is_name = text
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"-#=_/@.%".contains(&byte));
    if is_known || is_name {
        return Ok(());
    }
    Err(BadValue::new(
        "a policy's name",
        "letters, digits and `-#=_/@.%`, or `'none'`, `'allow-duplicates'`, `*`",
    ))
}

fn source(text: &str, keywords: &[&str]) -> Result<(), BadValue> {
    if let Some(inner) = text.strip_prefix('\'') {
        return match inner.strip_suffix('\'') {
            Some(inner) => quoted(inner, keywords),
            None => Err(not_a_source().hint(format!("write `\"'{inner}'\"`: a quote is missing"))),
        };
    }
    let is_bare = KEYWORDS.contains(&text) || begins_hash(text) || text.starts_with("nonce-");
    if is_bare {
        // browsers take it for a host of that name
        return Err(not_a_source().hint(format!(
            "write `\"'{text}'\"`, with quotes inside the quotes"
        )));
    }
    if text == "*" || is_scheme(text) || is_host(text) {
        return Ok(());
    }
    Err(not_a_source())
}

fn quoted(inner: &str, keywords: &[&str]) -> Result<(), BadValue> {
    if keywords.contains(&inner) {
        return Ok(());
    }
    if keywords.len() == KEYWORDS.len() {
        if inner.starts_with("nonce-") {
            return Err(BadValue::new("a source that protects", "a hash, or a host").hint(
                "a nonce must be another one for each answer: let the app send the policy, which takes the place of this one",
            ));
        }
        if begins_hash(inner) {
            return hash(inner);
        }
    }
    let complaint = BadValue::new(
        "a keyword",
        format!(
            "one of {}",
            keywords
                .iter()
                .map(|word| format!("`'{word}'`"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
    );
    Err(match nearest(inner, keywords.iter().copied()) {
        Some(near) => complaint.hint(format!("did you mean `'{near}'`?")),
        None if KEYWORDS.contains(&inner) => complaint,
        None => complaint.hint("hosts and schemes have no quotes inside the quotes"),
    })
}

fn begins_hash(text: &str) -> bool {
    ["sha256-", "sha384-", "sha512-"]
        .iter()
        .any(|name| text.starts_with(name))
}

/// Base64 of as many bytes as the algorithm gives.
fn hash(text: &str) -> Result<(), BadValue> {
    let (name, digest) = text.split_once('-').unwrap_or((text, ""));
    let bytes = match name {
        "sha256" => 32,
        "sha384" => 48,
        _ => 64,
    };
    let body = digest.trim_end_matches('=');
    let is_base64 = body
        .bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || b"+/-_".contains(&byte));
    if is_base64 && body.len() == (bytes * 8usize).div_ceil(6) && digest.len() - body.len() <= 2 {
        return Ok(());
    }
    Err(BadValue::new(
        "a hash",
        format!("`'{name}-'` and base64 of {bytes} bytes, as the browser's console tells it"),
    ))
}

/// `https:`, `data:`.
fn is_scheme(text: &str) -> bool {
    text.strip_suffix(':').is_some_and(is_scheme_name)
}

fn is_scheme_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
}

/// `cdn.example`, `*.example`, `https://cdn.example:8443/scripts/`, `wss://live.example`.
fn is_host(text: &str) -> bool {
    let rest = match text.split_once("://") {
        Some((scheme, rest)) if is_scheme_name(scheme) => rest,
        Some(_) => return false,
        None => text,
    };
    let (authority, path) = match rest.find('/') {
        Some(slash) => rest.split_at(slash),
        None => (rest, ""),
    };
    let (host, port) = authority.split_once(':').unwrap_or((authority, "*"));
    let is_port = port == "*" || port.parse::<u16>().is_ok_and(|port| port > 0);
    let name = host.strip_prefix("*.").unwrap_or(host);
    let is_name = name == "*" && host == "*"
        || name.split('.').all(|label| {
            !label.is_empty()
                && label
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
        });
    is_name && is_port && !path.contains(['?', '#', '\'', '"', '\\'])
}

fn not_a_source() -> BadValue {
    BadValue::new(
        "a source",
        "a host such as `https://cdn.example` or `*.example`, a scheme such as `data:`, or a keyword such as `'self'`",
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_may_stand_there_does() {
        for source in [
            "*",
            "'self'",
            "'none'",
            "'unsafe-inline'",
            "'strict-dynamic'",
            "https:",
            "data:",
            "cdn.example",
            "localhost:3000",
            "*.example",
            "https://*.example",
            "https://cdn.example:*",
            "https://cdn.example/a/b.js",
            "wss://live.example",
            "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='",
        ] {
            assert_eq!(check(source, Takes::Sources), Ok(()), "{source}");
        }
        assert_eq!(check("allow-scripts", Takes::Permissions), Ok(()));
        assert_eq!(check("'script'", Takes::Sinks), Ok(()));
        assert_eq!(check("dompurify", Takes::Policies), Ok(()));
    }

    #[test]
    fn what_may_not_is_told_with_the_cure() {
        for (source, hint) in [
            ("self", "write `\"'self'\"`, with quotes inside the quotes"),
            (
                "unsafe-inline",
                "write `\"'unsafe-inline'\"`, with quotes inside the quotes",
            ),
            (
                "sha256-abc",
                "write `\"'sha256-abc'\"`, with quotes inside the quotes",
            ),
            ("'self", "write `\"'self'\"`: a quote is missing"),
            ("'slef'", "did you mean `'self'`?"),
            (
                "'https://a.example'",
                "hosts and schemes have no quotes inside the quotes",
            ),
            (
                "'self' a.example",
                "a list has each in quotes of its own: [\"'self'\", \"a.example\"]",
            ),
        ] {
            let cause = check(source, Takes::Sources).expect_err(source);
            assert_eq!(cause.hint.as_deref(), Some(hint), "{source}");
        }
        for source in [
            "",
            "a;b",
            "a,b",
            "'nonce-abc'",
            "nonce-abc",
            "'sha256-abc'",
            "é.example",
            "https://a b",
            "https://",
            "*.*.example",
            "a.example?x",
            "a..example",
            "a.example:0",
            "://a.example",
        ] {
            assert!(check(source, Takes::Sources).is_err(), "{source}");
        }
        assert!(check("'unsafe-inline'", Takes::Ancestors).is_err());
        assert!(check("allow-everything", Takes::Permissions).is_err());
    }

    proptest! {
        /// Whatever is let through stays one source of one directive of one policy, and one line.
        #[test]
        fn nothing_escapes_its_directive(text in "\\PC{0,40}|[a-z'*:/;, .-]{0,20}") {
            for takes in [Takes::Sources, Takes::Ancestors, Takes::Permissions, Takes::Sinks, Takes::Policies, Takes::Endpoints] {
                if check(&text, takes).is_ok() {
                    prop_assert!(!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()));
                    prop_assert!(!text.contains([';', ',']));
                }
            }
        }
    }
}
