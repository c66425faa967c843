//! Intel: the quote, its collateral, and the event log.

use std::sync::LazyLock;

use chrysalis_attestation::{
    alone::tdx::{TdxEvidence, TdxQuestion, explain, verify},
    encoding::digest::sha256,
    tdx::{EventLog, IntelCollateral, IntelRoots, Quote, Status, TdxPolicy, split_answer},
};
use chrysalis_simulate::intel::TdProfile;

use super::{COLLATERAL, INTEL, NOW, never_in_silence};
use crate::parts;

/// A quote with its collateral and its log. Collateral that cannot be read stands for the honest one.
pub(super) fn quote(bytes: &[u8]) {
    let [log, collateral, quote] = parts::split(bytes);
    let collateral = IntelCollateral::parse(collateral).unwrap_or_else(|_| COLLATERAL.clone());
    let policy = TdxPolicy::genuine("fuzzing");
    let question = |roots| TdxQuestion {
        policy: Some(&policy),
        ..TdxQuestion::new(roots, &collateral, NOW)
    };
    let intel = IntelRoots::intel();
    let evidence = TdxEvidence {
        event_log: (!log.is_empty()).then_some(log),
        ..quote.into()
    };
    for ask in [explain, verify] {
        let found = ask(evidence, &question(&intel));
        assert!(found.is_err(), "genuine under Intel's root");
    }
    let parsed = Quote::parse(quote);
    if let Some(root) = parsed.as_ref().ok().and_then(|it| it.chain.last()) {
        let named = IntelRoots::intel().and_simulated(sha256(&[root]));
        let explained = explain(evidence, &question(&named));
        let verified = verify(evidence, &question(&named));
        assert_eq!(
            explained.is_ok(),
            verified.is_ok(),
            "explained otherwise than verified"
        );
        never_in_silence(verified);
    }
}

/// The collateral's file, and the answers that it is made from.
pub(super) fn collateral(bytes: &[u8]) {
    let _ = IntelCollateral::parse(bytes);
    if let Ok(text) = str::from_utf8(bytes) {
        for object in ["tcbInfo", "enclaveIdentity"] {
            if let Ok((body, _)) = split_answer(text, object) {
                assert!(text.contains(body), "a body came out changed");
            }
        }
    }
}

/// QE identity and TCB info, which are read only once they are signed: here by the simulated Intel, whatever they say.
pub(super) fn statements(bytes: &[u8]) {
    static QUOTE: LazyLock<Vec<u8>> = LazyLock::new(|| INTEL.quote(&TdProfile::default()));
    let [identity, info] = parts::split(bytes).map(|part| String::from_utf8_lossy(part));
    let sign = |text: &str| {
        let signature = INTEL.tcb_signer.sign_fixed(text.as_bytes());
        signature.try_into().expect("a signature has 64 bytes")
    };
    let collateral = IntelCollateral {
        tcb_info_signature: sign(&info),
        tcb_info: info.into_owned(),
        qe_identity_signature: sign(&identity),
        qe_identity: identity.into_owned(),
        ..COLLATERAL.clone()
    };
    let mut policy = TdxPolicy::genuine("fuzzing");
    policy.statuses = Status::ALL.to_vec();
    let question = |roots| TdxQuestion {
        policy: Some(&policy),
        ..TdxQuestion::new(roots, &collateral, NOW)
    };
    let (intel, named) = (IntelRoots::intel(), INTEL.roots());
    let refused = verify(&*QUOTE, &question(&intel));
    assert!(refused.is_err(), "genuine under Intel's root");
    let verified = verify(&*QUOTE, &question(&named));
    never_in_silence(verified);
}

/// What firmware and loaders say they measured.
pub(super) fn event_log(bytes: &[u8]) {
    if let Ok(log) = EventLog::parse(bytes) {
        log.replay();
    }
}
