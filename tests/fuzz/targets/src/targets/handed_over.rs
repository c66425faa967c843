//! What somebody hands over: told apart by its first bytes, and judged.

use chrysalis_attestation::{Collateral, Waivers};
use chrysalis_verifier::{Artifact, Judging, Parts, TpmQuote, described, public_key};

use super::NOW;

/// Whatever it is taken for, it is not genuine: nobody named the roots of the seeds.
pub(super) fn any(bytes: &[u8]) {
    let _ = (described(bytes), public_key(bytes));
    let _ = TpmQuote::read("a file", bytes, None, None);
    let Ok(Ok(parts)) = Artifact::recognise(bytes).and_then(Artifact::parts) else {
        return;
    };
    let Parts {
        evidence,
        conversation,
        agreement,
    } = parts;
    let judging = Judging {
        policy: None,
        waivers: Waivers::none(),
        collateral: &Collateral::default(),
        now: NOW,
        explain: true,
    };
    let conversation = conversation.as_ref();
    let conversation = conversation.map(|(session, spki)| (session, &spki[..]));
    let found = judging.judge(evidence, conversation, agreement);
    assert!(found.is_err(), "genuine under roots that nobody named");
}
