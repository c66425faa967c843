//! The CPU that vouches for everything else: a platform of either vendor, once it is genuine.

use std::fmt;

use serde_json::Value;

use super::platform::Platform;
use crate::{
    Memory, Rejection, Time,
    encoding::digest::Hex,
    evidence::{Collateral, CpuReport, Endorsements},
    release::Measured,
    roots::Roots,
    snp::{self, broken::Broken, candidate::Candidates},
    tdx,
    transcript::{Failed, Inspection},
};

/// A genuine CPU and the guest that it runs. Whether either is wanted is not decided yet.
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
    sources: (&Collateral, &Endorsements),
    roots: &Roots,
    (now, memory): (Time, &Memory),
    inspection: &mut Inspection,
) -> Result<Cpu, Failed> {
    match report {
        CpuReport::Snp(report) => {
            let candidates = candidates(&[sources.0, sources.1], memory);
            let roots = &roots.amd;
            let genuine = snp::genuine::authenticate(report, &candidates, roots, now, inspection)?;
            Ok(Cpu::Snp(Box::new(genuine)))
        }
        CpuReport::Tdx { quote, .. } => {
            let collateral = of_intel(sources, inspection)?;
            let found =
                tdx::authenticate(quote, grounds(roots, &collateral, now, memory), inspection)?;
            Ok(Cpu::Tdx(Box::new(found.complete()?)))
        }
    }
}

/// Everything from AMD in these sources, a verifier's own first.
pub(super) fn candidates<'a>(sources: &[&'a Endorsements], memory: &Memory) -> Candidates<'a> {
    let all = |of: fn(&Endorsements) -> &Vec<Vec<u8>>| {
        let all = sources.iter().flat_map(|source| of(source));
        all.map(Vec::as_slice).collect()
    };
    Candidates {
        certificates: all(|source| &source.certificates),
        lists: all(|source| &source.crls),
        memory: memory.clone(),
    }
}

/// One set of collateral, never a mixture of two: the verifier's own, if it has one.
fn of_intel(
    (own, stapled): (&Endorsements, &Endorsements),
    inspection: &mut Inspection,
) -> Result<tdx::IntelCollateral, Failed> {
    let collateral = || {
        let mut json = [&own.tdx, &stapled.tdx].into_iter();
        let json = json.find(|json| !json.is_empty());
        tdx::IntelCollateral::parse(json.ok_or(Rejection::TdxCollateralMissing)?)
    };
    inspection.check(("tdx-4", "collateral"), collateral, |_| {
        "can be read".to_owned()
    })
}

fn grounds<'a>(
    roots: &'a Roots,
    collateral: &'a tdx::IntelCollateral,
    now: Time,
    memory: &'a Memory,
) -> tdx::Grounds<'a> {
    tdx::Grounds {
        roots: &roots.intel,
        collateral,
        // In a bundle, nothing may follow a quote.
        trailing_accepted: None,
        now,
        memory,
    }
}

impl Cpu {
    /// The CPU as what all platforms have in common.
    pub(crate) fn platform(&self) -> &dyn Platform {
        match self {
            Self::Snp(genuine) => &**genuine,
            Self::Tdx(genuine) => &**genuine,
        }
    }

    /// What the guest had signed: `REPORT_DATA` or `REPORTDATA`, 64 bytes.
    pub fn report_data(&self) -> [u8; 64] {
        match self {
            Self::Snp(genuine) => genuine.report.report_data,
            Self::Tdx(genuine) => genuine.td().report.report_data.0,
        }
    }

    /// What was measured at launch: the launch digest, which covers the whole image; or MRTD, which covers the firmware and
    /// leaves the rest to the run-time registers.
    pub fn measurement(&self) -> [u8; 48] {
        self.platform().measurement()
    }

    /// The measurements of the image, as rebuilders compute them.
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
        self.platform().is_simulated()
    }

    /// When the first certificate, list or document that this rests on expires.
    pub fn until(&self) -> Time {
        match self {
            Self::Snp(genuine) => genuine.until(),
            Self::Tdx(genuine) => genuine.until(),
        }
    }

    /// Why its product line counts as broken, if it does.
    pub fn broken(&self) -> Option<&'static Broken> {
        self.platform().broken()
    }

    /// What its report says, signed by hardware, and what its vendor says about it.
    pub fn claims(&self) -> Value {
        self.platform().claims()
    }
}

/// Its name in a verdict.
impl fmt::Display for Cpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.platform().name())
    }
}
