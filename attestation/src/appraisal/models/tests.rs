//! Each way in which an enclave may serve other models than the policy lists.

use super::*;
use crate::{
    evidence::claims::{EngineClaim, tests::claims},
    transcript::{Check, Outcome, Patience, Refusal},
};

/// What the claims of the tests say about their one model.
fn listed() -> ModelPolicy {
    ModelPolicy {
        name: "smollm2".to_owned(),
        kind: Some("chat".to_owned()),
        weights: Some([4; 32]),
        disk: Some([3; 32]),
        tokenizer: Some([5; 32]),
        template: None,
        engine_disk: Some([2; 32]),
    }
}

/// Another model, for speech and run by another engine.
fn with_whisper() -> Claims {
    let mut claims = claims();
    claims.engines.push(EngineClaim {
        name: "whisper-cpu".to_owned(),
        version: "whisper.cpp 1.8".to_owned(),
        disk: [6; 32],
    });
    claims.models.push(ModelClaim {
        name: "whisper-base".to_owned(),
        kind: "speech".to_owned(),
        engine: "whisper-cpu".to_owned(),
        ..claims.models[0].clone()
    });
    claims
}

fn checks(
    listed: &[ModelPolicy],
    others: Option<&str>,
    claims: &Claims,
    patience: Patience,
) -> Result<Vec<Check>, Refusal> {
    let wanted = ModelsPolicy {
        listed: listed.to_vec(),
        others: others.map(str::to_owned),
    };
    let mut inspection = Inspection::new(patience);
    models(
        Some(&wanted),
        claims,
        Configuration::Pinned,
        &mut inspection,
    );
    let ((), transcript) = inspection.finish(Ok(()))?;
    Ok(transcript.checks().to_vec())
}

/// Each check's name, outcome and detail.
fn told(listed: &[ModelPolicy], others: Option<&str>, claims: &Claims) -> Vec<[String; 3]> {
    let checks = checks(listed, others, claims, Patience::First).expect("no refusal");
    let told = checks.iter().map(|it| {
        let outcome = format!("{:?}", it.outcome);
        [it.name.to_owned(), outcome, it.detail.clone()]
    });
    told.collect()
}

#[track_caller]
fn refuses(change: impl FnOnce(&mut ModelPolicy), expected: &Rejection) {
    let mut wanted = listed();
    change(&mut wanted);
    let refusal = checks(&[wanted], None, &claims(), Patience::First).expect_err("a refusal");
    assert_eq!(&refusal.rejection, expected);
    assert_eq!(expected.step(), CHECK.0);
}

fn named(name: &str) -> ModelPolicy {
    ModelPolicy {
        name: name.to_owned(),
        ..ModelPolicy::default()
    }
}

#[test]
fn accepts_the_models_that_the_policy_lists_in_any_order() {
    let one = [["models", "Passed", "smollm2, as listed"].map(str::to_owned)];
    assert_eq!(told(&[listed()], None, &claims()), one);
    let whisper = ModelPolicy {
        weights: Some([4; 32]),
        engine_disk: Some([6; 32]),
        ..named("whisper-base")
    };
    let both = told(&[whisper, listed()], None, &with_whisper());
    assert_eq!(both.len(), 2, "{both:?}");
}

#[test]
fn a_model_without_a_digest_is_told_as_open() {
    let by_name = told(&[named("smollm2")], None, &claims());
    let open = ["model weights", "NotChecked", LEFT_OPEN].map(str::to_owned);
    assert_eq!(by_name.last(), Some(&open));
    for pinned in [
        ModelPolicy {
            weights: Some([4; 32]),
            ..named("smollm2")
        },
        ModelPolicy {
            disk: Some([3; 32]),
            ..named("smollm2")
        },
    ] {
        assert_eq!(told(&[pinned], None, &claims()).len(), 1);
    }
}

#[test]
fn refuses_a_model_that_is_not_what_is_listed_under_its_name() {
    let mismatch = |field, found: &str| Rejection::ModelMismatch {
        name: "smollm2".to_owned(),
        field,
        found: found.to_owned(),
    };
    let hex = |byte: &str| byte.repeat(32);
    refuses(
        |it| it.kind = Some("rerank".to_owned()),
        &mismatch("kind", "chat"),
    );
    refuses(
        |it| it.weights = Some([9; 32]),
        &mismatch("weights", &hex("04")),
    );
    refuses(|it| it.disk = Some([9; 32]), &mismatch("disk", &hex("03")));
    refuses(
        |it| it.tokenizer = Some([9; 32]),
        &mismatch("tokenizer", &hex("05")),
    );
    refuses(
        |it| it.template = Some([9; 32]),
        &mismatch("template", "absent"),
    );
    refuses(
        |it| it.engine_disk = Some([9; 32]),
        &mismatch("engine's disk", &hex("02")),
    );
}

#[test]
fn refuses_a_model_that_is_not_served() {
    let missing = |name: &str| Rejection::ModelMissing {
        name: name.to_owned(),
    };
    let both = [listed(), named("whisper-base")];
    let refusal = checks(&both, None, &claims(), Patience::First).expect_err("a refusal");
    assert_eq!(refusal.rejection, missing("whisper-base"));
    let nothing = Claims {
        models: Vec::new(),
        ..claims()
    };
    // A reason to accept others is none to go without.
    let refusal = checks(&[listed()], Some("a test"), &nothing, Patience::First);
    assert_eq!(
        refusal.expect_err("a refusal").rejection,
        missing("smollm2")
    );
}

#[test]
fn refuses_a_model_that_is_not_listed_unless_the_policy_says_why() {
    let unlisted = Rejection::ModelUnlisted {
        name: "whisper-base".to_owned(),
    };
    let refusal = checks(&[listed()], None, &with_whisper(), Patience::First);
    assert_eq!(refusal.expect_err("a refusal").rejection, unlisted);
    let waived = told(&[listed()], Some("a test"), &with_whisper());
    let open = ["other models", "NotChecked", "whisper-base (a test)"].map(str::to_owned);
    assert_eq!(waived.last(), Some(&open));
    // Nothing is waived where there is no other.
    assert_eq!(told(&[listed()], Some("a test"), &claims()).len(), 1);
}

#[test]
fn patience_names_everything_that_is_wrong() {
    let listed = [
        ModelPolicy {
            weights: Some([9; 32]),
            ..listed()
        },
        named("bge"),
    ];
    let refusal = checks(&listed, None, &with_whisper(), Patience::All).expect_err("a refusal");
    let codes: Vec<_> = refusal.rejections().map(Rejection::code).collect();
    assert_eq!(codes, ["model_mismatch", "model_missing", "model_unlisted"]);
}

#[test]
fn without_a_list_the_verdict_says_what_pins_the_models() {
    for (configuration, why) in [
        (Configuration::Pinned, LEFT_TO_CONFIGURATION),
        (Configuration::Open, PINNED_BY_NOTHING),
    ] {
        let mut inspection = Inspection::new(Patience::First);
        models(None, &claims(), configuration, &mut inspection);
        let ((), transcript) = inspection.finish(Ok(())).expect("no refusal");
        let [check] = transcript.checks() else {
            panic!("{transcript:?}")
        };
        assert_eq!(
            (check.outcome, check.detail.as_str()),
            (Outcome::NotChecked, why)
        );
        assert_eq!(check.step, "policy-15");
    }
}
