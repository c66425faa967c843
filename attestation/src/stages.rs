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
    /// Is it about this conversation and this key? `spki` is the DER `SubjectPublicKeyInfo` of the peer's TLS key.
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

    let configuration = if claims.configuration == report.host_data {
        Ok(())
    } else {
        Err(Rejection::ConfigurationMismatch)
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
    /// DER `SubjectPublicKeyInfo` of the peer's TLS key.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Verdict,
        appraise::tests::{genuine, policy},
        bundle::NO_GPUS,
        claims::tests::claims,
        verdict::Outcome,
    };

    const SPKI: &[u8] = b"the TLS key";
    const ASKED: Session = Session::Asked {
        nonce: [1; 32],
        exporter: [2; 32],
    };

    /// Evidence of genuine hardware whose report is about `session`, [`SPKI`] and the claims.
    fn authentic(session: &Session) -> Authentic {
        let evidence = Evidence {
            cpu: CpuReport::Snp(Vec::new()),
            claims: claims().encode(),
            gpus: NO_GPUS.to_vec(),
            endorsements: Endorsements::default(),
        };
        let mut genuine = genuine();
        let anchor = Anchor::new(session, SPKI, &evidence.claims);
        genuine.report.report_data = anchor.report_data(&evidence.gpus);
        Authentic {
            evidence,
            genuine,
            transcript: Transcript::default(),
        }
    }

    #[track_caller]
    fn refused<T: std::fmt::Debug>(result: Result<T, Refusal>, expected: &Rejection) {
        let refusal = result.expect_err("it must be refused");
        let last = refusal
            .transcript
            .checks()
            .last()
            .expect("the failed check is recorded");
        assert_eq!(
            (last.step, last.outcome),
            (expected.step(), Outcome::Failed)
        );
        assert_eq!(&refusal.rejection, expected);
    }

    #[test]
    fn evidence_walks_to_trust_and_yields_the_key() {
        let trusted = authentic(&ASKED)
            .bind(&ASKED, SPKI)
            .and_then(|bound| bound.appraise(&policy()));
        let trusted = trusted.expect("trusted");
        assert_eq!(trusted.tls_key(), SPKI);
        assert_eq!(trusted.claims(), &claims());
        assert_eq!(
            trusted.until(),
            Time(1_796_126_400),
            "the revocation list ends first"
        );
        assert!(!trusted.simulated());
    }

    #[test]
    fn refuses_evidence_about_another_nonce_session_key_or_claims() {
        let nonce = Session::Asked {
            nonce: [9; 32],
            exporter: [2; 32],
        };
        let exporter = Session::Asked {
            nonce: [1; 32],
            exporter: [9; 32],
        };
        for session in [nonce, exporter, Session::Boot] {
            refused(
                authentic(&ASKED).bind(&session, SPKI),
                &Rejection::BindingMismatch,
            );
        }
        refused(
            authentic(&ASKED).bind(&ASKED, b"another key"),
            &Rejection::BindingMismatch,
        );
        let mut altered = authentic(&ASKED);
        altered.evidence.claims = Claims {
            epoch: 1,
            ..claims()
        }
        .encode();
        refused(altered.bind(&ASKED, SPKI), &Rejection::BindingMismatch);
        let mut spliced = authentic(&ASKED);
        spliced.evidence.gpus = vec![0x81, 0x40];
        refused(spliced.bind(&ASKED, SPKI), &Rejection::BindingMismatch);
    }

    #[test]
    fn refuses_evidence_of_boot_as_the_answer_to_a_question() {
        refused(
            authentic(&Session::Boot).bind(&ASKED, SPKI),
            &Rejection::NotFresh,
        );
    }

    #[test]
    fn refuses_claims_that_cannot_be_read() {
        let mut broken = authentic(&ASKED);
        broken.evidence.claims.push(0);
        let what = "not deterministic CBOR".to_owned();
        refused(
            broken.bind(&ASKED, SPKI),
            &Rejection::ClaimsMalformed { what },
        );
    }

    #[test]
    fn refuses_a_claimed_configuration_that_the_hardware_did_not_measure() {
        let mut other = authentic(&ASKED);
        other.genuine.report.host_data = [9; 32];
        refused(other.bind(&ASKED, SPKI), &Rejection::ConfigurationMismatch);
    }

    #[test]
    fn a_verdict_reads_as_lines() {
        let trusted = authentic(&ASKED)
            .bind(&ASKED, SPKI)
            .and_then(|bound| bound.appraise(&policy()));
        assert_eq!(
            Verdict::of(&trusted).to_string(),
            "cpu     AMD SEV-SNP, Genoa       genuine, firmware at the floor\n\
             gpu     none                     the policy wants none\n\
             bound   this TLS session, your nonce\n\
             image   030303030303…            matches the policy\n\
             trusted until 2026-12-01 12:00 UTC"
        );
    }

    #[test]
    fn a_verdict_says_what_is_simulated_and_what_is_unchecked() {
        let mut simulated = authentic(&ASKED);
        simulated.genuine.simulated = true;
        simulated.genuine.validity.revocation_until = None;
        let mut policy = policy();
        policy.simulation = vec![[8; 32]];
        policy.snp.revocation_unchecked = Some("no list yet".to_owned());
        let trusted = simulated
            .bind(&ASKED, SPKI)
            .and_then(|bound| bound.appraise(&policy));
        assert_eq!(
            Verdict::of(&trusted).to_string(),
            "cpu     AMD SEV-SNP, Genoa       SIMULATED, not AMD hardware, firmware at the floor\n\
             gpu     none                     the policy wants none\n\
             bound   this TLS session, your nonce\n\
             image   030303030303…            matches the policy\n\
             open    revocation               not checked: no list yet\n\
             trusted (simulated) until 2027-01-15 08:00 UTC"
        );
    }

    #[test]
    fn a_refusal_reads_as_code_detail_and_hint() {
        let mut policy = policy();
        policy.snp.launch_digest = Expect::AnyOf(vec![[0; 48]]);
        let refused = authentic(&ASKED)
            .bind(&ASKED, SPKI)
            .and_then(|bound| bound.appraise(&policy));
        let verdict = Verdict::of(&refused);
        assert!(!verdict.is_trusted());
        assert_eq!(
            verdict.to_string(),
            format!(
                "not trusted: launch_digest_unknown\n\
                 image   {} is not in the policy\n\
                 hint: `chrysalis measure DIR` computes the digest of an image you built",
                "03".repeat(48)
            )
        );
    }

    #[test]
    fn a_verdict_as_json_has_every_check() {
        let trusted = authentic(&ASKED)
            .bind(&ASKED, SPKI)
            .and_then(|bound| bound.appraise(&policy()));
        let json = serde_json::to_value(Verdict::of(&trusted)).expect("JSON");
        assert_eq!(json["verdict"], "trusted");
        assert_eq!(json["code"], serde_json::Value::Null);
        assert_eq!(json["simulated"], false);
        assert_eq!(json["until"], "2026-12-01T12:00:00Z");
        assert_eq!(json["claims"]["configuration"], "01".repeat(32));
        let checks = json["checks"].as_array().expect("checks");
        assert_eq!(
            checks[1],
            serde_json::json!({
                "step": "bind-2",
                "name": "binding",
                "outcome": "passed",
                "detail": "this TLS session, your nonce",
            })
        );
        let chip = checks
            .iter()
            .find(|check| check["name"] == "chip")
            .expect("the chip");
        assert_eq!(chip["outcome"], "not_checked");

        let refused = authentic(&ASKED)
            .bind(&Session::Boot, SPKI)
            .and_then(|bound| bound.appraise(&policy()));
        let json = serde_json::to_value(Verdict::of(&refused)).expect("JSON");
        assert_eq!(json["verdict"], "rejected");
        assert_eq!(json["code"], "binding_mismatch");
        assert_eq!(json["claims"], serde_json::Value::Null);
    }
}
