//! What an app's start waits for: other apps of the instance, and addresses of whatever runs elsewhere; and the order of
//! starting and ending that follows. Waits for nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use mainstay_values::{Address, BadValue};
use serde::{Deserialize, Serialize};

use super::AppSettings;
use crate::reader::{Reader, is_name};
use crate::value::{Item, Value, read_text};

/// A longer target of a request is a mistake.
const LONGEST_TARGET: usize = 2_048;

/// When an app is started, once the instance is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartOrder {
    /// What must be there first; nothing where it is empty.
    pub after: Vec<Awaited>,
    /// How long all of it may take, 10 ms to a day.
    pub timeout: Duration,
}

impl Default for StartOrder {
    fn default() -> Self {
        Self {
            after: Vec::new(),
            // what a worker has for its own start
            timeout: Duration::from_mins(1),
        }
    }
}

/// Something that must be there before an app is started.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Awaited {
    /// Another app of the instance, as soon as one of its workers is ready: its name.
    App(String),
    /// Whatever accepts connections at this address.
    Accepts(Address),
    /// Whatever answers a GET with a status of 200 to 399.
    Answers {
        /// Where it is asked.
        at: Address,
        /// For what: path and query.
        target: String,
    },
}

impl Awaited {
    /// The app that is meant, where it is one.
    pub fn app(&self) -> Option<&str> {
        match self {
            Self::App(name) => Some(name),
            Self::Accepts(_) | Self::Answers { .. } => None,
        }
    }
}

impl fmt::Display for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::App(name) => f.write_str(name),
            Self::Accepts(at @ Address::Unix(_)) => at.fmt(f),
            Self::Accepts(at) => write!(f, "tcp://{at}"),
            Self::Answers { at, target } => write!(f, "http://{at}{target}"),
        }
    }
}

impl Value for Awaited {
    fn from_text(text: &str) -> Result<Self, BadValue> {
        if let Some(place) = text.strip_prefix("tcp://") {
            return reachable(place.trim_end_matches('/')).map(Self::Accepts);
        }
        if text.starts_with("unix:") {
            return text.parse().map(Self::Accepts);
        }
        if let Some(rest) = text.strip_prefix("http://") {
            return answers(rest);
        }
        match text.split_once("://") {
            Some(("https", rest)) => {
                let host = rest.split(['/', '?']).next().unwrap_or_default();
                let port = if host.contains(':') { "" } else { ":443" };
                Err(unknown().hint(format!(
                    "nothing is asked over TLS; `tcp://{host}{port}` waits until it accepts connections"
                )))
            }
            Some((_, rest)) => {
                let host = rest.rsplit('@').next().unwrap_or_default();
                let host = host.split(['/', '?']).next().unwrap_or_default();
                Err(unknown().hint(format!(
                    "to wait until it accepts connections, write `tcp://{host}`, with the port"
                )))
            }
            None if is_name(text) => Ok(Self::App(text.to_owned())),
            None if text.parse::<Address>().is_ok() => {
                Err(unknown().hint(format!("for an address write `tcp://{text}`")))
            }
            None => Err(unknown()),
        }
    }

    fn print(&self) -> String {
        self.to_string()
    }

    /// A socket's path is relative to the file it is written in.
    fn read(item: &Item<'_>) -> Option<Self> {
        let mut awaited = read_text(item)?;
        if let Self::Accepts(Address::Unix(path)) = &mut awaited {
            *path = item.folder().join(&*path);
        }
        Some(awaited)
    }
}

fn unknown() -> BadValue {
    BadValue::new(
        "something to wait for",
        "the name of an app, `tcp://HOST:PORT`, `unix:PATH` or `http://HOST:PORT/path`",
    )
}

/// A host and a port that can be connected to.
fn reachable(text: &str) -> Result<Address, BadValue> {
    match text.parse::<Address>() {
        Ok(address @ (Address::Socket(_) | Address::Name { .. })) if address.port() != Some(0) => {
            Ok(address)
        }
        Ok(_) => Err(unknown().hint("it takes a host and a port from 1 to 65535")),
        Err(cause) => Err(match cause.hint {
            Some(hint) => unknown().hint(hint),
            None => unknown(),
        }),
    }
}

fn answers(text: &str) -> Result<Awaited, BadValue> {
    let end = text.find(['/', '?', '#']).unwrap_or(text.len());
    let (host, target) = text.split_at(end);
    let has_port = host
        .rsplit_once(':')
        .is_some_and(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()));
    let at = if has_port && !host.ends_with(']') {
        reachable(host)?
    } else {
        reachable(&format!("{host}:80"))?
    };
    // nothing that could end the line, or begin another one
    let is_target = target
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'#');
    if !is_target || target.len() > LONGEST_TARGET {
        return Err(unknown().hint("spaces and the like are written as `%20` there"));
    }
    let slash = if target.starts_with('/') { "" } else { "/" };
    Ok(Awaited::Answers {
        at,
        target: format!("{slash}{target}"),
    })
}

pub(super) fn read(section: &Reader<'_>, order: &mut StartOrder) {
    if let Some(after) = section.list("after") {
        order.after = after;
    }
    let bounds = Duration::from_millis(10)..=Duration::from_hours(24);
    section.set_within("after_timeout", &bounds, &mut order.timeout);
}

/// Apps in the order in which they are started: each in a later group than those that it waits for.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Ranks<'a> {
    /// Within a group in the order of the file.
    pub groups: Vec<Vec<&'a str>>,
    /// Those that wait for each other in a circle, each for the next and the last for the first; in no group, as those that
    /// wait for them.
    pub circles: Vec<Vec<&'a str>>,
}

impl<'a> Ranks<'a> {
    /// Of these apps. Apps that are waited for and not among them are none.
    pub fn of(apps: &'a [AppSettings]) -> Self {
        let mut waiting: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let index: BTreeMap<&str, usize> = apps.iter().map(AppSettings::name).zip(0..).collect();
        for (number, app) in apps.iter().enumerate() {
            let names = app.order.after.iter().filter_map(Awaited::app);
            let known = names.filter_map(|name| index.get(name).copied());
            waiting.insert(number, known.collect());
        }
        let name = |number: &usize| apps[*number].name();
        let mut ranks = Self::default();
        while !waiting.is_empty() {
            let is_free = |after: &Vec<usize>| after.iter().all(|one| !waiting.contains_key(one));
            let free = waiting.iter().filter(|(_, after)| is_free(after));
            let free: Vec<usize> = free.map(|(number, _)| *number).collect();
            if free.is_empty() {
                let circle = circle(&waiting);
                waiting.retain(|number, _| !circle.contains(number));
                ranks.circles.push(circle.iter().map(name).collect());
                continue;
            }
            if ranks.circles.is_empty() {
                ranks.groups.push(free.iter().map(name).collect());
            }
            for number in free {
                waiting.remove(&number);
            }
        }
        ranks
    }

    /// In which group an app is; after all others, if it is in none.
    pub fn of_app(&self, app: &str) -> usize {
        let mut groups = self.groups.iter();
        let found = groups.position(|group| group.contains(&app));
        found.unwrap_or(self.groups.len())
    }
}

/// One circle among apps that all wait for one another.
fn circle(waiting: &BTreeMap<usize, Vec<usize>>) -> Vec<usize> {
    let mut way: Vec<usize> = Vec::new();
    let mut next = waiting.keys().next().copied();
    while let Some(number) = next {
        if let Some(begin) = way.iter().position(|known| *known == number) {
            way.drain(..begin);
            // told from the first in the file on
            let first = (0..way.len()).min_by_key(|index| way[*index]);
            way.rotate_left(first.unwrap_or_default());
            return way;
        }
        way.push(number);
        let mut after = waiting[&number].iter();
        next = after.find(|one| waiting.contains_key(one)).copied();
    }
    way
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use mainstay_supervisor::launch::Target;

    use super::*;
    use crate::sections::Preset;

    #[test]
    fn what_is_waited_for_is_read_and_printed_alike() {
        for (text, printed) in [
            ("db", "db"),
            ("tcp://127.0.0.1:5432", "tcp://127.0.0.1:5432"),
            ("tcp://[::1]:5432/", "tcp://[::1]:5432"),
            ("tcp://db.internal:5432", "tcp://db.internal:5432"),
            ("unix:/run/pg.sock", "unix:/run/pg.sock"),
            (
                "http://search/ready?full=1",
                "http://search:80/ready?full=1",
            ),
            ("http://127.0.0.1:9000", "http://127.0.0.1:9000/"),
            ("http://[::1]?a", "http://[::1]:80/?a"),
        ] {
            let read = Awaited::from_text(text).expect(text);
            assert_eq!(read.print(), printed, "{text}");
            assert_eq!(Awaited::from_text(printed), Ok(read), "{text}");
        }
        for text in [
            "",
            "my db",
            "tcp://5432",
            "tcp://:5432",
            "tcp://host:0",
            "tcp://host",
            "http://",
            "http://:80/",
            "http://host:80/a b",
            "http://host/\r\nX: y",
            "http://host/#part",
            "http://user@host/",
            "https://host/",
            "redis://:secret@host:6379/0",
            "127.0.0.1:5432",
        ] {
            let error = Awaited::from_text(text).expect_err(text);
            assert!(!format!("{error:?}").contains("secret"), "{error:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic_and_what_is_read_is_sound(text in "(tcp|http|https|unix|x)?(://)?[^\\n]{0,40}") {
            if let Ok(read) = Awaited::from_text(&text) {
                if let Awaited::Answers { target, .. } = &read {
                    proptest::prop_assert!(!target.contains(['\r', '\n', ' ']), "{}", text);
                }
                let again = Awaited::from_text(&read.print());
                proptest::prop_assert_eq!(again, Ok(read));
            }
        }
    }

    fn apps(after: &[(&str, &[&str])]) -> Vec<AppSettings> {
        let app = |(name, after): &(&str, &[&str])| {
            let target = Target::Path(PathBuf::from("."));
            let mut app = AppSettings::new((*name).to_owned(), target, "/srv".into(), Preset::Safe);
            let named = after.iter().map(|name| Awaited::App((*name).to_owned()));
            app.order.after = named.collect();
            app
        };
        after.iter().map(app).collect()
    }

    #[test]
    fn apps_come_after_those_they_wait_for() {
        let found = apps(&[
            ("web", &["api", "elsewhere"]),
            ("api", &["db", "mail"]),
            ("db", &[]),
            ("mail", &["db"]),
            ("other", &[]),
        ]);
        let ranks = Ranks::of(&found);
        let groups: [&[&str]; 4] = [&["db", "other"], &["mail"], &["api"], &["web"]];
        assert_eq!(ranks.groups, groups);
        assert!(ranks.circles.is_empty());
        assert_eq!((ranks.of_app("db"), ranks.of_app("web")), (0, 3));
    }

    #[test]
    fn circles_are_found_with_all_their_members_and_no_others() {
        let found = apps(&[
            ("free", &[]),
            ("outside", &["b"]),
            ("a", &["b"]),
            ("b", &["free", "c"]),
            ("c", &["a"]),
            ("alone", &["alone"]),
        ]);
        let ranks = Ranks::of(&found);
        let circles: [&[&str]; 2] = [&["a", "b", "c"], &["alone"]];
        assert_eq!(ranks.circles, circles);
        let groups: [&[&str]; 1] = [&["free"]];
        assert_eq!(ranks.groups, groups);
    }
}
