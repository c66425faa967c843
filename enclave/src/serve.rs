//! The last step: TLS ends here, and HTTP begins.
//!
//! TLS 1.3 only, without tickets, resumption or early data: each connection proves the key anew, and the exporter that
//! evidence is bound to is its own. Every wait has an end and every number a bound, because the host decides who
//! connects how often.

mod answer;
mod chat;
mod completion;
mod error;
mod routes;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrysalis_attestation::binding::TLS_EXPORTER_LABEL;
use chrysalis_wire::api;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{
    ServerConfig,
    crypto::ring::default_provider,
    server::{NoServerSessionStorage, ServerConnection},
    sign::{CertifiedKey, SingleCertAndKey},
    version::TLS13,
};
use tokio::{
    sync::{Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    attest::Attested,
    failure::Failure,
    transport::{AnyStream, Listener},
};
use routes::Service;

/// Connections at once. One more is closed at once.
const MAX_CONNECTIONS: usize = 256;
/// How long a TLS handshake may take.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// How long the headers of a request may take, counted from the end of the request before: an idle connection ends.
const HEADER_PATIENCE: Duration = api::IDLE;
/// The most headers, and bytes of the line and headers together, that are read of a request: more than [`routes`] answers,
/// so that a client reads why.
const MAX_HEADERS: usize = 2 * api::MAX_HEADERS;
const MAX_HEAD: usize = 2 * api::MAX_HEAD;
/// How long answers under way may take once the provider wants the machine back.
const FAREWELL: Duration = Duration::from_secs(5);
/// The pause after a client could not be accepted, so that a fault does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// One log line for the first connection turned away, and one for each so many after it: the host decides how many.
const TURNED_AWAY_A_LINE: u64 = 100;

impl Attested {
    /// Serves until the provider wants the machine back.
    pub(crate) async fn serve(self) -> Result<(), Failure> {
        let ground = self.ground;
        let acceptor = acceptor(self.certified)?;
        let listener = ground.host.listen().map_err(Failure::Listen)?;
        let service = Arc::new(Service::new(self.measured, self.scheduler, self.attester));
        ground.progress.serving().await;

        let (closing, closed) = watch::channel(());
        let mut connections = JoinSet::new();
        tokio::select! {
            () = accept_all(&listener, &acceptor, &service, &closed, &mut connections) => {}
            () = ground.host.shutdown_wanted() => {}
        }
        tracing::info!("shutting down");
        drop(listener);
        drop(closing);
        // Whoever is still streaming after this is cut off, and told so by the missing end of the stream.
        let _ = timeout(FAREWELL, async {
            while connections.join_next().await.is_some() {}
        })
        .await;
        Ok(())
    }
}

fn acceptor(certified: Arc<CertifiedKey>) -> Result<TlsAcceptor, Failure> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| Failure::Keys(error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

async fn accept_all(
    listener: &Listener,
    acceptor: &TlsAcceptor,
    service: &Arc<Service>,
    closed: &watch::Receiver<()>,
    connections: &mut JoinSet<()>,
) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    let turned_away = AtomicU64::new(0);
    loop {
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept().await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a client could not be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            let before = turned_away.fetch_add(1, Ordering::Relaxed);
            if before.is_multiple_of(TURNED_AWAY_A_LINE) {
                let so_far = before.saturating_add(1);
                tracing::warn!(so_far, limit = MAX_CONNECTIONS, "connections turned away");
            }
            continue;
        };
        let acceptor = acceptor.clone();
        let service = service.clone();
        let closed = closed.clone();
        connections.spawn(async move {
            serve_connection(stream, acceptor, service, closed).await;
            drop(place);
        });
    }
}

/// One client, from handshake to goodbye. How it ended is nobody's business but the client's: nothing is logged.
async fn serve_connection(
    stream: AnyStream,
    acceptor: TlsAcceptor,
    service: Arc<Service>,
    mut closed: watch::Receiver<()>,
) {
    let Ok(Ok(stream)) = timeout(HANDSHAKE_PATIENCE, acceptor.accept(stream)).await else {
        return;
    };
    let Some(exporter) = exporter(stream.get_ref().1) else {
        return;
    };
    let answer = service_fn(move |request| {
        let service = service.clone();
        async move { service.answer(request, exporter).await }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_PATIENCE)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), answer);
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = closed.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// What both ends of this connection know and nobody else: RFC 9266.
fn exporter(connection: &ServerConnection) -> Option<[u8; 32]> {
    connection
        .export_keying_material([0; 32], TLS_EXPORTER_LABEL, None)
        .ok()
}
