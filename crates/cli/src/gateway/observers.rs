//! The socket for observers: health and metrics, read-only. Makes no text of its own.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use super::metrics::Metrics;
use crate::plain_http;

/// Health and metrics, read-only.
pub(super) async fn serve(socket: TcpListener, metrics: Arc<Metrics>) {
    const CLIENTS: usize = 64;
    let places = Arc::new(tokio::sync::Semaphore::new(CLIENTS));
    let Ok(listener) = socket
        .set_nonblocking(true)
        .and_then(|()| tokio::net::TcpListener::from_std(socket))
    else {
        return;
    };
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = Arc::clone(&metrics);
                tokio::spawn(async move {
                    plain_http::serve(stream, |call| {
                        let metrics = Arc::clone(&metrics);
                        async move { metrics.answer(&call).await }
                    })
                    .await;
                    drop(place);
                });
            }
            // out of descriptors, most likely: no busy loop until there is one
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}
