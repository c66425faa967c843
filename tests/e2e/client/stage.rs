//! A stage for the client: an enclave that is honest by default and lies on command, behind a real TLS server.
//! It writes down every byte that reaches it in the clear, so that a test can say what a client gave away.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use chrysalis_attestation::{
    encoding::digest::sha256,
    evidence::{
        CpuReport, Evidence, ID_PE_CMW, Rest, Short,
        binding::{Anchor, Session, TLS_EXPORTER_LABEL},
        claims::{Claims, EngineClaim, ModelClaim, PROFILE},
        encode_gpus,
    },
    nvidia::GpuCollateral,
    policy::Policy,
};
use chrysalis_client::{Deadlines, RelyingParty, Target, system_time};
use chrysalis_ohttp::{GatewayKeys, KEYS_TYPE, SEED};
use chrysalis_settle::{Attested, Credential, Offer, SignedOffer};
use chrysalis_simulate::{Amd, Launch, Nvidia};
use chrysalis_tests::paths;
use chrysalis_wire::api::{ATTESTATION, CAP, EVIDENCE_TYPE, JOB, OHTTP_KEYS, RECEIPT, TAB};
use futures_util::stream;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response, body::Frame, body::Incoming, server::conn::http1, service::service_fn,
};
use hyper_util::rt::TokioIo;
use rustls::{
    crypto::{
        CryptoProvider, SupportedKxGroup,
        aws_lc_rs::{
            default_provider,
            kx_group::{X25519, X25519MLKEM768},
        },
    },
    pki_types::{CertificateDer, PrivatePkcs8KeyDer},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_rustls::TlsAcceptor;
use zeroize::Zeroizing;

use crate::issuer::{Lie, Receipts};

/// The launch digest that the test policy trusts.
pub(crate) const IMAGE: [u8; 48] = [0x11; 48];
/// The configuration that the test policy trusts.
pub(crate) const CONFIGURATION: [u8; 32] = [0x22; 32];

/// The simulated vendor that all enclaves here share.
pub(crate) fn vendor() -> &'static Amd {
    static VENDOR: OnceLock<Amd> = OnceLock::new();
    VENDOR
        .get_or_init(|| Amd::open_or_create(&paths::vendor(), system_time(), &mut |_| ()).unwrap())
}

/// A policy for the honest enclave, with or without its simulated root.
pub(crate) fn policy(simulation: bool) -> Policy {
    Policy::parse(&policy_text(simulation)).unwrap()
}

/// The same as TOML.
pub(crate) fn policy_text(simulation: bool) -> String {
    let root = hex::encode(vendor().root_sha256());
    let roots = if simulation {
        format!("[simulation]\nroots = [\"{root}\"]\n")
    } else {
        String::new()
    };
    format!(
        "version = 1\n[snp]\nlaunch_digest = [\"{}\"]\n\
         minimum_tcb.genoa = {{ bootloader = 10, tee = 0, snp = 23, microcode = 84 }}\n\
         [configuration]\nsha256 = [\"{}\"]\n{roots}",
        hex::encode(IMAGE),
        hex::encode(CONFIGURATION),
    )
}

/// The simulated vendor of the GPU that an enclave has if it has one.
pub(crate) fn nvidia() -> &'static Nvidia {
    static VENDOR: OnceLock<Nvidia> = OnceLock::new();
    VENDOR.get_or_init(|| Nvidia::from_seed(&[0x9D; 32], system_time()))
}

/// What a host staples of that vendor's; made once, because keys on P-384 take their time.
pub(crate) fn stapled() -> &'static GpuCollateral {
    static STAPLED: OnceLock<GpuCollateral> = OnceLock::new();
    STAPLED.get_or_init(|| nvidia().collateral(system_time()))
}

/// As [`policy_text`], wanting one GPU; `revocation` is a line of `[gpu]` or nothing.
pub(crate) fn gpu_policy_text(revocation: &str) -> String {
    let roots = [
        vendor().root_sha256(),
        sha256(&[nvidia().device_root()]),
        sha256(&[nvidia().rim_root()]),
    ];
    format!(
        "{}[simulation]\nroots = {:?}\n[gpu]\ncount = [1]\nminimum_driver = \"550.90.07\"\n{revocation}\n",
        policy_text(false),
        roots.map(hex::encode)
    )
}

/// The keys for requests through relays, of every enclave that is not told otherwise.
pub(crate) fn gateway() -> GatewayKeys {
    gateway_of(7)
}

/// The same, if their seed is this byte again and again. All have the same identifiers.
pub(crate) fn gateway_of(seed: u8) -> GatewayKeys {
    GatewayKeys::new(0, &Zeroizing::new([seed; SEED]))
}

/// A relying party that trusts the honest enclave, and is patient for a second.
pub(crate) fn relying_party() -> RelyingParty {
    RelyingParty::new(policy(true)).with_deadlines(short_deadlines())
}

/// Long enough for a busy machine, short enough for a test.
pub(crate) fn short_deadlines() -> Deadlines {
    let wait = Duration::from_secs(2);
    Deadlines {
        connect: wait,
        handshake: wait,
        evidence: wait,
        revocation: wait,
        first_byte: wait,
        idle: wait,
    }
}

/// An enclave: a TLS key and what the hardware says of it.
pub(crate) struct Enclave {
    key: rcgen::KeyPair,
    certificate: CertificateDer<'static>,
    launch: Launch,
    claims: Claims,
    has_gpu: bool,
    receipts: Receipts,
    /// The key agreements that it knows, in the order of its preference.
    groups: Vec<&'static dyn SupportedKxGroup>,
}

impl Enclave {
    /// One that runs `image`.
    pub(crate) fn running(image: [u8; 48]) -> Arc<Self> {
        Self::new(image, false, vec![X25519MLKEM768, X25519])
    }

    /// The one that the test policy trusts, with a GPU.
    pub(crate) fn with_gpu() -> Arc<Self> {
        Self::new(IMAGE, true, vec![X25519MLKEM768, X25519])
    }

    /// The one that the test policy trusts, as it was before there was a post-quantum key agreement.
    pub(crate) fn classical() -> Arc<Self> {
        Self::new(IMAGE, false, vec![X25519])
    }

    /// The one that the test policy trusts, with the keys of [`gateway_of`].
    fn keyed(seed: u8) -> Arc<Self> {
        let mut enclave = Self::new(IMAGE, false, vec![X25519MLKEM768, X25519]);
        let it = Arc::get_mut(&mut enclave).unwrap();
        it.claims.hpke_key = sha256(&[gateway_of(seed).configurations()]);
        it.certificate = it.certify();
        enclave
    }

    fn new(
        image: [u8; 48],
        has_gpu: bool,
        groups: Vec<&'static dyn SupportedKxGroup>,
    ) -> Arc<Self> {
        let key = rcgen::KeyPair::generate().unwrap();
        let receipts = Receipts::new();
        let mut enclave = Self {
            certificate: CertificateDer::from(Vec::new()),
            key,
            launch: Launch::new(image, CONFIGURATION, [3; 32]),
            claims: Claims {
                profile: PROFILE.into(),
                release: "0.1.0".into(),
                configuration: CONFIGURATION,
                engines: vec![EngineClaim {
                    name: "llama-cpu".into(),
                    version: "none".into(),
                    disk: [0x22; 32],
                }],
                models: vec![ModelClaim {
                    name: "smollm2".into(),
                    kind: "chat".into(),
                    engine: "llama-cpu".into(),
                    disk: [0x55; 32],
                    weights: [4; 32],
                    tokenizer: Some([0x66; 32]),
                    template: Some([5; 32]),
                }],
                known_answer: true,
                receipt_key: receipts.public(),
                hpke_key: sha256(&[gateway().configurations()]),
                epoch: 0,
                epoch_began: system_time().0,
                epoch_seconds: 600,
            },
            has_gpu,
            receipts,
            groups,
        };
        enclave.certificate = enclave.certify();
        Arc::new(enclave)
    }

    /// A certificate that carries the epoch's evidence.
    fn certify(&self) -> CertificateDer<'static> {
        let mut evidence = Evidence::decode(&self.evidence_of(&Session::Boot)).unwrap();
        evidence.endorsements.rims.clear();
        evidence.endorsements.ocsp.clear();
        let mut parameters = rcgen::CertificateParams::new(vec!["enclave".into()]).unwrap();
        let extension =
            rcgen::CustomExtension::from_oid_content(&ID_PE_CMW, evidence.certificate_extension());
        parameters.custom_extensions.push(extension);
        parameters.self_signed(&self.key).unwrap().der().clone()
    }

    /// Its model, as it offers it.
    fn offer(&self, platform: &str) -> SignedOffer {
        let attested = self.attested();
        let model = &self.claims.models[0];
        let offer = Offer {
            receipt_key: attested.receipt_key,
            epoch: attested.epoch,
            evidence: attested.evidence,
            configuration: self.claims.configuration,
            release: self.claims.release.clone(),
            platform: platform.into(),
            gpus: self.has_gpu.into(),
            model: model.name.clone(),
            kind: model.kind.clone(),
            weights: model.weights,
            context: 2048,
            slots: 2,
            tokens_per_second: 10,
        };
        self.receipts.sign_offer(&offer)
    }

    /// What its receipts name.
    fn attested(&self) -> Attested {
        let (evidence, _) = Evidence::from_certificate(&self.certificate).unwrap();
        Attested::of(&self.claims, &evidence)
    }

    /// The one that the test policy trusts.
    pub(crate) fn honest() -> Arc<Self> {
        Self::running(IMAGE)
    }

    pub(crate) fn spki(&self) -> Vec<u8> {
        use rcgen::PublicKeyData;
        self.key.subject_public_key_info()
    }

    fn evidence(&self, nonce: [u8; 32], exporter: [u8; 32]) -> Vec<u8> {
        self.evidence_of(&Session::Asked { nonce, exporter })
    }

    pub(crate) fn evidence_of(&self, session: &Session) -> Vec<u8> {
        let claims = self.claims.encode();
        let anchor = Anchor::new(session, &self.spki(), &claims);
        let mut endorsements = vendor().endorsements();
        let mut gpus = Vec::new();
        if self.has_gpu {
            let of_nvidia = stapled();
            (endorsements.rims, endorsements.ocsp) =
                (of_nvidia.rims.clone(), of_nvidia.ocsp.clone());
            gpus.push(nvidia().gpu(0).evidence(&anchor.gpu_nonce()));
        }
        let report_data = anchor.report_data(&encode_gpus(&gpus));
        let report = vendor().sign_report(&self.launch, report_data);
        Evidence {
            cpu: CpuReport::Snp(report.to_vec()),
            claims,
            gpus,
            path: None,
            endorsements,
        }
        .encode()
    }

    fn tls(&self) -> TlsAcceptor {
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der()).into();
        let provider = CryptoProvider {
            kx_groups: self.groups.clone(),
            ..default_provider()
        };
        let configuration = rustls::ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![self.certificate.clone()], key)
            .unwrap();
        Arc::new(configuration).into()
    }
}

/// What the host answers when it is asked for evidence.
#[derive(Clone)]
pub(crate) enum Proof {
    /// The truth.
    Honest,
    /// The truth, and then the connection is closed.
    Closing,
    /// The truth, without a rest that nobody said to leave out.
    Short,
    /// Evidence for a nonce of long ago.
    Replayed,
    /// Evidence of another enclave, asked with the client's own nonce.
    Of(Arc<Enclave>),
    /// These bytes.
    Bytes(Vec<u8>),
    /// An error with this code.
    Declined(&'static str),
    /// Nothing, for ever.
    Silence,
}

/// How the host answers a chat.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reply {
    /// Whole.
    Whole,
    /// Cut after the first piece.
    Cut,
    /// Silent before the head.
    Silence,
    /// Silent after the first piece.
    SilenceInside,
    /// A piece every few milliseconds, for ever.
    Endless,
    /// Reads none of the request's body until [`Host::hear`].
    Deaf,
    /// An error with this status and code.
    Refuses(u16, &'static str),
    /// Begins to stream, and is cut before the first piece.
    Hollow,
    /// The first event of a stream says that the engine is lost.
    Lost,
}

/// A host with one enclave behind it.
pub(crate) struct Host {
    address: SocketAddr,
    serving: tokio::task::AbortHandle,
    inside: Arc<Inside>,
}

struct Inside {
    enclave: Mutex<Arc<Enclave>>,
    proof: Mutex<Proof>,
    reply: Mutex<Reply>,
    lie: Mutex<Lie>,
    seen: Mutex<Vec<u8>>,
    generations: AtomicUsize,
    asked: AtomicUsize,
    connections: AtomicUsize,
    ended: AtomicUsize,
    hears: Notify,
    cuts: AtomicUsize,
    shorts: AtomicUsize,
    keys: Mutex<Vec<u8>>,
}

impl Host {
    /// Serves `enclave`, honestly until told otherwise.
    pub(crate) async fn serving(enclave: Arc<Enclave>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inside = Arc::new(Inside {
            enclave: Mutex::new(enclave),
            proof: Mutex::new(Proof::Honest),
            reply: Mutex::new(Reply::Whole),
            lie: Mutex::new(Lie::None),
            seen: Mutex::default(),
            generations: AtomicUsize::new(0),
            asked: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            ended: AtomicUsize::new(0),
            hears: Notify::new(),
            cuts: AtomicUsize::new(0),
            shorts: AtomicUsize::new(0),
            keys: Mutex::new(gateway().configurations().to_vec()),
        });
        let shared = Arc::clone(&inside);
        let serving = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((tcp, _)) = listener.accept().await {
                connections.spawn(connection(Arc::clone(&shared), tcp));
            }
        });
        Self {
            address,
            inside,
            serving: serving.abort_handle(),
        }
    }

    pub(crate) fn target(&self) -> Target {
        format!("https://{}", self.address).parse().unwrap()
    }

    /// Where it answers.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// The machine is gone, with all connections.
    pub(crate) fn die(&self) {
        self.serving.abort();
    }

    /// What its enclave offers.
    pub(crate) fn offer(&self) -> SignedOffer {
        self.offer_on("simulated")
    }

    /// The same, as if it stood on other hardware.
    pub(crate) fn offer_on(&self, platform: &str) -> SignedOffer {
        self.inside.enclave.lock().unwrap().offer(platform)
    }

    /// From now on answers cost so many nano for a million tokens.
    pub(crate) fn ask_for(&self, price: u64) {
        self.inside.enclave.lock().unwrap().receipts.ask_for(price);
    }

    /// Chats that arrived whole.
    pub(crate) fn asked(&self) -> usize {
        self.inside.asked.load(Ordering::SeqCst)
    }

    /// From now on, evidence is this.
    pub(crate) fn prove(&self, proof: Proof) {
        *self.inside.proof.lock().unwrap() = proof;
    }

    /// From now on, chats are answered so.
    pub(crate) fn reply(&self, reply: Reply) {
        *self.inside.reply.lock().unwrap() = reply;
    }

    /// From now on, receipts are these.
    pub(crate) fn receipt(&self, lie: Lie) {
        *self.inside.lie.lock().unwrap() = lie;
    }

    /// From now on, the keys for requests through relays are these.
    pub(crate) fn give_keys(&self, keys: Vec<u8>) {
        *self.inside.keys.lock().unwrap() = keys;
    }

    /// The next so many chats are read, and their connections cut before the first byte of an answer.
    pub(crate) fn cut(&self, chats: usize) {
        self.inside.cuts.store(chats, Ordering::SeqCst);
    }

    /// The enclave is started anew, with new keys.
    pub(crate) fn restart(&self) {
        *self.inside.enclave.lock().unwrap() = Enclave::honest();
    }

    /// The same, with the keys of [`gateway_of`] for requests through relays.
    pub(crate) fn restart_with(&self, seed: u8) {
        *self.inside.enclave.lock().unwrap() = Enclave::keyed(seed);
        self.give_keys(gateway_of(seed).configurations().to_vec());
    }

    /// All that clients sent, as the enclave read it.
    pub(crate) fn seen(&self) -> String {
        String::from_utf8_lossy(&self.inside.seen.lock().unwrap()).into_owned()
    }

    /// Bundles that left out what their client has.
    pub(crate) fn shorts(&self) -> usize {
        self.inside.shorts.load(Ordering::SeqCst)
    }

    /// Connections that were ever made.
    pub(crate) fn connections(&self) -> usize {
        self.inside.connections.load(Ordering::SeqCst)
    }

    /// Connections that have ended.
    pub(crate) fn ended(&self) -> usize {
        self.inside.ended.load(Ordering::SeqCst)
    }

    /// How many bytes clients sent so far that were read.
    pub(crate) fn heard(&self) -> usize {
        self.inside.seen.lock().unwrap().len()
    }

    /// Reads on where it was deaf.
    pub(crate) fn hear(&self) {
        self.inside.hears.notify_one();
    }

    /// Streams that are being made now.
    pub(crate) fn generations(&self) -> usize {
        self.inside.generations.load(Ordering::SeqCst)
    }
}

type Body = UnsyncBoxBody<Bytes, io::Error>;

async fn connection(inside: Arc<Inside>, tcp: TcpStream) {
    inside.connections.fetch_add(1, Ordering::SeqCst);
    let enclave = inside.enclave.lock().unwrap().clone();
    let Ok(tls) = enclave.tls().accept(tcp).await else {
        return;
    };
    let exporter = tls
        .get_ref()
        .1
        .export_keying_material([0; 32], TLS_EXPORTER_LABEL, Some(&[]))
        .unwrap();
    let recorded = Recorded {
        tls,
        inside: Arc::clone(&inside),
    };
    let answer =
        service_fn(|request| answer(Arc::clone(&inside), Arc::clone(&enclave), exporter, request));
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(recorded), answer)
        .await;
    inside.ended.fetch_add(1, Ordering::SeqCst);
}

async fn answer(
    inside: Arc<Inside>,
    enclave: Arc<Enclave>,
    exporter: [u8; 32],
    request: Request<Incoming>,
) -> Result<Response<Body>, io::Error> {
    if request.uri().path() == TAB {
        let named = request
            .into_body()
            .collect()
            .await
            .map_err(io::Error::other)?
            .to_bytes();
        let last = enclave.receipts.last(&named);
        return Ok(Response::new(whole(last)));
    }
    if request.uri().path() == ATTESTATION {
        let query = request.uri().query().unwrap();
        let (nonce, have) = query.split_once("&have=").unwrap_or((query, ""));
        let nonce = nonce.strip_prefix("nonce=").unwrap();
        let nonce = hex::decode(nonce).unwrap().try_into().unwrap();
        return Ok(prove(&inside, &enclave, (nonce, exporter), have).await);
    }
    if request.uri().path() == OHTTP_KEYS {
        let keys = inside.keys.lock().unwrap().clone();
        let answer = Response::builder().header("content-type", KEYS_TYPE);
        return Ok(answer.body(whole(keys)).unwrap());
    }
    let reply = *inside.reply.lock().unwrap();
    if reply == Reply::Deaf {
        inside.hears.notified().await;
    }
    let job = request.headers().get(JOB).cloned();
    let cap = request.headers().get(CAP).cloned();
    let Ok(body) = request.into_body().collect().await else {
        // Who asked has left, and reads no answer.
        return Ok(Response::new(whole("")));
    };
    let body = body.to_bytes();
    inside.asked.fetch_add(1, Ordering::SeqCst);
    let cut = |cuts: usize| cuts.checked_sub(1);
    let (one, other) = (Ordering::SeqCst, Ordering::SeqCst);
    if inside.cuts.fetch_update(one, other, cut).is_ok() {
        return Err(io::Error::other("cut"));
    }
    if reply == Reply::Silence {
        std::future::pending::<()>().await;
    }
    if let Reply::Refuses(status, code) = reply {
        let error = format!("{{\"error\":{{\"message\":\"no\",\"code\":\"{code}\"}}}}");
        return Ok(Response::builder()
            .status(status)
            .body(whole(error))
            .unwrap());
    }
    let cap = cap.and_then(|cap| {
        let cap = data_encoding::BASE64URL_NOPAD.decode(cap.as_bytes()).ok()?;
        Credential::decode(&cap).ok()
    });
    if let Err(code) = enclave.receipts.admit(&exporter, job.as_ref(), cap) {
        let error =
            format!("{{\"error\":{{\"code\":\"{code}\",\"wanted\":2,\"cap\":1,\"ceiling\":1}}}}");
        return Ok(Response::builder().status(402).body(whole(error)).unwrap());
    }
    let lie = *inside.lie.lock().unwrap();
    let receipt = |answer: &str| {
        let job = job.as_ref()?;
        let attested = enclave.attested();
        enclave.receipts.make(
            &exporter,
            job.as_bytes(),
            &body,
            answer.as_bytes(),
            &attested,
            lie,
        )
    };
    if !body.windows(13).any(|part| part == b"\"stream\":true") {
        let mut answer = Response::builder()
            .header("content-type", "application/json")
            .header("connection", "x-hop")
            .header("x-hop", "1");
        if let Some(receipt) = receipt(WHOLE) {
            answer = answer.header(RECEIPT, receipt);
        }
        return Ok(answer.body(plain(reply)).unwrap());
    }
    let stream = Response::builder().header("content-type", "text/event-stream");
    if reply == Reply::Endless
        && let Some(job) = &job
    {
        // Given up in the end: nobody reads all of it.
        enclave
            .receipts
            .cancel(&exporter, job.as_bytes(), &body, &enclave.attested());
    }
    let event = match reply {
        Reply::Whole => receipt(&format!("{FIRST}{SECOND}")),
        _ => None,
    };
    let event = event.map(|receipt| format!("event: receipt\ndata: {receipt}\n\n"));
    Ok(stream
        .body(events(&inside, reply, &event.unwrap_or_default()))
        .unwrap())
}

async fn prove(
    inside: &Inside,
    enclave: &Enclave,
    (nonce, exporter): ([u8; 32], [u8; 32]),
    have: &str,
) -> Response<Body> {
    let short = |bundle: Vec<u8>| Short::encode(&Evidence::decode(&bundle).unwrap());
    let proof = inside.proof.lock().unwrap().clone();
    let closing = matches!(proof, Proof::Closing);
    let bytes = match proof {
        Proof::Honest | Proof::Closing => {
            let bundle = enclave.evidence(nonce, exporter);
            let rest = Rest::of(&Evidence::decode(&bundle).unwrap());
            if have.contains(&hex::encode(rest.digest())) {
                inside.shorts.fetch_add(1, Ordering::SeqCst);
                short(bundle)
            } else {
                bundle
            }
        }
        Proof::Short => short(enclave.evidence(nonce, exporter)),
        Proof::Replayed => enclave.evidence([9; 32], exporter),
        Proof::Of(other) => other.evidence(nonce, [8; 32]),
        Proof::Bytes(bytes) => bytes,
        Proof::Silence => std::future::pending().await,
        Proof::Declined(code) => {
            let error = format!("{{\"error\":{{\"message\":\"no\",\"code\":\"{code}\"}}}}");
            return Response::builder().status(503).body(whole(error)).unwrap();
        }
    };
    let mut answer = Response::builder().header("content-type", EVIDENCE_TYPE);
    if closing {
        answer = answer.header("connection", "close");
    }
    answer.body(whole(bytes)).unwrap()
}

fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

fn plain(reply: Reply) -> Body {
    match reply {
        Reply::Cut => pieces(vec![Some(Ok("{\"choices\":")), Some(Err(()))]),
        _ => whole(WHOLE),
    }
}

/// A whole answer, and the events of a streamed one.
const WHOLE: &str = "{\"choices\":[{\"message\":{\"content\":\"Hello\"}}]}";
const FIRST: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n";
const SECOND: &str = "data: {\"choices\":[{\"delta\":{\"content\":\"lo\"}}]}\n\n";

fn events(inside: &Arc<Inside>, reply: Reply, receipt: &str) -> Body {
    match reply {
        Reply::Cut => pieces(vec![
            Some(Ok(FIRST)),
            Some(Ok("data: {\"half")),
            Some(Err(())),
        ]),
        Reply::Hollow => pieces(vec![Some(Ok(": still here\n\n")), Some(Err(()))]),
        Reply::Lost => pieces(vec![Some(Ok(
            "data: {\"error\":{\"message\":\"no\",\"code\":\"engine_failed\"}}\n\n",
        ))]),
        Reply::SilenceInside => pieces(vec![Some(Ok(FIRST)), None]),
        Reply::Endless => endless(inside, FIRST),
        _ => pieces(vec![
            Some(Ok(FIRST.to_owned())),
            Some(Ok(format!("{SECOND}{receipt}data: [DONE]\n\n"))),
        ]),
    }
}

/// Pieces one after the other: a text, an error that cuts the connection, or `None` for silence.
fn pieces<T>(pieces: Vec<Option<Result<T, ()>>>) -> Body
where
    T: Into<String> + Send + 'static,
{
    let stream = stream::unfold(pieces.into_iter(), |mut pieces| async {
        // A pause lets each piece travel by itself.
        tokio::time::sleep(Duration::from_millis(20)).await;
        let piece = match pieces.next()? {
            Some(Ok(text)) => Ok(Frame::data(Bytes::from(text.into()))),
            Some(Err(())) => Err(io::Error::other("cut")),
            None => std::future::pending().await,
        };
        Some((piece, pieces))
    });
    StreamBody::new(stream).boxed_unsync()
}

fn endless(inside: &Arc<Inside>, piece: &'static str) -> Body {
    struct Generation(Arc<Inside>);
    impl Drop for Generation {
        fn drop(&mut self) {
            self.0.generations.fetch_sub(1, Ordering::SeqCst);
        }
    }
    inside.generations.fetch_add(1, Ordering::SeqCst);
    let stream = stream::unfold(
        Generation(Arc::clone(inside)),
        move |generation| async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Some((Ok(Frame::data(Bytes::from(piece))), generation))
        },
    );
    StreamBody::new(stream).boxed_unsync()
}

/// Writes down what is read.
struct Recorded {
    tls: tokio_rustls::server::TlsStream<TcpStream>,
    inside: Arc<Inside>,
}

impl AsyncRead for Recorded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.tls).poll_read(context, buffer);
        self.inside
            .seen
            .lock()
            .unwrap()
            .extend_from_slice(&buffer.filled()[before..]);
        read
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.tls).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.tls).poll_shutdown(context)
    }
}
