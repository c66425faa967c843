//! The walk from bytes to trust. Constructors are private: there is no other way to the next stage.

use crate::{
    Rejection, Time, appraise,
    binding::{Anchor, Session},
    bundle::{CpuReport, Endorsements, Evidence},
    claims::Claims,
    policy::{Expect, Policy},
    roots::Roots,
    snp::{chain::Candidates, product::Product, report::Report, verify, verify::Genuine},
    verdict::{Refusal, Transcript},
};

/// What a verifier brings besides what the evidence carries: the same vendor-signed objects.
pub type Collateral = Endorsements;

/// Evidence as it came.
#[derive(Debug, Clone)]
pub struct Unverified(Evidence);

/// Evidence that genuine (or named simulated) hardware signed.
#[derive(Debug, Clone)]
pub struct Authentic {
    evidence: Evidence,
    genuine: Genuine,
    transcript: Transcript,
}

/// Authentic evidence about this conversation and this key.
#[derive(Debug, Clone)]
pub struct Bound {
    genuine: Genuine,
    claims: Claims,
    gpus: usize,
    session: Session,
    tls_key: Vec<u8>,
    transcript: Transcript,
}

/// A peer whose CPU, image and key were all checked. There is no other way to make one, and only it yields the TLS key.
#[derive(Debug, Clone)]
pub struct Trusted {
    genuine: Genuine,
    claims: Claims,
    session: Session,
    tls_key: Vec<u8>,
    transcript: Transcript,
    until: Time,
    /// How the policy's two main answers are told: on the firmware, and on the image.
    told: [String; 2],
}

impl Unverified {
    /// Takes evidence in.
    pub fn new(evidence: Evidence) -> Self {
        Self(evidence)
    }

    /// The evidence, to be shown. Nothing of it is to be believed.
    pub fn evidence(&self) -> &Evidence {
        &self.0
    }

    /// Is it genuine? Signatures, chains to `roots`, revocation and validity at `now`, and the report's own consistency.
    pub fn authenticate(
        self,
        roots: &Roots,
        collateral: &Collateral,
        now: Time,
    ) -> Result<Authentic, Refusal> {
        let mut transcript = Transcript::default();
        let evidence = self.0;
        let CpuReport::Snp(report) = &evidence.cpu;
        let candidates = Candidates::of(&[collateral, &evidence.endorsements]);
        match verify::verify(report, &candidates, roots, now, &mut transcript) {
            Ok(genuine) => Ok(Authentic {
                evidence,
                genuine,
                transcript,
            }),
            Err(rejection) => Err(Refusal {
                rejection,
                transcript,
            }),
        }
    }
}

impl Authentic {
    /// Is it about this conversation and this key? `spki` is the DER SubjectPublicKeyInfo of the peer's TLS key.
    pub fn bind(self, session: &Session, spki: &[u8]) -> Result<Bound, Refusal> {
        let Self {
            evidence,
            genuine,
            mut transcript,
        } = self;
        match check_binding(&evidence, &genuine.report, session, spki, &mut transcript) {
            Ok((claims, gpus)) => Ok(Bound {
                genuine,
                claims,
                gpus,
                session: session.clone(),
                tls_key: spki.to_vec(),
                transcript,
            }),
            Err(rejection) => Err(Refusal {
                rejection,
                transcript,
            }),
        }
    }

    /// The CPU's report.
    pub fn report(&self) -> &Report {
        &self.genuine.report
    }

    /// The CPU's product line.
    pub fn product(&self) -> Product {
        self.genuine.product
    }

    /// What was checked so far.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }
}

/// The claims are read only to be hashed and compared; they are believed once the report holds them.
fn check_binding(
    evidence: &Evidence,
    report: &Report,
    session: &Session,
    spki: &[u8],
    transcript: &mut Transcript,
) -> Result<(Claims, usize), Rejection> {
    let claims = Claims::decode(&evidence.claims)
        .and_then(|claims| Ok((claims, crate::bundle::gpu_count(&evidence.gpus)?)));
    let (claims, gpus) = transcript.record("bind-1", "claims", claims, |(claims, _)| {
        claims.profile.clone()
    })?;

    let holds = |session: &Session| {
        let anchor = Anchor::new(session, spki, &evidence.claims);
        anchor.report_data(&evidence.gpus) == report.report_data
    };
    let bound = match holds(session) {
        true => Ok(()),
        false if holds(&Session::Boot) => Err(Rejection::NotFresh),
        false => Err(Rejection::BindingMismatch),
    };
    transcript.record("bind-2", "binding", bound, |()| session.to_string())?;

    let configuration = match claims.configuration == report.host_data {
        true => Ok(()),
        false => Err(Rejection::ConfigurationMismatch),
    };
    transcript.record("bind-3", "claimed configuration", configuration, |()| {
        "is the one that HOST_DATA holds".to_owned()
    })?;
    Ok((claims, gpus))
}

impl Bound {
    /// Is it what the policy wants?
    pub fn appraise(self, policy: &Policy) -> Result<Trusted, Refusal> {
        let Self {
            genuine,
            claims,
            gpus,
            session,
            tls_key,
            mut transcript,
        } = self;
        let subject = appraise::Subject {
            genuine: &genuine,
            claims: &claims,
            gpus,
            session: &session,
        };
        match appraise::appraise(&subject, policy, &mut transcript) {
            Ok(()) => {}
            Err(rejection) => {
                return Err(Refusal {
                    rejection,
                    transcript,
                });
            }
        }
        let until = genuine.validity.revocation_until.unwrap_or(Time(i64::MAX));
        let until = until.min(genuine.validity.until);
        let told = [
            policy.snp.minimum_tcb.told(),
            told(&policy.snp.launch_digest),
        ];
        Ok(Trusted {
            genuine,
            claims,
            session,
            tls_key,
            transcript,
            until,
            told,
        })
    }

    /// What was checked so far.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }
}

fn told<T>(expected: &Expect<T>) -> String {
    match expected {
        Expect::AnyOf(_) => "matches the policy".to_owned(),
        Expect::Unchecked { why } => format!("not checked: {why}"),
    }
}

impl Trusted {
    /// DER SubjectPublicKeyInfo of the peer's TLS key.
    pub fn tls_key(&self) -> &[u8] {
        &self.tls_key
    }

    /// The peer's claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// The CPU's product line.
    pub fn product(&self) -> Product {
        self.genuine.product
    }

    /// The CPU's report.
    pub fn report(&self) -> &Report {
        &self.genuine.report
    }

    /// Every check, in order.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// When the first certificate, CRL or policy limit that this rests on ends.
    pub fn until(&self) -> Time {
        self.until
    }

    /// Whether the hardware is simulated. Every output must then say so.
    pub fn simulated(&self) -> bool {
        self.genuine.simulated
    }

    /// The lines of a verdict: what, which, and how it was found.
    pub(crate) fn summary(&self) -> Vec<[String; 3]> {
        let [firmware, image] = &self.told;
        let genuine = if self.simulated() {
            "SIMULATED, not AMD hardware"
        } else {
            "genuine"
        };
        let digest = hex::encode(self.genuine.report.launch_digest);
        let short: String = digest.chars().take(12).chain(['…']).collect();
        [
            [
                "cpu",
                &format!("AMD SEV-SNP, {}", self.genuine.product),
                &format!("{genuine}, {firmware}"),
            ],
            ["gpu", "none", "the policy wants none"],
            ["bound", &self.session.to_string(), ""],
            ["image", &short, image],
        ]
        .map(|line| line.map(str::to_owned))
        .to_vec()
    }
}
