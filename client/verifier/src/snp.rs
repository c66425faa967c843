//! A SEV-SNP report and its certificates, as somebody hands them over.

use chrysalis_attestation::{
    Collateral, Refusal, Rejection, Time, Waivers,
    alone::{
        Verified,
        snp::{SnpEvidence, SnpQuestion, explain, verify},
    },
    azure::{
        hcl::{self, Platform},
        thim,
    },
    encoding::pem,
    policy::Policy,
    snp::{AmdRoots, Genuine, table},
};

use crate::{Kind, Misuse, TpmQuote};

/// What is asked about a report. Files as [`crate::Place::take`] hands them on.
#[derive(Debug)]
pub struct SnpRequest {
    /// The report, bare or in Azure's wrapping.
    pub report: Vec<u8>,
    /// Certificates, in any form.
    pub certificates: Vec<Vec<u8>>,
    /// Revocation lists, DER or PEM.
    pub lists: Vec<Vec<u8>>,
    /// What a rebuilder or the publisher signed about the image.
    pub statements: Vec<Vec<u8>>,
    /// The quote of Azure's virtual TPM.
    pub tpm: Option<TpmQuote>,
    /// What the guest was asked to put in.
    pub report_data: Option<[u8; 64]>,
    /// What is wanted.
    pub policy: Option<Policy>,
    /// What the verification goes without.
    pub waivers: Waivers,
    /// Whether to go on after what is wrong.
    pub explain: bool,
    /// The moment to judge by.
    pub now: Time,
}

impl SnpRequest {
    /// The verdict. `more` adds to the collateral what there is elsewhere for this report, which is bare.
    pub fn verify<E: From<Misuse>>(
        self,
        more: impl FnOnce(&mut Collateral, &[u8]) -> Result<(), E>,
    ) -> Result<Result<Verified<Genuine>, Refusal>, E> {
        let report = &self.report[..];
        if self.tpm.is_some() && !hcl::is_wrapped(report) {
            return Err(no_key().into());
        }
        let policy = self.policy.map(|policy| self.waivers.applied_to(policy));
        let mut collateral = match gather(&self.certificates, self.lists) {
            Ok(collateral) => collateral,
            Err(rejection) => return Ok(Err(rejection.into())),
        };
        collateral.statements = self.statements;
        // A wrapping that cannot be taken off is refused below, by name.
        let bare = hcl::unwrap(report, Platform::Snp).map_or(report, |wrapped| wrapped.report);
        more(&mut collateral, bare)?;
        let quoted = self.tpm.as_ref().map(TpmQuote::quoted);
        let evidence = SnpEvidence {
            report,
            quoted: quoted.as_ref(),
        };
        let question = SnpQuestion {
            policy: policy.as_ref(),
            report_data: self.report_data.as_ref(),
            waivers: &self.waivers,
            roots: &policy
                .as_ref()
                .map_or_else(AmdRoots::amd, |policy| policy.roots().amd),
            collateral: &collateral,
            now: self.now,
        };
        Ok(if self.explain {
            explain(evidence, &question)
        } else {
            verify(evidence, &question)
        })
    }
}

fn no_key() -> Misuse {
    Misuse::new(
        "the report does not name the vTPM's key: a quote goes with Azure's HCL report, whole",
    )
}

/// Certificates and lists, out of whatever they were wrapped in.
fn gather(certificates: &[Vec<u8>], lists: Vec<Vec<u8>>) -> Result<Collateral, Rejection> {
    let mut collateral = Collateral::default();
    for file in certificates {
        collateral.certificates.extend(match Kind::of(file) {
            Kind::CertificateTable => table::certificates(file)?.certificates,
            Kind::AzureCertificates => thim::certificates(file)?,
            _ => pem::certificates(file)?,
        });
    }
    for file in lists {
        if pem::is_pem(&file) {
            let which = "a revocation list";
            let lists = pem::labelled(pem::REVOCATION_LIST, &file);
            collateral
                .crls
                .extend(lists.ok_or(Rejection::CertificateMalformed { which })?);
        } else {
            collateral.crls.push(file);
        }
    }
    Ok(collateral)
}
