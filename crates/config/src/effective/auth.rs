//! The lines of `[auth]`. Hashes are not shown: whoever has them may guess at leisure.

use mainstay_pipeline::jwt::TokenOptions;
use mainstay_pipeline::{AuthOptions, Seen};

use super::{Effective, InForce, Lines};
use crate::sections::keys;
use crate::value::quoted;

/// Who may come.
pub(super) fn lines(path: &str, options: &AuthOptions, out: &mut Vec<Effective>) {
    let mut lines = Lines::new(&keys::AUTH, path, out);
    if options.set_up().is_empty() {
        let all = keys::AUTH.keys.iter();
        let own = all.filter(|key| !key.kind.starts_with("section"));
        own.for_each(|key| lines.unsaid(key.name));
        return;
    }
    lines.option("users_file", options.users_file.as_ref());
    if options.users_file.is_none() {
        for name in options.users.keys() {
            lines.push(&format!("users.{}", quoted(name)), InForce::Hidden);
        }
    }
    match &options.failures {
        Some(rate) => lines.value("failures", rate),
        None => lines.push("failures", InForce::Value("false".to_owned())),
    }
    lines.value("key_header", &options.key_header);
    lines.option("key_query", options.key_query.as_ref());
    lines.list("accept", &options.accept);
    lines.list("only", &options.only);
    lines.option("user_header", options.user_header.as_ref());
    let hides = options.credentials == Seen::ByNobody;
    lines.value("hide_credentials", &hides);
    lines.value("realm", &options.realm);
    lines.value("dry_run", &options.enforcement);
    for key in &options.keys {
        let path = format!("{path}.key.{}", key.id);
        let mut lines = Lines::new(&keys::AUTH_KEY, path, out);
        lines.push("hash", InForce::Hidden);
        lines.list("labels", &key.labels);
    }
    for token in &options.tokens {
        let path = format!("{path}.jwt.{}", token.name);
        issuer(Lines::new(&keys::AUTH_JWT, path, out), token);
    }
    if let Some(forward) = &options.forward {
        let path = format!("{path}.forward");
        let mut lines = Lines::new(&keys::AUTH_FORWARD, path, out);
        lines.value("to", &forward.to);
        lines.value("path", &forward.path);
        lines.value("timeout", &forward.timeout);
        lines.list("copy", &forward.copy);
        lines.option("user", forward.user.as_ref());
    }
}

/// Whose tokens are believed. A secret is told by where it came from.
fn issuer(mut lines: Lines<'_>, token: &TokenOptions) {
    let (source, text) = &token.source;
    for key in ["jwks", "key_file", "secret_env", "secret_file"] {
        lines.option(key, (source == key).then_some(text));
    }
    lines.option("ca_file", token.authorities_file.as_ref());
    lines.option("issuer", token.issuer.as_ref());
    lines.list("audience", &token.audience);
    lines.list("algorithms", &token.algorithms);
    lines.value("leeway", &token.leeway);
    lines.list("required", &token.required);
    for (key, texts) in [("match", &token.matching), ("claims", &token.claims)] {
        if texts.is_empty() {
            lines.unsaid(key);
        }
        for (claim, text) in texts {
            lines.value(&format!("{key}.{}", quoted(claim)), text);
        }
    }
    lines.option("cookie", token.cookie.as_ref());
}
