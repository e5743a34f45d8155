//! Reads one request: head, then the body as a reader. Lenient: what stands in front is the thing under test.

use std::io::{self, BufRead, Read};

use crate::socket::Stream;

/// The longest head we read.
const LONGEST_HEAD: usize = 256 * 1024;

pub(crate) type Reader<'a> = io::BufReader<&'a Stream>;

#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) target: String,
    pub(crate) version: String,
    pub(crate) fields: Vec<(String, String)>,
}

impl Request {
    /// The next request's head; `None` at a clean end of the connection.
    pub(crate) fn read(reader: &mut Reader<'_>) -> io::Result<Option<Self>> {
        let mut lines = Vec::new();
        let mut size = 0;
        loop {
            let mut line = Vec::new();
            let limit = (LONGEST_HEAD - size) as u64;
            let read = reader.by_ref().take(limit).read_until(b'\n', &mut line)?;
            size += read;
            if read == 0 {
                return if lines.is_empty() {
                    Ok(None)
                } else {
                    Err(io::Error::other("the head was cut off or is too long"))
                };
            }
            let line = String::from_utf8_lossy(&line).trim_end().to_owned();
            if !line.is_empty() {
                lines.push(line);
            } else if !lines.is_empty() {
                break;
            }
        }
        let mut words = lines[0].split(' ').map(str::to_owned);
        let mut word = || words.next().unwrap_or_default();
        Ok(Some(Self {
            method: word(),
            target: word(),
            version: word(),
            fields: lines[1..]
                .iter()
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
        }))
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn path(&self) -> &str {
        self.target
            .split_once('?')
            .map_or(self.target.as_str(), |(path, _)| path)
    }

    /// A parameter of the query, as written; `Some("")` when it has no value.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (key == name).then_some(value)
        })
    }

    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.parameter(name)?.parse().ok()
    }

    pub(crate) fn wants_close(&self) -> bool {
        let connection = self.field("connection").unwrap_or_default();
        let asks = |word: &str| {
            connection
                .split(',')
                .any(|part| part.trim().eq_ignore_ascii_case(word))
        };
        asks("close") || (self.version == "HTTP/1.0" && !asks("keep-alive"))
    }

    pub(crate) fn expects_continue(&self) -> bool {
        self.field("expect")
            .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"))
    }

    pub(crate) fn is_chunked(&self) -> bool {
        self.field("transfer-encoding")
            .is_some_and(|value| value.to_ascii_lowercase().contains("chunked"))
    }

    pub(crate) fn length(&self) -> u64 {
        self.field("content-length")
            .and_then(|value| value.parse().ok())
            .unwrap_or(0)
    }
}

/// The body of a request, without its framing.
pub(crate) struct Body<'r, 'a> {
    reader: &'r mut Reader<'a>,
    left: u64,
    chunked: bool,
    over: bool,
}

impl<'r, 'a> Body<'r, 'a> {
    pub(crate) fn of(request: &Request, reader: &'r mut Reader<'a>) -> Self {
        let chunked = request.is_chunked();
        let left = if chunked { 0 } else { request.length() };
        Self {
            reader,
            left,
            chunked,
            over: !chunked && left == 0,
        }
    }

    /// Everything that still comes on this connection, framing or not.
    pub(crate) fn rest(&mut self) -> &mut Reader<'a> {
        self.reader
    }

    fn line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.reader.by_ref().take(8192).read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn next_chunk(&mut self) -> io::Result<()> {
        let line = self.line()?;
        let size = line.split(';').next().unwrap_or_default();
        self.left = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
        if self.left == 0 {
            while !self.line()?.is_empty() {}
            self.over = true;
        }
        Ok(())
    }
}

impl Read for Body<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.over || buffer.is_empty() {
            return Ok(0);
        }
        if self.left == 0 {
            self.next_chunk()?;
            if self.over {
                return Ok(0);
            }
        }
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buffer.len());
        let read = self.reader.read(&mut buffer[..most])?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= read as u64;
        if self.left == 0 {
            if self.chunked {
                self.line()?;
            } else {
                self.over = true;
            }
        }
        Ok(read)
    }
}
