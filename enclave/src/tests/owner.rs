//! A key server behind the fake host, which plays what a test wants.

use std::sync::{Arc, Mutex};

use chrysalis_attestation::evidence::{
    CpuReport, Evidence,
    binding::{Anchor, Session, TLS_EXPORTER_LABEL},
    claims::Claims,
    encode_gpus,
};
use chrysalis_wire::{
    frame::{read_async, write_async},
    host::FromHost,
    keys::{ALPN, ALPN_SECRETS, Answer, Challenge, KEY, Request, WantedSecret},
};
use ring::digest::{SHA256, digest};
use rustls::{ServerConfig, crypto::aws_lc_rs, pki_types::PrivatePkcs8KeyDer, version::TLS13};
use tokio::{io::AsyncWriteExt, net::UnixStream};
use tokio_rustls::TlsAcceptor;

const NONCE: [u8; 32] = [0x4E; 32];

/// What it does.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Script {
    /// Gives the keys, to evidence about this very connection.
    #[default]
    Gives,
    Refuses,
    /// Hangs up after the handshake.
    HangsUp,
    /// Is not there.
    Gone,
    /// Shows another certificate.
    OtherCertificate,
    /// Says something else.
    Babbles,
    /// Gives a key too few.
    Withholds,
    /// Gives keys that are none.
    Cuts,
    /// Knows no secrets.
    Old,
    /// Gives a secret too few.
    WithholdsSecret,
    /// Gives a secret without a byte.
    GivesNothing,
    /// Gives them, and other secrets than before.
    GivesOther,
}

/// Whoever has the keys.
#[derive(Clone)]
pub(super) struct Owner {
    script: Arc<Mutex<Script>>,
    asked: Arc<Mutex<Vec<Vec<String>>>>,
    secrets: Arc<Mutex<Vec<WantedSecret>>>,
    identity: Arc<[rcgen::CertifiedKey<rcgen::KeyPair>; 2]>,
}

impl Default for Owner {
    fn default() -> Self {
        let made = || rcgen::generate_simple_self_signed(vec!["keys.invalid".to_owned()]).unwrap();
        Self {
            script: Arc::default(),
            asked: Arc::default(),
            secrets: Arc::default(),
            identity: Arc::new([made(), made()]),
        }
    }
}

impl Owner {
    pub(super) fn plays(&self, script: Script) {
        *self.script.lock().unwrap() = script;
    }

    /// What was asked for, each time.
    pub(super) fn asked(&self) -> Vec<Vec<String>> {
        self.asked.lock().unwrap().clone()
    }

    /// The secrets that were asked for, in all.
    pub(super) fn asked_for_secrets(&self) -> Vec<WantedSecret> {
        self.secrets.lock().unwrap().clone()
    }

    /// The digest of the certificate that it should show.
    pub(super) fn certificate(&self) -> String {
        hex::encode(digest(&SHA256, self.identity[0].cert.der()))
    }

    pub(super) async fn answer(&self, mut stream: UnixStream) {
        let script = *self.script.lock().unwrap();
        if script == Script::Gone {
            let gone = FromHost::Refused("nobody listens".into());
            return write_async(&mut stream, &gone).await.unwrap();
        }
        write_async(&mut stream, &FromHost::Connected)
            .await
            .unwrap();
        let identity = &self.identity[usize::from(script == Script::OtherCertificate)];
        let key = PrivatePkcs8KeyDer::from(identity.signing_key.serialize_der());
        let mut configuration =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_protocol_versions(&[&TLS13])
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![identity.cert.der().clone()], key.into())
                .unwrap();
        configuration.alpn_protocols = vec![ALPN.to_vec(), ALPN_SECRETS.to_vec()];
        if script == Script::Old {
            configuration.alpn_protocols.pop();
        }
        let acceptor = TlsAcceptor::from(Arc::new(configuration));
        // An enclave that does not like the certificate goes.
        let Ok(mut stream) = acceptor.accept(stream).await else {
            return;
        };
        if script == Script::HangsUp {
            return;
        }
        let exporter = stream
            .get_ref()
            .1
            .export_keying_material([0; 32], TLS_EXPORTER_LABEL, None)
            .unwrap();
        let challenge = Challenge { nonce: NONCE };
        write_async(&mut stream, &challenge).await.unwrap();
        let Ok(request) = read_async::<Request>(&mut stream).await else {
            return;
        };
        let session = Session::Keys {
            nonce: NONCE,
            exporter,
        };
        let (count, secrets) = (request.wanted.len(), request.secrets.len());
        let protocol = if secrets > 0 { ALPN_SECRETS } else { ALPN };
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(protocol));
        let first = self.asked.lock().unwrap().is_empty();
        require(&request, &session, first);
        self.asked.lock().unwrap().push(request.wanted);
        self.secrets.lock().unwrap().extend(request.secrets);
        let keys = |count, length| {
            let keys = vec![vec![7; length].into(); count];
            let (secrets, value) = match script {
                _ if secrets == 0 => return Answer::Keys(keys),
                Script::WithholdsSecret => (secrets - 1, "word"),
                Script::GivesNothing => (secrets, ""),
                Script::GivesOther => (secrets, "other word"),
                _ => (secrets, "word"),
            };
            let secrets = vec![value.as_bytes().to_vec().into(); secrets];
            Answer::Given { keys, secrets }
        };
        let answer = match script {
            Script::Refuses => Answer::Refused {
                code: "measurement_unlisted".into(),
                why: "it is not listed".into(),
            },
            Script::Withholds => keys(count - 1, KEY),
            Script::Cuts => keys(count, KEY - 1),
            _ => keys(count, KEY),
        };
        if script == Script::Babbles {
            write_async(&mut stream, &challenge).await.unwrap();
        } else {
            write_async(&mut stream, &answer).await.unwrap();
        }
        let _ = stream.shutdown().await;
    }
}

/// The evidence is about this connection, and the first does not say that a model has started which waits for its key.
fn require(request: &Request, session: &Session, first: bool) {
    let evidence = Evidence::decode(&request.bundle).unwrap();
    let CpuReport::Snp(report) = &evidence.cpu else {
        panic!("no report of SNP")
    };
    let anchor = Anchor::new(session, &request.spki, &evidence.claims);
    let expected = anchor.report_data(&encode_gpus(&evidence.gpus));
    assert_eq!(report[0x50..0x90], expected);
    let claims = Claims::decode(&evidence.claims).unwrap();
    assert_eq!(claims.known_answer, !first);
}
