//! Where we listen and what we talk over: TCP or Unix alike.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::AsFd as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use crate::options::Options;

pub(crate) enum Listener {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Listener {
    /// Takes the inherited socket (standard input by now), else binds the port.
    pub(crate) fn open(options: &Options) -> io::Result<Self> {
        if options.listen_fds > 0 {
            let socket = io::stdin().as_fd().try_clone_to_owned()?;
            let unix = UnixListener::from(socket.try_clone()?);
            if unix.local_addr().is_ok() {
                return Ok(Self::Unix(unix));
            }
            return Ok(Self::Tcp(TcpListener::from(socket)));
        }
        let port = options
            .text("port")
            .ok_or_else(|| io::Error::other("nowhere to listen: set PORT or --port"))?;
        let host = options.text("host").unwrap_or("127.0.0.1");
        let port = port
            .parse::<u16>()
            .map_err(|error| io::Error::other(format!("port `{port}`: {error}")))?;
        TcpListener::bind((host, port)).map(Self::Tcp)
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Tcp(listener) => listener
                .local_addr()
                .map_or_else(|error| error.to_string(), |address| address.to_string()),
            Self::Unix(listener) => format!("{:?}", listener.local_addr()),
        }
    }

    pub(crate) fn accept(&self) -> io::Result<Stream> {
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept()?;
                stream.set_nodelay(true)?;
                Ok(Stream::Tcp(stream))
            }
            Self::Unix(listener) => Ok(Stream::Unix(listener.accept()?.0)),
        }
    }
}

pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    pub(crate) fn set_read_timeout(&self, limit: Option<Duration>) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.set_read_timeout(limit),
            Self::Unix(stream) => stream.set_read_timeout(limit),
        }
    }

    pub(crate) fn shutdown_write(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.shutdown(Shutdown::Write),
            Self::Unix(stream) => stream.shutdown(Shutdown::Write),
        }
    }
}

impl Read for &Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => (&*stream).read(buffer),
            Stream::Unix(stream) => (&*stream).read(buffer),
        }
    }
}

impl Write for &Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Tcp(stream) => (&*stream).write(bytes),
            Stream::Unix(stream) => (&*stream).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
