//! One end of a connection, byte for byte, bounded by time.
//!
//! What may not be here: reading over the end of a message, correcting what is sent, waiting without an end.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

use mainstay_testkit::patience;
use socket2::{Domain, SockRef, Socket, Type};

use super::message::{Ending, Message, field};

/// How the other end finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// In order.
    Closed,
    /// By a reset.
    Reset,
    /// Not yet.
    Open,
}

/// A connection and what was read of it too early.
#[derive(Debug)]
pub(crate) struct Wire {
    stream: TcpStream,
    unread: Vec<u8>,
}

impl Wire {
    pub(crate) fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a socket takes options");
        let wire = Self {
            stream,
            unread: Vec::new(),
        };
        wire.wait_for(patience());
        wire
    }

    #[track_caller]
    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).expect("somebody listens"))
    }

    /// A client whose kernel takes little for it.
    #[track_caller]
    pub(crate) fn connect_narrow(address: SocketAddr) -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        socket
            .set_recv_buffer_size(4096)
            .expect("a socket takes options");
        socket.connect(&address.into()).expect("somebody listens");
        Self::new(socket.into())
    }

    fn wait_for(&self, time: Duration) {
        self.stream
            .set_read_timeout(Some(time))
            .expect("the time is not zero");
        self.stream
            .set_write_timeout(Some(time))
            .expect("the time is not zero");
    }

    /// The same connection for another thread.
    pub(crate) fn second_hand(&self) -> Self {
        Self {
            stream: self.stream.try_clone().expect("descriptors are left"),
            unread: Vec::new(),
        }
    }

    /// Sends bytes; a connection that is gone shows when it is read.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        let _ = self.stream.write_all(bytes.as_ref());
        self
    }

    /// Sends zeros until nothing has been taken for `lull`, or `most` have been; gives the number that was.
    pub(crate) fn send_until_held(&mut self, piece: &[u8], most: usize, lull: Duration) -> usize {
        self.wait_for(lull);
        let mut taken = 0;
        while taken < most {
            match self.stream.write(piece) {
                Ok(count) => taken += count,
                Err(_) => break,
            }
        }
        self.wait_for(patience());
        taken
    }

    /// Says that nothing more will be sent.
    pub(crate) fn half_close(&mut self) -> &mut Self {
        let _ = self.stream.shutdown(Shutdown::Write);
        self
    }

    /// Closes with a reset.
    pub(crate) fn reset(self) {
        self.reset_on_close();
    }

    /// Makes closing send a reset.
    pub(super) fn reset_on_close(&self) {
        let _ = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Reads once; how many bytes came, or how it ended.
    fn more(&mut self) -> Result<usize, End> {
        let mut block = [0; 16 * 1024];
        match self.stream.read(&mut block) {
            Ok(0) => Err(End::Closed),
            Ok(count) => {
                self.unread.extend_from_slice(&block[..count]);
                Ok(count)
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(End::Open)
            }
            Err(_) => Err(End::Reset),
        }
    }

    fn take_until(&mut self, marker: &[u8]) -> Result<String, End> {
        loop {
            let found = self
                .unread
                .windows(marker.len())
                .position(|window| window == marker);
            if let Some(position) = found {
                let bytes: Vec<u8> = self.unread.drain(..position + marker.len()).collect();
                return Ok(String::from_utf8_lossy(&bytes).into_owned());
            }
            self.more()?;
        }
    }

    fn take(&mut self, count: usize) -> Result<Vec<u8>, End> {
        while self.unread.len() < count {
            self.more()?;
        }
        Ok(self.unread.drain(..count).collect())
    }

    /// A head, up to and with its empty line; none when the other end finished first.
    pub(crate) fn head(&mut self) -> Option<Message> {
        let head = self.take_until(b"\r\n\r\n").ok()?;
        Some(Message::from_head(&head))
    }

    /// That many bytes.
    #[track_caller]
    pub(crate) fn bytes(&mut self, count: usize) -> String {
        let bytes = self.take(count).unwrap_or_else(|end| {
            panic!(
                "waited for {count} bytes, {end:?}: {}",
                String::from_utf8_lossy(&self.unread)
            )
        });
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// A request; none when no whole head comes any more.
    pub(crate) fn request(&mut self) -> Option<Message> {
        let mut message = self.head()?;
        if message.field("transfer-encoding").is_some() || message.field("content-length").is_some()
        {
            self.body(&mut message);
        }
        Some(message)
    }

    /// A final response to a request that was not HEAD.
    #[track_caller]
    pub(crate) fn response(&mut self) -> Message {
        let mut message = self.response_head();
        if !matches!(message.status(), 100..=199 | 204 | 304) {
            self.body(&mut message);
        }
        message
    }

    /// A response's head.
    #[track_caller]
    pub(crate) fn response_head(&mut self) -> Message {
        match self.take_until(b"\r\n\r\n") {
            Ok(head) => Message::from_head(&head),
            Err(end) => panic!(
                "waited for a response, {end:?}: {}",
                String::from_utf8_lossy(&self.unread)
            ),
        }
    }

    fn body(&mut self, message: &mut Message) {
        let length = message
            .field("content-length")
            .map(|length| length.parse().expect("a length is a number"));
        let result = match (message.field("transfer-encoding"), length) {
            (Some(_), Some(_)) => Err("two framings".to_owned()),
            (Some(_), None) => self.chunks(message),
            (None, Some(length)) => self.length(length, message),
            (None, None) => self.until_closed(message),
        };
        if let Err(reason) = result {
            message.ending = Ending::Broken(reason);
        }
    }

    fn length(&mut self, length: usize, message: &mut Message) -> Result<(), String> {
        match self.take(length) {
            Ok(body) => message.body = body,
            Err(end) => {
                message.body = std::mem::take(&mut self.unread);
                return Err(format!("{} of {length}, {end:?}", message.body.len()));
            }
        }
        Ok(())
    }

    fn until_closed(&mut self, message: &mut Message) -> Result<(), String> {
        let end = loop {
            if let Err(end) = self.more() {
                break end;
            }
        };
        message.body = std::mem::take(&mut self.unread);
        message.ending = Ending::Closed;
        if end == End::Closed {
            Ok(())
        } else {
            Err(format!("{end:?}"))
        }
    }

    fn chunks(&mut self, message: &mut Message) -> Result<(), String> {
        let cut = |end: End| format!("chunks, {end:?}");
        loop {
            let line = self.take_until(b"\r\n").map_err(cut)?;
            let size = usize::from_str_radix(line.trim_end(), 16)
                .map_err(|_| format!("{line:?} is no size"))?;
            if size == 0 {
                break;
            }
            message.body.extend(self.take(size).map_err(cut)?);
            let tail = self.take(2).map_err(cut)?;
            if tail != b"\r\n" {
                return Err(format!("{tail:?} behind a chunk"));
            }
        }
        loop {
            let line = self.take_until(b"\r\n").map_err(cut)?;
            if line == "\r\n" {
                return Ok(());
            }
            message.trailers.push(field(line.trim_end()));
        }
    }

    /// All there is until the other end finishes, and how it did.
    pub(crate) fn read_to_end(&mut self) -> (String, End) {
        let (bytes, end) = self.bytes_to_end();
        (String::from_utf8_lossy(&bytes).into_owned(), end)
    }

    /// The same for what is no text.
    pub(crate) fn bytes_to_end(&mut self) -> (Vec<u8>, End) {
        let end = loop {
            if let Err(end) = self.more() {
                break end;
            }
        };
        (std::mem::take(&mut self.unread), end)
    }

    /// How many bytes come until the other end finishes, and how it did; nothing is kept of them.
    pub(crate) fn count_to_end(&mut self) -> (usize, End) {
        let mut count = 0;
        loop {
            count += self.unread.len();
            self.unread.clear();
            if let Err(end) = self.more() {
                return (count, end);
            }
        }
    }

    /// Reads and forgets that many bytes.
    #[track_caller]
    pub(crate) fn skip(&mut self, mut count: usize) {
        while count > self.unread.len() {
            count -= self.unread.len();
            self.unread.clear();
            self.more().expect("the other end has not finished");
        }
        self.unread.drain(..count);
    }

    /// What of the other end is seen within this time.
    #[track_caller]
    pub(crate) fn end_within(&mut self, time: Duration) -> End {
        self.wait_for(time);
        let result = self.more();
        self.wait_for(patience());
        match result {
            Err(end) if self.unread.is_empty() => end,
            _ => panic!(
                "unexpected bytes: {}",
                String::from_utf8_lossy(&self.unread)
            ),
        }
    }

    /// Waits for the other end to finish without another byte.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) -> End {
        let (text, end) = self.read_to_end();
        assert!(
            text.is_empty() && end != End::Open,
            "expected an end, {end:?} and {text:?}"
        );
        end
    }
}
