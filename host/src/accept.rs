//! Connections as listeners bring them.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::Semaphore, time::sleep};

/// The pause when the system cannot accept, most likely because it is out of file descriptors.
const PAUSE: Duration = Duration::from_millis(100);

/// Listens where `option` says.
pub(crate) async fn listen(address: SocketAddr, option: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        anyhow::anyhow!(
            "cannot listen on {address}: {error}\nhint: stop what uses it, or choose another address with {option}"
        )
    })
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn names_a_port_in_use() {
        let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = taken.local_addr().unwrap();
        let refused = listen(address, "--listen").await.unwrap_err().to_string();
        assert!(
            refused.contains(&address.to_string()) && refused.contains("--listen"),
            "{refused}"
        );
    }
}
