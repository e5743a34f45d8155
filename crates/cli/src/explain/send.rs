//! The request, sent to a running instance, and its answer with who set what. Prints nothing.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

use bytes::BytesMut;
use mainstay_codec::{HeadScan, Limits, ResponseHead, parse_response};
use mainstay_pipeline::{DEBUG_FIELD, Step};

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
    let of_port = |address: &&SocketAddr| Some(address.port()) == asked.port;
    let found = insight.addresses.iter().find(of_port);
    let Some(address) = found.or(insight.addresses.first()) else {
        return Err(Failure::machine(
            "the instance listens nowhere yet; wait until it is ready",
        ));
    };
    exchange(asked, body, insight, reachable(*address))
        .map_err(|error| Failure::machine(format!("no answer from {address}: {error}")))
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
    address: SocketAddr,
) -> io::Result<ResponseHead> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
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
    let told: Option<Told> = head
        .headers
        .get(DEBUG_FIELD)
        .and_then(|told| serde_json::from_slice(told.as_bytes()).ok());
    let told = told.unwrap_or_default();
    let mut text = format!("{}\n", say::strong(&head.status.to_string()));
    for (name, value) in head.headers.iter().filter(|(name, _)| *name != DEBUG_FIELD) {
        let value = String::from_utf8_lossy(value.as_bytes());
        let who = who(name.as_str(), &told, &insight.places);
        let _ = writeln!(text, "  {name}: {value}  {}", say::dim(&format!("# {who}")));
    }
    for (name, step) in &told.removed {
        let place = place(&["headers.remove"], &insight.places);
        let line = format!("  {name} of the app was taken out by {step} ({place})");
        let _ = writeln!(text, "{line}");
    }
    let _ = writeln!(text, "{}", way(&told));
    text
}

/// Whoever set a field last.
fn who(name: &str, told: &Told, places: &BTreeMap<String, String>) -> String {
    let origin = told.origin.as_deref().unwrap_or("app");
    let Some(step) = told.set.get(name) else {
        return "the gateway's connection to you".to_owned();
    };
    if step == Step::Origin.name() {
        return format!("app ({origin})");
    }
    if step == Step::Headers.name() {
        let paths = [format!("headers.{name}"), format!("headers.add.{name}")];
        let paths = [paths[0].as_str(), paths[1].as_str()];
        return format!("{step} ({})", place(&paths, places));
    }
    step.clone()
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
    let _ = write!(text, "; the client is {}", told.client);
    text
}
