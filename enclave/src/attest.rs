//! The seventh step: evidence. Once at boot, for the certificate; then for each client that asks, about its nonce and its
//! connection. docs/spec/binding.md says what is hashed into what.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use chrysalis_attestation::evidence::{
    CpuReport, Endorsements, Evidence, MAX_BUNDLE,
    binding::{Anchor, Session},
    claims::{Claims, EngineClaim, ModelClaim, PROFILE},
    encode_gpus,
};
use chrysalis_wire::boot::Stage;
use rustls::sign::CertifiedKey;
use tokio::{
    sync::{Mutex, Semaphore, SemaphorePermit},
    time::timeout,
};

use crate::{
    boot::Ground,
    clock,
    configuration::Measured,
    console::since_boot_ms,
    engine::{Engines, Loaded},
    failure::Failure,
    gateway::Gateway,
    gpu::Gpus,
    platform::Platform,
};

/// The most bytes of evidence in a certificate: TLS lets a certificate have 2^24, but common peers stop at 2^16.
const MAX_IN_CERTIFICATE: usize = 48 * 1024;

/// An enclave that can prove what it is.
pub(crate) struct Attested {
    pub(crate) ground: Arc<Ground>,
    pub(crate) measured: Arc<Measured>,
    pub(crate) engines: Engines,
    pub(crate) attester: Attester,
    pub(crate) certified: Arc<CertifiedKey>,
    pub(crate) gateway: Gateway,
}

impl Loaded {
    /// Gets the first evidence, and the certificate that carries it.
    pub(crate) async fn attest(self) -> Result<Attested, Failure> {
        let gateway = Gateway::new()?;
        let claims = claims(&self.measured, &self.engines, gateway.digest())?;
        let attester = Attester {
            ground: self.ground.clone(),
            claims: claims.encode(),
            public_key: self.keys.public(),
            gpus: self.gpus,
            last_endorsements: Mutex::default(),
            desk: Desk::new(Bounds::default()),
            attested_at: Arc::default(),
        };
        attester.present_quote().await?;
        let mut evidence = attester.evidence(&Session::Boot).await?;
        // Too much for a certificate, and the same for all machines of a kind: a verifier has its own, or asks.
        evidence.endorsements.rims.clear();
        evidence.endorsements.ocsp.clear();
        evidence.endorsements.statements.clear();
        if evidence.encode().len() > MAX_IN_CERTIFICATE {
            evidence.endorsements.tdx.clear();
        }
        require_length(&evidence.encode(), MAX_IN_CERTIFICATE)?;
        let certified = self.keys.certify(&evidence)?;
        self.ground.progress.passed(Stage::Attested).await;
        Ok(Attested {
            ground: self.ground,
            measured: self.measured,
            engines: self.engines,
            attester,
            certified,
            gateway,
        })
    }
}

/// What the enclave says about itself. The known answers were given, or there would be no engines to describe.
fn claims(measured: &Measured, engines: &Engines, hpke_key: [u8; 32]) -> Result<Claims, Failure> {
    let mut of_engines: Vec<EngineClaim> = Vec::new();
    let mut models = Vec::new();
    for served in engines.all() {
        let (model, engine) = (served.model(), served.engine());
        if of_engines.iter().all(|claim| claim.name != engine.name) {
            of_engines.push(EngineClaim {
                name: engine.name.clone(),
                version: engine.version.clone(),
                disk: digest(&engine.disk.root)?,
            });
        }
        let optional = |hex: &Option<String>| hex.as_deref().map(digest).transpose();
        models.push(ModelClaim {
            name: model.name.clone(),
            kind: model.kind.name().to_owned(),
            engine: engine.name.clone(),
            disk: digest(&model.disk.root)?,
            weights: digest(&model.weights)?,
            tokenizer: optional(&model.tokenizer)?,
            template: optional(&model.template)?,
        });
    }
    Ok(Claims {
        profile: PROFILE.to_owned(),
        release: env!("CARGO_PKG_VERSION").to_owned(),
        configuration: measured.digest,
        engines: of_engines,
        models,
        known_answer: true,
        hpke_key,
        epoch: 0,
        epoch_began: clock::now().0,
    })
}

/// Digits that the configuration's parser has checked.
fn digest(digits: &str) -> Result<[u8; 32], Failure> {
    let bytes = hex::decode(digits).ok();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| Failure::DiskWrong {
            what: format!("{digits} is no digest"),
            why: "it is not 64 hexadecimal digits".to_owned(),
        })
}

/// Makes evidence about a session.
pub(crate) struct Attester {
    ground: Arc<Ground>,
    claims: Vec<u8>,
    public_key: Vec<u8>,
    gpus: Option<Gpus>,
    /// A relying party may have its own; a host that supplies none does not stop evidence.
    last_endorsements: Mutex<Endorsements>,
    desk: Desk,
    attested_at: Arc<AtomicU64>,
}

/// How many requests for evidence there may be at once. Each costs the processor's time, and that of the GPUs, which answer one at
/// a time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Requests that are being answered.
    pub(crate) at_once: usize,
    /// Requests that wait; one more is refused.
    pub(crate) waiting: usize,
    /// How long one waits before it is refused.
    pub(crate) patience: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            at_once: 4,
            waiting: 64,
            patience: Duration::from_secs(20),
        }
    }
}

/// No bundle.
#[derive(Debug)]
pub(crate) enum NoBundle {
    /// There are too many requests.
    Busy,
    /// The processor or the GPUs gave no evidence.
    Failed(Failure),
}

impl From<Failure> for NoBundle {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// Where requests wait, in the order in which they came.
struct Desk {
    places: Semaphore,
    turns: Semaphore,
    patience: Duration,
}

impl Desk {
    fn new(bounds: Bounds) -> Self {
        Self {
            places: Semaphore::new(bounds.waiting.saturating_add(bounds.at_once)),
            turns: Semaphore::new(bounds.at_once),
            patience: bounds.patience,
        }
    }

    /// Held while a request is answered.
    async fn turn(&self) -> Result<[SemaphorePermit<'_>; 2], NoBundle> {
        let place = self.places.try_acquire().map_err(|_| NoBundle::Busy)?;
        match timeout(self.patience, self.turns.acquire()).await {
            Ok(Ok(turn)) => Ok([place, turn]),
            _ => Err(NoBundle::Busy),
        }
    }
}

impl Attester {
    /// The same, with these limits on requests.
    pub(crate) fn within(self, bounds: Bounds) -> Self {
        let desk = Desk::new(bounds);
        Self { desk, ..self }
    }

    /// When the hardware last signed, in milliseconds since boot.
    pub(crate) fn attested_at(&self) -> Arc<AtomicU64> {
        self.attested_at.clone()
    }

    /// A bundle about `session`, for the client that asks.
    pub(crate) async fn bundle(&self, session: &Session) -> Result<Vec<u8>, NoBundle> {
        let _turn = self.desk.turn().await?;
        Ok(self.encoded(session).await?)
    }

    async fn encoded(&self, session: &Session) -> Result<Vec<u8>, Failure> {
        let mut evidence = self.evidence(session).await?;
        let mut bundle = evidence.encode();
        if bundle.len() > MAX_BUNDLE {
            // The first thing that a relying party can do without, or supply itself.
            tracing::warn!("no room in the bundle for the rebuilders' statements");
            evidence.endorsements.statements.clear();
            bundle = evidence.encode();
        }
        require_length(&bundle, MAX_BUNDLE)?;
        Ok(bundle)
    }

    /// Shows the host what a quote of this machine says about its platform, so that it can fetch Intel's collateral.
    async fn present_quote(&self) -> Result<(), Failure> {
        if let Platform::Tdx(_) = &self.ground.platform
            && let CpuReport::Tdx { quote, .. } = self.ground.platform.report([0; 64]).await?.cpu
        {
            self.ground.host.present(quote, &[]).await;
        }
        Ok(())
    }

    /// Evidence about `session`, this key and these claims: first the GPUs answer, then the CPU signs over their answers.
    async fn evidence(&self, session: &Session) -> Result<Evidence, Failure> {
        let anchor = Anchor::new(session, &self.public_key, &self.claims);
        let mut endorsements = self.endorsements().await;
        let gpus = match &self.gpus {
            None => Vec::new(),
            Some(gpus) => {
                let nonce = anchor.gpu_nonce();
                gpus.ask(nonce, &endorsements).await?
            }
        };
        let report_data = anchor.report_data(&encode_gpus(&gpus));
        let signed = self.ground.platform.report(report_data).await?;
        self.attested_at.store(since_boot_ms(), Ordering::Relaxed);
        endorsements
            .certificates
            .extend(signed.endorsements.certificates);
        endorsements.crls.extend(signed.endorsements.crls);
        Ok(Evidence {
            cpu: signed.cpu,
            claims: self.claims.clone(),
            gpus,
            endorsements,
        })
    }

    /// What the host has now, or else had last. Revocation lists age, but it is the verifier's job to refuse an old one.
    async fn endorsements(&self) -> Endorsements {
        let brought = self.ground.host.endorsements().await;
        let mut last = self.last_endorsements.lock().await;
        match brought {
            Ok(endorsements) => *last = endorsements,
            Err(error) => tracing::warn!(code = error.code(), "no endorsements from the host"),
        }
        last.clone()
    }
}

fn require_length(bundle: &[u8], limit: usize) -> Result<(), Failure> {
    match bundle.len() {
        length if length <= limit => Ok(()),
        length => Err(Failure::EvidenceTooLong(length)),
    }
}
