//! What to fetch before a quote can be verified, and whether the answer is what was asked for.
//!
//! The wish is read from a quote that is not verified yet: it only says what to ask Intel for. The answers are checked against the
//! accepted root before they are kept.

use super::{
    certificate::{Certificate, chain},
    collateral::split_answer,
    crl::RevocationList,
    document::{QeIdentity, SIGNER, TcbInfo},
    pck::{INTERMEDIATES, ROOT, platform},
    quote::Quote,
    roots::{IntelRoots, Vendor},
    tcb::check_fmspc,
};
use crate::{
    Memory, Rejection, Span, Time,
    encoding::{digest::Hex, pem},
};

/// Which of Intel's authorities issued a PCK certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// For platforms with several packages.
    Platform,
    /// For platforms with one package.
    Processor,
}

impl Authority {
    /// Its spelling in Intel's service.
    pub fn name(self) -> &'static str {
        match self {
            Self::Platform => "platform",
            Self::Processor => "processor",
        }
    }

    fn common_name(self) -> &'static str {
        let [platform, processor] = INTERMEDIATES;
        match self {
            Self::Platform => platform,
            Self::Processor => processor,
        }
    }
}

/// What to ask Intel about a quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The FMSPC, by which TCB info is looked up.
    pub fmspc: Hex<6>,
    /// The authority whose revocation list covers the PCK certificate.
    pub authority: Authority,
    /// The root that the quote's chain claims, DER. Its list is needed too.
    pub root: Vec<u8>,
}

/// Reads from a TD's quote what to ask Intel.
pub fn of_quote(quote: &[u8]) -> Result<Wanted, Rejection> {
    let quote = Quote::parse(quote)?;
    quote.td()?;
    let [leaf, intermediate, root] = &quote.chain[..] else {
        return Err(Rejection::PckChainLength {
            found: quote.chain.len(),
        });
    };
    let intermediate = Certificate::parse(intermediate, "PCK CA")?;
    let authority = [Authority::Platform, Authority::Processor]
        .into_iter()
        .find(|authority| intermediate.has_common_name(authority.common_name()))
        .ok_or_else(|| intermediate.refuse("does not have the name that its place requires"))?;
    Ok(Wanted {
        fmspc: platform(&Certificate::parse(leaf, "PCK")?)?.fmspc,
        authority,
        root: root.clone(),
    })
}

/// An answer from Intel's service with the chain from its header: PEM, the signer first.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The body.
    pub body: &'a str,
    /// The header, percent-decoded.
    pub issuers: &'a str,
}

/// Checks that this is fresh TCB info for the platform, signed under an accepted root.
pub fn check_tcb_info(
    answer: Answer<'_>,
    fmspc: Hex<6>,
    roots: &IntelRoots,
    now: Time,
) -> Result<Span, Rejection> {
    let (body, until) = answer.open("TCB info", "tcbInfo", roots, now)?;
    let (info, info_until) = TcbInfo::read(body, now)?;
    check_fmspc(&info, fmspc)?;
    Ok(Span {
        from: info.issue_date.0,
        until: until.min(info_until),
        number: Some(info.tcb_evaluation_data_number.into()),
    })
}

/// Checks that this is a fresh QE identity, signed under an accepted root.
pub fn check_qe_identity(
    answer: Answer<'_>,
    roots: &IntelRoots,
    now: Time,
) -> Result<Span, Rejection> {
    let (body, until) = answer.open("QE identity", "enclaveIdentity", roots, now)?;
    let (identity, identity_until) = QeIdentity::read(body, now)?;
    Ok(Span {
        from: identity.issue_date.0,
        until: until.min(identity_until),
        number: Some(identity.tcb_evaluation_data_number.into()),
    })
}

/// Checks that this is a fresh list from the authority, whose chain ends in an accepted root.
pub fn check_pck_list(
    list: &[u8],
    issuers: &str,
    authority: Authority,
    roots: &IntelRoots,
    now: Time,
) -> Result<Span, Rejection> {
    let chain = two(issuers)?;
    let [issuer, root] = &chain;
    let issuer = Certificate::parse(issuer, "PCK CRL issuer")?;
    let (root, vendor) = root_of(root, roots, now)?;
    issuer.check_name(&[authority.common_name()], vendor.organisation())?;
    issuer.check_authority()?;
    issuer.check_issued_by(&root, &Memory::none())?;
    issuer.check_valid_at(now)?;
    let list = RevocationList::verify(list, "PCK", &issuer, &Memory::none())?;
    let mut span = list.span(now)?;
    span.until = span.until.min(issuer.until());
    Ok(span)
}

/// Checks that this is a fresh list from the root, which must be an accepted one.
pub fn check_root_list(
    list: &[u8],
    root: &[u8],
    roots: &IntelRoots,
    now: Time,
) -> Result<Span, Rejection> {
    let (root, _) = root_of(root, roots, now)?;
    RevocationList::verify(list, "root", &root, &Memory::none())?.span(now)
}

impl<'a> Answer<'a> {
    /// The signed object, if its signer descends from an accepted root, and when that signer expires.
    fn open(
        self,
        which: &'static str,
        object: &str,
        roots: &IntelRoots,
        now: Time,
    ) -> Result<(&'a str, Time), Rejection> {
        let (body, signature) = split_answer(self.body, object)?;
        let chain = two(self.issuers)?;
        let [signer, root] = &chain;
        let signer = Certificate::parse(signer, "TCB signing")?;
        let (root, vendor) = root_of(root, roots, now)?;
        signer.check_name(&[SIGNER], vendor.organisation())?;
        signer.check_end_entity()?;
        signer.check_issued_by(&root, &Memory::none())?;
        signer.check_valid_at(now)?;
        if !signer.signed_fixed(body.as_bytes(), &signature, &Memory::none()) {
            return Err(Rejection::TdxCollateralSignature { which });
        }
        Ok((body, signer.until()))
    }
}

fn root_of<'a>(
    der: &'a [u8],
    roots: &IntelRoots,
    now: Time,
) -> Result<(Certificate<'a>, Vendor), Rejection> {
    let root = Certificate::parse(der, "root")?;
    let vendor = roots.admit(&root)?;
    root.check_name(&[ROOT], vendor.organisation())?;
    root.check_authority()?;
    root.check_valid_at(now)?;
    Ok((root, vendor))
}

fn two(issuers: &str) -> Result<[Vec<u8>; 2], Rejection> {
    let malformed = |what| Rejection::TdxCollateralMalformed { what };
    chain(issuers.as_bytes())
        .ok_or(malformed("an issuer chain is not PEM"))?
        .try_into()
        .map_err(|_| malformed("an issuer chain does not have two certificates"))
}

/// The chain of the PCK's revocation list, PEM, as contained in the quote itself: the authority and the root.
pub fn issuer_chain(quote: &[u8]) -> Result<String, Rejection> {
    let quote = Quote::parse(quote)?;
    let chain = quote.chain.get(1..).unwrap_or_default();
    Ok(chain
        .iter()
        .map(|der| pem::block(pem::CERTIFICATE, der))
        .collect())
}
