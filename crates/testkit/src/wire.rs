//! One connection to the program, byte for byte, bounded by time.
//!
//! What may not be here: correcting what a test sends, reading ahead over the end of a message, waiting without
//! an end.

use std::io::Write;
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use crate::message::{Body, NOTHING, Reader};
use crate::{Output, Response, patience};

/// A TCP connection.
#[derive(Debug)]
pub struct Wire {
    reader: Reader,
    output: Output,
}

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
            reader: Reader::new(stream),

            output,
        }
    }

    /// Our own end, as the program sees it.
    #[must_use]
    #[track_caller]
    pub fn local_address(&self) -> SocketAddr {
        self.reader
            .stream
            .local_addr()
            .expect("a connected socket has an address")
    }

    /// Sends bytes; what the program thinks of them shows in its answer, so a closed connection is no failure.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.reader.stream.write_all(bytes.as_ref());
        self
    }

    /// Says that nothing more will be sent, and stays to listen.
    pub fn half_close(&mut self) -> &mut Self {
        let _ = self.reader.stream.shutdown(Shutdown::Write);
        self
    }

    /// Reads one response to a request that was not HEAD.
    #[must_use = "an answer that nobody looks at proves nothing"]
    #[track_caller]
    pub fn response(&mut self) -> Response {
        self.read_response(Body::Expected)
    }

    /// Reads one response to a HEAD request.
    #[must_use = "an answer that nobody looks at proves nothing"]
    #[track_caller]
    pub fn response_to_head(&mut self) -> Response {
        self.read_response(Body::None)
    }

    /// Reads until the bytes read end with `marker`, and returns them.
    #[track_caller]
    pub fn read_until(&mut self, marker: &str) -> String {
        match self.reader.until(marker.as_bytes()) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(broken) => panic!("waited for `{marker}`: {broken}\n{}", self.output.text()),
        }
    }

    /// Reads exactly that many bytes.
    #[track_caller]
    pub fn read_exactly(&mut self, count: usize) -> Vec<u8> {
        self.reader.take(count).unwrap_or_else(|(_, broken)| {
            panic!("waited for {count} bytes: {broken}\n{}", self.output.text())
        })
    }

    /// Reads all there is until the program closes the connection.
    #[track_caller]
    pub fn read_to_end(&mut self) -> Vec<u8> {
        loop {
            match self.reader.more() {
                Ok(0) => return std::mem::take(&mut self.reader.unread),
                Ok(_) => {}
                Err(broken) => panic!(
                    "waited for the end of the connection: {broken}\n{}",
                    self.output.text()
                ),
            }
        }
    }

    /// The same connection for another thread that only sends.
    #[must_use]
    #[track_caller]
    pub fn second_hand(&self) -> Self {
        let stream = self
            .reader
            .stream
            .try_clone()
            .expect("a connection can be held twice");
        Self {
            reader: Reader::new(stream),
            output: self.output.clone(),
        }
    }

    /// Reads to the end of the connection and only counts; for bodies that no memory should hold.
    #[must_use]
    #[track_caller]
    pub fn count_to_end(&mut self) -> u64 {
        let mut count = 0;
        loop {
            count += self.reader.unread.len() as u64;
            self.reader.unread.clear();
            match self.reader.more() {
                Ok(0) => return count,
                Ok(_) => {}
                Err(broken) => panic!("after {count} bytes: {broken}\n{}", self.output.text()),
            }
        }
    }

    /// Whether the program has closed the connection, in order or by reset; waits for it with patience.
    #[must_use]
    pub fn is_closed_eventually(&mut self) -> bool {
        self.reader.unread.is_empty()
            && !matches!(self.reader.more(), Err(broken) if broken == NOTHING)
            && self.reader.unread.is_empty()
    }

    /// Whether the connection stays open and silent for this long.
    #[must_use]
    #[track_caller]
    pub fn is_silent_for(&mut self, time: Duration) -> bool {
        self.reader
            .stream
            .set_read_timeout(Some(time))
            .expect("the time is not zero");
        let silent = self.reader.unread.is_empty()
            && matches!(self.reader.more(), Err(broken) if broken == NOTHING);
        self.reader
            .stream
            .set_read_timeout(Some(patience()))
            .expect("patience is not zero");
        silent
    }
}

impl Wire {
    #[track_caller]
    fn read_response(&mut self, body: Body) -> Response {
        match self.reader.response(body) {
            Ok(mut response) => {
                response.context = self.output.clone();
                response
            }
            Err(broken) => panic!("waited for a response: {broken}\n{}", self.output.text()),
        }
    }
}
