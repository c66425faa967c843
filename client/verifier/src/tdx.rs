//! A TD's quote and what Intel says about its platform, as somebody hands them over.

use chrysalis_attestation::{
    Refusal, Rejection, Time, Waivers,
    alone::{
        Verified,
        tdx::{TdxEvidence, TdxQuestion, explain, verify},
    },
    policy::{Policy, PolicyError, ReleasePolicy},
    release::Rebuilders,
    tdx::{Genuine, IntelCollateral, IntelRoots, TdxPolicy},
};

use crate::{Misuse, TpmQuote, misuse::misuse};

/// What is asked about a quote. Files as [`crate::Place::take`] hands them on.
#[derive(Debug)]
pub struct TdxRequest {
    /// The quote.
    pub quote: Vec<u8>,
    /// What Intel says, or why it cannot be used.
    pub collateral: Result<IntelCollateral, Rejection>,
    /// What was measured into the run-time registers.
    pub event_log: Option<Vec<u8>>,
    /// Azure's HCL report.
    pub hcl_report: Option<Vec<u8>>,
    /// What a rebuilder or the publisher signed about the image.
    pub statements: Vec<Vec<u8>>,
    /// The quote of Azure's virtual TPM.
    pub tpm: Option<TpmQuote>,
    /// What the TD was asked to put in.
    pub report_data: Option<[u8; 64]>,
    /// What is wanted.
    pub wanted: TdxWanted,
    /// What the verification goes without.
    pub waivers: Waivers,
    /// Whether to go on after what is wrong.
    pub explain: bool,
    /// The moment to judge by.
    pub now: Time,
}

/// What a policy's text says about quotes.
#[derive(Debug)]
pub struct TdxWanted {
    policy: Option<TdxPolicy>,
    roots: IntelRoots,
    /// Who must confirm the image, if anybody.
    rebuilders: Option<Rebuilders>,
    /// Which release its digests are from, if they are from one.
    release: Option<ReleasePolicy>,
}

impl TdxWanted {
    /// Without a policy.
    pub fn nothing() -> Self {
        Self {
            policy: None,
            roots: IntelRoots::intel(),
            rebuilders: None,
            release: None,
        }
    }

    /// What a policy says.
    pub fn read(text: &str) -> Result<Self, PolicyError> {
        let simulated = Policy::parse_simulation(text)?;
        let roots = simulated
            .into_iter()
            .fold(IntelRoots::intel(), IntelRoots::and_simulated);
        Ok(Self {
            policy: Some(Policy::parse_tdx(text)?),
            roots,
            rebuilders: Policy::parse_rebuilders(text)?,
            release: Policy::parse_release(text)?,
        })
    }
}

impl TdxRequest {
    /// The verdict.
    pub fn verify(self) -> Result<Result<Verified<Genuine>, Refusal>, Misuse> {
        if self.tpm.is_some() && self.hcl_report.is_none() {
            misuse!("nothing names the vTPM's key: its quote goes with --hcl-report");
        }
        let collateral = match self.collateral {
            Ok(collateral) => collateral,
            Err(rejection) => return Ok(Err(rejection.into())),
        };
        let TdxWanted {
            policy,
            roots,
            rebuilders,
            release,
        } = &self.wanted;
        let statements = self.statements.as_slice();
        let quoted = self.tpm.as_ref().map(TpmQuote::quoted);
        let evidence = TdxEvidence {
            quote: &self.quote,
            event_log: self.event_log.as_deref(),
            hcl_report: self.hcl_report.as_deref(),
            quoted: quoted.as_ref(),
        };
        let question = TdxQuestion {
            policy: policy.as_ref(),
            release: release.as_ref().map(|it| (it, statements)),
            rebuilders: rebuilders.as_ref().map(|it| (it, statements)),
            report_data: self.report_data.as_ref(),
            waivers: &self.waivers,
            ..TdxQuestion::new(roots, &collateral, self.now)
        };
        Ok(if self.explain {
            explain(evidence, &question)
        } else {
            verify(evidence, &question)
        })
    }
}
