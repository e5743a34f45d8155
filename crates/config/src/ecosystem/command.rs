//! What an app's `script`, `interpreter`, `node_args` and `args` come to: the words that are executed, chosen as PM2
//! chooses. Looks at the beginning of the script, and runs nothing.

use std::path::Path;

use mainstay_values::Problem;

use super::Machine;
use super::entry::Entry;
use super::lines::list;
use crate::value::quoted;

/// What runs a file by the end of its name.
const INTERPRETERS: [(&str, &str); 10] = [
    ("js", "node"),
    ("cjs", "node"),
    ("mjs", "node"),
    ("sh", "bash"),
    ("py", "python3"),
    ("rb", "ruby"),
    ("php", "php"),
    ("pl", "perl"),
    ("ts", "bun"),
    ("tsx", "bun"),
];

/// What runs a script.
enum Interpreter {
    /// This program, with the script as its argument.
    Program(String),
    /// Nothing: it is a program itself.
    Itself,
}

/// The command as TOML, with the field it came from. `None`: a problem has been reported.
pub(super) fn command(
    entry: &Entry<'_>,
    cwd: &Path,
    machine: &Machine<'_>,
) -> Option<(String, String)> {
    let Some((script, place)) = entry.text("script") else {
        if entry.find("script").is_none() {
            let problem = Problem::new(format!("app `{}` has no `script`", entry.given));
            entry.complain_about_all(problem.expected("the file that is started, or a command"));
        }
        return None;
    };
    let script = script.trim().to_owned();
    if script.is_empty() {
        let found = entry.find("script")?;
        return entry.reject(&found, "a file to start", "its path");
    }
    let args = entry
        .words("args")
        .map(|(words, _)| words)
        .unwrap_or_default();
    let mut before = entry
        .words("node_args")
        .map(|(words, _)| words)
        .unwrap_or_default();
    let beginning = (machine.beginning)(&cwd.join(&script));
    let interpreter = match entry.find("interpreter") {
        Some(_) => named(entry)?,
        None if beginning.is_none() && script.contains(char::is_whitespace) => {
            // no file is called so: it is a command as at a prompt
            return Some((quoted(&with_args(script, &args)), place));
        }
        None => by_itself(&script, beginning.as_deref()),
    };
    let Interpreter::Program(interpreter) = interpreter else {
        let is_here = beginning.is_some() && !script.contains('/');
        let program = if is_here {
            format!("./{script}")
        } else {
            script
        };
        let words: Vec<String> = std::iter::once(program).chain(args).collect();
        return Some((list(&words), place));
    };
    if let Some((true, _)) = entry.switch("source_map_support")
        && is_node(&interpreter)
    {
        before.push("--enable-source-maps".to_owned());
    }
    let words: Vec<String> = std::iter::once(interpreter)
        .chain(before)
        .chain([script])
        .chain(args)
        .collect();
    Some((list(&words), place))
}

/// The interpreter that is named. `None`: a problem has been reported.
fn named(entry: &Entry<'_>) -> Option<Interpreter> {
    let found = entry.find("interpreter")?;
    let (name, _) = entry.text("interpreter")?;
    match name.trim() {
        "none" => Some(Interpreter::Itself),
        "" => entry.reject(&found, "a program", "the path of a program, or `none`"),
        name => match name.strip_prefix("node@") {
            None => Some(Interpreter::Program(name.to_owned())),
            Some(version) => {
                let problem = Problem::new(format!(
                    "`interpreter` of app `{}` asks nvm for a version of Node",
                    entry.given
                ));
                let problem = problem.expected("the path of a program").hint(format!(
                    "`nvm which {version}` tells it; or start Mainstay below `nvm use {version}`"
                ));
                entry.complain(&found, problem);
                None
            }
        },
    }
}

/// What runs a script of which nobody says it: its extension's interpreter, itself if it is a program, else Node.
fn by_itself(script: &str, beginning: Option<&[u8]>) -> Interpreter {
    let extension = Path::new(script).extension().unwrap_or_default();
    let extension = extension.to_string_lossy().to_ascii_lowercase();
    let mut known = INTERPRETERS.iter();
    if let Some((_, interpreter)) = known.find(|(end, _)| *end == extension) {
        return Interpreter::Program((*interpreter).to_owned());
    }
    let Some(beginning) = beginning else {
        return Interpreter::Itself;
    };
    let line = beginning.split(|byte| *byte == b'\n').next();
    let line = String::from_utf8_lossy(line.unwrap_or_default());
    let is_program = beginning.starts_with(b"\x7fELF")
        || line
            .strip_prefix("#!")
            .is_some_and(|line| !line.contains("node"));
    if is_program {
        Interpreter::Itself
    } else {
        Interpreter::Program("node".to_owned())
    }
}

fn is_node(interpreter: &str) -> bool {
    Path::new(interpreter)
        .file_name()
        .is_some_and(|name| name == "node")
}

/// A command line with more words behind it.
fn with_args(mut line: String, args: &[String]) -> String {
    for word in args {
        line.push(' ');
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
        if !word.is_empty() && word.chars().all(plain) {
            line.push_str(word);
        } else {
            line.push('\'');
            line.push_str(&word.replace('\'', r"'\''"));
            line.push('\'');
        }
    }
    line
}

/// The words of a text, with quotes and backslashes read as a shell does. `None`: a quote is not closed.
pub(super) fn split(text: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_whitespace() => words.extend(word.take()),
            '\'' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '\'' => break,
                        letter => word.push(letter),
                    }
                }
            }
            '"' => {
                let word = word.get_or_insert_default();
                loop {
                    match letters.next()? {
                        '"' => break,
                        '\\' => match letters.next()? {
                            letter @ ('"' | '\\' | '$' | '`') => word.push(letter),
                            letter => word.extend(['\\', letter]),
                        },
                        letter => word.push(letter),
                    }
                }
            }
            '\\' => word.get_or_insert_default().push(letters.next()?),
            letter => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    Some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_split_as_a_shell_would() {
        let cases: [(&str, Option<&[&str]>); 7] = [
            ("", Some(&[])),
            ("--port 3000  --color", Some(&["--port", "3000", "--color"])),
            ("--name='a b' c", Some(&["--name=a b", "c"])),
            ("\"a \\\" b\" ''", Some(&["a \" b", ""])),
            ("a\\ b", Some(&["a b"])),
            ("'open", None),
            ("open\\", None),
        ];
        for (text, expected) in cases {
            let expected = expected.map(|words| words.iter().map(ToString::to_string).collect());
            assert_eq!(split(text), expected, "{text}");
        }
    }

    #[test]
    fn a_script_without_an_extension_is_looked_at() {
        type Case = (&'static str, Option<&'static [u8]>, Option<&'static str>);
        let cases: [Case; 8] = [
            ("server.js", None, Some("node")),
            ("run.SH", None, Some("bash")),
            ("app.tsx", None, Some("bun")),
            ("bin/www", Some(b"#!/usr/bin/env node\n"), Some("node")),
            ("bin/www", Some(b"require('x')"), Some("node")),
            ("bin/api", Some(b"\x7fELF\x02"), None),
            ("bin/run", Some(b"#!/bin/sh\nexec node"), None),
            ("npm", None, None),
        ];
        for (script, beginning, expected) in cases {
            let found = match by_itself(script, beginning) {
                Interpreter::Program(program) => Some(program),
                Interpreter::Itself => None,
            };
            assert_eq!(found.as_deref(), expected, "{script}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text: String) {
            let _ = split(&text);
        }

        #[test]
        fn what_is_quoted_is_one_word(word in "[^\0]*") {
            let line = with_args("x".to_owned(), std::slice::from_ref(&word));
            proptest::prop_assert_eq!(split(&line), Some(vec!["x".to_owned(), word]));
        }
    }
}
