//! A bundle whose conversation is not known.

use chrysalis_attestation::{
    Collateral, Question, Rejection, Time, Unverified,
    evidence::Evidence,
    policy::{Policy, Waivers},
};

/// When the vectors' evidence is current.
const NOW: Time = Time(1_796_126_400);

fn read(name: &str) -> Vec<u8> {
    let vectors = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/vectors/common");
    std::fs::read(format!("{vectors}/{name}")).expect(name)
}

#[test]
fn no_reason_makes_a_policy_do_without_the_conversation() {
    let policy = String::from_utf8(read("snp/policy.toml")).expect("TOML");
    let policy = Policy::parse(&policy).expect("a policy");
    let bundle = Evidence::decode(&read("bundle/snp.cbor")).expect("a bundle");
    let (roots, collateral) = (policy.roots(), Collateral::default());
    let waivers = Waivers {
        session: Some("kept for the record".to_owned()),
        ..Waivers::default()
    };
    let question = Question {
        roots: &roots,
        collateral: &collateral,
        now: NOW,
        conversation: None,
        agreement: None,
        policy: None,
        waivers: &waivers,
    };
    let genuine = Unverified::new(bundle.clone()).verify(&question);
    genuine.expect("the reason is good enough for hardware alone");

    let question = Question {
        policy: Some(&policy),
        ..question
    };
    let refusal = Unverified::new(bundle).verify(&question);
    let refusal = refusal.expect_err("nothing shows who is answering");
    assert_eq!(refusal.rejection, Rejection::ConversationMissing);
}
