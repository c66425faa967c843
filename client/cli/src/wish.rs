//! `fetch`'s arguments: evidence of any kind, told apart by its bytes, and what each needs from its vendor.

use std::path::Path;

use anyhow::{Context, anyhow, bail};
use chrysalis_attestation::{
    Rejection,
    azure::{
        hcl::{self, Platform},
        thim,
    },
    encoding::pem,
    evidence::Evidence,
    nvidia::evidence::read as read_gpus,
    snp::table,
};
use chrysalis_collateral::Wish;
use chrysalis_verifier::{Artifact, Kind, MAX_FILES, MAX_JSON, decoded, described};

use crate::{
    files::read,
    subject::{self, Subject},
};

/// What was found in the arguments, before reports are matched with the certificates given along with them.
#[derive(Default)]
struct Found {
    wish: Wish,
    reports: Vec<Vec<u8>>,
    gpu_reports: Vec<Vec<u8>>,
    /// PEM, for GPUs.
    chains: Vec<Vec<u8>>,
    /// DER, for SNP.
    certificates: Vec<Vec<u8>>,
}

/// All that this evidence needs.
pub(crate) async fn wish(evidence: &[Subject]) -> anyhow::Result<Wish> {
    if evidence.len() > MAX_FILES {
        bail!("fetch for at most {MAX_FILES} pieces of evidence at once");
    }
    let mut found = Found::default();
    for subject in evidence {
        let path = match subject {
            Subject::Enclave(_) => {
                let artifact = subject::load(subject).await?;
                found.artifact(artifact).map_err(told)?;
                continue;
            }
            Subject::File(path) => path.as_path(),
            Subject::Stdin => Path::new("-"),
        };
        let bytes = read(path, MAX_JSON)?;
        found
            .file(&bytes)
            .map_err(told)
            .with_context(|| format!("cannot fetch for {}", path.display()))?;
    }
    found.complete().map_err(told)
}

impl Found {
    fn file(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let bytes = decoded(bytes);
        match Kind::of(&bytes) {
            Kind::SnpReport => self.reports.push(bytes),
            Kind::Hcl => {
                let wrapped = hcl::unwrap(&bytes, Platform::Snp)?;
                self.reports.push(wrapped.report.to_vec());
            }
            Kind::TdxQuote => self.wish.extend(Wish::of_quote(&bytes)?),
            Kind::GpuReport => self.gpu_reports.push(bytes),
            Kind::GpuJson => self.gpus(&bytes, None)?,
            Kind::CertificateTable => {
                let table = table::certificates(&bytes)?;
                self.certificates.extend(table.certificates);
            }
            Kind::AzureCertificates => self.certificates.extend(thim::certificates(&bytes)?),
            Kind::Certificate => self.certificate(&bytes)?,
            Kind::Session | Kind::Bundle | Kind::Unknown => {
                self.artifact(Artifact::recognise(&bytes)?)?;
            }
            _ => bail!("it is {}, and no evidence", described(&bytes)),
        }
        Ok(())
    }

    /// With evidence inside, or beside a report.
    fn certificate(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let certificates = pem::certificates(bytes)?;
        if let [certificate] = &certificates[..]
            && let Ok((bundle, _)) = Evidence::from_certificate(certificate)
        {
            return self.bundle(&bundle);
        }
        self.chains.push(bytes.to_vec());
        self.certificates.extend(certificates);
        Ok(())
    }

    fn artifact(&mut self, artifact: Artifact) -> anyhow::Result<()> {
        match artifact {
            Artifact::Session(saved) => self.bundle(&Evidence::decode(saved.bundle())?),
            Artifact::Bundle(bundle) => self.bundle(&bundle),
            Artifact::Unreadable(rejection) => Err(rejection.into()),
            Artifact::Certificate(der) => self.certificate(&der),
            Artifact::Report(report) => {
                self.reports.push(report);
                Ok(())
            }
        }
    }

    fn bundle(&mut self, bundle: &Evidence) -> anyhow::Result<()> {
        self.wish.extend(Wish::of_bundle(bundle)?);
        Ok(())
    }

    fn gpus(&mut self, report: &[u8], chain: Option<&[u8]>) -> anyhow::Result<()> {
        self.wish.extend(Wish::of_gpus(&read_gpus(report, chain)?)?);
        Ok(())
    }

    fn complete(mut self) -> anyhow::Result<Wish> {
        for report in &self.reports {
            self.wish
                .extend(Wish::of_report(report, &self.certificates)?);
        }
        let (reports, chains) = (
            std::mem::take(&mut self.gpu_reports),
            std::mem::take(&mut self.chains),
        );
        for report in &reports {
            let [chain] = &chains[..] else {
                bail!(
                    "a bare GPU report needs its certificates: name the report and one PEM file of its chain"
                );
            };
            self.gpus(report, Some(chain))?;
        }
        if self.wish.is_empty() && self.reports.is_empty() {
            bail!("there is no evidence among the files: certificates alone need nothing");
        }
        Ok(self.wish)
    }
}

/// A rejection with what to do next; another error as it is.
fn told(error: anyhow::Error) -> anyhow::Error {
    error.downcast().map_or_else(
        |other| other,
        |rejection: Rejection| {
            let (code, hint) = (rejection.code(), rejection.hint());
            anyhow!("{rejection} ({code})\nhint: {hint}")
        },
    )
}
