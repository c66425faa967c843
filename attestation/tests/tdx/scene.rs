//! A TD of the simulated Intel, and all that it is verified against. Honest until something is changed.

use chrysalis_attestation::{
    Refusal, Rejection, Time,
    alone::{
        Verified,
        tdx::{TdxEvidence, TdxQuestion, verify},
    },
    tdx::{Genuine, IntelCollateral, IntelRoots, TdxPolicy},
};
use chrysalis_simulate::{
    Intel, Profile,
    intel::{Statements, TdProfile, collateral_json},
};
use serde_json::Value;

/// 2026-03-01 00:00 UTC
pub(crate) const NOW: Time = Time(1_772_323_200);
pub(crate) const WHY: &str = "this test is about something else";

/// All that a quote and its collateral are made of.
pub(crate) struct Scene {
    pub(crate) intel: Intel,
    pub(crate) td: TdProfile,
    pub(crate) statements: Statements,
}

impl Scene {
    pub(crate) fn new() -> Self {
        Self::seeded(1)
    }

    /// Another vendor, whose certificates have the same names.
    pub(crate) fn of_another() -> Self {
        Self::seeded(2)
    }

    fn seeded(seed: u8) -> Self {
        let intel = Intel::from_seed(&[seed; 32], NOW);
        Self {
            td: TdProfile::default(),
            statements: intel.statements(NOW),
            intel,
        }
    }

    /// The module's levels.
    pub(crate) fn module_levels(&mut self) -> &mut Value {
        &mut self.statements.tcb_info["tdxModuleIdentities"][0]["tcbLevels"]
    }

    /// Issues the platform's certificate anew.
    pub(crate) fn reissue(&mut self, change: impl FnOnce(&mut Profile)) {
        let mut profile = self.intel.pck.profile();
        change(&mut profile);
        self.intel.pck = self.intel.pck_authority.issue(profile);
    }

    pub(crate) fn case(&self) -> Case {
        Case {
            quote: self.intel.quote(&self.td),
            collateral: collateral_json(&self.intel.issue(&self.statements)),
            roots: self.intel.roots(),
            policy: TdxPolicy::genuine(WHY),
            event_log: None,
        }
    }

    /// The code that the first failure has.
    pub(crate) fn verify(&self) -> Result<Verified<Genuine>, Rejection> {
        self.case().verify()
    }
}

/// A quote and everything that it is verified against.
pub(crate) struct Case {
    pub(crate) quote: Vec<u8>,
    pub(crate) collateral: Value,
    pub(crate) roots: IntelRoots,
    pub(crate) policy: TdxPolicy,
    pub(crate) event_log: Option<Vec<u8>>,
}

impl Case {
    pub(crate) fn ask<T>(
        &self,
        ask: impl FnOnce(TdxEvidence<'_>, &TdxQuestion<'_>) -> T,
    ) -> Result<T, Rejection> {
        let collateral = IntelCollateral::parse(self.collateral.to_string().as_bytes())?;
        let question = TdxQuestion {
            policy: Some(&self.policy),
            ..TdxQuestion::new(&self.roots, &collateral, NOW)
        };
        let evidence = TdxEvidence {
            event_log: self.event_log.as_deref(),
            ..(&self.quote).into()
        };
        Ok(ask(evidence, &question))
    }

    pub(crate) fn verify(&self) -> Result<Verified<Genuine>, Rejection> {
        self.ask(|evidence, question| verify(evidence, question))?
            .map_err(|refusal| refusal.rejection)
    }
}

/// Everything that is wrong.
pub(crate) fn failures<T>(result: &Result<T, Refusal>) -> Vec<Rejection> {
    let refusal = result.as_ref().err();
    refusal.map_or_else(Vec::new, |refusal| refusal.rejections().cloned().collect())
}
