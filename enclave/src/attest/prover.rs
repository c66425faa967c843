//! Who is asked for evidence: first the GPUs, then the CPU, which signs over their answers; and the host, which adds what others
//! have signed.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use chrysalis_attestation::evidence::{
    CpuReport, Endorsements, Evidence, MAX_BUNDLE,
    binding::{Anchor, Session},
    claims::Claims,
    encode_gpus,
};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::Mutex;

use crate::{
    boot::Ground, console::since_boot_ms, epoch::Epoch, failure::Failure, gpu::Gpus, keys::Keys,
    platform::Platform,
};

/// The most bytes of evidence in a certificate: TLS lets a certificate have 2^24, but common peers stop at 2^16.
const MAX_IN_CERTIFICATE: usize = 48 * 1024;

/// Makes evidence: this machine's hardware, its keys, and what the host brings.
pub(super) struct Prover {
    ground: Arc<Ground>,
    keys: Keys,
    gpus: Option<Gpus>,
    /// A relying party may have its own; a host that supplies none does not stop evidence.
    last_endorsements: Mutex<Endorsements>,
    attested_at: Arc<AtomicU64>,
}

impl Prover {
    pub(super) fn new(ground: Arc<Ground>, keys: Keys, gpus: Option<Gpus>) -> Self {
        Self {
            ground,
            keys,
            gpus,
            last_endorsements: Mutex::default(),
            attested_at: Arc::default(),
        }
    }

    /// The keys that all evidence is about.
    pub(super) fn keys(&self) -> &Keys {
        &self.keys
    }

    /// The GPUs, if there are any.
    pub(super) fn gpus(&self) -> Option<&Gpus> {
        self.gpus.as_ref()
    }

    /// When the hardware last signed, in milliseconds since boot.
    pub(super) fn attested_at(&self) -> Arc<AtomicU64> {
        self.attested_at.clone()
    }

    /// Asks the GPUs something that nobody could foresee, and verifies what they answer.
    pub(super) async fn ask_gpus(&self) -> Result<(), Failure> {
        let Some(gpus) = &self.gpus else {
            return Ok(());
        };
        let mut nonce = [0; 32];
        let drawn = SystemRandom::new().fill(&mut nonce);
        drawn.map_err(|_| Failure::Keys("the system gives no random numbers".to_owned()))?;
        gpus.ask(nonce, &self.endorsements().await).await?;
        Ok(())
    }

    /// Evidence about no client's nonce, and a certificate that carries as much of it as there is room for.
    pub(super) async fn epoch(&self, claims: Claims) -> Result<Epoch, Failure> {
        let said = claims.encode();
        let mut evidence = self.evidence(&Session::Boot, &said).await?;
        let bundle = encoded(evidence.clone())?.into();
        // Too much for a certificate, and the same for all machines of a kind: a verifier has its own, or asks.
        evidence.endorsements.rims.clear();
        evidence.endorsements.ocsp.clear();
        evidence.endorsements.statements.clear();
        if evidence.encode().len() > MAX_IN_CERTIFICATE {
            evidence.endorsements.tdx.clear();
        }
        require_length(&evidence.encode(), MAX_IN_CERTIFICATE)?;
        Ok(Epoch {
            encoded: said,
            claims,
            certified: self.keys.certify(&evidence)?,
            bundle,
        })
    }

    /// Shows the host what a quote of this machine says about its platform, so that it can fetch Intel's collateral.
    pub(super) async fn present_quote(&self) -> Result<(), Failure> {
        if let Platform::Tdx(_) = &self.ground.platform
            && let CpuReport::Tdx { quote, .. } = self.ground.platform.report([0; 64]).await?.cpu
        {
            self.ground.host.present(quote, &[]).await;
        }
        Ok(())
    }

    /// Evidence about `session`, this key and these claims: first the GPUs answer, then the CPU signs over their answers.
    pub(super) async fn evidence(
        &self,
        session: &Session,
        claims: &[u8],
    ) -> Result<Evidence, Failure> {
        let anchor = Anchor::new(session, &self.keys.public(), claims);
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
            claims: claims.to_vec(),
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

/// The bundle of some evidence.
pub(super) fn encoded(mut evidence: Evidence) -> Result<Vec<u8>, Failure> {
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

fn require_length(bundle: &[u8], limit: usize) -> Result<(), Failure> {
    match bundle.len() {
        length if length <= limit => Ok(()),
        length => Err(Failure::EvidenceTooLong(length)),
    }
}
