//! Responses read from a stream, strictly, each to its own end and no further.
//!
//! What may not be here: panics over what the program sent; a broken message is a result.

use std::fmt::Write as _;
use std::io::{ErrorKind, Read};
use std::net::TcpStream;

use crate::{Ending, Output, Response};

/// Longest head or chunk line read; more is a broken message.
const LINE_LIMIT: usize = 256 * 1024;

/// Why a message could not be read on.
pub(crate) type Broken = String;

/// A stream and what was read of it too early.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) stream: TcpStream,
    pub(crate) unread: Vec<u8>,
}

impl Reader {
    /// Begins to read a stream.
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            unread: Vec::new(),
        }
    }

    /// Reads one response, to its end.
    pub(crate) fn response(&mut self, body: Body) -> Result<Response, Broken> {
        let head = self.until(b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&head[..head.len() - 4]).into_owned();
        let mut response = Response {
            head,
            body: Vec::new(),
            trailers: Vec::new(),
            ending: Ending::Complete,
            context: Output::default(),
        };
        let bodyless = body == Body::None || matches!(response.status(), 100..=199 | 204 | 304);
        if bodyless {
            return Ok(response);
        }
        response.ending = match framing(&response) {
            Ok(Framing::Length(length)) => self.read_length(length, &mut response),
            Ok(Framing::Chunked) => self
                .read_chunks(&mut response)
                .map_or_else(Ending::Broken, |()| Ending::Complete),
            Ok(Framing::Close) => self.read_rest(&mut response),
            Err(broken) => Ending::Broken(broken),
        };
        Ok(response)
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

    pub(crate) fn until(&mut self, marker: &[u8]) -> Result<Vec<u8>, Broken> {
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

    pub(crate) fn take(&mut self, count: usize) -> Result<Vec<u8>, (Vec<u8>, Broken)> {
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

    pub(crate) fn more(&mut self) -> Result<usize, Broken> {
        let mut block = [0; 16 * 1024];
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
pub(crate) const NOTHING: &str = "nothing came";

/// Whether the request allows a body in the answer.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Body {
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
