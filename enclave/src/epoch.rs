//! The current epoch: what the enclave says of itself since it last asked everything that vouches for it, and the evidence of that.
//! It is one value, which is replaced whole: whoever looks twice may see two epochs, but never a part of each.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use chrysalis_attestation::evidence::claims::Claims;
use rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::sync::watch;

/// What holds until the next epoch begins.
pub(crate) struct Epoch {
    /// What the enclave says of itself; with the epoch's number, which is 0 at boot.
    pub(crate) claims: Claims,
    /// The same encoded: these bytes are bound.
    pub(crate) encoded: Vec<u8>,
    /// The key of TLS, with a certificate that carries the epoch's evidence.
    pub(crate) certified: Arc<CertifiedKey>,
    /// The same evidence with everything that others have signed: about no client's nonce, as in the certificate.
    pub(crate) bundle: Bytes,
}

/// The current epoch, for all who serve.
#[derive(Clone)]
pub(crate) struct Epochs(Arc<watch::Sender<Arc<Epoch>>>);

impl Epochs {
    /// Begins with the first.
    pub(crate) fn begin(first: Epoch) -> Self {
        Self(Arc::new(watch::Sender::new(Arc::new(first))))
    }

    /// The current one.
    pub(crate) fn current(&self) -> Arc<Epoch> {
        self.0.borrow().clone()
    }

    /// The current one and those that come after it.
    pub(crate) fn follow(&self) -> watch::Receiver<Arc<Epoch>> {
        self.0.subscribe()
    }

    /// Begins the next. Connections that are open go on.
    pub(crate) fn turn(&self, next: Epoch) {
        self.0.send_replace(Arc::new(next));
    }
}

/// Each new connection gets the certificate of the epoch in which it begins.
impl ResolvesServerCert for Epochs {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current().certified.clone())
    }
}

impl fmt::Debug for Epochs {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_tuple("Epochs")
            .field(&self.current().claims.epoch)
            .finish()
    }
}
