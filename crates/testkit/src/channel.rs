//! What a scripted server reads from and writes to: a connection, in the clear or over TLS.
//!
//! What may not be here: a word of what is said over it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// The server's side of a connection.
#[derive(Debug)]
pub(crate) enum Channel {
    Plain(TcpStream),
    Encrypted(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Channel {
    /// Over TLS where there is something to show. The handshake takes place when it is read from.
    pub(crate) fn new(stream: TcpStream, config: Option<Arc<ServerConfig>>) -> Self {
        match config {
            None => Self::Plain(stream),
            Some(config) => {
                let session = ServerConnection::new(config).expect("the configuration is whole");
                Self::Encrypted(Box::new(StreamOwned::new(session, stream)))
            }
        }
    }

    /// Ends both directions, in order.
    pub(crate) fn close(&mut self) {
        let stream = match self {
            Self::Plain(stream) => stream,
            Self::Encrypted(stream) => {
                stream.conn.send_close_notify();
                let _ = stream.flush();
                &mut stream.sock
            }
        };
        let _ = stream.shutdown(Shutdown::Both);
    }
}

impl Read for Channel {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.read(buffer),
            Self::Encrypted(stream) => stream.read(buffer),
        }
    }
}

impl Write for Channel {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(stream) => stream.write(bytes),
            Self::Encrypted(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(stream) => stream.flush(),
            Self::Encrypted(stream) => stream.flush(),
        }
    }
}
