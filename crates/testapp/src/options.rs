//! Flags and variables: one table, from which the help is made too. Decides nothing.

use std::collections::BTreeMap;
use std::time::Duration;

/// Every option: flag name, whether it takes a value, what it does. `--slow-start 200` is `TESTAPP_SLOW_START=200`.
const TABLE: [(&str, bool, &str); 13] = [
    (
        "port",
        true,
        "TCP port on 127.0.0.1 (default: PORT; LISTEN_FDS wins over both)",
    ),
    ("host", true, "address to listen on instead of 127.0.0.1"),
    ("slow-start", true, "milliseconds to wait before listening"),
    (
        "fail-start",
        false,
        "write a sentence to standard error and end with status 1",
    ),
    (
        "crash-after",
        true,
        "end with status 1 at the request after so many",
    ),
    (
        "crash-in",
        true,
        "end with status 1 so many milliseconds after listening",
    ),
    ("ignore-sigterm", false, "do not react to SIGTERM"),
    ("flood", false, "write lines to standard output without end"),
    (
        "long-lines",
        false,
        "write one line of 1 MiB to standard error at start",
    ),
    (
        "leak-children",
        true,
        "start so many processes that outlive us, in sessions of their own",
    ),
    (
        "keep-pipe",
        false,
        "a leaked child keeps our standard output open",
    ),
    (
        "keep-alive",
        true,
        "milliseconds an idle connection is kept (default 5000, as Node)",
    ),
    ("name", true, "what GET / answers as \"name\""),
];

/// What was asked for at start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Options {
    values: BTreeMap<String, String>,
    /// Numbers of `LISTEN_FDS`, 0 without.
    pub(crate) listen_fds: u32,
}

impl Options {
    /// Reads the environment, then the command line; `None` if help was wanted.
    #[expect(
        clippy::disallowed_methods,
        reason = "this is a program of its own, and reads its environment here only"
    )]
    pub(crate) fn read() -> Result<Option<Self>, String> {
        let mut values = BTreeMap::new();
        for (name, _, _) in TABLE {
            let variable = format!("TESTAPP_{}", name.to_uppercase().replace('-', "_"));
            if let Ok(value) = std::env::var(variable) {
                values.insert(name.to_owned(), value);
            }
        }
        if let Ok(port) = std::env::var("PORT") {
            values.entry("port".to_owned()).or_insert(port);
        }
        let for_us =
            std::env::var("LISTEN_PID").is_ok_and(|pid| pid == std::process::id().to_string());
        let listen_fds = std::env::var("LISTEN_FDS")
            .ok()
            .filter(|_| for_us)
            .and_then(|count| count.parse().ok())
            .unwrap_or(0);
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            if word == "--help" || word == "-h" {
                return Ok(None);
            }
            let (flag, inline) = match word.split_once('=') {
                Some((flag, value)) => (flag, Some(value.to_owned())),
                None => (word.as_str(), None),
            };
            let known = TABLE
                .iter()
                .find(|(name, _, _)| flag.strip_prefix("--") == Some(name));
            let Some((name, takes_value, _)) = known else {
                return Err(format!("unknown option `{word}`: see --help"));
            };
            let value = match (takes_value, inline) {
                (false, None) => "1".to_owned(),
                (true, Some(value)) => value,
                (true, None) => words.next().ok_or(format!("`{flag}` needs a value"))?,
                (false, Some(_)) => return Err(format!("`{flag}` takes no value")),
            };
            values.insert((*name).to_owned(), value);
        }
        Ok(Some(Self { values, listen_fds }))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(crate) fn on(&self, name: &str) -> bool {
        self.text(name).is_some_and(|value| value != "0")
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    pub(crate) fn milliseconds(&self, name: &str) -> Option<Duration> {
        self.number(name).map(Duration::from_millis)
    }
}

/// The text of `--help`.
pub(crate) fn help() -> String {
    use std::fmt::Write as _;
    let mut text = String::from(
        "A small HTTP/1.1 app that misbehaves on request.\n\n\
         usage: mainstay-testapp [OPTION...]\n\n\
         Listens on descriptor 3 when LISTEN_FDS and LISTEN_PID name it, else on --port or PORT.\n\
         Each option can be given in the environment: --slow-start 200 is TESTAPP_SLOW_START=200.\n\n\
         options:\n",
    );
    for (name, takes_value, what) in TABLE {
        let flag = format!("--{name}{}", if takes_value { " N" } else { "" });
        let _ = writeln!(text, "  {flag:<20} {what}");
    }
    text.push_str("\npaths (parameters in the query):\n");
    for (path, parameters, what) in crate::routes::TABLE {
        let shown = format!("{path}{parameters}");
        let _ = writeln!(text, "  {shown:<38} {what}");
    }
    text
}
