//! The variables and words that bring the preload script into a Node process, in front of what the user wants there.

use std::path::Path;

/// The variable of Node that all this is about.
pub(crate) const NODE_OPTIONS: &str = "NODE_OPTIONS";
/// Our part of it, also for shell text.
pub(crate) const OWN_OPTIONS: &str = "MAINSTAY_INTERNAL_NODE_OPTIONS";

/// Our part of `NODE_OPTIONS`, quoted as Node reads it.
pub(crate) fn own_options(preload: &Path) -> String {
    let path = preload.display().to_string();
    if path.contains([' ', '"', '\\']) {
        let escaped = path.replace('\\', r"\\").replace('"', "\\\"");
        return format!("--require \"{escaped}\"");
    }
    format!("--require {path}")
}

/// Ours in front of theirs.
pub(crate) fn merge(own: &str, theirs: &str) -> String {
    let theirs = theirs.trim();
    if theirs.is_empty() {
        own.to_owned()
    } else {
        format!("{own} {theirs}")
    }
}

/// Words that set `NODE_OPTIONS` themselves (`env`, `cross-env`) would take ours away: ours goes in front there too.
pub(crate) fn merge_into_words(words: &mut [String], own: &str) {
    let shell = words.first().is_some_and(|word| word == "sh") && words.len() == 3;
    for (index, word) in words.iter_mut().enumerate() {
        if shell && index == 2 {
            *word = merge_into_shell(word);
        } else if let Some(theirs) = word.strip_prefix("NODE_OPTIONS=") {
            *word = format!("NODE_OPTIONS={}", merge(own, theirs));
        }
    }
}

/// The same for shell text: an assignment's value is a concatenation, so that quotes around theirs stay what they are.
fn merge_into_shell(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(found) = rest.find("NODE_OPTIONS=") {
        let (before, after) = rest.split_at(found);
        let (name, value) = after.split_at("NODE_OPTIONS=".len());
        out.push_str(before);
        out.push_str(name);
        // Inside another word (`MY_NODE_OPTIONS=`) it is somebody else's variable.
        let own_word =
            !before.ends_with(|character: char| character.is_alphanumeric() || character == '_');
        if own_word {
            out.push_str("\"$MAINSTAY_INTERNAL_NODE_OPTIONS \"");
        }
        rest = value;
    }
    out.push_str(rest);
    out
}

/// Gives worker `index` an inspector port of its own: `--inspect` becomes `--inspect=9230` for worker 1, and
/// `--inspect=0.0.0.0:4000` becomes `--inspect=0.0.0.0:4001`. Worker 0 keeps what the user wrote.
pub(crate) fn shift_inspector(text: &str, index: u32) -> String {
    if index == 0 || !text.contains("--inspect") {
        return text.to_owned();
    }
    text.split(' ')
        .map(|word| shift_word(word, index).unwrap_or_else(|| word.to_owned()))
        .collect::<Vec<_>>()
        .join(" ")
}

fn shift_word(word: &str, index: u32) -> Option<String> {
    const DEFAULT: u32 = 9229;
    let start = word.find("--inspect")?;
    let (before, word) = word.split_at(start);
    // Behind quotes or an assignment it is still an option; behind anything else it is part of a name.
    if !before.is_empty() && !before.ends_with(['"', '\'', '=']) {
        return None;
    }
    let core = word.trim_end_matches(['"', '\'']);
    let after = &word[core.len()..];
    let (flag, value) = match core.split_once('=') {
        Some((flag, value)) => (flag, Some(value)),
        None => (core, None),
    };
    if !matches!(
        flag,
        "--inspect" | "--inspect-brk" | "--inspect-wait" | "--inspect-port"
    ) {
        return None;
    }
    let (host, port) = match value {
        None => ("", DEFAULT),
        Some(value) => match value.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => match value.parse() {
                Ok(port) => ("", port),
                Err(_) => (value, DEFAULT),
            },
        },
    };
    if port == 0 {
        return None; // a random one clashes with nobody
    }
    let colon = if host.is_empty() { "" } else { ":" };
    Some(format!(
        "{before}{flag}={host}{colon}{}{after}",
        port + index
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_part_is_quoted_as_node_reads_it() {
        assert_eq!(own_options(Path::new("/run/p.cjs")), "--require /run/p.cjs");
        assert_eq!(
            own_options(Path::new("/a b/p.cjs")),
            "--require \"/a b/p.cjs\""
        );
        assert_eq!(merge("--require x", "  "), "--require x");
        assert_eq!(merge("--require x", "--trace-gc"), "--require x --trace-gc");
    }

    #[test]
    fn assignments_in_commands_keep_ours() {
        let words = |text: &str| -> Vec<String> { text.split('|').map(str::to_owned).collect() };
        let cases = [
            (
                "cross-env|NODE_OPTIONS=--a|node",
                "cross-env|NODE_OPTIONS=OWN --a|node",
            ),
            (
                "sh|-c|NODE_OPTIONS='--a --b' node x",
                "sh|-c|NODE_OPTIONS=\"$MAINSTAY_INTERNAL_NODE_OPTIONS \"'--a --b' node x",
            ),
            (
                "sh|-c|MY_NODE_OPTIONS=1 node x",
                "sh|-c|MY_NODE_OPTIONS=1 node x",
            ),
        ];
        for (given, expected) in cases {
            let mut given = words(given);
            merge_into_words(&mut given, "OWN");
            assert_eq!(given, words(expected));
        }
    }

    #[test]
    fn inspector_ports_are_kept_apart() {
        let cases = [
            ("node --inspect a.js", "node --inspect=9231 a.js"),
            (
                "node --inspect-brk=4000 a.js",
                "node --inspect-brk=4002 a.js",
            ),
            ("--inspect=0.0.0.0:9229", "--inspect=0.0.0.0:9231"),
            ("--inspect=localhost", "--inspect=localhost:9231"),
            ("--inspect=0", "--inspect=0"),
            (
                "NODE_OPTIONS='--inspect' node x",
                "NODE_OPTIONS='--inspect=9231' node x",
            ),
            (
                "NODE_OPTIONS=--inspect=1 node x",
                "NODE_OPTIONS=--inspect=3 node x",
            ),
            ("--inspect-publish-uid=http", "--inspect-publish-uid=http"),
            ("node a.js", "node a.js"),
        ];
        for (given, expected) in cases {
            assert_eq!(shift_inspector(given, 2), expected);
            assert_eq!(shift_inspector(given, 0), given);
        }
    }
}
