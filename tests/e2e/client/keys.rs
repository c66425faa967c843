//! The owner's key server, and enclaves that ask it for a secret: one that may have it, and some that may not.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use chrysalis_attestation::evidence::binding::{Session, TLS_EXPORTER_LABEL};
use chrysalis_client::{
    RelyingParty,
    key_server::{Addressee, Bounds, KeyFolder, KeyServer, Outcome, WantedSecret, Wiped},
};
use chrysalis_wire::{
    frame::{read_async, write_async},
    keys::{ALPN_SECRETS, Answer, Challenge, Request},
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::aws_lc_rs::default_provider,
    pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName},
};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsConnector;

use crate::stage::{Enclave, policy};

/// The disks of the stage's model, and of its engine.
const MODEL: [u8; 32] = [0x55; 32];
const ENGINE: [u8; 32] = [0x22; 32];

/// What evidence is about, of a nonce and an exporter.
type About = fn([u8; 32], [u8; 32]) -> Session;

/// A server of the stage's policy, in whose folder the secret `licence` is for one engine with one model.
struct Owner {
    address: SocketAddr,
    certificate: CertificateDer<'static>,
    said: Arc<Mutex<Vec<String>>>,
    folder: tempfile::TempDir,
}

async fn owner(model: [u8; 32], engine: [u8; 32]) -> Owner {
    let made = rcgen::generate_simple_self_signed(vec!["keys.invalid".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let folder = tempfile::tempdir().unwrap();
    let keys = KeyFolder::new(folder.path().to_owned());
    let whose = Addressee {
        model: hex::encode(model),
        engine: hex::encode(engine),
    };
    let value = Wiped::new(b"the licence".to_vec());
    keys.add_secret("licence", value, &[whose], false).unwrap();
    let said = Arc::<Mutex<Vec<String>>>::default();
    let saying = Arc::clone(&said);
    let server = KeyServer::new(
        (certificate.clone(), key.into()),
        keys,
        Arc::new(|| Ok(RelyingParty::new(policy(true)))),
        Arc::new(move |_, outcome: &Outcome| {
            let line = match outcome {
                Outcome::Given { secrets, .. } => format!("given {secrets:?}"),
                other => format!("{other:?}"),
            };
            saying.lock().unwrap().push(line);
        }),
        Bounds::default(),
    );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(Arc::new(server.unwrap()).serve(listener));
    Owner {
        address,
        certificate,
        said,
        folder,
    }
}

impl Owner {
    /// What an enclave is answered that asks for `licence`, with evidence about what `session` makes of nonce and exporter.
    async fn answers(&self, enclave: &Enclave, session: About) -> Result<Vec<Wiped>, String> {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut configuration = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        configuration.alpn_protocols = vec![ALPN_SECRETS.to_vec()];
        let stream = TcpStream::connect(self.address).await.unwrap();
        let name = ServerName::try_from("keys.invalid").unwrap();
        let connecting = TlsConnector::from(Arc::new(configuration)).connect(name, stream);
        let mut stream = connecting.await.unwrap();
        let connection = stream.get_ref().1;
        let exporter = connection.export_keying_material([0; 32], TLS_EXPORTER_LABEL, None);
        let Challenge { nonce } = read_async(&mut stream).await.unwrap();
        let request = Request {
            spki: enclave.spki(),
            bundle: enclave.evidence_of(&session(nonce, exporter.unwrap())),
            wanted: Vec::new(),
            secrets: vec![WantedSecret {
                model: "smollm2".to_owned(),
                name: "licence".to_owned(),
            }],
        };
        write_async(&mut stream, &request).await.unwrap();
        match read_async(&mut stream).await.unwrap() {
            Answer::Given { keys, secrets } => {
                assert!(keys.is_empty());
                Ok(secrets)
            }
            Answer::Refused { code, .. } => Err(code),
            Answer::Keys(keys) => panic!("{} keys", keys.len()),
        }
    }

    fn said(&self) -> String {
        self.said.lock().unwrap().join("\n")
    }
}

fn asks(nonce: [u8; 32], exporter: [u8; 32]) -> Session {
    Session::Keys { nonce, exporter }
}

#[tokio::test]
async fn an_enclave_that_proves_itself_gets_its_engines_secret() {
    let owner = owner(MODEL, ENGINE).await;
    let given = owner.answers(&Enclave::honest(), asks).await.unwrap();
    assert_eq!(given, [Wiped::new(b"the licence".to_vec())]);
    let said = owner.said();
    assert!(!said.contains("the licence"), "{said}");
}

#[tokio::test]
async fn evidence_of_another_image_or_about_another_conversation_gets_none() {
    let owner = owner(MODEL, ENGINE).await;
    let other = owner.answers(&Enclave::running([0x12; 48]), asks).await;
    assert_eq!(other.unwrap_err(), "launch_digest_unknown");
    let sessions: [About; 3] = [
        // Evidence that a client asked for, of another nonce, and of another connection.
        |nonce, exporter| Session::Asked { nonce, exporter },
        |_, exporter| asks([0; 32], exporter),
        |nonce, _| asks(nonce, [0; 32]),
    ];
    for session in sessions {
        let refused = owner.answers(&Enclave::honest(), session).await;
        assert_eq!(refused.unwrap_err(), "binding_mismatch");
    }
    assert!(!owner.said().contains("given"), "{}", owner.said());
}

#[tokio::test]
async fn a_trusted_enclave_gets_no_secret_of_another_model_or_engine() {
    for (model, engine) in [([0; 32], ENGINE), (MODEL, [0; 32])] {
        let owner = owner(model, engine).await;
        let refused = owner.answers(&Enclave::honest(), asks).await;
        assert_eq!(refused.unwrap_err(), "keys_not_for_it");
    }
}

#[tokio::test]
async fn a_secret_that_is_taken_out_is_given_to_nobody() {
    let owner = owner(MODEL, ENGINE).await;
    assert!(owner.answers(&Enclave::honest(), asks).await.is_ok());
    std::fs::remove_file(owner.folder.path().join("licence.secret")).unwrap();
    let refused = owner.answers(&Enclave::honest(), asks).await;
    assert_eq!(refused.unwrap_err(), "keys_unknown");
}
