//! `Dockerfile` and `Procfile`: the command and the port, and names of variables in `.env.example`. Read line by
//! line; the last word of a kind wins, as in a build.

/// What a Dockerfile says about running.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Dockerfile {
    /// `EXPOSE`, when it is a number.
    pub(super) port: Option<u16>,
    /// `CMD`, words or a shell's text.
    pub(super) command: Option<Words>,
}

/// A command as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Words {
    Shell(String),
    Plain(Vec<String>),
}

pub(super) fn dockerfile(text: &str) -> Dockerfile {
    let mut found = Dockerfile::default();
    let joined = text.replace("\\\r\n", " ").replace("\\\n", " ");
    for line in joined.lines() {
        let (word, rest) = line
            .trim()
            .split_once(char::is_whitespace)
            .unwrap_or_default();
        let rest = rest.trim();
        match word.to_ascii_uppercase().as_str() {
            // a new stage starts anew
            "FROM" => found = Dockerfile::default(),
            "EXPOSE" => {
                let first = rest.split(['/', ' ']).next().unwrap_or_default();
                found.port = first.parse().ok().or(found.port);
            }
            "CMD" => found.command = Some(words(rest)),
            _ => {}
        }
    }
    found
}

fn words(text: &str) -> Words {
    match serde_json::from_str::<Vec<String>>(text) {
        Ok(words) if !words.is_empty() => Words::Plain(words),
        _ => Words::Shell(text.to_owned()),
    }
}

/// The processes of a Procfile by name.
pub(super) fn procfile(text: &str) -> Vec<(String, String)> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_once(':'))
        .map(|(name, command)| (name.trim().to_owned(), command.trim().to_owned()))
        .filter(|(name, command)| !name.is_empty() && !command.is_empty())
        .collect()
}

/// Names and values of an example of an `.env` file.
pub(super) fn variables(text: &str) -> Vec<(String, String)> {
    text.lines()
        .map(|line| line.trim().trim_start_matches("export "))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| {
            let value = value.split('#').next().unwrap_or_default();
            let value = value.trim().trim_matches(['"', '\'']);
            (name.trim().to_owned(), value.to_owned())
        })
        .collect()
}
