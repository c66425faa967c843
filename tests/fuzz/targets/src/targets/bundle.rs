//! The evidence as it travels, its claims, and what carries it: a certificate, or a file with the conversation beside it.

use chrysalis_attestation::{
    Collateral, Question, Unverified, Waivers, binding::Session, bundle::Evidence, claims::Claims,
    digest::sha256, policy::Policy,
};
use chrysalis_client::{Bring, RelyingParty, SavedSession, genuine};
use std::sync::Arc;

use super::{NOW, policy::strict};

/// A bundle is read only from its one encoding, and its evidence is never trusted.
pub(super) fn bundle(bytes: &[u8]) {
    let Ok(evidence) = Evidence::decode(bytes) else {
        return;
    };
    assert_eq!(evidence.encode(), bytes, "one bundle has two encodings");
    let session = Session::Asked {
        nonce: [1; 32],
        exporter: [2; 32],
    };
    let mut naming = strict();
    for certificate in &evidence.endorsements.certificates {
        naming.simulation.push(sha256(&[certificate]));
    }
    walk(evidence.clone(), &session, &strict());
    walk(evidence, &session, &naming);
}

fn walk(evidence: Evidence, session: &Session, policy: &Policy) {
    for conversation in [None, Some((session, &b"a key that no seed is about"[..]))] {
        let explained = Unverified::new(evidence.clone()).explain(&Question {
            roots: &policy.roots(),
            collateral: &Collateral::default(),
            now: NOW,
            conversation,
            policy: Some(policy),
            waivers: &Waivers::default(),
        });
        assert!(!explained.failures().is_empty(), "nothing is wrong with it");
    }
    let authentic =
        Unverified::new(evidence).authenticate(&policy.roots(), &Collateral::default(), NOW);
    let bound = authentic.and_then(|it| it.bind(session, b"a key that no seed is about"));
    assert!(bound.is_err(), "bound to a key that nobody signed");
}

/// Claims are read only from their one encoding.
pub(super) fn claims(bytes: &[u8]) {
    if let Ok(claims) = Claims::decode(bytes) {
        assert_eq!(claims.encode(), bytes, "the same claims in two encodings");
    }
}

/// A certificate that carries evidence, as a peer shows it.
pub(super) fn certificate(bytes: &[u8]) {
    let found = genuine::certificate(bytes, &nothing(), NOW, &Waivers::default());
    assert!(found.is_err(), "genuine under AMD's roots");
    let trusted = party().verify_certificate(bytes);
    assert!(trusted.is_err(), "trusted under AMD's roots");
}

/// What `chrysalis verify --save` writes.
pub(super) fn saved(bytes: &[u8]) {
    let Ok(saved) = SavedSession::decode(bytes) else {
        return;
    };
    assert_eq!(saved.encode(), bytes, "one session has two encodings");
    let found = genuine::session(&saved, &nothing(), NOW, &Waivers::default());
    assert!(found.is_err(), "genuine under AMD's roots");
    let trusted = party().verify_session(&saved);
    assert!(trusted.is_err(), "trusted under AMD's roots");
    bundle(saved.bundle());
}

fn nothing() -> Bring {
    Arc::new(|_| Collateral::default())
}

fn party() -> RelyingParty {
    RelyingParty::new(strict()).with_clock(Arc::new(|| NOW))
}
