//! Evidence of a conversation.

use chrysalis_attestation::{Time, evidence::SavedSession, policy::Policy};

use super::{
    given::{Given, missing},
    told::told,
};
use crate::{Artifact, Judging, Misuse, Parts, Without, agreement};

pub(super) fn bundle(given: &mut Given, now: Time) -> Result<String, Misuse> {
    let waivers = given.waivers(Without::CONVERSATION)?;
    let policy = given.policy(Policy::parse)?;
    let policy = policy.map(|policy| waivers.applied_to(policy));
    let collateral = given.collateral()?;
    let judging = Judging {
        policy: policy.as_ref(),
        waivers: &waivers,
        collateral: &collateral,
        now,
        explain: given.explains()?,
    };
    let found = match artifact(given)?.parts()? {
        Ok(parts) => {
            let Parts {
                evidence,
                conversation,
                agreement,
            } = parts;
            let conversation = conversation.as_ref();
            let conversation = conversation.map(|(session, spki)| (session, &spki[..]));
            judging.judge(evidence, conversation, agreement)
        }
        Err(rejection) => Err(rejection.into()),
    };
    Ok(told(&found))
}

/// What was handed over, with the conversation that the question says it is about.
fn artifact(given: &mut Given) -> Result<Artifact, Misuse> {
    let bytes = match (given.take("bundle"), given.take("certificate")) {
        (Some(_), Some(_)) => {
            return Err(Misuse::new(
                "`bundle` and `certificate` are two questions: ask one at a time",
            ));
        }
        (bundle, certificate) => bundle.or(certificate),
    };
    let Some(bytes) = bytes else {
        return Err(missing("bundle"));
    };
    for name in ["nonce", "exporter", "agreement"] {
        given.only_with(name, "spki")?;
    }
    let Some(spki) = given.bytes("spki")? else {
        return Artifact::recognise(&bytes);
    };
    let (Some(nonce), Some(exporter)) = (given.exactly("nonce")?, given.exactly("exporter")?)
    else {
        return Err(Misuse::new(
            "a conversation has `spki`, `nonce` and `exporter`: give all three",
        ));
    };
    let agreement = given.one("agreement").map(agreement).transpose()?;
    let saved = SavedSession::new(spki, nonce, exporter, bytes).agreed(agreement);
    Ok(Artifact::Session(saved))
}
