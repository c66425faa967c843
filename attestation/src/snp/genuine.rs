//! The steps from a report's bytes to evidence that is genuine, in the order of docs/spec/verification.md.
//!
//! Before step 5 has succeeded, nothing in the report decides anything except which pinned root to try.

use std::sync::Arc;

use super::{
    candidate::{Candidates, Certificate},
    certificate::{self, Leaf, Owner},
    chain::{self, Root, Validity},
    product::Product,
    report::{Report, SIGNED_SIZE, SigningKey, components},
    roots::AmdRoots,
    tcb::Tcb,
};
use crate::{
    Rejection, Time, crypto,
    encoding::digest::Hex,
    release::Measured,
    transcript::{Failed, Inspection, SIMULATED, ensure},
};

/// A report that AMD's hardware (or a named simulation of it) signed. Only verification makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Genuine {
    pub(crate) report: Report,
    pub(crate) product: Product,
    pub(crate) levels: Levels,
    /// SHA-256 of the root.
    pub(crate) root: Hex<32>,
    pub(crate) simulated: bool,
    pub(crate) validity: Validity,
    /// Why a revocation list that came with the evidence could not be used, where patience went past that.
    pub(crate) unused_list: Option<&'static str>,
    /// Whether the report's chip was compared with the certificate's.
    pub(crate) chip_compared: bool,
}

/// The report's firmware levels, by the layout of its product line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Levels {
    pub(crate) reported: Tcb,
    pub(crate) current: Tcb,
    pub(crate) committed: Tcb,
    pub(crate) launch: Tcb,
}

impl Genuine {
    /// The image's measurement, which covers all of it.
    pub fn measured(&self) -> Measured {
        Measured::Snp {
            launch_digest: Hex(self.report.launch_digest),
        }
    }

    /// The report. Every field is signed by hardware.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The product line, according to its certificates.
    pub fn product(&self) -> Product {
        self.product
    }

    /// The certified firmware levels.
    pub fn reported_tcb(&self) -> Tcb {
        self.levels.reported
    }

    /// SHA-256 of the root.
    pub fn root(&self) -> Hex<32> {
        self.root
    }

    /// Whether that root is a simulated one.
    pub fn simulated(&self) -> bool {
        self.simulated
    }

    /// Until when the revocation list is valid; `None` if there was none.
    pub fn revocation_until(&self) -> Option<Time> {
        self.validity.revocation_until
    }

    /// When the first certificate or revocation list that this rests on expires.
    pub fn until(&self) -> Time {
        let revocation = self.validity.revocation_until;
        revocation.map_or(self.validity.until, |until| until.min(self.validity.until))
    }
}

/// Why a revocation list that came with the evidence is not used: it, or the chain that it is about, has already failed.
const LIST_STOPPED: &str = "there was a list, but the failure at snp-4 kept it from being used";

/// Steps snp-1 to snp-8. Where patience goes past a failure, the result is as if the chain had been valid for no time at all: only
/// [`Inspection::finish`] makes it count.
pub(crate) fn authenticate(
    bytes: &[u8],
    candidates: &Candidates<'_>,
    roots: &AmdRoots,
    now: Time,
    inspection: &mut Inspection,
) -> Result<Genuine, Failed> {
    let report = structure(bytes, inspection)?;
    let read = candidates.read();
    let (certificate, leaf) = report_key(&report, &read, inspection)?;
    // Unless all of them could be read, there is no report key.
    let certificates = read.as_deref().unwrap_or_default();
    let root = root(&report, leaf, (certificates, roots), inspection);
    let signing_key = report.key_info.signing_key;
    let validity = root.as_ref().map_err(Clone::clone).and_then(|root| {
        chain(
            root,
            (certificate, leaf.product),
            signing_key,
            (certificates, candidates),
            now,
            inspection,
        )
    });
    signature(bytes, &report, leaf, inspection);
    let levels = reported_tcb(&report, leaf, inspection);
    let chip_compared = chip(&report, leaf, inspection);
    if let Ok(levels) = &levels {
        consistency(&report, levels, inspection);
    }
    let (root, levels) = (root?, levels?);
    let unused_list = validity.is_err() && !candidates.lists.is_empty();
    Ok(Genuine {
        product: leaf.product,
        levels,
        root: root.fingerprint,
        simulated: root.anchor.simulated(),
        validity: validity.unwrap_or(Validity {
            until: Time(i64::MIN),
            revocation_until: None,
        }),
        unused_list: unused_list.then_some(LIST_STOPPED),
        chip_compared,
        report,
    })
}

/// Step 1: length, version, algorithm, reserved bits.
fn structure(bytes: &[u8], inspection: &mut Inspection) -> Result<Report, Failed> {
    inspection.check(
        ("snp-1", "report structure"),
        || Report::parse(bytes),
        |report| format!("version {}", report.version),
    )
}

/// Step 2: the certificate for the kind of key that signed.
fn report_key<'r>(
    report: &Report,
    certificates: &'r Result<Vec<Arc<Certificate>>, Rejection>,
    inspection: &mut Inspection,
) -> Result<(&'r Arc<Certificate>, &'r Leaf), Failed> {
    inspection.check(
        ("snp-2", "report key"),
        || {
            let kind = certificate::kind(report.key_info.signing_key)?;
            let certificates = certificates.as_ref().map_err(Clone::clone)?;
            let certificate = chain::find_leaf(certificates, kind)?;
            Ok((certificate, certificate.leaf()?))
        },
        |(_, leaf)| leaf.owner.to_string(),
    )
}

/// Step 3: the product line, and the one root for it.
fn root<'c>(
    report: &Report,
    leaf: &Leaf,
    (certificates, roots): (&'c [Arc<Certificate>], &'c AmdRoots),
    inspection: &mut Inspection,
) -> Result<Root<'c>, Failed> {
    if leaf.issuer.organisation == SIMULATED {
        inspection.mark_simulated();
    }
    inspection.check(
        ("snp-3", "product and root"),
        || {
            let product = product(report, leaf)?;
            chain::find_root(certificates, roots, product, &leaf.issuer.organisation)
        },
        |root| format!("{}, root {}", leaf.product, root.fingerprint),
    )
}

/// Step 4: form, signatures, validity and revocation of the chain.
fn chain(
    root: &Root<'_>,
    leaf: (&Arc<Certificate>, Product),
    signing_key: SigningKey,
    candidates: (&[Arc<Certificate>], &Candidates<'_>),
    now: Time,
    inspection: &mut Inspection,
) -> Result<Validity, Failed> {
    let validity = inspection.check(
        ("snp-4", "certificates"),
        || chain::verify(candidates, root, leaf, signing_key, now),
        |validity| format!("valid until {}", validity.until),
    )?;
    if let Some(until) = validity.revocation_until {
        inspection.note(
            ("snp-4", "revocation"),
            || Ok(()),
            |()| format!("none revoked, according to the list valid until {until}"),
        );
    }
    Ok(validity)
}

/// Step 5: the report's signature.
fn signature(bytes: &[u8], report: &Report, leaf: &Leaf, inspection: &mut Inspection) {
    inspection.note(
        ("snp-5", "report signature"),
        || verify_signature(bytes, report, leaf),
        |()| "ECDSA P-384".to_owned(),
    );
}

/// Step 6: the reported level is the one from which the key is derived.
fn reported_tcb(
    report: &Report,
    leaf: &Leaf,
    inspection: &mut Inspection,
) -> Result<Levels, Failed> {
    let levels = levels(report, leaf.product);
    let checked = inspection.check(
        ("snp-6", "reported TCB"),
        || {
            let levels = levels.clone()?;
            let reported = levels.reported;
            ensure(reported == leaf.tcb, || Rejection::TcbCertificateMismatch {
                report: reported,
                certificate: leaf.tcb,
            })?;
            Ok(levels)
        },
        |levels| levels.reported.to_string(),
    );
    // A level other than the certificate's can still be compared with a policy's floor.
    checked.or_else(|failed| levels.map_err(|_| failed))
}

/// Step 7: the chip is the one that the key belongs to. Returns whether there was a chip to compare.
fn chip(report: &Report, leaf: &Leaf, inspection: &mut Inspection) -> bool {
    let Owner::Chip(id) = &leaf.owner else {
        return false;
    };
    if report.chip_id == [0; 64] {
        return false;
    }
    inspection.note(
        ("snp-7", "chip identity"),
        || same_chip(&report.chip_id, id),
        |()| hex::encode(id),
    );
    true
}

/// Step 8: the levels do not contradict each other.
fn consistency(report: &Report, levels: &Levels, inspection: &mut Inspection) {
    inspection.note(
        ("snp-8", "firmware levels"),
        || check_levels(report, levels),
        |()| {
            format!(
                "committed firmware {}, running {}",
                report.committed_firmware, report.current_firmware
            )
        },
    );
}

/// The line of the CPU's family and model if the report has them, otherwise the certificate's; the two must agree.
///
/// The root and the intermediate are then looked up by this line, so all of them match.
fn product(report: &Report, leaf: &Leaf) -> Result<Product, Rejection> {
    let Some(cpuid) = report.cpuid else {
        return Ok(leaf.product);
    };
    match Product::of(cpuid) {
        None => Err(Rejection::ProductUnknown {
            found: cpuid.to_string(),
        }),
        Some(product) if product != leaf.product => Err(Rejection::ProductMismatch {
            report: product,
            certificate: leaf.product,
        }),
        Some(product) => Ok(product),
    }
}

fn verify_signature(bytes: &[u8], report: &Report, leaf: &Leaf) -> Result<(), Rejection> {
    let signed = bytes
        .get(..SIGNED_SIZE)
        .ok_or(Rejection::ReportLength { found: bytes.len() })?;
    let mut signature = [0; 96];
    let (r, s) = signature.split_at_mut(48);
    r.copy_from_slice(&report.signature.r);
    s.copy_from_slice(&report.signature.s);
    crypto::verify_ecdsa_p384(&leaf.key, signed, &signature).map_err(|_| Rejection::ReportSignature)
}

fn levels(report: &Report, product: Product) -> Result<Levels, Rejection> {
    Ok(Levels {
        reported: components(report.reported_tcb, product)?,
        current: components(report.current_tcb, product)?,
        committed: components(report.committed_tcb, product)?,
        launch: components(report.launch_tcb, product)?,
    })
}

/// On Turin the identity fills the first 8 bytes and the rest is zero.
fn same_chip(chip_id: &[u8; 64], certified: &[u8]) -> Result<(), Rejection> {
    let same = chip_id
        .strip_prefix(certified)
        .is_some_and(|rest| rest.iter().all(|byte| *byte == 0));
    if same {
        Ok(())
    } else {
        Err(Rejection::ChipMismatch {
            found: Hex(*chip_id),
        })
    }
}

/// Honest hosts run uncommitted firmware for a while, so committed may be lower than current, but never higher.
fn check_levels(report: &Report, levels: &Levels) -> Result<(), Rejection> {
    let wrong = |what| Err(Rejection::TcbInconsistent { what });
    if levels.current.below(&levels.reported).is_some() {
        return wrong("reported is above current");
    }
    if levels.current.below(&levels.committed).is_some() {
        return wrong("committed is above current");
    }
    if report.committed_firmware > report.current_firmware {
        return wrong("the committed firmware is newer than the running one");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_a_shorter_identity_are_zeros() {
        let mut chip = [0; 64];
        chip[..8].fill(7);
        assert!(same_chip(&chip, &[7; 8]).is_ok());
        assert!(same_chip(&chip, &[8; 8]).is_err());
        chip[63] = 1;
        assert!(same_chip(&chip, &[7; 8]).is_err());
    }
}
