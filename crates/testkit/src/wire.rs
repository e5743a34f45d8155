//! One connection to the program, byte for byte, bounded by time.
//!
//! What may not be here: correcting what a test sends, reading ahead over the end of a message, waiting without
//! an end.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::{Ending, Output, Response, patience};

/// Longest head or chunk line read; more is a broken message.
const LINE_LIMIT: usize = 256 * 1024;

/// A TCP connection.
#[derive(Debug)]
pub struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
    output: Output,
}

/// Why a message could not be read on.
type Broken = String;

impl Wire {
    /// Connects.
    #[track_caller]
    pub(crate) fn connect(address: SocketAddr, output: Output) -> Self {
        let stream = TcpStream::connect_timeout(&address, patience()).unwrap_or_else(|error| {
            panic!("cannot connect to {address}: {error}\n{}", output.text())
        });
        stream
            .set_read_timeout(Some(patience()))
            .expect("patience is not zero");
        stream
            .set_write_timeout(Some(patience()))
            .expect("patience is not zero");
        stream
            .set_nodelay(true)
            .expect("a connected socket takes options");
        Self {
            stream,
            unread: Vec::new(),
            output,
        }
    }

    /// Our own end, as the program sees it.
    #[must_use]
    #[track_caller]
    pub fn local_address(&self) -> SocketAddr {
        self.stream
            .local_addr()
            .expect("a connected socket has an address")
    }

    /// Sends bytes; what the program thinks of them shows in its answer, so a closed connection is no failure.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.stream.write_all(bytes.as_ref());
        self
    }

    /// Says that nothing more will be sent, and stays to listen.
    pub fn half_close(&mut self) -> &mut Self {
        let _ = self.stream.shutdown(Shutdown::Write);
        self
    }

    /// Reads one response to a request that was not HEAD.
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.read_response(Body::Expected)
    }

    /// Reads one response to a HEAD request.
    #[track_caller]
    pub fn response_to_head(&mut self) -> Response {
        self.read_response(Body::None)
    }

    /// Reads until the bytes read end with `marker`, and returns them.
    #[track_caller]
    pub fn read_until(&mut self, marker: &str) -> String {
        match self.until(marker.as_bytes()) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(broken) => panic!("waited for `{marker}`: {broken}\n{}", self.output.text()),
        }
    }

    /// Reads exactly that many bytes.
    #[track_caller]
    pub fn read_exactly(&mut self, count: usize) -> Vec<u8> {
        self.take(count).unwrap_or_else(|(_, broken)| {
            panic!("waited for {count} bytes: {broken}\n{}", self.output.text())
        })
    }

    /// Reads all there is until the program closes the connection.
    #[track_caller]
    pub fn read_to_end(&mut self) -> Vec<u8> {
        loop {
            match self.more() {
                Ok(0) => return std::mem::take(&mut self.unread),
                Ok(_) => {}
                Err(broken) => panic!(
                    "waited for the end of the connection: {broken}\n{}",
                    self.output.text()
                ),
            }
        }
    }

    /// Whether the program has closed the connection, in order or by reset; waits for it with patience.
    #[must_use]
    pub fn is_closed_eventually(&mut self) -> bool {
        self.unread.is_empty()
            && !matches!(self.more(), Err(broken) if broken == NOTHING)
            && self.unread.is_empty()
    }

    /// Whether the connection stays open and silent for this long.
    #[must_use]
    #[track_caller]
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        self.stream
            .set_read_timeout(Some(time))
            .expect("the time is not zero");
        let silent =
            self.unread.is_empty() && matches!(self.more(), Err(broken) if broken == NOTHING);
        self.stream
            .set_read_timeout(Some(patience()))
            .expect("patience is not zero");
        silent
    }

    #[track_caller]
    fn read_response(&mut self, body: Body) -> Response {
        let head = match self.until(b"\r\n\r\n") {
            Ok(head) => String::from_utf8_lossy(&head[..head.len() - 4]).into_owned(),
            Err(broken) => panic!("waited for a response: {broken}\n{}", self.output.text()),
        };
        let mut response = Response {
            head,
            body: Vec::new(),
            trailers: Vec::new(),
            ending: Ending::Complete,
            context: self.output.text(),
        };
        let bodyless = body == Body::None || matches!(response.status(), 100..=199 | 204 | 304);
        if bodyless {
            return response;
        }
        response.ending = match framing(&response) {
            Ok(Framing::Length(length)) => self.read_length(length, &mut response),
            Ok(Framing::Chunked) => self
                .read_chunks(&mut response)
                .map_or_else(Ending::Broken, |()| Ending::Complete),
            Ok(Framing::Close) => self.read_rest(&mut response),
            Err(broken) => Ending::Broken(broken),
        };
        response
    }

    fn read_length(&mut self, length: usize, response: &mut Response) -> Ending {
        match self.take(length) {
            Ok(body) => {
                response.body = body;
                Ending::Complete
            }
            Err((part, broken)) => {
                response.body = part;
                Ending::Broken(format!(
                    "{length} bytes announced, {}: {broken}",
                    response.body.len()
                ))
            }
        }
    }

    fn read_rest(&mut self, response: &mut Response) -> Ending {
        let ending = loop {
            match self.more() {
                Ok(0) => break Ending::Closed,
                Ok(_) => {}
                Err(broken) => break Ending::Broken(broken),
            }
        };
        response.body = std::mem::take(&mut self.unread);
        ending
    }

    fn read_chunks(&mut self, response: &mut Response) -> Result<(), Broken> {
        loop {
            let line = self.until(b"\r\n")?;
            let line = String::from_utf8_lossy(&line[..line.len() - 2]).into_owned();
            let digits = line.split(';').next().unwrap_or_default();
            let size = usize::from_str_radix(digits, 16)
                .map_err(|_| format!("`{line}` is no chunk size"))?;
            if size == 0 {
                return self.read_trailers(response);
            }
            let data = self.take(size).map_err(|(part, broken)| {
                response.body.extend(part);
                broken
            })?;
            response.body.extend(data);
            if self.take(2).map_err(|(_, broken)| broken)? != b"\r\n" {
                return Err("a chunk does not end with CR LF".to_owned());
            }
        }
    }

    fn read_trailers(&mut self, response: &mut Response) -> Result<(), Broken> {
        loop {
            let line = self.until(b"\r\n")?;
            let line = String::from_utf8_lossy(&line[..line.len() - 2]).into_owned();
            if line.is_empty() {
                return Ok(());
            }
            let (name, value) = line
                .split_once(':')
                .ok_or_else(|| format!("`{line}` is no trailer"))?;
            response
                .trailers
                .push((name.to_owned(), value.trim().to_owned()));
        }
    }

    fn until(&mut self, marker: &[u8]) -> Result<Vec<u8>, Broken> {
        let mut searched = 0;
        loop {
            let found = self.unread[searched..]
                .windows(marker.len())
                .position(|window| window == marker);
            if let Some(position) = found {
                return Ok(self
                    .unread
                    .drain(..searched + position + marker.len())
                    .collect());
            }
            if self.unread.len() > LINE_LIMIT {
                return Err(format!("{LINE_LIMIT} bytes without an end"));
            }
            searched = (self.unread.len() + 1).saturating_sub(marker.len());
            if self.more()? == 0 {
                return Err(self.closed());
            }
        }
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, (Vec<u8>, Broken)> {
        while self.unread.len() < count {
            match self.more() {
                Ok(0) => {
                    let broken = self.closed();
                    return Err((std::mem::take(&mut self.unread), broken));
                }
                Ok(_) => {}
                Err(broken) => return Err((std::mem::take(&mut self.unread), broken)),
            }
        }
        Ok(self.unread.drain(..count).collect())
    }

    fn closed(&self) -> Broken {
        let mut said = "the connection was closed".to_owned();
        if !self.unread.is_empty() {
            let _ = write!(
                said,
                " after `{}`",
                String::from_utf8_lossy(&self.unread[..self.unread.len().min(500)])
            );
        }
        said
    }

    fn more(&mut self) -> Result<usize, Broken> {
        let mut block = [0; 64 * 1024];
        match self.stream.read(&mut block) {
            Ok(count) => {
                self.unread.extend_from_slice(&block[..count]);
                Ok(count)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(NOTHING.to_owned())
            }
            Err(error) => Err(error.to_string()),
        }
    }
}

/// Said when time ran out with nothing to read.
const NOTHING: &str = "nothing came";

#[derive(PartialEq, Eq)]
enum Body {
    Expected,
    None,
}

enum Framing {
    Length(usize),
    Chunked,
    Close,
}

fn framing(response: &Response) -> Result<Framing, Broken> {
    match (
        response.header("transfer-encoding"),
        response.header("content-length"),
    ) {
        (Some(_), Some(_)) => Err("Content-Length beside Transfer-Encoding".to_owned()),
        (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        (Some(coding), None) => Err(format!("`{coding}` is no coding we know")),
        (None, Some(length)) => length
            .parse()
            .map(Framing::Length)
            .map_err(|_| format!("`{length}` is no length")),
        (None, None) => Ok(Framing::Close),
    }
}
