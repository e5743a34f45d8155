//! Reading commands as a shell would, as far as it takes to do without one. Runs nothing.

/// Characters that mean something to a shell. A command with none of them is its words.
const META: &str = "|&;<>()$`\\\"'*?[]#~!{}\n";

/// Words that only a shell knows how to do.
const BUILTINS: [&str; 22] = [
    ".", ":", "[", "alias", "case", "cd", "command", "eval", "exec", "exit", "export", "for", "if",
    "read", "set", "source", "trap", "ulimit", "umask", "until", "wait", "while",
];

/// The words of a plain command; `None` when it takes a shell to understand it.
pub(crate) fn plain(command: &str) -> Option<Vec<String>> {
    if command.contains(|character| META.contains(character)) {
        return None;
    }
    let words: Vec<String> = command.split_whitespace().map(str::to_owned).collect();
    let first = words.first()?;
    // `NAME=value command` sets a variable.
    (!first.contains('=') && !BUILTINS.contains(&first.as_str())).then_some(words)
}

/// Shell text whose last command takes the shell's place, where that is plainly possible: so the process that was started
/// is the one that serves, gets the signals and says how it ended.
pub(crate) fn exec_last(text: &str) -> String {
    let quoted = text.contains(['\'', '"', '`', '\\']);
    let hard = text.contains(['|', ';', '<', '>', '(', ')', '\n', '#', '{', '!']);
    let (before, last) = match text.rsplit_once("&&") {
        Some((before, last)) => (before.trim_end(), last.trim_start()),
        None => ("", text),
    };
    let background = last.contains('&') || before.replace("&&", "").contains('&');
    let first = last.split_whitespace().next().unwrap_or_default();
    if hard || background || (quoted && !before.is_empty()) || BUILTINS.contains(&first) {
        return text.to_owned();
    }
    let lead = if before.is_empty() { "" } else { " && " };
    let env = if first.contains('=') { "env " } else { "" };
    format!("{before}{lead}exec {env}{last}")
}

/// Whether the shell itself is gone once its text runs.
pub(crate) fn becomes_command(text: &str) -> bool {
    text.starts_with("exec ") || text.contains(" && exec ")
}

/// The words of a command line for guessing what it runs: quotes and operators are taken as gaps.
pub(crate) fn rough(command: &str) -> impl Iterator<Item = &str> {
    command
        .split(|character: char| character.is_whitespace() || "|&;<>()\"'`".contains(character))
        .filter(|word| !word.is_empty())
}

/// A word as a shell reads it back unchanged.
pub(crate) fn quote(word: &str) -> String {
    let safe =
        |character: char| character.is_ascii_alphanumeric() || "-_./:=@%+,".contains(character);
    if !word.is_empty() && word.chars().all(safe) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A script of `package.json` that a package manager was asked for: `npm start`, `pnpm run serve`, `yarn dev`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ScriptCall<'a> {
    /// The script's name.
    pub(crate) script: &'a str,
    /// What is added to the script's command.
    pub(crate) arguments: &'a [String],
    /// Whether the word might be a command of the package manager instead.
    pub(crate) certain: bool,
}

impl<'a> ScriptCall<'a> {
    /// Recognises the call in the words of a plain command.
    pub(crate) fn read(words: &'a [String]) -> Option<Self> {
        let (program, rest) = words.split_first()?;
        let npm = match program.as_str() {
            "npm" => true,
            "pnpm" | "yarn" => false,
            _ => return None,
        };
        let mut rest = skip_quiet(rest);
        let mut word = rest.first()?.as_str();
        let mut certain = word == "start";
        if word == "run" || word == "run-script" {
            rest = skip_quiet(&rest[1..]);
            word = rest.first()?;
            certain = true;
        } else if npm && word != "start" {
            return None;
        }
        let arguments = match &rest[1..] {
            [dashes, arguments @ ..] if dashes == "--" => arguments,
            [] => &[],
            // npm keeps what comes before `--` for itself; the others pass it on.
            arguments if !npm => arguments,
            _ => return None,
        };
        (!word.starts_with('-')).then_some(Self {
            script: word,
            arguments,
            certain,
        })
    }
}

fn skip_quiet(words: &[String]) -> &[String] {
    let quiet = |word: &String| matches!(word.as_str(), "-s" | "--silent" | "--quiet");
    let count = words.iter().take_while(|word| quiet(word)).count();
    &words[count..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_commands_go_without_a_shell() {
        let cases = [
            ("node server.js", true),
            ("  node   --port=3000 a.js ", true),
            ("A=1 node server.js", false),
            ("node 'a b.js'", false),
            ("node a.js && node b.js", false),
            ("node $FILE", false),
            ("exec node a.js", false),
            ("", false),
        ];
        for (command, expected) in cases {
            assert_eq!(plain(command).is_some(), expected, "{command}");
        }
    }

    #[test]
    fn the_last_command_takes_the_shells_place() {
        let cases = [
            ("node 'a b.js'", "exec node 'a b.js'"),
            ("A=\"1 2\" node a.js", "exec env A=\"1 2\" node a.js"),
            ("tsc && node a.js", "tsc && exec node a.js"),
            ("tsc && A=1 node a.js", "tsc && exec env A=1 node a.js"),
        ];
        for (given, expected) in cases {
            assert_eq!(exec_last(given), expected);
            assert!(becomes_command(expected));
        }
        for alone in [
            "a & b",
            "a | b",
            "a; b",
            "echo 'x && y'  && z",
            "(a && b)",
            "a && cd x",
            "a || b",
            "a 2>&1",
        ] {
            assert_eq!(exec_last(alone), alone);
        }
    }

    #[test]
    fn quoted_words_come_back_from_a_shell() {
        for word in ["plain", "", "a b", "it's", "$HOME \"x\" `y` \\", "*"] {
            let output = std::process::Command::new("sh")
                .args(["-c", &format!("printf %s {}", quote(word))])
                .output()
                .unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }

    #[test]
    fn package_managers_are_seen_through() {
        let cases: [(&str, Option<(&str, usize)>); 12] = [
            ("npm start", Some(("start", 0))),
            ("npm run start", Some(("start", 0))),
            ("npm run --silent serve", Some(("serve", 0))),
            ("npm -s start", Some(("start", 0))),
            ("npm start -- --port 3", Some(("start", 2))),
            ("npm start --port 3", None),
            ("npm install", None),
            ("pnpm start", Some(("start", 0))),
            ("pnpm serve --port 3", Some(("serve", 2))),
            ("yarn run dev", Some(("dev", 0))),
            ("yarn", None),
            ("node start", None),
        ];
        for (command, expected) in cases {
            let words = plain(command).unwrap();
            let found = ScriptCall::read(&words).map(|call| (call.script, call.arguments.len()));
            assert_eq!(found, expected, "{command}");
        }
    }
}
