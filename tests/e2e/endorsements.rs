//! A publisher's endorsement, stapled by a provider: with it trust ends no later than the endorsement, on each platform.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use std::sync::LazyLock;

use chrysalis_attestation::{Rejection, Time, Verdict};
use chrysalis_simulate::Amd;
use chrysalis_tests::{
    composite::{
        Machine,
        Vendor::{self, Amd as OfAmd, Intel as OfIntel},
    },
    publisher::Publisher,
    scene::{self, NOW},
};

static AMD: LazyLock<Amd> =
    LazyLock::new(|| scene::vendor(env!("CARGO_TARGET_TMPDIR"), "amd").unwrap());

fn machine(cpu: Vendor, publisher: &Publisher, stapled: Vec<Vec<u8>>) -> Machine<'static> {
    let mut machine = Machine::honest(&AMD, cpu);
    machine.policy.release = Some(publisher.wanted());
    machine.endorsements.statements = stapled;
    machine
}

#[test]
fn a_stapled_endorsement_is_enough_and_trust_ends_with_it() {
    let publisher = Publisher::default();
    let soon = Time(NOW.0 + 600);
    for cpu in [OfAmd, OfIntel] {
        let stapled = publisher.stapled(|it| it.until = soon);
        let verdict = machine(cpu, &publisher, stapled).verdict();
        assert!(verdict.is_ok(), "{}", Verdict::of(&verdict));
        assert_eq!(verdict.unwrap().until(), soon);
    }
}

#[test]
fn rejects_an_image_that_the_publisher_no_longer_endorses() {
    let publisher = Publisher::default();
    for cpu in [OfAmd, OfIntel] {
        let stapled = publisher.stapled(|it| it.until = NOW);
        let refusal = machine(cpu, &publisher, stapled).verdict().unwrap_err();
        let expired = Rejection::EndorsementExpired { until: NOW };
        assert_eq!(refusal.rejection, expired);
    }
}

#[test]
fn rejects_the_endorsement_of_another_publisher() {
    let [publisher, other] = [Publisher::default(), Publisher::default()];
    let stapled = other.stapled(|_| ());
    let refusal = machine(OfAmd, &publisher, stapled).verdict().unwrap_err();
    assert_eq!(refusal.rejection.code(), "endorsement_missing");
}
