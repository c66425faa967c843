//! What to fetch before a quote can be verified, and whether what came back is that.
//!
//! The wish is read from a quote that nobody has verified yet: it says what to ask Intel for, and nothing else. The answers
//! are held against the accepted root before anybody keeps them.

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
    Rejection, Span, Time,
    encoding::{digest::Hex, pem},
};

/// Which of Intel's authorities issued a PCK certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// For platforms of several packages.
    Platform,
    /// For platforms of one package.
    Processor,
}

impl Authority {
    /// As Intel's service spells it.
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

/// What Intel is asked about a quote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// What TCB info is looked up by.
    pub fmspc: Hex<6>,
    /// Whose revocation list bears on the PCK certificate.
    pub authority: Authority,
    /// The root that the quote's chain claims, DER. Its list is wanted too.
    pub root: Vec<u8>,
}

/// Reads from a TD's quote what Intel is to be asked.
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
        .ok_or_else(|| intermediate.refuse("is not of the name that its place wants"))?;
    Ok(Wanted {
        fmspc: platform(&Certificate::parse(leaf, "PCK")?)?.fmspc,
        authority,
        root: root.clone(),
    })
}

/// An answer of Intel's service with the chain that came in its header: PEM, the signer first.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    /// The body.
    pub body: &'a str,
    /// The header, percent-decoded.
    pub issuers: &'a str,
}

/// That this is fresh TCB info of the platform, signed under an accepted root.
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

/// That this is fresh QE identity, signed under an accepted root.
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

/// That this is a fresh list of the authority, whose chain ends in an accepted root.
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
    issuer.check_issued_by(&root)?;
    issuer.check_valid_at(now)?;
    let list = RevocationList::verify(list, "PCK", &issuer)?;
    let mut span = list.span(now)?;
    span.until = span.until.min(issuer.until());
    Ok(span)
}

/// That this is a fresh list of the root, which must be an accepted one.
pub fn check_root_list(
    list: &[u8],
    root: &[u8],
    roots: &IntelRoots,
    now: Time,
) -> Result<Span, Rejection> {
    let (root, _) = root_of(root, roots, now)?;
    RevocationList::verify(list, "root", &root)?.span(now)
}

impl<'a> Answer<'a> {
    /// The signed object, once an accepted root stands behind its signer; and when that signer ends.
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
        signer.check_issued_by(&root)?;
        signer.check_valid_at(now)?;
        if !signer.signed_fixed(body.as_bytes(), &signature) {
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

/// The chain behind the PCK's revocation list, PEM, as the quote itself brings it: the authority and the root.
pub fn issuer_chain(quote: &[u8]) -> Result<String, Rejection> {
    let quote = Quote::parse(quote)?;
    let chain = quote.chain.get(1..).unwrap_or_default();
    Ok(chain
        .iter()
        .map(|der| pem::block(pem::CERTIFICATE, der))
        .collect())
}
