//! What was measured, a line of JSON each: the form in which every program of this bench reports.

use serde::{Deserialize, Serialize};

/// What is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Subject {
    /// An SNP report with its chain; ours with the revocation list too.
    Snp,
    /// A TDX quote with all its collateral.
    Tdx,
    /// An H100's report with its chain and both manifests.
    Gpu,
    /// A bundle of simulated vendors: an SNP report and an H100's, with both manifests and OCSP, checked against a policy.
    Composite,
}

impl Subject {
    pub(crate) const ALL: [Self; 4] = [Self::Snp, Self::Tdx, Self::Gpu, Self::Composite];
}

/// One line of the table.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Row {
    pub(crate) subject: Subject,
    pub(crate) kind: Kind,
    /// `chrysalis`, or another's name and version; of a floor what it consists of.
    pub(crate) verifier: String,
    /// Who computes signatures.
    pub(crate) library: String,
    /// Milliseconds of CPU time, or why there are none.
    pub(crate) result: Result<f64, String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// The signatures alone.
    Floor,
    /// This project's.
    Ours,
    /// Another verifier.
    Peer,
}

impl Row {
    /// Whether both measured the same.
    pub(crate) fn is_of(&self, other: &Self) -> bool {
        let names = |it: &Self| (it.subject, it.kind, it.verifier.clone(), it.library.clone());
        names(self) == names(other)
    }

    /// Takes the other's time if it is the better one.
    pub(crate) fn keep_faster(&mut self, other: Self) {
        if let (Ok(known), Ok(found)) = (&mut self.result, other.result) {
            *known = known.min(found);
        }
    }

    /// Prints it, with its error if it could not be measured.
    pub(crate) fn print(
        subject: Subject,
        kind: Kind,
        (verifier, library): (&str, &str),
        measured: anyhow::Result<f64>,
    ) -> anyhow::Result<()> {
        let row = Self {
            subject,
            kind,
            verifier: verifier.to_owned(),
            library: library.to_owned(),
            result: measured.map_err(|error| format!("not run: {error:#}")),
        };
        println!("{}", serde_json::to_string(&row)?);
        Ok(())
    }
}
