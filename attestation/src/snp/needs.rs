//! What to fetch before a report can be verified, and whether the answer is what was asked for.
//!
//! The wish is read from a report that is not verified yet: it only says what to ask AMD for. The answers are checked against the
//! accepted roots before they are kept, so a store cannot be filled with foreign objects.

use std::sync::Arc;

use super::{
    candidate::{Candidates, Certificate, List},
    certificate::{self, Leaf, Owner},
    chain, crl,
    product::Product,
    report::{Report, SigningKey, components},
    roots::AmdRoots,
    tcb::Tcb,
};
use crate::{Memory, Rejection, Span, Time};

/// Whose certificate a report needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportKey {
    /// A VCEK, which AMD's key service has for every chip and firmware level.
    Chip(Chip),
    /// A VLEK: only the cloud provider hands it out, along with the report.
    Provider(Product),
}

/// A chip at a firmware level: what a VCEK is derived from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chip {
    /// The product lines that it may belong to. Several only where a report of version 2 does not say which.
    pub products: Vec<Product>,
    /// 64 bytes; on Turin 8.
    pub hardware_id: Vec<u8>,
    /// The reported level.
    pub tcb: Tcb,
}

/// The roots to check answers against, and certificates to build a chain from: untrusted, from any source.
#[derive(Debug, Clone, Copy)]
pub struct Authorities<'a> {
    /// Accepted roots.
    pub roots: &'a AmdRoots,
    /// DER. AMD's own are pinned; a simulated vendor's come with the evidence.
    pub certificates: &'a [Vec<u8>],
}

/// Which key signed this report.
pub fn report_key(report: &[u8]) -> Result<ReportKey, Rejection> {
    let report = Report::parse(report)?;
    let products = products(&report)?;
    let signing_key = report.key_info.signing_key;
    certificate::kind(signing_key)?;
    let first = products
        .first()
        .copied()
        .ok_or_else(|| Rejection::ProductUnknown {
            found: "this report".to_owned(),
        })?;
    if signing_key == SigningKey::Vlek {
        return Ok(ReportKey::Provider(first));
    }
    if report.chip_id == [0; 64] {
        return Err(Rejection::ChipMasked);
    }
    let hardware_id = report.chip_id.iter().take(first.hardware_id_size());
    Ok(ReportKey::Chip(Chip {
        hardware_id: hardware_id.copied().collect(),
        tcb: components(report.reported_tcb, first)?,
        products,
    }))
}

/// Version 2 does not name the line; Turin's firmware never wrote that version, and the two other lines share their layout.
fn products(report: &Report) -> Result<Vec<Product>, Rejection> {
    let Some(cpuid) = report.cpuid else {
        return Ok(vec![Product::Milan, Product::Genoa]);
    };
    Product::of(cpuid)
        .map(|product| vec![product])
        .ok_or_else(|| Rejection::ProductUnknown {
            found: cpuid.to_string(),
        })
}

impl Chip {
    /// Whether this unverified certificate says that it is the chip's at this level; if so, its product line.
    pub fn is_named_by(&self, der: &[u8]) -> Option<Product> {
        let certificate = Certificate::read(der).ok()?;
        let leaf = certificate.leaf().ok()?;
        self.check(leaf).ok().map(|()| leaf.product)
    }

    fn check(&self, leaf: &Leaf) -> Result<(), Rejection> {
        let wanted = self.products.first().copied().unwrap_or(leaf.product);
        if !self.products.contains(&leaf.product) {
            return Err(Rejection::ProductMismatch {
                report: wanted,
                certificate: leaf.product,
            });
        }
        if leaf.owner != Owner::Chip(self.hardware_id.clone()) {
            return Err(Rejection::LeafProfile {
                what: "it belongs to a different chip",
            });
        }
        if leaf.tcb != self.tcb {
            return Err(Rejection::TcbCertificateMismatch {
                report: self.tcb,
                certificate: leaf.tcb,
            });
        }
        Ok(())
    }
}

/// Checks that this is the certificate of the chip at this level, issued under an accepted root. Returns its product line and validity.
pub fn check_vcek(
    der: &[u8],
    chip: &Chip,
    authorities: Authorities<'_>,
    now: Time,
) -> Result<(Product, Span), Rejection> {
    let certificate = Arc::new(Certificate::read(der)?);
    let leaf = certificate.leaf()?;
    chip.check(leaf)?;
    let candidates = authorities.candidates();
    let certificates = candidates.read()?;
    let root = chain::find_root(
        &certificates,
        authorities.roots,
        leaf.product,
        &leaf.issuer.organisation,
    )?;
    let of_chain = (&certificate, leaf.product);
    let candidates = (certificates.as_slice(), &candidates);
    let validity = chain::verify(candidates, &root, of_chain, SigningKey::Vcek, now)?;
    let span = Span {
        from: certificate.from,
        until: validity.until,
        number: None,
    };
    Ok((leaf.product, span))
}

/// Checks that this is a fresh revocation list from the line's accepted root. Returns its validity.
pub fn check_list(
    der: &[u8],
    product: Product,
    authorities: Authorities<'_>,
    now: Time,
) -> Result<Span, Rejection> {
    let list = List::read(der)?;
    let foreign = || Rejection::CrlProfile {
        what: "does not come from the product's root",
    };
    let issuer = list.name.as_ref().ok_or_else(foreign)?;
    if issuer.common_name != format!("ARK-{product}") {
        return Err(foreign());
    }
    let certificates = authorities.candidates().read()?;
    let root = chain::find_root(
        &certificates,
        authorities.roots,
        product,
        &issuer.organisation,
    )?;
    let until = crl::check((&[der], &Memory::none()), root.ark, &[], now)?.ok_or_else(foreign)?;
    Ok(Span {
        from: list.from,
        until,
        number: list.number.and_then(|number| number.try_into().ok()),
    })
}

/// The product line that a VCEK or VLEK names. Nothing in it is verified.
pub fn claimed_product(der: &[u8]) -> Option<Product> {
    let certificate = Certificate::read(der).ok()?;
    certificate.leaf().ok().map(|leaf| leaf.product)
}

impl<'a> Authorities<'a> {
    /// Without revocation lists: those are checked by themselves, and again at every verification.
    fn candidates(&self) -> Candidates<'a> {
        Candidates {
            certificates: self.certificates.iter().map(Vec::as_slice).collect(),
            lists: Vec::new(),
            memory: Memory::none(),
        }
    }
}
