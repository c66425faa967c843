//! Who is asked for evidence: first the GPUs, then the CPU, which signs over their answers; and the host, which adds what others
//! have signed.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use chrysalis_attestation::evidence::{
    Batch, CpuReport, Endorsements, Evidence, MAX_BUNDLE,
    binding::{Anchor, Session, SessionDigest},
    claims::Claims,
    encode_gpus,
    path::Tree,
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
pub(crate) struct Prover {
    ground: Arc<Ground>,
    keys: Keys,
    gpus: Option<Gpus>,
    /// A relying party may have its own; a host that supplies none does not stop evidence.
    last_endorsements: Mutex<Endorsements>,
    attested_at: Arc<AtomicU64>,
}

impl Prover {
    pub(crate) fn new(ground: Arc<Ground>, keys: Keys, gpus: Option<Gpus>) -> Self {
        Self {
            ground,
            keys,
            gpus,
            last_endorsements: Mutex::default(),
            attested_at: Arc::default(),
        }
    }

    /// The keys that all evidence is about.
    pub(crate) fn keys(&self) -> &Keys {
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
        let mut evidence = self.evidence(&self.at_boot(), &said).await?;
        let whole = bounded(&mut evidence.clone(), None)?;
        let bundle = whole.bundle(0, &[]).unwrap_or_default().into();
        // Too much for a certificate, and the same for all machines of a kind: a verifier has its own, or asks.
        evidence.endorsements.rims.clear();
        evidence.endorsements.ocsp.clear();
        evidence.endorsements.statements.clear();
        if evidence.encode().len() > MAX_IN_CERTIFICATE {
            evidence.endorsements.tdx.clear();
        }
        require_length(evidence.encode().len(), MAX_IN_CERTIFICATE)?;
        Ok(Epoch {
            encoded: said,
            claims,
            certified: self.keys.certify(&evidence)?,
            bundle,
        })
    }

    /// Bundles about these sessions, with one report for all of them.
    pub(crate) async fn batch(
        &self,
        sessions: &[&Session],
        claims: &[u8],
    ) -> Result<Batch, Failure> {
        let public = self.keys.public();
        let sessions: Vec<_> = sessions.iter().map(|it| it.digest(&public)).collect();
        let tree = Tree::new(&sessions);
        let only = sessions.first().copied();
        let asked = tree.as_ref().map(Tree::root).or(only);
        let asked = asked.unwrap_or_else(|| self.at_boot());
        bounded(&mut self.evidence(&asked, claims).await?, tree)
    }

    /// What stands for the time before any client.
    fn at_boot(&self) -> SessionDigest {
        Session::Boot.digest(&self.keys.public())
    }

    /// Shows the host what a quote of this machine says about its platform, so that it can fetch Intel's collateral.
    pub(crate) async fn present_quote(&self) -> Result<(), Failure> {
        if let Platform::Tdx(_) = &self.ground.platform
            && let CpuReport::Tdx { quote, .. } = self.ground.platform.report([0; 64]).await?.cpu
        {
            self.ground.host.present(quote, &[]).await;
        }
        Ok(())
    }

    /// Evidence about what was asked, this key and these claims: first the GPUs answer, then the CPU signs over their answers.
    async fn evidence(&self, asked: &SessionDigest, claims: &[u8]) -> Result<Evidence, Failure> {
        let anchor = Anchor::over(asked, &self.keys.public(), claims);
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
            path: None,
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

/// The bundles of some evidence, none of them too long.
fn bounded(evidence: &mut Evidence, tree: Option<Tree>) -> Result<Batch, Failure> {
    let mut batch = Batch::new(evidence, tree);
    if batch.longest() > MAX_BUNDLE {
        // The first thing that a relying party can do without, or supply itself.
        tracing::warn!("no room in the bundle for the rebuilders' statements");
        evidence.endorsements.statements.clear();
        batch = batch.again(evidence);
    }
    require_length(batch.longest(), MAX_BUNDLE)?;
    Ok(batch)
}

fn require_length(length: usize, limit: usize) -> Result<(), Failure> {
    match length {
        length if length <= limit => Ok(()),
        length => Err(Failure::EvidenceTooLong(length)),
    }
}
