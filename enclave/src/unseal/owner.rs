//! Whoever has the keys, and how they are asked.

use std::{sync::Arc, time::Duration};

use chrysalis_attestation::evidence::binding::Session;
use chrysalis_wire::{
    configuration::Disk,
    frame::{read_async, write_async},
    keys::{Answer, Challenge, KEY, Request},
};
use rustls_pki_types::ServerName;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsConnector;
use zeroize::Zeroizing;

use super::{error::KeysError, tls};
use crate::{configuration::Measured, failure::Failure, host::Host, tls::exporter};

/// How long the server may take, from the first byte to the last.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a server that does not answer is asked, and the pause between two times: the host may be restarting it.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_secs(5);
/// The longest code and the longest text of a refusal that are repeated.
const MAX_CODE: usize = 64;
const MAX_WHY: usize = 512;

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
    /// `None` if no model is sealed.
    pub(super) fn of(measured: &Measured, host: &Arc<Host>) -> Option<Self> {
        let server = measured.configuration.keys.as_ref()?;
        let digest = hex::decode(&server.certificate_sha256).ok()?;
        Some(Self {
            host: host.clone(),
            // The configuration's parser has checked that it is a digest.
            certificate: digest.try_into().ok()?,
        })
    }

    /// The keys of these disks, in their order.
    pub(super) async fn ask(
        &self,
        asker: &impl Prove,
        wanted: &[&Disk],
    ) -> Result<Vec<Zeroizing<Vec<u8>>>, Failure> {
        let talk = self.talk(asker, wanted);
        timeout(PATIENCE, talk)
            .await
            .unwrap_or_else(|_| Err(KeysError::Unreachable("it took too long".into()).into()))
    }

    /// Whether the owner still gives this disk's key. One that does not answer is asked again, and then counts as one that says no:
    /// a host that could keep a key by cutting a connection would.
    pub(super) async fn ask_patiently(
        &self,
        asker: &impl Prove,
        disk: &Disk,
    ) -> Result<(), Failure> {
        let mut tries = 1;
        loop {
            match self.ask(asker, &[disk]).await {
                Ok(_) => return Ok(()),
                Err(Failure::Unsealed(KeysError::Unreachable(_))) if tries < TRIES => {}
                Err(failure) => return Err(failure),
            }
            tries += 1;
            sleep(PAUSE).await;
        }
    }

    async fn talk(
        &self,
        asker: &impl Prove,
        wanted: &[&Disk],
    ) -> Result<Vec<Zeroizing<Vec<u8>>>, Failure> {
        let unreachable = |why: String| Failure::from(KeysError::Unreachable(why));
        let stream = self.host.key_server().await.map_err(KeysError::from)?;
        let configuration = tls::configuration(self.certificate);
        let configuration = configuration.map_err(|error| Failure::Keys(error.to_string()))?;
        // The name is of no account: the certificate is pinned.
        let name =
            ServerName::try_from("keys.invalid").map_err(|it| unreachable(it.to_string()))?;
        let connecting = TlsConnector::from(configuration).connect(name, stream);
        let mut stream = connecting
            .await
            .map_err(|error| unreachable(error.to_string()))?;
        let exporter = exporter(stream.get_ref().1)
            .ok_or_else(|| unreachable("the connection has no exporter".to_owned()))?;
        let Challenge { nonce } = read_async(&mut stream).await.map_err(KeysError::from)?;
        let session = Session::Keys { nonce, exporter };
        let request = Request {
            spki: asker.spki(),
            bundle: asker.prove(&session).await?,
            wanted: wanted.iter().map(|disk| disk.root.clone()).collect(),
        };
        let sent = write_async(&mut stream, &request).await;
        sent.map_err(KeysError::from)?;
        let answer = read_async(&mut stream).await.map_err(KeysError::from)?;
        Ok(keys(answer, wanted.len())?)
    }
}

/// So many keys, or why there are none.
fn keys(answer: Answer, wanted: usize) -> Result<Vec<Zeroizing<Vec<u8>>>, KeysError> {
    match answer {
        Answer::Keys(keys) => {
            if keys.len() != wanted || keys.iter().any(|key| key.len() != KEY) {
                return Err(KeysError::Misspoke("sent other keys than were asked for"));
            }
            Ok(keys)
        }
        Answer::Refused { code, why } => Err(KeysError::Refused {
            code: printable(&code, MAX_CODE),
            why: printable(&why, MAX_WHY),
        }),
    }
}

/// The beginning of a text, without what is not to be printed.
fn printable(text: &str, most: usize) -> String {
    let printable = text.chars().filter(|it| !it.is_control());
    printable.take(most).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_as_many_keys_as_were_asked_for_of_the_right_length() {
        let answer =
            |keys: &[usize]| Answer::Keys(keys.iter().map(|it| vec![1; *it].into()).collect());
        assert_eq!(keys(answer(&[KEY, KEY]), 2).unwrap().len(), 2);
        for (found, wanted) in [(&[][..], 1), (&[KEY], 2), (&[KEY, KEY], 1), (&[KEY - 1], 1)] {
            let refused = keys(answer(found), wanted).unwrap_err();
            assert_eq!(refused.code(), "keys_misspoke");
        }
    }

    #[test]
    fn a_refusal_is_repeated_up_to_a_length_and_without_control_characters() {
        let refused = Answer::Refused {
            code: "c".repeat(1000),
            why: format!("no\x1b[2J\n{}", "y".repeat(1000)),
        };
        let KeysError::Refused { code, why } = keys(refused, 1).unwrap_err() else {
            panic!("not refused")
        };
        assert_eq!((code.len(), why.len()), (MAX_CODE, MAX_WHY));
        assert!(why.starts_with("no[2Jy"), "{why}");
    }
}
