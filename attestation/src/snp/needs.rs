//! What to fetch before a report can be verified, and whether what came back is that.
//!
//! The wish is read from a report that nobody has verified yet: it says what to ask AMD for, and nothing else. The answers are
//! held against the accepted roots before anybody keeps them, so a store cannot be filled with somebody else's objects.

use x509_parser::prelude::X509Certificate;

use super::signed::Name;
use super::{
    certificate::{self, Leaf, Owner},
    chain::{self, Candidates},
    crl,
    product::Product,
    report::{Report, SigningKey, components},
    roots::AmdRoots,
    tcb::Tcb,
};
use crate::{Rejection, Span, Time, encoding::x509};

/// Whose certificate a report wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportKey {
    /// A VCEK, which AMD's key service has for every chip and firmware level.
    Chip(Chip),
    /// A VLEK: only the cloud provider hands it out, beside the report.
    Provider(Product),
}

/// A chip at a firmware level: what a VCEK is derived from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chip {
    /// The product lines that it may be of. Several only where a report of version 2 does not say which.
    pub products: Vec<Product>,
    /// 64 bytes; on Turin 8.
    pub hardware_id: Vec<u8>,
    /// The reported level.
    pub tcb: Tcb,
}

/// The roots to hold answers against, and certificates to find a chain among: untrusted, from wherever.
#[derive(Debug, Clone, Copy)]
pub struct Authorities<'a> {
    /// Accepted roots.
    pub roots: &'a AmdRoots,
    /// DER. AMD's own are pinned; a simulated vendor's travel with the evidence.
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

/// Version 2 does not say; firmware of Turin never wrote it, and the two other lines share their layout.
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
    /// Whether this certificate, of which nothing is verified, says that it is the chip's at this level; and its line.
    pub fn is_named_by(&self, der: &[u8]) -> Option<Product> {
        let leaf = Leaf::parse(&x509::certificate(der).ok()?).ok()?;
        self.check(&leaf).ok().map(|()| leaf.product)
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
                what: "it is of another chip",
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

/// That this is the certificate of the chip at this level, issued under an accepted root; and its product line.
pub fn check_vcek(
    der: &[u8],
    chip: &Chip,
    authorities: Authorities<'_>,
    now: Time,
) -> Result<(Product, Span), Rejection> {
    let certificate = x509::certificate(der)?;
    let leaf = Leaf::parse(&certificate)?;
    chip.check(&leaf)?;
    let candidates = authorities.candidates();
    let root = chain::find_root(
        &candidates,
        authorities.roots,
        leaf.product,
        &leaf.issuer.organisation,
    )?;
    let of_chain = (&certificate, &leaf);
    let validity = chain::verify(&candidates, &root, of_chain, SigningKey::Vcek, now)?;
    let span = Span {
        from: begins(&certificate),
        until: validity.until,
        number: None,
    };
    Ok((leaf.product, span))
}

/// That this is a fresh revocation list of the line's accepted root.
pub fn check_list(
    der: &[u8],
    product: Product,
    authorities: Authorities<'_>,
    now: Time,
) -> Result<Span, Rejection> {
    let list = x509::revocation_list(der)?;
    let foreign = || Rejection::CrlProfile {
        what: "is of another issuer than the product's root",
    };
    let issuer = Name::parse(list.issuer()).ok_or_else(foreign)?;
    if issuer.common_name != format!("ARK-{product}") {
        return Err(foreign());
    }
    let candidates = authorities.candidates();
    let root = chain::find_root(
        &candidates,
        authorities.roots,
        product,
        &issuer.organisation,
    )?;
    let root = x509::certificate(root.ark)?;
    let until = crl::check(&[der], &root, &[], now)?.ok_or_else(foreign)?;
    Ok(Span {
        from: Time(list.last_update().timestamp()),
        until,
        number: list.crl_number().and_then(|number| number.try_into().ok()),
    })
}

/// The product line that a VCEK or VLEK names. Nothing of it is verified.
pub fn claimed_product(der: &[u8]) -> Option<Product> {
    let leaf = Leaf::parse(&x509::certificate(der).ok()?).ok()?;
    Some(leaf.product)
}

impl<'a> Authorities<'a> {
    /// Without revocation lists: those are judged by themselves, and again at every verification.
    fn candidates(&self) -> Candidates<'a> {
        Candidates {
            certificates: self.certificates.iter().map(Vec::as_slice).collect(),
            lists: Vec::new(),
        }
    }
}

fn begins(certificate: &X509Certificate<'_>) -> Time {
    Time(certificate.validity().not_before.timestamp())
}
