//! A receipt, the evidence that it names, and the conversation that it is about.

use chrysalis_attestation::{
    Refusal, Time, Waivers,
    evidence::{Evidence, binding::Session},
    policy::Policy,
};
use chrysalis_settle::{Content, EpochEvidence, Kept};

use super::given::{Given, missing};
use crate::{Judging, Misuse, PAST, Receipt, Refused, content_digest, of_the_past};

pub(super) fn receipt(given: &mut Given, now: Time) -> Result<String, Misuse> {
    let policy = given.policy(Policy::parse)?;
    let policy = policy.ok_or_else(|| missing("policy"))?;
    let policy = of_the_past(policy, PAST);
    let waivers = Waivers {
        freshness: Some(PAST.to_owned()),
        ..Waivers::default()
    };
    let collateral = given.collateral()?;
    let mut digest = |name| given.take(name).map(|body| content_digest(&body));
    let content = Content {
        request: digest("request"),
        answer: digest("answer"),
    };
    let file = given.take("receipt").ok_or_else(|| missing("receipt"))?;
    let named = given.take("evidence");
    let judging = Judging {
        policy: Some(&policy),
        waivers: &waivers,
        collateral: &collateral,
        now,
        explain: false,
    };
    let verified = match Kept::decode(&file) {
        Err(rejection) => Err(rejection.into()),
        Ok(kept) => {
            let epoch = epoch(named, &kept)?;
            proved(&judging, kept, &epoch, content)
        }
    };
    Ok(match verified {
        Ok(receipt) => receipt.json().to_string(),
        Err(refused) => refused.json().to_string(),
    })
}

/// The evidence that was named, or else that of the receipt's file.
fn epoch(named: Option<Vec<u8>>, kept: &Kept) -> Result<EpochEvidence, Misuse> {
    match (named, &kept.evidence) {
        (Some(bytes), _) => EpochEvidence::decode(&bytes)
            .map_err(|why| Misuse::new(format!("`evidence` cannot be used: {why}"))),
        (None, Some(evidence)) => Ok(evidence.clone()),
        (None, None) => Err(Misuse::new(
            "the receipt does not bring the evidence that it names: give the .evidence file that the proxy kept beside it, \
             or pack both with `chrysalis receipt pack`",
        )),
    }
}

/// Evidence, the key in it, and the receipt that the key signed.
fn proved(
    judging: &Judging<'_>,
    kept: Kept,
    epoch: &EpochEvidence,
    content: Content,
) -> Result<Receipt, Refused> {
    let evidence = Evidence::decode(&epoch.bundle).map_err(Refusal::from)?;
    let conversation = Some((&Session::Boot, &epoch.spki[..]));
    let found = judging.judge(evidence.clone(), conversation, None)?;
    Receipt::verify(kept, &evidence, found, content)
}
