//! What to fetch before evidence can be verified: which manifests, and OCSP answers about which certificates.
//!
//! All of it is read from evidence that is not verified yet. It only says what to ask NVIDIA for: names from here consist of letters,
//! digits, dots, dashes and underscores, so that they are safe in an address or a file name.

use super::{
    GpuEvidence, NvidiaRoots,
    certificate::Signatures,
    chain::{Claimed, DeviceChain},
    kind::Device,
    ocsp,
    opaque::{Opaque, SwitchOpaque},
    rim::{self, Document, driver_rim_id, switch_rim_id, vbios_rim_id},
    spdm::Report,
};
use crate::{Memory, Rejection, Span, Time};

/// A certificate to ask OCSP about, with its issuer. Both DER; [`super::ocsp::question`] makes the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Questioned {
    /// The certificate.
    pub subject: Vec<u8>,
    /// Its issuer, by which OCSP names it.
    pub issuer: Vec<u8>,
}

/// The ids of a device's manifests: two for a GPU, the driver's first (left out where the firmware does not say which chip it is);
/// one for a switch.
pub fn rim_ids(evidence: &GpuEvidence) -> Result<Vec<String>, Rejection> {
    let report = Report::parse(&evidence.report)?;
    let architecture = match Claimed::by(&evidence.chain, &Memory::none())?.device? {
        Device::Gpu(architecture) => architecture,
        Device::Switch => {
            let opaque = SwitchOpaque::parse(report.opaque)?;
            return Ok(vec![switch_rim_id(&opaque.firmware)]);
        }
    };
    let opaque = Opaque::parse(report.opaque)?;
    let ids = driver_rim_id(architecture, &opaque)
        .into_iter()
        .chain([vbios_rim_id(&opaque)]);
    Ok(ids.collect())
}

/// The certificates of a GPU that NVIDIA's responder knows: all but the leaf, which the device made, and the root.
pub fn of_device(evidence: &GpuEvidence) -> Vec<Questioned> {
    let above = evidence.chain.iter().skip(1).map(Vec::as_slice);
    pairs(&above.collect::<Vec<_>>())
}

/// The certificates of a manifest that NVIDIA's responder knows: all but the root.
pub fn of_rim(bytes: &[u8]) -> Result<Vec<Questioned>, Rejection> {
    Ok(pairs(&Document::parse(bytes)?.supplied_chain()))
}

/// What a verifier asks NVIDIA's responder about if its policy requires that ([`super::policy::Revocation::Asked`]): the
/// certificates of these devices and of these manifests, each once, and at most [`ocsp::MAX_ANSWERS`].
///
/// Only certificates that descend from an accepted root: made-up ones cannot be passed through the verifier to NVIDIA.
pub fn to_ask(
    devices: &[GpuEvidence],
    rims: &[Vec<u8>],
    roots: &NvidiaRoots,
    now: Time,
) -> Vec<Questioned> {
    let mut signatures = Signatures::default();
    let genuine = |device: &&GpuEvidence| {
        DeviceChain::verify(&device.chain, roots, now, &mut signatures).is_ok()
    };
    let of_devices = devices.iter().filter(genuine).flat_map(of_device);
    let signed = |rim: &&Vec<u8>| rim::verify(rim, roots, now).is_ok();
    let of_rims = rims.iter().filter(signed);
    let of_rims = of_rims.flat_map(|rim| of_rim(rim).unwrap_or_default());
    let mut wanted: Vec<Questioned> = Vec::new();
    for questioned in of_devices.chain(of_rims) {
        if wanted.len() < ocsp::MAX_ANSWERS && !wanted.contains(&questioned) {
            wanted.push(questioned);
        }
    }
    wanted
}

/// Checks that NVIDIA signed this manifest, and that its version is the one in its id.
pub fn check_rim(
    bytes: &[u8],
    id: &str,
    roots: &NvidiaRoots,
    now: Time,
) -> Result<rim::Rim, Rejection> {
    let manifest = rim::verify(bytes, roots, now)?;
    let ends_in = |version: &str| {
        id.strip_suffix(version)
            .is_some_and(|stem| stem.ends_with('_'))
    };
    let version = &manifest.version;
    if ends_in(version) || ends_in(&version.replace('.', "").to_uppercase()) {
        return Ok(manifest);
    }
    Err(Rejection::RimVersionMismatch {
        kind: "the id",
        wanted: id.to_owned(),
        found: version.clone(),
    })
}

impl Questioned {
    /// OCSP's identifier of the certificate, DER: its issuer's name and key, and its serial number. Equal for equal questions.
    pub fn id(&self) -> Result<Vec<u8>, Rejection> {
        ocsp::name_of(&self.subject, &self.issuer)
    }

    /// Checks that this answer is fresh, signed for the issuer, about this certificate, and in reply to `nonce` if one is given.
    ///
    /// Whether it says good or revoked is for the verifier to judge: a store keeps bad news too.
    pub fn check(
        &self,
        answer: &[u8],
        nonce: Option<[u8; ocsp::NONCE_SIZE]>,
        now: Time,
    ) -> Result<Span, Rejection> {
        ocsp::check_answer((&self.subject, &self.issuer), answer, nonce, now)
    }
}

fn pairs(chain: &[&[u8]]) -> Vec<Questioned> {
    let issuers = chain.iter().skip(1);
    chain
        .iter()
        .zip(issuers)
        .map(|(subject, issuer)| Questioned {
            subject: subject.to_vec(),
            issuer: issuer.to_vec(),
        })
        .collect()
}
