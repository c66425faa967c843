//! The steps from a report's bytes to evidence that is genuine, in the order of docs/spec/verification.md.
//!
//! Nothing from the report decides anything, besides which pinned root to try, before step 5 has succeeded.

use super::{
    certificate::{self, Leaf, Owner},
    chain::{self, Candidates, Validity},
    product::Product,
    report::{Report, SIGNED_SIZE},
    roots::Roots,
    tcb::Tcb,
};
use crate::{
    Rejection, Time,
    azure::vtpm::Told,
    crypto,
    digest::Hex,
    inspection::{Inspection, Patience, ensure},
    release::Measured,
    verdict::Transcript,
};

/// A report that AMD's hardware (or a named simulation of it) signed. There is no other way to make one than to verify it.
#[derive(Debug, Clone)]
pub struct Genuine {
    pub(crate) report: Report,
    pub(crate) product: Product,
    pub(crate) levels: Levels,
    /// SHA-256 of the root.
    pub(crate) root: Hex<32>,
    pub(crate) simulated: bool,
    pub(crate) validity: Validity,
    /// Whether the report's chip was compared with the certificate's.
    pub(crate) chip_compared: bool,
    /// What Azure's virtual TPM told beside it.
    pub(crate) vtpm: Option<Told>,
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
    /// What of the image was measured: all of it.
    pub fn measured(&self) -> Measured {
        Measured::Snp {
            launch_digest: Hex(self.report.launch_digest),
        }
    }

    /// The report. Signed by hardware, every field of it.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// The product line, by its certificates.
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

    /// Until when the revocation list speaks; `None`: there was none.
    pub fn revocation_until(&self) -> Option<Time> {
        self.validity.revocation_until
    }

    /// When the first certificate or revocation list that this rests on ends.
    pub fn until(&self) -> Time {
        let revocation = self.validity.revocation_until;
        revocation.map_or(self.validity.until, |until| until.min(self.validity.until))
    }
}

/// What was read and looked up along the way. It says nothing of whether the checks passed.
pub(crate) struct Findings {
    report: Report,
    product: Product,
    levels: Option<Levels>,
    root: Option<(Hex<32>, bool)>,
    validity: Option<Validity>,
    chip_compared: bool,
}

/// Verifies a report.
pub(crate) fn verify(
    bytes: &[u8],
    candidates: &Candidates<'_>,
    roots: &Roots,
    now: Time,
    transcript: &mut Transcript,
) -> Result<Genuine, Rejection> {
    let mut inspection = Inspection::new(transcript, Patience::First);
    let found = inspect(bytes, candidates, roots, now, &mut inspection);
    match (
        found.and_then(Findings::complete),
        inspection.failures().into_iter().next(),
    ) {
        (Some(genuine), None) => Ok(genuine),
        (_, Some(rejection)) => Err(rejection),
        // Whatever is missing has failed a check; this keeps it a refusal if that should ever change.
        (None, None) => Err(Rejection::ReportSignature),
    }
}

/// The steps themselves. Each numbered comment is a step of the specification.
pub(crate) fn inspect(
    bytes: &[u8],
    candidates: &Candidates<'_>,
    roots: &Roots,
    now: Time,
    inspection: &mut Inspection<'_>,
) -> Option<Findings> {
    // 1. Length, version, algorithm, reserved bits.
    let report = inspection.check(
        ("snp-1", "report structure"),
        || Report::parse(bytes),
        |report| format!("version {}", report.version),
    )?;

    // 2. The certificate of the kind of key that signed.
    let signing_key = report.key_info.signing_key;
    let (leaf_certificate, leaf) = inspection.check(
        ("snp-2", "report key"),
        || {
            let certificate = chain::find_leaf(candidates, certificate::kind(signing_key)?)?;
            Leaf::parse(&certificate).map(|leaf| (certificate, leaf))
        },
        |(_, leaf)| leaf.owner.to_string(),
    )?;

    // 3. Product line, and the one root for it.
    if leaf.issuer.organisation == crate::roots::SIMULATED {
        inspection.mark_simulated();
    }
    let root = inspection.check(
        ("snp-3", "product and root"),
        || {
            let product = product(&report, &leaf)?;
            chain::find_root(candidates, roots, product, &leaf.issuer.organisation)
        },
        |root| format!("{}, root {}", leaf.product, root.fingerprint),
    );
    let product = leaf.product;

    // 4. Form, signatures, validity and revocation of the chain.
    let validity = root.as_ref().and_then(|root| {
        let leaf_of_chain = (&leaf_certificate, &leaf);
        inspection.check(
            ("snp-4", "certificates"),
            || chain::verify(candidates, root, leaf_of_chain, signing_key, now),
            |validity| format!("valid until {}", validity.until),
        )
    });
    if let Some(until) = validity.and_then(|validity| validity.revocation_until) {
        inspection.check(
            ("snp-4", "revocation"),
            || Ok(()),
            |()| format!("none revoked, as of the list until {until}"),
        );
    }

    // 5. The report's signature.
    inspection.check(
        ("snp-5", "report signature"),
        || verify_signature(bytes, &report, &leaf),
        |()| "ECDSA P-384".to_owned(),
    );

    // 6. The reported level is the one the key is derived from.
    let levels = levels(&report, product);
    inspection.check(
        ("snp-6", "reported TCB"),
        || {
            let reported = levels.clone()?.reported;
            ensure(reported == leaf.tcb, || Rejection::TcbCertificateMismatch {
                report: reported,
                certificate: leaf.tcb,
            })?;
            Ok(reported)
        },
        ToString::to_string,
    );

    // 7. The chip is the one the key belongs to.
    let chip_compared = match &leaf.owner {
        Owner::Chip(id) if report.chip_id != [0; 64] => {
            inspection.check(
                ("snp-7", "chip identity"),
                || same_chip(&report.chip_id, id),
                |()| hex::encode(id),
            );
            true
        }
        _ => false,
    };

    // 8. The levels do not contradict each other.
    let levels = levels.ok();
    if let Some(levels) = &levels {
        inspection.check(
            ("snp-8", "firmware levels"),
            || check_levels(&report, levels),
            |()| {
                format!(
                    "committed firmware {}, running {}",
                    report.committed_firmware, report.current_firmware
                )
            },
        );
    }

    Some(Findings {
        product,
        levels,
        root: root.map(|root| (root.fingerprint, root.anchor.simulated())),
        validity,
        chip_compared,
        report,
    })
}

impl Findings {
    /// All of it, if it is all there. Genuine only if every check passed too.
    pub(crate) fn complete(self) -> Option<Genuine> {
        let validity = self.validity?;
        self.with_validity(validity)
    }

    /// Whether the chain of certificates held, with the revocation list if there was one.
    pub(crate) fn chain_holds(&self) -> bool {
        self.validity.is_some()
    }

    /// As if the chain had held for no time at all: to explain what else is wrong, never to accept.
    pub(crate) fn hypothetical(self) -> Option<Genuine> {
        let none = Validity {
            until: Time(i64::MIN),
            revocation_until: None,
        };
        let validity = self.validity.unwrap_or(none);
        self.with_validity(validity)
    }

    fn with_validity(self, validity: Validity) -> Option<Genuine> {
        let (root, simulated) = self.root?;
        Some(Genuine {
            report: self.report,
            product: self.product,
            levels: self.levels?,
            root,
            simulated,
            validity,
            chip_compared: self.chip_compared,
            vtpm: None,
        })
    }
}

/// By the CPU's family and model where the report has them, else by the certificate; the two must agree.
///
/// The root and the intermediate are then looked up by this line, so all of them agree.
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
        reported: report.reported_tcb.components(product)?,
        current: report.current_tcb.components(product)?,
        committed: report.committed_tcb.components(product)?,
        launch: report.launch_tcb.components(product)?,
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

/// Honest hosts run uncommitted firmware for a while, so committed may be lower than current; never higher.
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
