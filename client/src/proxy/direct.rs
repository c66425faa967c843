//! The proxy's path for the program that it is part of: verified, renewed and proved in the same way, without a socket on this machine.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use hyper::{Request, Response};

use super::{
    forward::{clean, forward},
    gate::{Gate, Tries},
    stream::LastWords,
};
use crate::{AttestedConnection, Error, RelyingParty, Target};

pub use super::reply::Body;

/// An enclave that this process asks. Clones share its connections and its trust.
///
/// Nothing is sent before the enclave has been verified, on every new connection. Trust ends as it does for [`super::Proxy`]: with a
/// verification that is refused or fails twice, another key, or the verdict's `until`. What is under way then ends in that error.
#[derive(Clone)]
pub struct Direct {
    gate: Arc<Gate>,
}

impl Direct {
    /// Where it answers, and who asks. Nothing is connected yet.
    pub fn new(target: Target, relying_party: RelyingParty) -> Self {
        let gate = Arc::new(Gate::new(vec![target], relying_party, None));
        Self { gate }
    }

    /// Has a verified connection ready for the next request: an idle one, or a new one. `look` is shown what was verified.
    pub async fn ready<T>(&self, look: impl FnOnce(&AttestedConnection) -> T) -> Result<T, Error> {
        let lease = self.gate.lend(&mut Tries::default()).await?;
        let seen = look(&lease.connection);
        self.gate.give_back(lease);
        Ok(seen)
    }

    /// Sends a request and passes its answer on: a stream of events as it comes, anything else once it has come whole, and either with
    /// the receipt that the enclave owes for it checked. The body ends in an error if it is not the whole answer. Dropping it closes its
    /// connection, and the enclave stops generating.
    ///
    /// As with the proxy, credentials, cookies and where the program asks from stay on this machine.
    pub async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Body>, Error> {
        clean(request.headers_mut());
        // On the heap: whoever waits for this need not be as large.
        Box::pin(forward(Arc::clone(&self.gate), request, LastWords::None)).await
    }

    /// Verifies the enclave again after each `interval`, and earlier where its verdict or its epoch ends earlier, for as long as this is polled.
    pub async fn renew(&self, interval: Duration) {
        self.gate.renew_for_ever(interval).await;
    }
}
