//! The CPU that vouches for all the rest: a platform of either vendor, once it is genuine.

use std::fmt;

use crate::{
    Rejection, Time,
    bundle::{CpuReport, Endorsements},
    digest::Hex,
    release::Measured,
    roots::Roots,
    snp::{
        self,
        broken::{self, Broken},
        chain::Candidates,
    },
    tdx,
    verdict::Transcript,
};

/// A genuine CPU and the guest that it runs. Neither is known to be wanted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Cpu {
    /// AMD SEV-SNP.
    Snp(Box<snp::Genuine>),
    /// Intel TDX.
    Tdx(Box<tdx::Genuine>),
}

/// Steps snp-1 to snp-8, or tdx-1 to tdx-7.
pub(crate) fn authenticate(
    report: &CpuReport,
    (own, stapled): (&Endorsements, &Endorsements),
    roots: &Roots,
    now: Time,
    transcript: &mut Transcript,
) -> Result<Cpu, Rejection> {
    match report {
        CpuReport::Snp(report) => {
            let candidates = Candidates::of(&[own, stapled]);
            snp::verify::verify(report, &candidates, &roots.amd, now, transcript)
                .map(|genuine| Cpu::Snp(Box::new(genuine)))
        }
        CpuReport::Tdx { quote, .. } => {
            let collateral = of_intel((own, stapled), transcript)?;
            let grounds = grounds(roots, &collateral, now);
            tdx::authenticate(quote, grounds, transcript).map(|genuine| Cpu::Tdx(Box::new(genuine)))
        }
    }
}

/// The same steps, each of them, in a transcript that puts failures off. The CPU is as if all had passed, if that much can be
/// read: to explain what else is wrong, never to accept. With it whether a revocation list came along and was of no use.
pub(crate) fn explain(
    report: &CpuReport,
    (own, stapled): (&Endorsements, &Endorsements),
    roots: &Roots,
    now: Time,
    transcript: &mut Transcript,
) -> Result<Option<(Cpu, bool)>, Rejection> {
    match report {
        CpuReport::Snp(report) => {
            let candidates = Candidates::of(&[own, stapled]);
            let found = snp::verify::explain(report, &candidates, &roots.amd, now, transcript)?;
            Ok(found.map(|(genuine, chain_holds)| {
                let stopped = !chain_holds && !candidates.lists.is_empty();
                (Cpu::Snp(Box::new(genuine)), stopped)
            }))
        }
        CpuReport::Tdx { quote, .. } => {
            let collateral = of_intel((own, stapled), transcript);
            let Some(collateral) = transcript.put_off(collateral)? else {
                return Ok(None);
            };
            let grounds = grounds(roots, &collateral, now);
            let found = tdx::explain_genuine(quote, grounds, transcript)?;
            Ok(found.map(|genuine| (Cpu::Tdx(Box::new(genuine)), false)))
        }
    }
}

/// One collateral, never a mixture of two: the verifier's own, where it has one.
fn of_intel(
    (own, stapled): (&Endorsements, &Endorsements),
    transcript: &mut Transcript,
) -> Result<tdx::Collateral, Rejection> {
    let collateral = [&own.tdx, &stapled.tdx]
        .into_iter()
        .find(|json| !json.is_empty())
        .ok_or(Rejection::TdxCollateralMissing)
        .and_then(|json| tdx::Collateral::parse(json));
    transcript.record("tdx-4", "collateral", collateral, |_| {
        "can be read".to_owned()
    })
}

fn grounds<'a>(roots: &'a Roots, collateral: &'a tdx::Collateral, now: Time) -> tdx::Grounds<'a> {
    tdx::Grounds {
        roots: &roots.intel,
        collateral,
        // In a bundle nothing has to follow a quote.
        trailing_accepted: None,
        now,
    }
}

impl Cpu {
    /// What the guest asked to be signed: `REPORT_DATA` or `REPORTDATA`.
    pub fn report_data(&self) -> [u8; 64] {
        match self {
            Self::Snp(genuine) => genuine.report.report_data,
            Self::Tdx(genuine) => genuine.td().report.report_data.0,
        }
    }

    /// What was measured at launch: the launch digest, which counts the whole image; or MRTD, which counts the firmware, and
    /// leaves the rest to the run-time registers.
    pub fn measurement(&self) -> [u8; 48] {
        match self {
            Self::Snp(genuine) => genuine.report.launch_digest,
            Self::Tdx(genuine) => genuine.td().report.mrtd.0,
        }
    }

    /// What of the image was measured, as rebuilders compute it.
    pub fn measured(&self) -> Measured {
        match self {
            Self::Snp(genuine) => genuine.measured(),
            Self::Tdx(genuine) => genuine.td().report.measured(),
        }
    }

    /// SHA-256 of the root.
    pub fn root(&self) -> Hex<32> {
        match self {
            Self::Snp(genuine) => genuine.root,
            Self::Tdx(genuine) => genuine.root(),
        }
    }

    /// Whether that root is a simulated one.
    pub fn simulated(&self) -> bool {
        match self {
            Self::Snp(genuine) => genuine.simulated,
            Self::Tdx(genuine) => genuine.simulated(),
        }
    }

    /// When the first certificate, list or document that this rests on ends.
    pub fn until(&self) -> Time {
        match self {
            Self::Snp(genuine) => genuine.until(),
            Self::Tdx(genuine) => genuine.until(),
        }
    }

    /// What is known against its product line, if anything.
    pub fn broken(&self) -> Option<&'static Broken> {
        match self {
            Self::Snp(genuine) => broken::of(genuine.product),
            Self::Tdx(_) => None,
        }
    }

    /// Who makes it.
    pub(crate) fn vendor(&self) -> &'static str {
        match self {
            Self::Snp(_) => "AMD",
            Self::Tdx(_) => "Intel",
        }
    }
}

/// As a verdict calls it.
impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Snp(genuine) => write!(f, "AMD SEV-SNP, {}", genuine.product),
            Self::Tdx(genuine) => {
                let [update, version, ..] = genuine.td().report.tee_tcb_svn.0;
                write!(f, "Intel TDX, module {version}.{update}")
            }
        }
    }
}
