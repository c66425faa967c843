//! The evidence as it travels, its claims, and what carries it: a certificate, or a file with the conversation beside it.

use chrysalis_attestation::{
    Collateral, Genuine, Question, Refusal, Unverified, Waivers,
    encoding::digest::sha256,
    evidence::{
        CpuReport, Evidence, Rest, Short,
        binding::Session,
        claims::Claims,
        path::{MAX_LEAVES, Path},
    },
    nvidia::needs,
    roots::Roots,
    tdx::Quote,
};
use chrysalis_client::{RelyingParty, SavedSession};
use std::sync::{Arc, LazyLock};

use super::{NOW, policy::strict};

/// The conversation that the bundles of tests/vectors are about.
const SESSION: Session = Session::Asked {
    nonce: [0x4E; 32],
    exporter: [0xE4; 32],
};
const SPKI: &[u8] = b"the enclave's SubjectPublicKeyInfo";

/// Of the machine of the seeds.
static REST: LazyLock<Rest> = LazyLock::new(|| {
    let bundle = include_bytes!("../../../../vectors/bundle/snp-h100-of-seven/bundle.cbor");
    Rest::of(&Evidence::decode(bundle).expect("a bundle"))
});

/// A bundle is read only from its one encoding, and its evidence is genuine only under the roots that it brings itself, and then
/// called simulated.
pub(super) fn bundle(bytes: &[u8]) {
    let Ok(evidence) = Evidence::decode(bytes) else {
        return;
    };
    assert_eq!(evidence.encode(), bytes, "one bundle has two encodings");
    let naming = roots(&evidence)
        .iter()
        .fold(Roots::vendors(), |roots, root| {
            roots.and_simulated(sha256(&[root]))
        });
    explain(&evidence, &Roots::vendors());
    explain(&evidence, &naming);
    let genuine = walk(evidence.clone(), &Roots::vendors(), SPKI);
    assert!(genuine.is_err(), "genuine under the vendors' roots");
    let bound = walk(evidence.clone(), &naming, b"a key that no seed is about");
    assert!(bound.is_err(), "bound to a key that nobody signed");
    if let Ok(genuine) = walk(evidence, &naming, SPKI) {
        let simulated = genuine.peer().transcript().simulated();
        assert!(simulated, "genuine, and not called simulated");
    }
}

/// Nothing is right with a bundle about another conversation, or about none.
fn explain(evidence: &Evidence, roots: &Roots) {
    for conversation in [None, Some((&SESSION, &b"a key that no seed is about"[..]))] {
        let explained = Unverified::new(evidence.clone()).explain(&Question {
            roots,
            collateral: &Collateral::default(),
            now: NOW,
            conversation,
            agreement: None,
            policy: None,
            waivers: &Waivers::default(),
        });
        assert!(explained.is_err(), "nothing is wrong with it");
    }
}

/// Whatever may be a root of this evidence.
fn roots(evidence: &Evidence) -> Vec<Vec<u8>> {
    let mut roots = evidence.endorsements.certificates.clone();
    if let CpuReport::Tdx { quote, .. } = &evidence.cpu
        && let Ok(quote) = Quote::parse(quote)
    {
        roots.extend(quote.chain);
    }
    roots.extend(
        evidence
            .gpus
            .iter()
            .filter_map(|gpu| gpu.chain.last().cloned()),
    );
    let manifests = evidence.endorsements.rims.iter();
    let chains = manifests.filter_map(|rim| needs::of_rim(rim).ok());
    roots.extend(chains.filter_map(|mut chain| chain.pop().map(|last| last.issuer)));
    roots
}

fn walk(evidence: Evidence, roots: &Roots, spki: &[u8]) -> Result<Genuine, Refusal> {
    Unverified::new(evidence)
        .authenticate(roots, &Collateral::default(), NOW)?
        .bind(&SESSION, spki)?
        .without_policy(&Waivers::default())
}

/// A path is read only from its one encoding, and no session's path leads to the root of another's.
pub(super) fn path(bytes: &[u8]) {
    let Ok(path) = Path::decode(bytes) else {
        return;
    };
    assert_eq!(path.encode(), bytes, "one path has two encodings");
    assert!((2..=MAX_LEAVES).contains(&path.count()), "{}", path.count());
    assert!(path.index() < path.count(), "a place beyond the last");
    let [ours, theirs] = [SESSION, Session::Boot].map(|session| session.digest(SPKI));
    assert_ne!(path.root(&ours), path.root(&theirs), "two leaves, one root");
    assert_ne!(path.root(&ours), ours, "a root that is a session");
}

/// A short bundle is read only from its one encoding, is no whole one, and no rest but its own fills it.
pub(super) fn short(bytes: &[u8]) {
    let Ok(Some(short)) = Short::decode(bytes) else {
        return;
    };
    let whole = Evidence::decode(bytes);
    assert!(whole.is_err(), "both a short bundle and a whole one");
    let own = short.rest() == REST.digest();
    if let Some(evidence) = short.fill(&REST) {
        assert!(own, "filled by another's rest");
        let encoded = Short::encode(&evidence);
        assert_eq!(encoded, bytes, "one short bundle has two encodings");
    }
}

/// Claims are read only from their one encoding.
pub(super) fn claims(bytes: &[u8]) {
    if let Ok(claims) = Claims::decode(bytes) {
        assert_eq!(claims.encode(), bytes, "the same claims in two encodings");
    }
}

/// A certificate that carries evidence, as a peer shows it.
pub(super) fn certificate(bytes: &[u8]) {
    if let Ok((evidence, spki)) = Evidence::from_certificate(bytes) {
        let found = genuine(evidence, (&Session::Boot, &spki));
        assert!(!found, "genuine under AMD's roots");
    }
    let trusted = party().verify_certificate(bytes);
    assert!(trusted.is_err(), "trusted under AMD's roots");
}

/// What `chrysalis verify --save` writes.
pub(super) fn saved(bytes: &[u8]) {
    let Ok(saved) = SavedSession::decode(bytes) else {
        return;
    };
    assert_eq!(saved.encode(), bytes, "one session has two encodings");
    if let Ok(evidence) = Evidence::decode(saved.bundle()) {
        let found = genuine(evidence, (&saved.session(), saved.spki()));
        assert!(!found, "genuine under AMD's roots");
    }
    let trusted = party().verify_session(&saved);
    assert!(trusted.is_err(), "trusted under AMD's roots");
    bundle(saved.bundle());
}

fn genuine(evidence: Evidence, conversation: (&Session, &[u8])) -> bool {
    let question = Question {
        roots: &Roots::vendors(),
        collateral: &Collateral::default(),
        now: NOW,
        conversation: Some(conversation),
        agreement: None,
        policy: None,
        waivers: Waivers::none(),
    };
    Unverified::new(evidence).verify(&question).is_ok()
}

fn party() -> RelyingParty {
    RelyingParty::new(strict()).with_clock(Arc::new(|| NOW))
}
