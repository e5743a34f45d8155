//! Asking a worker by HTTP whether it is ready. One request, one status; decides nothing about lives.

use mainstay_supervisor::events::Endpoint;
use mainstay_supervisor::{Probed, Prober};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpStream, UnixStream};

/// What workers are asked by.
const HOST: &str = "localhost";
/// `HTTP/1.1 200`.
const STATUS_LINE: usize = 12;

/// Asks as the supervisor wants it: a status below 500 is well.
pub(crate) fn prober() -> Prober {
    Prober::new(|endpoint, path| async move {
        match ask(&endpoint, &path).await {
            Ok(Some(..500)) => Probed::Well,
            Ok(_) => Probed::Unwell,
            Err(_) => Probed::Silent,
        }
    })
}

async fn ask(endpoint: &Endpoint, path: &str) -> io::Result<Option<u16>> {
    match endpoint {
        Endpoint::Unix(socket) => status(UnixStream::connect(socket).await?, HOST, path).await,
        Endpoint::Tcp(address) => status(TcpStream::connect(address).await?, HOST, path).await,
    }
}

/// The status of the answer; the rest of it is nobody's. None: it is no HTTP.
pub(super) async fn status(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    host: &str,
    path: &str,
) -> io::Result<Option<u16>> {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: mainstay\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    let mut start = [0; STATUS_LINE];
    stream.read_exact(&mut start).await?;
    let text = std::str::from_utf8(&start).unwrap_or_default();
    let (version, status) = text.split_once(' ').unwrap_or_default();
    Ok(status
        .parse()
        .ok()
        .filter(|_| matches!(version, "HTTP/1.1" | "HTTP/1.0")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_status_is_read_and_garbage_is_not() {
        let cases = [
            ("HTTP/1.1 200 OK\r\n\r\n", Some(200)),
            ("HTTP/1.0 503 Service Unavailable\r\n", Some(503)),
            ("SSH-2.0-OpenSSH_9.6\r\n", None),
            ("HTTP/9.9 200 OK\r\n", None),
            ("HTTP/1.1 2x0 OK\r\n", None),
            ("HTTP", None),
        ];
        for (answer, expected) in cases {
            let (ours, mut theirs) = tokio::io::duplex(1024);
            let server = async move {
                theirs.write_all(answer.as_bytes()).await.unwrap();
                theirs.shutdown().await.unwrap();
                let mut request = vec![0; 4];
                theirs.read_exact(&mut request).await.unwrap();
                request
            };
            let (found, request) = tokio::join!(status(ours, HOST, "/ready"), server);
            assert_eq!(found.ok().flatten(), expected, "{answer}");
            assert_eq!(request, b"GET ");
        }
    }
}
