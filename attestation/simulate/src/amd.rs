//! The simulated AMD: a root, an intermediate and one Genoa chip.

use crate::{
    AskProfile, CrlProfile, Launch, SimulateError, TCB, VcekProfile, certificate, line, revocation,
    signing::Keys,
    store::{self, Kept},
    x509::after,
};
use chrysalis_attestation::{
    Time,
    encoding::digest::{sha256, sha512},
    evidence::Endorsements,
    snp::report::{KeyInfo, Mitigations, REPORT_SIZE, Report, SIGNED_SIZE, Signature, SigningKey},
};
use p384::ecdsa::{self, signature::Signer};
use rand_chacha::{ChaCha20Rng, rand_core::SeedableRng};
use rsa::rand_core::OsRng;
use std::path::Path;

/// The layout that current firmware writes.
const REPORT_VERSION: u32 = 5;
/// The mitigations of current firmware, as Siena reports them.
const MITIGATIONS: Mitigations = Mitigations {
    launch: 0x0B,
    current: 0x0B,
};
/// Before signing.
const UNSIGNED: Signature = Signature {
    r: [0; 48],
    s: [0; 48],
};
/// What is signed is valid from a little before now: a verifier's clock may be behind ours.
const CLOCK_SLACK: i64 = 3600;

/// A simulated vendor with one chip. It signs anything, where a real one would check first.
pub struct Amd {
    kept: Kept,
    hwid: [u8; 64],
    /// DER. Issued again at each start, as AMD's key service does at each request.
    vcek: Vec<u8>,
    /// DER.
    crl: Vec<u8>,
    crl_profile: CrlProfile,
}

impl Amd {
    /// Opens the vendor that `folder` keeps, or makes one there on first use, which takes seconds: each slow step is
    /// reported to `progress`. Racing processes end up with the same keys.
    pub fn open_or_create(
        folder: &Path,
        now: Time,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Self, SimulateError> {
        let kept = store::open_or_create(folder, || {
            let mut random = ChaCha20Rng::from_rng(OsRng).map_err(SimulateError::Randomness)?;
            make(&mut random, now, progress)
        })?;
        Self::new(kept, now)
    }

    /// The vendor of this seed, which `folder` keeps from run to run only because making its keys takes seconds.
    pub fn open_or_seed(folder: &Path, seed: [u8; 32], now: Time) -> Result<Self, SimulateError> {
        let kept = store::open_or_create(folder, || {
            make(&mut ChaCha20Rng::from_seed(seed), now, &mut |_| ())
        })?;
        Self::new(kept, now)
    }

    /// A vendor whose keys follow from the seed and are not stored. For tests that compare bytes: anyone who knows the
    /// seed has the keys. Takes as long as a first start.
    pub fn seeded(seed: [u8; 32], now: Time) -> Result<Self, SimulateError> {
        Self::new(
            make(&mut ChaCha20Rng::from_seed(seed), now, &mut |_| ())?,
            now,
        )
    }

    fn new(kept: Kept, now: Time) -> Result<Self, SimulateError> {
        let hwid = hwid(&kept.keys);
        let crl_profile = CrlProfile::empty(earlier(now));
        Ok(Self {
            vcek: certificate::vcek(
                &kept.keys,
                &VcekProfile::honest(kept.keys.line, hwid, earlier(now)),
            )?,
            crl: revocation::crl(
                &certificate::ark_name(kept.keys.line)?,
                &kept.keys.ark,
                &crl_profile,
            )?,
            crl_profile,
            hwid,
            kept,
        })
    }

    /// The same keys under the names of another product line, Milan, with its own root: for tests of hardware that is known
    /// to be broken.
    pub fn into_milan(self, now: Time) -> Result<Self, SimulateError> {
        let keys = Keys {
            line: &line::MILAN,
            ..self.kept.keys
        };
        Self::new(keep(keys, now)?, now)
    }

    /// Renews the revocation list if it is older than a day. A host that runs for weeks calls this now and then.
    pub fn renew(&mut self, now: Time) -> Result<(), SimulateError> {
        if self.crl_profile.is_stale(now) {
            self.crl_profile = CrlProfile::empty(earlier(now));
            self.crl = self.issue_crl(&self.crl_profile)?;
        }
        Ok(())
    }

    /// What a relying party needs to check this chip's reports: VCEK, ASK, ARK and the revocation list.
    pub fn endorsements(&self) -> Endorsements {
        Endorsements {
            certificates: vec![
                self.vcek.clone(),
                self.kept.ask.clone(),
                self.kept.ark.clone(),
            ],
            crls: vec![self.crl.clone()],
            ..Endorsements::default()
        }
    }

    /// SHA-256 of the root's DER, which a policy names to accept this vendor.
    pub fn root_sha256(&self) -> [u8; 32] {
        sha256(&[&self.kept.ark])
    }

    /// The signed report of a guest that passes `report_data`.
    pub fn sign_report(&self, launch: &Launch, report_data: [u8; 64]) -> [u8; REPORT_SIZE] {
        self.sign(&self.report(launch, report_data))
    }

    /// The report before it is signed, for tests that alter it first.
    pub fn report(&self, launch: &Launch, report_data: [u8; 64]) -> Report {
        Report {
            version: REPORT_VERSION,
            guest_svn: launch.guest_svn,
            policy: launch.policy,
            family_id: [0; 16],
            image_id: [0; 16],
            vmpl: launch.vmpl,
            current_tcb: TCB.encode(),
            platform_info: launch.platform_info,
            key_info: KeyInfo {
                author_key_enabled: false,
                chip_key_masked: false,
                signing_key: SigningKey::Vcek,
            },
            report_data,
            launch_digest: launch.launch_digest,
            host_data: launch.host_data,
            id_key_digest: [0; 48],
            author_key_digest: [0; 48],
            report_id: launch.report_id,
            report_id_ma: [0xFF; 32],
            reported_tcb: TCB.encode(),
            cpuid: Some(self.kept.keys.line.cpuid),
            chip_id: self.hwid,
            committed_tcb: TCB.encode(),
            current_firmware: launch.firmware,
            committed_firmware: launch.firmware,
            launch_tcb: TCB.encode(),
            mitigations: Some(MITIGATIONS),
            signature: UNSIGNED,
        }
    }

    /// Signs a report with any content.
    pub fn sign(&self, report: &Report) -> [u8; REPORT_SIZE] {
        let mut report = report.clone();
        let signature: ecdsa::Signature = self.kept.keys.vcek.sign(&report.encode()[..SIGNED_SIZE]);
        let (r, s) = signature.split_bytes();
        report.signature = Signature {
            r: r.into(),
            s: s.into(),
        };
        report.encode()
    }

    /// The content of the honest VCEK, to be altered and then issued.
    pub fn vcek_profile(&self, now: Time) -> VcekProfile {
        VcekProfile::honest(self.kept.keys.line, self.hwid, earlier(now))
    }

    /// Issues a certificate for the chip's key, with any content. DER.
    pub fn issue_vcek(&self, profile: &VcekProfile) -> Result<Vec<u8>, SimulateError> {
        certificate::vcek(&self.kept.keys, profile)
    }

    /// Issues an intermediate's certificate for the ASK's key, with something changed. DER.
    pub fn issue_ask(
        &self,
        now: Time,
        change: impl FnOnce(&mut AskProfile),
    ) -> Result<Vec<u8>, SimulateError> {
        let mut profile = AskProfile::honest(self.kept.keys.line);
        change(&mut profile);
        certificate::ask(&self.kept.keys, earlier(now), &profile)
    }

    /// Issues the intermediate's certificate for cloud providers' keys. DER.
    pub fn issue_asvk(&self, now: Time) -> Result<Vec<u8>, SimulateError> {
        certificate::asvk(&self.kept.keys, earlier(now))
    }

    /// Issues a certificate that calls the chip's key a cloud provider's (VLEK); it does not name the chip. DER.
    pub fn issue_vlek(
        &self,
        profile: &VcekProfile,
        provider: &str,
    ) -> Result<Vec<u8>, SimulateError> {
        certificate::vlek(&self.kept.keys, profile, provider)
    }

    /// Issues a revocation list with any content. DER.
    pub fn issue_crl(&self, profile: &CrlProfile) -> Result<Vec<u8>, SimulateError> {
        let keys = &self.kept.keys;
        revocation::crl(&certificate::ark_name(keys.line)?, &keys.ark, profile)
    }
}

fn make(
    random: &mut ChaCha20Rng,
    now: Time,
    progress: &mut dyn FnMut(&str),
) -> Result<Kept, SimulateError> {
    keep(Keys::generate(random, progress)?, now)
}

/// Adds the permanent certificates.
fn keep(keys: Keys, now: Time) -> Result<Kept, SimulateError> {
    Ok(Kept {
        ark: certificate::ark(&keys, earlier(now))?,
        ask: certificate::ask(&keys, earlier(now), &AskProfile::honest(keys.line))?,
        keys,
    })
}

/// The chip's identity follows from its key, so that nothing else needs to be stored.
fn hwid(keys: &Keys) -> [u8; 64] {
    let public = keys.vcek.verifying_key().to_encoded_point(false);
    sha512(&[b"simulated chip", public.as_bytes()])
}

fn earlier(now: Time) -> Time {
    after(now, -CLOCK_SLACK)
}
