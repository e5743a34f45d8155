//! The socket for observers: health and metrics, read-only. Makes no text of its own.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use mainstay_proxy::Listener;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::OwnedSemaphorePermit as Place;

use super::metrics::Metrics;
use crate::plain_http;

/// Health and metrics, read-only.
pub(super) async fn serve(socket: Listener, metrics: Arc<Metrics>) {
    const CLIENTS: usize = 64;
    let places = Arc::new(tokio::sync::Semaphore::new(CLIENTS));
    let Ok(door) = Door::open(socket) else {
        return;
    };
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        if door.let_in(&metrics, place).await.is_err() {
            // out of descriptors, most likely: no busy loop until there is one
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

enum Door {
    Tcp(TcpListener),
    Unix(UnixListener),
}

impl Door {
    fn open(socket: Listener) -> io::Result<Self> {
        Ok(match socket {
            Listener::Tcp(socket) => {
                socket.set_nonblocking(true)?;
                Self::Tcp(TcpListener::from_std(socket)?)
            }
            Listener::Unix(socket, _) => {
                socket.set_nonblocking(true)?;
                Self::Unix(UnixListener::from_std(socket)?)
            }
        })
    }

    async fn let_in(&self, metrics: &Arc<Metrics>, place: Place) -> io::Result<()> {
        let metrics = Arc::clone(metrics);
        match self {
            Self::Tcp(listener) => {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(answer(stream, metrics, place));
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                tokio::spawn(answer(stream, metrics, place));
            }
        }
        Ok(())
    }
}

async fn answer(stream: impl AsyncRead + AsyncWrite + Unpin, metrics: Arc<Metrics>, place: Place) {
    plain_http::serve(stream, |call| {
        let metrics = Arc::clone(&metrics);
        async move { metrics.answer(&call).await }
    })
    .await;
    drop(place);
}
