//! Connections as listeners bring them.

use std::{io, sync::Arc, time::Duration};

use tokio::{sync::Semaphore, time::sleep};

/// The pause when the system cannot accept, most likely because it is out of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// The next connection.
pub(crate) async fn next<C, A: Future<Output = io::Result<C>>>(accept: impl Fn() -> A) -> C {
    loop {
        match accept().await {
            Ok(connection) => return connection,
            Err(_) => sleep(PAUSE).await,
        }
    }
}

/// Serves for as long as it is polled, so many connections at once; one more waits. What one of them does touches no other.
pub(crate) async fn serve<C, A, S>(limit: usize, accept: impl Fn() -> A, serve: impl Fn(C) -> S)
where
    A: Future<Output = io::Result<C>>,
    S: Future<Output = ()> + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limit));
    // The semaphore is never closed, so this never ends.
    while let Ok(place) = Arc::clone(&places).acquire_owned().await {
        let connection = next(&accept).await;
        let served = serve(connection);
        tokio::spawn(async move {
            let _place = place;
            served.await;
        });
    }
}
