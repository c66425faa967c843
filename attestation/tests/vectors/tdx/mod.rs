//! Real quotes of TDs and one of an enclave, each with the collateral of several times.

mod azure;
mod log;
mod refusals;
mod statuses;

use std::path::{Path, PathBuf};

use chrysalis_attestation::{
    Rejection, Time,
    alone::{
        Verified,
        tdx::{TdxEvidence, TdxQuestion, verify},
    },
    tdx::{Genuine, IntelCollateral, IntelRoots, Status, TdxPolicy},
};
use serde_json::Value;

use crate::expected::{bytes, expected, shelf};

const WHY: &str = "this test is about something else";

fn vectors() -> Option<PathBuf> {
    shelf("tdx")
}

fn collateral(vectors: &Path, name: &str) -> IntelCollateral {
    let path = vectors
        .join("collateral")
        .join(name)
        .join("collateral.json");
    IntelCollateral::parse(&bytes(path)).expect("collateral")
}

/// Everything that only a policy could refuse is accepted, except debugging.
fn any_status() -> TdxPolicy {
    TdxPolicy {
        statuses: Status::ALL.to_vec(),
        trailing_accepted: Some(WHY.to_owned()),
        perfmon: true,
        service_td: true,
        ..TdxPolicy::genuine(WHY)
    }
}

struct Case {
    quote: Vec<u8>,
    collateral: IntelCollateral,
    policy: TdxPolicy,
    now: Time,
}

impl Case {
    fn new(vectors: &Path, quote: &str, with: &str, policy: TdxPolicy) -> Self {
        let folder = vectors.join("quotes").join(quote);
        let now = evaluations(&expected(&folder))
            .iter()
            .find(|it| it["collateral"] == with)
            .and_then(|it| it["verify_at_unix"].as_i64())
            .expect("an evaluation with this collateral");
        Self {
            quote: bytes(folder.join("quote.bin")),
            collateral: collateral(vectors, with),
            policy,
            now: Time(now),
        }
    }

    fn ask<T>(&self, ask: impl FnOnce(TdxEvidence<'_>, &TdxQuestion<'_>) -> T) -> T {
        let roots = IntelRoots::intel();
        let question = TdxQuestion {
            policy: Some(&self.policy),
            ..TdxQuestion::new(&roots, &self.collateral, self.now)
        };
        ask((&self.quote).into(), &question)
    }

    fn verify(&self) -> Result<Verified<Genuine>, Rejection> {
        self.ask(|evidence, question| verify(evidence, question))
            .map_err(|refusal| refusal.rejection)
    }

    fn code(&self) -> &'static str {
        self.verify().expect_err("a refusal").code()
    }
}

fn evaluations(expected: &Value) -> Vec<Value> {
    let found = [
        &expected["tcb_evaluations"],
        &expected["fields"]["tcb_evaluations"],
    ];
    let found = found.into_iter().find_map(Value::as_array);
    found.expect("evaluations").clone()
}
