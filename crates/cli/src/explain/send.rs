//! The request, sent to a running instance, and its answer with who set what. Prints nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use bytes::BytesMut;
use mainstay_codec::{HeadScan, Limits, ResponseHead, parse_response};
use mainstay_pipeline::{DEBUG_FIELD, Step, cache_sentence};
use mainstay_proxy::Address;
use serde_json::{Value, json};

use super::{Asked, Told};
use crate::failure::Failure;
use crate::order::Insight;
use crate::say;

/// An app may take as long as the gateway lets it, and a little more.
const PATIENCE: Duration = Duration::from_secs(90);

/// Sends it, and reads the answer's head.
pub(crate) fn send(
    asked: &Asked,
    body: Option<&str>,
    insight: &Insight,
) -> Result<ResponseHead, Failure> {
    let of_port = |address: &&Address| match address {
        Address::Tcp(address) => Some(address.port()) == asked.port,
        Address::Unix(_) => false,
    };
    let found = insight.addresses.iter().find(of_port);
    let Some(address) = found.or(insight.addresses.first()) else {
        return Err(Failure::machine(
            "the instance listens nowhere yet; wait until it is ready",
        ));
    };
    connect(address)
        .and_then(|stream| exchange(asked, body, insight, stream))
        .map_err(|error| Failure::machine(format!("no answer from {address}: {error}")))
}

/// Something to talk over.
trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

fn connect(address: &Address) -> io::Result<Box<dyn Stream>> {
    Ok(match address {
        Address::Tcp(address) => {
            let stream = TcpStream::connect_timeout(&reachable(*address), PATIENCE)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Box::new(stream)
        }
        Address::Unix(path) => {
            let stream = UnixStream::connect(path)?;
            stream.set_read_timeout(Some(PATIENCE))?;
            Box::new(stream)
        }
    })
}

/// Where one connects to what listens everywhere.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    address
}

fn exchange(
    asked: &Asked,
    body: Option<&str>,
    insight: &Insight,
    mut stream: Box<dyn Stream>,
) -> io::Result<ResponseHead> {
    let length = body.map(|body| body.len().to_string());
    let mut more = vec![
        (DEBUG_FIELD, insight.token.as_str()),
        ("connection", "close"),
    ];
    more.extend(length.as_deref().map(|length| ("content-length", length)));
    stream.write_all(asked.head(&more).as_bytes())?;
    stream.write_all(body.unwrap_or_default().as_bytes())?;
    let limits = Limits {
        head: 256 * 1024,
        field: 128 * 1024,
        fields: Limits::MOST_FIELDS,
        ..Limits::default()
    };
    let (mut input, mut piece) = (BytesMut::new(), [0; 8192]);
    let mut scan = HeadScan::default();
    loop {
        let found = scan
            .find_response_end(&input, &limits)
            .map_err(io::Error::other)?;
        if let Some(span) = found {
            let bytes = input.split_to(span.end).freeze().slice(span.start..);
            let head = parse_response(bytes, &asked.method, &limits).map_err(io::Error::other)?;
            if !head.status.is_informational() || head.status.as_u16() == 101 {
                return Ok(head);
            }
            scan = HeadScan::default();
            continue;
        }
        match stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => input.extend_from_slice(&piece[..count]),
        }
    }
}

/// Status and fields, each with who set it and where that stands.
pub(crate) fn answer_lines(head: &ResponseHead, insight: &Insight) -> String {
    let told = told(head);
    let mut text = format!("{}\n", say::strong(&head.status.to_string()));
    for (name, value) in shown(head) {
        let author = match author(name, &told, &insight.places) {
            Author::Connection => "the gateway's connection to you".to_owned(),
            Author::App => format!("app ({})", told.origin.as_deref().unwrap_or("app")),
            Author::Step(step, Some(place)) => format!("{step} ({place})"),
            Author::Step(step, None) => step.to_owned(),
        };
        let _ = writeln!(
            text,
            "  {name}: {value}  {}",
            say::dim(&format!("# {author}"))
        );
    }
    for (name, step) in &told.removed {
        let place = place(&["headers.remove"], &insight.places);
        let line = format!("  {name} of the app was taken out by {step} ({place})");
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "{}", way(&told));
    if let Some(sentence) = of_cache(head) {
        let _ = writeln!(text, "cache: {sentence}");
    }
    text
}

/// What the cache did, if it was asked.
fn of_cache(head: &ResponseHead) -> Option<String> {
    let field = head.headers.get_all("cache-status").iter().next_back()?;
    cache_sentence(field.to_str().ok()?)
}

/// The same for programs: [the page](../../../../docs/operations/explain.md) says what each field is.
pub(crate) fn answer_json(head: &ResponseHead, insight: &Insight) -> Value {
    let told = told(head);
    let field = |(name, value): (&str, String)| {
        let (by, place) = match author(name, &told, &insight.places) {
            Author::Connection => ("connection", None),
            Author::App => ("app", None),
            Author::Step(step, place) => (step, place),
        };
        json!({ "name": name, "value": value, "by": by, "place": place })
    };
    let removed = told.removed.iter().map(|(name, step)| {
        let place = place(&["headers.remove"], &insight.places);
        json!({ "name": name, "by": step, "place": place })
    });
    json!({
        "status": head.status.as_u16(),
        "headers": shown(head).map(field).collect::<Vec<_>>(),
        "removed": removed.collect::<Vec<_>>(),
        "trail": told.trail, "route": told.route, "origin": told.origin, "origin_us": told.origin_us,
        "client": told.client, "cache": of_cache(head), "resends": told.resends, "refusal": told.refusal, "scrubbed": told.scrubbed,
    })
}

/// What the gateway tells in the answer; nothing where it does not.
fn told(head: &ResponseHead) -> Told {
    let told = head.headers.get(DEBUG_FIELD);
    told.and_then(|told| serde_json::from_slice(told.as_bytes()).ok())
        .unwrap_or_default()
}

/// The fields of the answer, without what was said to us alone.
fn shown(head: &ResponseHead) -> impl Iterator<Item = (&str, String)> {
    let fields = head.headers.iter();
    let fields = fields.filter(|(name, _)| *name != DEBUG_FIELD);
    fields.map(|(name, value)| {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        (name.as_str(), value)
    })
}

/// Whoever set a field last.
enum Author<'a> {
    /// Framing, `Date` and the like.
    Connection,
    App,
    /// A step, by the setting that stands there.
    Step(&'a str, Option<&'a str>),
}

fn author<'a>(name: &str, told: &'a Told, places: &'a BTreeMap<String, String>) -> Author<'a> {
    let Some(step) = told.set.get(name) else {
        return Author::Connection;
    };
    if step == Step::Origin.name() {
        return Author::App;
    }
    if step == Step::Headers.name() {
        let paths = [format!("headers.{name}"), format!("headers.add.{name}")];
        let paths = [paths[0].as_str(), paths[1].as_str()];
        return Author::Step(step, Some(place(&paths, places)));
    }
    Author::Step(step, None)
}

/// Where the first of these settings stands that somebody gave.
fn place<'a>(paths: &[&str], places: &'a BTreeMap<String, String>) -> &'a str {
    let mut found = paths.iter().filter_map(|path| places.get(*path));
    let preset = || places.get("preset").map(String::as_str);
    match found.next() {
        Some(place) => place,
        None => preset().map_or("preset", |place| place),
    }
}

/// What an app's answer showed, in words.
fn shown_leak(word: &str) -> &str {
    match word {
        "trace" => "a stack trace",
        "sql" => "SQL, or what the database said",
        "path" => "a path of this machine",
        "unreadable" => "nothing that could be unpacked",
        other => other,
    }
}

/// The steps, and what was decided on the way.
fn way(told: &Told) -> String {
    if told.trail.is_empty() {
        return "the gateway did not tell how: it was refused before it was read".to_owned();
    }
    let mut text = format!("steps: {}\n", told.trail.join(" → "));
    if let Some(route) = &told.route {
        let _ = write!(text, "route `{route}`");
    }
    if let (Some(origin), Some(took)) = (&told.origin, told.origin_us) {
        let _ = write!(text, ", answered by {origin} within {took} µs");
    }
    if told.resends > 0 {
        let _ = write!(text, ", sent again {} times", told.resends);
    }
    if let Some(reason) = &told.refusal {
        let _ = write!(text, ", refused: {reason}");
    }
    if let Some(leak) = &told.scrubbed {
        let _ = write!(
            text,
            ", whose answer scrub replaced: it showed {}",
            shown_leak(leak)
        );
    }
    let _ = write!(text, "; the client is {}", told.client);
    text
}
