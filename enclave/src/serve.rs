//! The last step: TLS ends here, and HTTP begins.
//!
//! TLS 1.3 only, without tickets, resumption or early data: each connection proves the key again, and the exporter that
//! evidence is bound to is its own. Every wait has an end and every number a bound, because the host decides who
//! connects and how often; and no client's silence or slowness keeps another waiting.

mod accounts;
mod answer;
mod answering;
mod anthropic;
#[cfg(test)]
mod arbitrary;
mod body;
mod capacity;
mod chat;
mod choice;
mod chunks;
mod completions;
mod conversation;
mod drain;
mod embeddings;
mod error;
mod event;
mod evidence;
mod fields;
mod format;
mod generation;
mod intake;
mod keys;
mod literal;
mod logprobs;
mod messages;
mod misshapen;
mod models;
mod object;
mod offers;
mod ohttp;
mod pad;
mod part;
mod pay;
mod places;
mod question;
mod receipt;
mod receipted;
mod refusal;
mod renamed;
mod render;
mod request;
mod rerank;
mod responses;
mod routes;
mod sampling;
mod scan;
mod schema;
mod seats;
mod service;
mod shape;
mod single;
mod sse;
mod stops;
mod tenant;
mod tools;
mod transcriptions;
mod translated;

use std::{convert::Infallible, sync::Arc, time::Duration};

use chrysalis_wire::api;
use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::{ServerConfig, server::NoServerSessionStorage, version::TLS13};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;

use crate::{
    attest::{self, Attested, Desk},
    epoch::Epochs,
    failure::Failure,
    load,
    renewal::Renewal,
    tls,
    transport::{AnyStream, Listener, Pace},
    unseal,
};
use conversation::Conversation;
pub(crate) use conversation::Rate;
use offers::Offering;
use pad::Padder;
use pay::Till;
use places::{Displaced, Place, Places};
use service::Service;

/// What all clients together may have, and how long each may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// TLS handshakes at once; one more ends the oldest.
    pub(crate) handshakes: usize,
    /// Connections at once after the handshake; one more ends the one that has been idle longest, or is closed itself if all
    /// are being answered.
    pub(crate) connections: usize,
    /// How long a TLS handshake may take.
    pub(crate) handshake: Duration,
    /// How long the headers of a request may take, counted from the end of the previous request: an idle connection ends.
    pub(crate) header: Duration,
    /// How slowly an answer may be read.
    pub(crate) pace: Pace,
    /// How often one connection may ask for evidence.
    pub(crate) evidence: Rate,
    /// How many requests for evidence there may be at once.
    pub(crate) desk: attest::Bounds,
    /// How long an epoch lasts, if not as long as the configuration says.
    pub(crate) epoch: Option<Duration>,
    /// The same of an epoch of prices.
    pub(crate) price_epoch: Option<Duration>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            handshakes: 64,
            connections: 192,
            handshake: Duration::from_secs(5),
            header: api::IDLE,
            pace: Pace::USUAL,
            evidence: Rate {
                burst: 8,
                every: Duration::from_secs(5),
            },
            desk: attest::Bounds::default(),
            epoch: None,
            price_epoch: None,
        }
    }
}

/// The most headers of a request, and bytes of its line and headers together, that are read: more than [`routes`] answers, so
/// that a client gets to read why.
const MAX_HEADERS: usize = 2 * api::MAX_HEADERS;
const MAX_HEAD: usize = 2 * api::MAX_HEAD;
/// How long answers in progress may take once the provider wants the machine back.
const FAREWELL: Duration = Duration::from_secs(5);
/// The pause after a client could not be accepted, so that a fault does not spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

impl Attested {
    /// Serves until the provider wants the machine back.
    pub(crate) async fn serve(self) -> Result<(), Failure> {
        let usual = Bounds::default();
        let connections = capacity::connections(usual.handshakes);
        self.serve_within(Bounds {
            connections,
            ..usual
        })
        .await
    }

    /// The same, within these bounds.
    pub(crate) async fn serve_within(self, bounds: Bounds) -> Result<(), Failure> {
        let ground = self.ground;
        let attester = Arc::new(self.attester);
        let acceptor = acceptor(attester.epochs().clone())?;
        let listener = ground.host.listen().map_err(Failure::Listen)?;
        let attested_at = attester.attested_at();
        let length = self.measured.configuration.epoch.length();
        let length = bounds.epoch.unwrap_or(length);
        let keys = unseal::Renewed::new(&ground, &self.measured, self.disks);
        let renewal = Renewal::new(
            &ground,
            self.engines.clone(),
            attester.clone(),
            length,
            keys,
        );
        let trust = ground.trust.clone();
        let desk = Desk::open(attester.clone(), bounds.desk);
        let configuration = &self.measured.configuration;
        let till = Till::open(
            configuration,
            &self.engines,
            &ground.host,
            bounds.price_epoch,
        )
        .await?;
        let service = Service::new(
            self.measured,
            self.engines.clone(),
            attester.clone(),
            desk,
            till.clone(),
            trust,
        )?;
        let issuer = service.issuer.clone();
        let accounts = accounts::keep(till.clone(), issuer.clone(), ground.host.clone());
        let offering = Offering {
            platform: ground.platform.short_name(),
            engines: self.engines.clone(),
            attester: attester.clone(),
            issuer: issuer.clone(),
            till,
            host: ground.host.clone(),
        };
        let door = Arc::new(Door {
            bounds,
            acceptor,
            service,
        });
        ground.progress.serving().await;

        let places = Places::new(bounds.handshakes, bounds.connections);
        let drain = door.service.drain.clone();
        let (closing, closed) = watch::channel(());
        let mut connections = JoinSet::new();
        let outcome = tokio::select! {
            () = accept_all(&listener, &door, &places, &closed, &mut connections) => Ok(()),
            () = ground.host.shutdown_wanted() => Ok(()),
            () = drain.is_over(&ground.host, &places) => Ok(()),
            () = load::report(&ground.progress, &self.engines, attested_at) => Ok(()),
            () = accounts => Ok(()),
            () = offering.keep() => Ok(()),
            failure = renewal.until_trust_ends() => Err(failure),
        };
        drop(listener);
        let outcome = outcome.map_err(|failure| {
            // First of all: whatever goes wrong after this, nobody signs with these keys any more.
            attester.wipe();
            ground.trust.end(failure.reason());
            Failure::TrustEnded(Box::new(failure))
        });
        tracing::info!("shutting down");
        drop(closing);
        // A client that is still streaming after this is cut off; the missing end of the stream shows it.
        let _ = timeout(FAREWELL, async {
            while connections.join_next().await.is_some() {}
        })
        .await;
        // What they hold goes before the host is told of the end.
        connections.shutdown().await;
        // What is owed by then outlives the key that signed it.
        if let Ok(Err(error)) = timeout(FAREWELL, accounts::settle(&issuer, &ground.host)).await {
            tracing::warn!(code = error.code(), "the host did not note what is owed");
        }
        outcome
    }
}

fn acceptor(epochs: Epochs) -> Result<TlsAcceptor, Failure> {
    let mut config = ServerConfig::builder_with_provider(Arc::new(tls::provider()))
        .with_protocol_versions(&[&TLS13])
        .map_err(|error| Failure::Keys(error.to_string()))?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(epochs));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.max_early_data_size = 0;
    config.alpn_protocols = vec![api::ALPN.to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

/// What all connections share.
struct Door {
    bounds: Bounds,
    acceptor: TlsAcceptor,
    service: Service,
}

async fn accept_all(
    listener: &Listener,
    door: &Arc<Door>,
    places: &Arc<Places>,
    closed: &watch::Receiver<()>,
    connections: &mut JoinSet<()>,
) {
    loop {
        while connections.try_join_next().is_some() {}
        let stream = match listener.accept(door.bounds.pace).await {
            Ok(stream) => stream,
            Err(error) => {
                tracing::warn!(%error, "a client could not be accepted");
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let (place, displaced) = places.enter();
        let connection = door.clone().serve(stream, place, closed.clone());
        connections.spawn(until_displaced(connection, displaced));
    }
}

/// A connection, until its place is given to another.
async fn until_displaced(connection: impl Future<Output = ()>, displaced: Displaced) {
    tokio::select! {
        () = connection => {}
        _ = displaced => {}
    }
}

impl Door {
    /// One client, from handshake to goodbye. How it ended concerns only the client: nothing is logged.
    async fn serve(
        self: Arc<Self>,
        stream: AnyStream,
        place: Place,
        mut closed: watch::Receiver<()>,
    ) {
        let handshake = timeout(self.bounds.handshake, self.acceptor.accept(stream));
        let Ok(Ok(stream)) = handshake.await else {
            return;
        };
        let Some(exporter) = tls::exporter(stream.get_ref().1) else {
            return;
        };
        if !place.greeted() {
            return;
        }
        let header_patience = self.bounds.header;
        let conversation = Conversation::new(exporter, place, self.bounds.evidence);
        let answer = service_fn(move |request| {
            let (door, conversation) = (self.clone(), conversation.clone());
            async move {
                let padding = door.service.serving().padding;
                let padder = Padder::new(padding, request.method());
                let answer = routes::answer(&door.service, request, &conversation).await;
                let answer = padder.fill(answer).await;
                Ok::<_, Infallible>(answer.map(|body| conversation.until_taken(body)))
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(header_patience)
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
}
