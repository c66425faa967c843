//! One report that answers many questions, on a machine with a GPU and a CPU of either vendor: docs/spec/batch.md. What can be
//! wrong with a path by itself is tested where it is read; tests/vectors/bundle has a vector for each lie.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use std::sync::LazyLock;

use chrysalis_attestation::{
    Rejection, Verdict,
    evidence::{Evidence, Rest, Short},
};
use chrysalis_simulate::Amd;
use chrysalis_tests::{
    composite::{
        Machine,
        Vendor::{self, Amd as OfAmd, Intel as OfIntel},
    },
    scene,
};

static AMD: LazyLock<Amd> =
    LazyLock::new(|| scene::vendor(env!("CARGO_TARGET_TMPDIR"), "amd").unwrap());

/// The relying party's question is one of these.
fn machine(cpu: Vendor, questions: u32, place: u32) -> Machine<'static> {
    let mut machine = Machine::honest(&AMD, cpu);
    (machine.questions, machine.place) = (questions, place);
    machine
}

#[track_caller]
fn refused(machine: &Machine<'_>, code: &str) {
    let refusal = machine.verdict().expect_err("it must be refused");
    assert_eq!(refusal.rejection.code(), code, "{}", refusal.rejection);
    let last = refusal.transcript.checks().last().unwrap();
    assert_eq!(last.step, refusal.rejection.step(), "{last:?}");
}

#[test]
fn each_of_many_questions_is_answered_by_one_report() {
    for cpu in [OfAmd, OfIntel] {
        for place in [0, 1, 5, 6] {
            let trusted = machine(cpu, 7, place).verdict();
            let checks = Verdict::of(&trusted).to_string();
            assert!(trusted.is_ok(), "{checks}");
            let trusted = trusted.unwrap();
            let mut checks = trusted.transcript().checks().iter();
            let binding = checks.find(|it| it.step == "bind-2").unwrap();
            let question = format!("this TLS session, your nonce, question {place} of 7");
            assert_eq!(binding.detail, question);
        }
    }
}

#[test]
fn one_question_alone_has_no_path() {
    let evidence = machine(OfAmd, 1, 0).evidence();
    assert_eq!(evidence.path, None);
}

#[test]
fn rejects_another_clients_path_and_the_bundle_without_its_own() {
    let mut another = machine(OfAmd, 7, 3);
    another.alter = |evidence| evidence.path = machine(OfAmd, 7, 3).tree().unwrap().path(2);
    refused(&another, "path_mismatch");
    let mut of_another_tree = machine(OfIntel, 7, 3);
    of_another_tree.alter = |evidence| {
        evidence.path = machine(OfAmd, 8, 3).tree().unwrap().path(3);
    };
    refused(&of_another_tree, "path_mismatch");
    let mut without = machine(OfIntel, 7, 3);
    without.alter = |evidence| evidence.path = None;
    refused(&without, "binding_mismatch");
    let mut with = machine(OfIntel, 1, 0);
    with.alter = |evidence| evidence.path = machine(OfAmd, 7, 0).tree().unwrap().path(0);
    refused(&with, "path_mismatch");
}

/// A whole batch about other clients: there is no path from this one's question.
#[test]
fn rejects_a_batch_in_which_the_question_is_not() {
    for place in 0..7 {
        let others = machine(OfAmd, 7, 7);
        let mut evidence = others.evidence();
        evidence.path = others.tree().unwrap().path(place);
        let refusal = others.verdict_on(&evidence.encode()).unwrap_err();
        let index = place;
        let expected = Rejection::PathMismatch { index, count: 7 };
        assert_eq!(refusal.rejection, expected);
    }
}

/// The GPUs' question comes of the same root: theirs alone from another batch is found as well.
#[test]
fn rejects_gpus_that_answered_another_batch() {
    let mut machine = machine(OfAmd, 7, 3);
    machine.before_signing = |gpus| *gpus = self::machine(OfAmd, 6, 3).evidence().gpus;
    refused(&machine, "gpu_nonce_mismatch");
}

#[test]
fn a_short_bundle_has_at_most_8_kib_with_a_gpu_and_ends_in_the_same_verdict() {
    let first = machine(OfAmd, 1, 0);
    let rest = Rest::of(&Evidence::decode(&first.bundle()).unwrap());
    let later = machine(OfAmd, 500, 321);
    let short = Short::encode(&later.evidence());
    assert!(short.len() <= 8 * 1024, "{} bytes", short.len());
    assert!(later.bundle().len() > 4 * short.len());
    let filled = Short::decode(&short).unwrap().unwrap().fill(&rest).unwrap();
    assert_eq!(filled.encode(), later.bundle());
    assert!(later.verdict_on(&filled.encode()).is_ok());
}

/// Nothing that a short bundle leaves out is trusted for having been kept.
#[test]
fn a_rest_that_is_refused_is_refused_when_it_fills_a_bundle() {
    let mut machine = machine(OfAmd, 1, 0);
    machine.alter = |evidence| evidence.endorsements.crls.clear();
    let altered = Evidence::decode(&machine.bundle()).unwrap();
    let short = Short::decode(&Short::encode(&altered)).unwrap().unwrap();
    let filled = short.fill(&Rest::of(&altered)).unwrap();
    let refusal = machine.verdict_on(&filled.encode()).unwrap_err();
    assert_eq!(refusal.rejection.code(), "revocation_unchecked");
}
