//! Every section and key as a settings file in which nothing is said: all of it stands behind `#`. Made from the keys
//! themselves.
//!
//! A line that begins with `#` and no space is a setting; behind `# ` stands what it means. What may not be here: what
//! a key does, or a default that its section does not name.

use std::fmt::Write as _;

use crate::key::{Key, SAME_AT_THE_TOP, Section};
use crate::sections;
use crate::value::quoted;

/// Characters of a line of words.
const WIDTH: usize = 110;

const TOP: &str = "\
# mainstay.toml with everything that may stand in it. Nothing of it has to: Mainstay runs without a file.
#
# Words stand behind `# `, settings behind `#` alone: take that away where something shall be different, with the heading
# of its section. What stands there is the default; where there is none, an example, and what holds without it.
#
# `enabled = false` switches a section off: that of a layer leaves the layer out, any other counts as not written.
# It is checked all the same.
#
# Made from the keys in crates/config by `cargo xtask generate`; `mainstay init --all` prints it.
";

/// What is shown of keys whose default depends on something: by heading and key. Others get an example by their kind.
const EXAMPLES: &[(&str, &str, &str)] = &[
    (
        "[auth.jwt.NAME]",
        "jwks",
        "\"https://id.example.com/.well-known/jwks.json\"",
    ),
    ("[auth.jwt.NAME]", "ca_file", "\"ca.pem\""),
    ("[auth.jwt.NAME]", "key_file", "\"issuer.pem\""),
    ("[auth.jwt.NAME]", "secret_env", "\"JWT_SECRET\""),
    ("[auth.jwt.NAME]", "secret_file", "\"jwt-secret\""),
    ("[auth.jwt.NAME]", "issuer", "\"https://id.example.com/\""),
    ("[auth.jwt.NAME]", "match", "{ scope = \"orders:read\" }"),
    ("[auth.jwt.NAME]", "claims", "{ sub = \"x-user-id\" }"),
    ("[auth.jwt.NAME]", "cookie", "\"session\""),
    ("[auth]", "users_file", "\"htpasswd\""),
    ("[auth]", "key_query", "\"api_key\""),
    ("[auth]", "user_header", "\"x-user\""),
    (
        "[auth.key.NAME]",
        "hash",
        "\"sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\"",
    ),
    ("", "listen", "\":3000\""),
    ("", "store", "\"rediss://cache.example.com:6379\""),
    ("", "store_ca_file", "\"ca.pem\""),
    ("[listen]", "http", "\"0.0.0.0:80\""),
    ("[listen]", "observe", "\"127.0.0.1:9464\""),
    ("[listen]", "threads", "2"),
    ("[app.NAME]", "cwd", "\"server\""),
    ("[app.NAME]", "backoff", "\"100ms\""),
    ("[app.NAME]", "increment_var", "\"METRICS_PORT\""),
    ("[app.NAME]", "interpreter", "\"node\""),
    ("[app.NAME]", "ready", "\"listen\""),
    ("[app.NAME]", "reload", "\"overlap\""),
    ("[app.NAME]", "cron_restart", "\"0 3 * * *\""),
    ("[app.NAME]", "env", "{ LOG_LEVEL = \"info\" }"),
    ("[app.NAME]", "listen", "\"127.0.0.1:3001\""),
    ("[app.NAME]", "open_files", "65536"),
    ("[app.NAME]", "port", "3000"),
    ("[app.NAME]", "release_command", "\"npm run migrate\""),
    // what a bucket alone knows stands beside it
    ("[rate_limit.NAME]", "algorithm", "\"token_bucket\""),
    ("[rate_limit.NAME]", "burst", "20"),
    ("[rate_limit.NAME]", "delay", "8"),
    ("[reload]", "share", "\"10%\""),
    ("[route.NAME]", "to", "\"web\""),
];

/// The text of `docs/mainstay.default.toml`.
pub fn default_file() -> String {
    let mut text = String::from(TOP);
    for section in sections::ALL {
        write_section(&mut text, section);
    }
    text
}

fn write_section(text: &mut String, section: &Section) {
    let title = match section.heading {
        "" => "The top of the file",
        heading => heading,
    };
    let _ = write!(text, "\n# ---- {title}\n");
    words(text, section.doc);
    if section.keys.is_empty() {
        // the user invents what stands below it
        for line in section.example.trim().lines() {
            let _ = writeln!(text, "{}", format!("#     {line}").trim_end());
        }
        return;
    }
    if !section.heading.is_empty() {
        let (name, default) = (Key::ENABLED.name, Key::ENABLED.default);
        let _ = writeln!(text, "\n#{}\n#{name} = {default}", named(section.heading));
    }
    for key in section.keys {
        let has_a_section = key.kind.starts_with("section") && !key.kind.starts_with("section of");
        if !has_a_section || key.kind == SAME_AT_THE_TOP {
            write_key(text, section.heading, key);
        }
    }
}

fn write_key(text: &mut String, heading: &str, key: &Key) {
    text.push('\n');
    if key.kind == SAME_AT_THE_TOP {
        words(text, key.doc);
        return;
    }
    words(text, &format!("{} ({})", key.doc, key.kind));
    match default_of(key) {
        (None, Some(remark)) => words(text, &format!("Without it: {remark}.")),
        (Some(_), Some(remark)) => words(text, &format!("Not always: {remark}.")),
        _ => {}
    }
    if let Some(example) = example(heading, key) {
        let _ = writeln!(text, "#{} = {example}", key.name);
    }
}

/// What holds without the key, as a file spells it, and what is said of that in brackets.
fn default_of(key: &Key) -> (Option<&'static str>, Option<&'static str>) {
    let value = |text: &'static str| Some(text.trim()).filter(|text| !text.is_empty());
    let bracketed = key.default.strip_suffix(')');
    match bracketed.and_then(|text| text.split_once('(')) {
        Some((before, remark)) => (value(before), Some(remark)),
        None => (value(key.default), None),
    }
}

/// What stands behind the key: its default, else something of its kind.
fn example(heading: &str, key: &Key) -> Option<String> {
    let chosen = EXAMPLES
        .iter()
        .find(|(section, name, _)| *section == heading && *name == key.name);
    if let Some((_, _, example)) = chosen {
        return Some((*example).to_owned());
    }
    match default_of(key) {
        (Some(value), _) => Some(value.to_owned()),
        (None, _) => of_kind(key.kind),
    }
}

/// A sound value of a kind, by how the kind is described.
fn of_kind(kind: &str) -> Option<String> {
    // the first that fits
    const KINDS: [(&str, &str); 17] = [
        ("address of a Redis", "\"redis://10.0.0.5:6379\""),
        ("address", "\"127.0.0.1:9000\""),
        ("count", "100"),
        ("duration", "\"30s\""),
        ("file", "\"file.txt\""),
        ("header name", "\"server\""),
        ("host", "\"shop.example\""),
        ("kind of request", "\"POST /login\""),
        ("method", "\"GET\""),
        ("name of an app", "\"web\""),
        ("name or number", "\"www-data\""),
        ("name", "\"shop\""),
        ("network", "\"10.0.0.0/8\""),
        ("path", "\"/shop\""),
        ("rate", "\"100/15m\""),
        ("size", "\"1mb\""),
        ("text, or list of program", "\"node server.js\""),
    ];
    // what may be switched off is shown so: it is sound whatever else it takes
    if kind.contains("`false`") {
        return Some("false".to_owned());
    }
    if let Some(one) = kind.strip_prefix("list of ") {
        return of_kind(one).map(|one| format!("[{one}]"));
    }
    let known = KINDS.iter().find(|(begin, _)| kind.starts_with(begin));
    if let Some((_, example)) = known {
        return Some((*example).to_owned());
    }
    let digits = kind
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(kind.len());
    if digits > 0 {
        return Some(kind[..digits].to_owned());
    }
    // words to choose from
    let word = kind.split('`').nth(1)?;
    Some(match word {
        "true" | "false" => word.to_owned(),
        word => quoted(word),
    })
}

/// A heading with a name that somebody might have chosen. Apps and upstreams may not be called alike.
fn named(heading: &str) -> String {
    let name = if heading.starts_with("[upstream.") {
        "reports"
    } else {
        "web"
    };
    heading.replace("NAME", name)
}

/// Words behind `# `, in lines that fit a screen. Links become what they are called.
fn words(text: &mut String, sentence: &str) {
    let mut line = String::from("#");
    for word in without_links(sentence).split_whitespace() {
        if line.chars().count() + 1 + word.chars().count() > WIDTH {
            let _ = writeln!(text, "{line}");
            line = String::from("#");
        }
        line.push(' ');
        line.push_str(word);
    }
    let _ = writeln!(text, "{line}");
}

/// `[words](address)` as `words`.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("](") {
        let (start, called) = before.rsplit_once('[').unwrap_or((before, ""));
        plain.push_str(start);
        plain.push_str(called);
        rest = after.split_once(')').map_or("", |(_, rest)| rest);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_has_an_example() {
        for section in sections::ALL {
            for key in section.keys {
                let is_section = key.kind.starts_with("section");
                assert!(
                    is_section || example(section.heading, key).is_some(),
                    "no example of {} in {}: teach `of_kind` its kind, `{}`",
                    key.name,
                    section.heading,
                    key.kind
                );
            }
        }
    }

    #[test]
    fn links_are_what_they_are_called() {
        assert_eq!(without_links("see [a b](c/d.md#e): [f](g)."), "see a b: f.");
    }
}
