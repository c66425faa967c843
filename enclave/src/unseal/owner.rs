//! Whoever has the keys, and how they are asked.

use std::{sync::Arc, time::Duration};

use chrysalis_attestation::evidence::binding::Session;
use chrysalis_wire::{
    frame::{read_async, write_async},
    keys::{Challenge, Request},
};
use rustls_pki_types::ServerName;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;

use super::{
    error::KeysError,
    tls,
    wanted::{Given, Wanted},
};
use crate::{configuration::Measured, failure::Failure, host::Host, tls::exporter};

/// How long the server may take, from the first byte to the last.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a server that does not answer is asked, and the pause between two times: the host may be restarting it.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(5);
/// What an old one is said to be.
const OLD: &str = "does not speak the protocol that this configuration needs";

/// What makes evidence.
pub(super) trait Prove {
    /// A bundle about this session.
    async fn prove(&self, session: &Session) -> Result<Vec<u8>, Failure>;
    /// DER `SubjectPublicKeyInfo` of the key that the evidence names.
    fn spki(&self) -> Vec<u8>;
}

/// The key server of the configuration, behind the host.
pub(super) struct Owner {
    host: Arc<Host>,
    certificate: [u8; 32],
}

impl Owner {
    /// `None` if no model is sealed or has secrets.
    pub(super) fn of(measured: &Measured, host: &Arc<Host>) -> Option<Self> {
        let server = measured.configuration.keys.as_ref()?;
        let digest = hex::decode(&server.certificate_sha256).ok()?;
        Some(Self {
            host: host.clone(),
            // The configuration's parser has checked that it is a digest.
            certificate: digest.try_into().ok()?,
        })
    }

    /// All that is wanted.
    pub(super) async fn ask(
        &self,
        asker: &impl Prove,
        wanted: &Wanted<'_>,
    ) -> Result<Given, Failure> {
        let talk = self.talk(asker, wanted);
        timeout(PATIENCE, talk)
            .await
            .unwrap_or_else(|_| Err(KeysError::Unreachable("it took too long".into()).into()))
    }

    /// The same of an owner who gave it before. One that does not answer is asked again, and then counts as one that says no: a host
    /// that could keep a key by cutting a connection would.
    pub(super) async fn ask_patiently(
        &self,
        asker: &impl Prove,
        wanted: &Wanted<'_>,
    ) -> Result<Given, Failure> {
        let mut tries = 1;
        loop {
            match self.ask(asker, wanted).await {
                Err(Failure::Unsealed(KeysError::Unreachable(_))) if tries < TRIES => {}
                outcome => return outcome,
            }
            tries += 1;
            sleep(PAUSE).await;
        }
    }

    async fn talk(&self, asker: &impl Prove, wanted: &Wanted<'_>) -> Result<Given, Failure> {
        let unreachable = |why: String| Failure::from(KeysError::Unreachable(why));
        let stream = self.host.key_server().await.map_err(KeysError::from)?;
        let configuration = tls::configuration(self.certificate, wanted.protocol());
        let configuration = configuration.map_err(|error| Failure::Keys(error.to_string()))?;
        // The name is of no account: the certificate is pinned.
        let name =
            ServerName::try_from("keys.invalid").map_err(|it| unreachable(it.to_string()))?;
        let connecting = TlsConnector::from(configuration).connect(name, stream);
        let mut stream = connecting.await.map_err(|error| {
            if tls::knows_no_such_protocol(&error) {
                return KeysError::Misspoke(OLD).into();
            }
            unreachable(error.to_string())
        })?;
        if stream.get_ref().1.alpn_protocol() != Some(wanted.protocol()) {
            return Err(KeysError::Misspoke(OLD).into());
        }
        let exporter = exporter(stream.get_ref().1)
            .ok_or_else(|| unreachable("the connection has no exporter".to_owned()))?;
        let Challenge { nonce } = read_async(&mut stream).await.map_err(KeysError::from)?;
        let session = Session::Keys { nonce, exporter };
        let request = Request {
            spki: asker.spki(),
            bundle: asker.prove(&session).await?,
            wanted: wanted.disks.iter().map(|disk| disk.root.clone()).collect(),
            secrets: wanted.secrets.clone(),
        };
        let sent = write_async(&mut stream, &request).await;
        sent.map_err(KeysError::from)?;
        let answer = read_async(&mut stream).await.map_err(KeysError::from)?;
        Ok(wanted.given(answer)?)
    }
}
