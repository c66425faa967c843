//! Unverified, Authentic, Bound, Trusted. Constructors are private: each stage can be reached only through the one before.

use super::{
    appraise::Subject,
    cpu::{self, Cpu},
    gpus,
    told::Told,
};
use crate::{
    Memory, Rejection, Time,
    evidence::{
        Collateral, CpuReport, Endorsements, Evidence, KeyAgreement,
        binding::{Anchor, Session},
        claims::Claims,
        encode_gpus,
        path::Path,
    },
    nvidia::{Devices, Gpu, Switch},
    policy::{Policy, Waivers},
    roots::Roots,
    transcript::{Failed, Inspection, Patience, Refusal, Transcript},
};

/// Evidence as it came.
#[derive(Debug, Clone)]
pub struct Unverified {
    pub(super) evidence: Evidence,
    pub(super) memory: Memory,
}

/// Evidence that a genuine (or named simulated) CPU signed.
#[derive(Debug, Clone)]
pub struct Authentic {
    pub(super) cpu: Cpu,
    pub(super) event_log: Vec<u8>,
    pub(super) claims: Vec<u8>,
    pub(super) gpus: gpus::Unproved,
    pub(super) path: Option<Path>,
    pub(super) statements: Vec<Vec<u8>>,
    pub(super) now: Time,
    pub(super) transcript: Transcript,
}

/// Authentic evidence about this conversation and this key.
#[derive(Debug, Clone)]
pub struct Bound {
    pub(super) cpu: Cpu,
    pub(super) event_log: Vec<u8>,
    pub(super) claims: Claims,
    pub(super) gpus: gpus::Asked,
    pub(super) statements: Vec<Vec<u8>>,
    pub(super) now: Time,
    pub(super) session: Session,
    pub(super) agreement: Option<KeyAgreement>,
    pub(super) tls_key: Vec<u8>,
    pub(super) transcript: Transcript,
}

/// What was found out about a peer.
#[derive(Debug, Clone)]
pub struct Peer {
    pub(crate) cpu: Cpu,
    pub(crate) claims: Claims,
    pub(crate) devices: Devices,
    pub(crate) session: Session,
    pub(crate) agreement: Option<KeyAgreement>,
    pub(crate) transcript: Transcript,
    /// The moment as of which all this was found out.
    pub(crate) as_of: Time,
    pub(crate) until: Time,
    pub(crate) told: Told,
}

/// A peer whose CPU, image, GPUs and key were all checked. Only verification makes one, and only it yields the TLS key.
#[derive(Debug, Clone)]
pub struct Trusted {
    pub(super) peer: Peer,
    pub(super) tls_key: Vec<u8>,
}

/// A peer whose hardware is genuine and whose memory is private, without a policy to say whether it is wanted. It yields no key.
#[derive(Debug, Clone)]
pub struct Genuine(pub(super) Peer);

impl Unverified {
    /// Takes evidence in.
    pub fn new(evidence: Evidence) -> Self {
        Self {
            evidence,
            memory: Memory::none(),
        }
    }

    /// Is verified with what was verified before: to the same verdict, in less time. Without this, everything is verified from
    /// scratch.
    #[must_use]
    pub fn remembered_by(self, memory: &Memory) -> Self {
        let memory = memory.clone();
        Self { memory, ..self }
    }

    /// The evidence, for display. Nothing in it may be trusted.
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// Is the CPU genuine? Signatures, chains to `roots`, revocation and validity at `now`, and the report's own consistency.
    pub fn authenticate(
        self,
        roots: &Roots,
        collateral: &Collateral,
        now: Time,
    ) -> Result<Authentic, Refusal> {
        let mut inspection = Inspection::new(Patience::First);
        let Evidence {
            cpu: report,
            claims,
            gpus,
            path,
            endorsements,
        } = self.evidence;
        let sources = (collateral, &endorsements);
        let cpu = cpu::authenticate(
            &report,
            sources,
            roots,
            (now, &self.memory),
            &mut inspection,
        );
        let (cpu, transcript) = inspection.finish(cpu)?;
        Ok(Authentic {
            cpu,
            event_log: event_log(report),
            claims,
            path,
            statements: statements(sources),
            gpus: gpus::Unproved::new(
                gpus,
                &roots.nvidia,
                (collateral, endorsements),
                now,
                &self.memory,
            ),
            now,
            transcript,
        })
    }
}

/// The verifier's own come first, so that no number of stapled ones can keep them from being read.
pub(super) fn statements((own, stapled): (&Collateral, &Endorsements)) -> Vec<Vec<u8>> {
    [&own.statements[..], &stapled.statements].concat()
}

/// The event log that came with a TD; empty if none did.
pub(super) fn event_log(report: CpuReport) -> Vec<u8> {
    match report {
        CpuReport::Tdx { event_log, .. } => event_log,
        CpuReport::Snp(_) => Vec::new(),
    }
}

impl Authentic {
    /// Is it about this conversation and this key? `spki` is the DER `SubjectPublicKeyInfo` of the peer's TLS key.
    pub fn bind(self, session: &Session, spki: &[u8]) -> Result<Bound, Refusal> {
        let Self {
            cpu,
            event_log,
            claims: encoded,
            gpus,
            path,
            statements,
            now,
            transcript,
        } = self;
        let mut inspection = Inspection::resume(transcript, Patience::First);
        let bound = readable(&encoded, &mut inspection).map(|claims| {
            let told = (&cpu, encoded.as_slice(), &claims);
            let asked = (session, path.as_ref(), spki);
            let gpus = about(told, gpus, asked, &mut inspection);
            (claims, gpus)
        });
        let ((claims, gpus), transcript) = inspection.finish(bound)?;
        Ok(Bound {
            cpu,
            event_log,
            claims,
            gpus,
            statements,
            now,
            session: session.clone(),
            agreement: None,
            tls_key: spki.to_vec(),
            transcript,
        })
    }

    /// The CPU.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// What was checked so far.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }
}

/// Step bind-1. The claims are read only to be hashed and compared; they are trusted only once the report covers them.
pub(super) fn readable(claims: &[u8], inspection: &mut Inspection) -> Result<Claims, Failed> {
    inspection.check(
        ("bind-1", "claims"),
        || Claims::decode(claims),
        |claims| claims.profile.clone(),
    )
}

/// Steps bind-2 to bind-5.
pub(super) fn about(
    (cpu, encoded, claims): (&Cpu, &[u8], &Claims),
    gpus: gpus::Unproved,
    (session, path, spki): (&Session, Option<&Path>, &[u8]),
    inspection: &mut Inspection,
) -> gpus::Asked {
    let answers = encode_gpus(&gpus.evidence);
    let asked = session.digest(spki);
    let asked = path.map_or(asked, |path| path.root(&asked));
    let anchor = Anchor::over(&asked, spki, encoded);
    let holds = |anchor: &Anchor| anchor.report_data(&answers) == cpu.report_data();
    let bound = || match (holds(&anchor), path) {
        (true, _) => Ok(()),
        (false, Some(path)) => Err(Rejection::PathMismatch {
            index: path.index(),
            count: path.count(),
        }),
        (false, None) if holds(&Anchor::new(&Session::Boot, spki, encoded)) => {
            Err(Rejection::NotFresh)
        }
        (false, None) => Err(Rejection::BindingMismatch),
    };
    let place = |path: &Path| format!(", question {} of {}", path.index(), path.count());
    inspection.note(("bind-2", "binding"), bound, |()| {
        format!("{session}{}", path.map(place).unwrap_or_default())
    });

    let check = ("bind-3", "claimed configuration");
    match cpu {
        Cpu::Snp(genuine) => inspection.require(
            check,
            claims.configuration == genuine.report.host_data,
            Rejection::ConfigurationMismatch,
            "is the one in HOST_DATA",
        ),
        Cpu::Tdx(_) => inspection.skip(
            check,
            "MRCONFIGID holds its SHA-384, the claim its SHA-256: policy-9 decides by MRCONFIGID",
        ),
    }
    gpus.bind(anchor.gpu_nonce(), inspection)
}

impl Bound {
    /// How the keys of the relying party's own connection were agreed, as it saw itself. Without this, a policy that wants a
    /// post-quantum agreement refuses.
    #[must_use]
    pub fn agreed(mut self, agreement: Option<KeyAgreement>) -> Self {
        self.agreement = agreement;
        self
    }

    /// Is it what the policy wants? The GPUs are verified here: the policy decides how much proof they need.
    pub fn appraise(self, policy: &Policy) -> Result<Trusted, Refusal> {
        let tls_key = self.tls_key.clone();
        self.conclude(Some(policy), &Waivers::default())
            .map(|peer| Trusted { peer, tls_key })
    }

    /// Without a policy: is all of its hardware genuine and current, and its memory private?
    pub fn without_policy(self, waivers: &Waivers) -> Result<Genuine, Refusal> {
        self.conclude(None, waivers).map(Genuine)
    }

    fn conclude(self, policy: Option<&Policy>, waivers: &Waivers) -> Result<Peer, Refusal> {
        let Self {
            mut cpu,
            event_log,
            claims,
            gpus,
            statements,
            now,
            session,
            agreement,
            transcript,
            ..
        } = self;
        let mut inspection = Inspection::resume(transcript, Patience::First);
        let subject = Subject {
            cpu: &mut cpu,
            event_log: Some(event_log.as_slice()).filter(|log| !log.is_empty()),
            claims: &claims,
            gpus: &gpus,
            statements: &statements,
            now,
            session: Some(&session),
            agreement,
        };
        let concluded = subject.conclude(policy, waivers, &mut inspection);
        let ((devices, until), transcript) = inspection.finish(concluded)?;
        Ok(Peer {
            until: cpu.until().min(until),
            told: Told::of(&cpu, policy),
            cpu,
            claims,
            devices,
            session,
            agreement,
            transcript,
            as_of: gpus.now(),
        })
    }

    /// What was checked so far.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }
}

impl Peer {
    /// The CPU, which vouches for everything else.
    pub fn cpu(&self) -> &Cpu {
        &self.cpu
    }

    /// The GPUs, all of them verified; empty if there are none.
    pub fn gpus(&self) -> &[Gpu] {
        &self.devices.gpus
    }

    /// The switches between them, all of them verified; empty unless the GPUs are in protected-PCIe mode.
    pub fn switches(&self) -> &[Switch] {
        &self.devices.switches
    }

    /// The peer's claims.
    pub fn claims(&self) -> &Claims {
        &self.claims
    }

    /// How the keys of the conversation were agreed, if the relying party saw it.
    pub fn agreement(&self) -> Option<KeyAgreement> {
        self.agreement
    }

    /// Every check, in order.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// When the first certificate, list, document or answer that this rests on expires.
    pub fn until(&self) -> Time {
        self.until
    }

    /// Whether any of the hardware is simulated. Every output must then say so.
    pub fn simulated(&self) -> bool {
        self.transcript.simulated() || self.cpu.simulated()
    }
}

impl Trusted {
    /// DER `SubjectPublicKeyInfo` of the peer's TLS key.
    pub fn tls_key(&self) -> &[u8] {
        &self.tls_key
    }

    /// What was found out.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The CPU, which vouches for everything else.
    pub fn cpu(&self) -> &Cpu {
        self.peer.cpu()
    }

    /// The GPUs, all of them verified; empty if the policy wants none.
    pub fn gpus(&self) -> &[Gpu] {
        self.peer.gpus()
    }

    /// The switches between them, all of them verified; empty unless the GPUs are in protected-PCIe mode.
    pub fn switches(&self) -> &[Switch] {
        self.peer.switches()
    }

    /// The peer's claims.
    pub fn claims(&self) -> &Claims {
        self.peer.claims()
    }

    /// Every check, in order.
    pub fn transcript(&self) -> &Transcript {
        self.peer.transcript()
    }

    /// When the first certificate, list, document or answer that this rests on expires.
    pub fn until(&self) -> Time {
        self.peer.until()
    }

    /// Whether any of the hardware is simulated. Every output must then say so.
    pub fn simulated(&self) -> bool {
        self.peer.simulated()
    }
}

impl Genuine {
    /// What was found out.
    pub fn peer(&self) -> &Peer {
        &self.0
    }
}
