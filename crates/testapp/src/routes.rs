//! The paths: first the decent ones, then everything an app can do wrong.

use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::thread;
use std::time::Duration;

use crate::answer::{Then, chunk, json, quoted, text, whole};
use crate::bodies;
use crate::misbehave::crash;
use crate::options::Options;
use crate::request::{Body, Request};
use crate::socket::Stream;

/// Every path: its query, what it does. The help is made of it.
pub(crate) const TABLE: [(&str, &str, &str); 28] = [
    ("/", "", "who answers, as JSON"),
    ("/headers", "", "the request's head as JSON"),
    ("/echo", "", "the request's body back, framed as it came"),
    ("/upload", "", "reads the body, answers its number of bytes"),
    (
        "/status",
        "?code=N",
        "an empty-handed answer with that status",
    ),
    ("/slow", "?ms=N", "answers after a while"),
    (
        "/stream",
        "?bytes=N[&chunked][&ms=N]",
        "a body of that size, with a pause per 64 KiB",
    ),
    ("/sse", "?count=N[&ms=N]", "server-sent events"),
    ("/ws", "", "101 to an upgrade, then every byte back"),
    ("/103", "", "early hints, then the answer"),
    ("/trailers", "", "a chunked body with trailer fields"),
    ("/until-close", "", "a body that ends with the connection"),
    (
        "/keep-alive",
        "?timeout=N",
        "names that idle time in Keep-Alive",
    ),
    (
        "/log",
        "?lines=N[&bytes=N]",
        "writes lines to standard output",
    ),
    (
        "/half-close",
        "",
        "answers, closes its sending side, keeps reading",
    ),
    (
        "/early",
        "[?keep]",
        "answers before reading the body, then closes (or reads it)",
    ),
    ("/hang", "", "never answers"),
    ("/crash", "", "ends the process without an answer"),
    (
        "/half",
        "[?chunked][&die]",
        "half a body, then closes (or the process dies)",
    ),
    ("/close", "", "closes without an answer"),
    ("/garbage", "", "bytes that are not HTTP"),
    ("/double-length", "", "two different Content-Length fields"),
    (
        "/length-and-chunked",
        "",
        "Content-Length beside Transfer-Encoding",
    ),
    ("/huge-head", "[?bytes=N]", "a head of that size (1 MiB)"),
    (
        "/interim-storm",
        "[?count=N]",
        "so many 102 before the answer (1000)",
    ),
    ("/unasked-101", "", "switches protocols without being asked"),
    (
        "/more-than-length",
        "",
        "more body than Content-Length says",
    ),
    ("/twice", "", "a second answer that nobody asked for"),
];

pub(crate) struct Call<'c, 'r, 'a> {
    pub(crate) request: &'c Request,
    pub(crate) body: Body<'r, 'a>,
    pub(crate) stream: &'c Stream,
    pub(crate) options: &'c Options,
    /// Which request of this process it is, from 1.
    pub(crate) number: u64,
}

pub(crate) fn answer(call: &mut Call<'_, '_, '_>) -> io::Result<Then> {
    let (stream, request) = (call.stream, call.request);
    match request.path() {
        "/" => json(stream, request, &who(call)),
        "/headers" => json(stream, request, &head(request)),
        "/echo" => bodies::echo(call),
        "/upload" => bodies::upload(call),
        "/status" => {
            let code = request.number("code").unwrap_or(200);
            whole(stream, request, &format!("{code} Asked"), "text/plain", b"")
        }
        "/slow" => {
            pause(request, 1000);
            text(stream, request, "slow\n")
        }
        "/stream" => bodies::stream(stream, request),
        "/sse" => bodies::events(stream, request),
        "/ws" => bodies::tunnel(call),
        "/103" => {
            let mut stream = stream;
            stream.write_all(b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n")?;
            text(call.stream, request, "hinted\n")
        }
        "/keep-alive" => {
            let timeout = request.number("timeout").unwrap_or(5);
            raw(
                stream,
                &format!(
                    "HTTP/1.1 200 OK\r\nKeep-Alive: timeout={timeout}\r\nContent-Length: 2\r\n\r\nok"
                ),
                Then::Keep,
            )
        }
        "/log" => log(stream, request),
        "/half-close" => {
            text(stream, request, "half-closed\n")?;
            stream.shutdown_write()?;
            io::copy(&mut &*stream, &mut io::sink())?;
            Ok(Then::Close)
        }
        "/early" => {
            text(stream, request, "early\n")?;
            let keep = request.parameter("keep").is_some();
            Ok(if keep { Then::Keep } else { Then::Close })
        }
        other => wrong(call, other),
    }
}

/// Answers no client should have to see.
fn wrong(call: &mut Call<'_, '_, '_>, path: &str) -> io::Result<Then> {
    let (stream, request) = (call.stream, call.request);
    let say = |bytes: &str| raw(stream, bytes, Then::Close);
    match path {
        "/hang" => loop {
            thread::park();
        },
        "/crash" => crash(),
        "/close" => Ok(Then::Close),
        "/half" => half(stream, request),
        "/trailers" => say(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\nConnection: close\r\n\r\n\
             5\r\nhello\r\n0\r\nX-Sum: 42\r\n\r\n",
        ),
        "/until-close" => say("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil close\n"),
        "/garbage" => say("\u{1}\u{2} this is not HTTP at all\r\n\r\n"),
        "/double-length" => {
            say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!")
        }
        "/length-and-chunked" => say(
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        ),
        "/huge-head" => {
            let size = usize::try_from(request.number("bytes").unwrap_or(1 << 20)).unwrap_or(0);
            say(&format!(
                "HTTP/1.1 200 OK\r\nX-Huge: {}\r\nContent-Length: 0\r\n\r\n",
                "x".repeat(size)
            ))
        }
        "/interim-storm" => {
            let mut stream = stream;
            for _ in 0..request.number("count").unwrap_or(1000) {
                stream.write_all(b"HTTP/1.1 102 Processing\r\n\r\n")?;
            }
            text(call.stream, request, "after the storm\n")
        }
        "/unasked-101" => say(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: surprise\r\n\r\nhello",
        ),
        "/more-than-length" => say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello, and more"),
        "/twice" => raw(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfirstHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond",
            Then::Keep,
        ),
        _ => whole(
            stream,
            request,
            "404 Not Found",
            "text/plain",
            b"no such path; see --help\n",
        ),
    }
}

fn raw(mut stream: &Stream, bytes: &str, then: Then) -> io::Result<Then> {
    stream.write_all(bytes.as_bytes())?;
    Ok(then)
}

pub(crate) fn pause(request: &Request, default: u64) {
    let time = request.number("ms").unwrap_or(default);
    thread::sleep(Duration::from_millis(time));
}

fn who(call: &Call<'_, '_, '_>) -> String {
    format!(
        "{{\"name\":{},\"pid\":{},\"request\":{},\"method\":{},\"target\":{}}}\n",
        quoted(call.options.text("name").unwrap_or("testapp")),
        std::process::id(),
        call.number,
        quoted(&call.request.method),
        quoted(&call.request.target),
    )
}

fn head(request: &Request) -> String {
    let mut fields = String::new();
    for (name, value) in &request.fields {
        let comma = if fields.is_empty() { "" } else { "," };
        let _ = write!(fields, "{comma}[{},{}]", quoted(name), quoted(value));
    }
    format!(
        "{{\"method\":{},\"target\":{},\"version\":{},\"headers\":[{fields}]}}\n",
        quoted(&request.method),
        quoted(&request.target),
        quoted(&request.version),
    )
}

fn log(stream: &Stream, request: &Request) -> io::Result<Then> {
    let bytes = usize::try_from(request.number("bytes").unwrap_or(20)).unwrap_or(0);
    for number in 0..request.number("lines").unwrap_or(1) {
        writeln!(io::stdout(), "log {number} {}", "-".repeat(bytes))?;
    }
    text(stream, request, "logged\n")
}

fn half(mut stream: &Stream, request: &Request) -> io::Result<Then> {
    if request.parameter("chunked").is_some() {
        stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        chunk(stream, &[b'h'; 500])?;
    } else {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")?;
        stream.write_all(&[b'h'; 500])?;
    }
    if request.parameter("die").is_some() {
        crash();
    }
    Ok(Then::Close)
}
