use super::{
    appraise::tests::{genuine, policy},
    cpu::Cpu,
    gpus,
    stages::Authentic,
};
use crate::{
    Rejection, Time, Verdict,
    evidence::{
        Endorsements, NO_GPUS,
        binding::{Anchor, Session},
        claims::{
            Claims,
            tests::{BEGAN, claims},
        },
    },
    nvidia::GpuEvidence,
    policy::{Policy, Waivers},
    roots::Roots,
    snp::{self, broken, floor::Floor, product::Product},
    transcript::{Expect, Outcome, Refusal, Transcript},
};

const SPKI: &[u8] = b"the TLS key";
/// What the test's policy does not mention.
const SILENT: &str = "open    not in the policy        chip, launch TCB floor, SEV firmware, minimum ABI, guest SVN, mitigations, \
    family id, image id, report id, migration agent, ID block, key agreement, rebuilders, models (pinned by the configuration's digest alone)";
/// Its one model and its epoch, in a verdict.
const MODEL: &str = "model   smollm2                  chat, weights 040404040404…, llama.cpp b1\nepoch   0                        began 0 s ago, lasts 600 s";
const ASKED: Session = Session::Asked {
    nonce: [1; 32],
    exporter: [2; 32],
};

/// Evidence from genuine hardware whose report is about `session`, [`SPKI`] and the claims, with one thing changed.
fn changed(session: &Session, change: impl FnOnce(&mut snp::Genuine)) -> Authentic {
    let claims = claims().encode();
    let mut genuine = genuine();
    genuine.report.report_data = Anchor::new(session, SPKI, &claims).report_data(&NO_GPUS);
    change(&mut genuine);
    let none = &Endorsements::default();
    Authentic {
        cpu: Cpu::Snp(Box::new(genuine)),
        event_log: Vec::new(),
        claims,
        gpus: gpus::Unproved::new(
            Vec::new(),
            &Roots::vendors().nvidia,
            (none, none.clone()),
            Time(BEGAN),
            &crate::Memory::none(),
        ),
        path: None,
        statements: Vec::new(),
        now: Time(0),
        transcript: Transcript::default(),
    }
}

fn authentic(session: &Session) -> Authentic {
    changed(session, |_| ())
}

fn a_gpu() -> GpuEvidence {
    GpuEvidence {
        report: Vec::new(),
        chain: Vec::new(),
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(result: Result<T, Refusal>, expected: &Rejection) {
    let refusal = result.expect_err("it must be refused");
    let last = refusal
        .transcript
        .checks()
        .last()
        .expect("the failed check is recorded");
    assert_eq!(
        (last.step, last.outcome),
        (expected.step(), Outcome::Failed)
    );
    assert_eq!(&refusal.rejection, expected);
}

#[test]
fn evidence_walks_to_trust_and_yields_the_key() {
    let trusted = authentic(&ASKED)
        .bind(&ASKED, SPKI)
        .and_then(|bound| bound.appraise(&policy()));
    let trusted = trusted.expect("trusted");
    assert_eq!(trusted.tls_key(), SPKI);
    assert_eq!(trusted.claims(), &claims());
    assert_eq!(
        trusted.until(),
        Time(1_796_126_400),
        "the revocation list ends first"
    );
    assert!(!trusted.simulated());
}

#[test]
fn refuses_evidence_about_another_nonce_session_key_or_claims() {
    let nonce = Session::Asked {
        nonce: [9; 32],
        exporter: [2; 32],
    };
    let exporter = Session::Asked {
        nonce: [1; 32],
        exporter: [9; 32],
    };
    for session in [nonce, exporter, Session::Boot] {
        refused(
            authentic(&ASKED).bind(&session, SPKI),
            &Rejection::BindingMismatch,
        );
    }
    refused(
        authentic(&ASKED).bind(&ASKED, b"another key"),
        &Rejection::BindingMismatch,
    );
    let mut altered = authentic(&ASKED);
    altered.claims = Claims {
        epoch: 1,
        ..claims()
    }
    .encode();
    refused(altered.bind(&ASKED, SPKI), &Rejection::BindingMismatch);
    let mut spliced = authentic(&ASKED);
    spliced.gpus.evidence = vec![a_gpu()];
    refused(spliced.bind(&ASKED, SPKI), &Rejection::BindingMismatch);
}

#[test]
fn refuses_evidence_of_boot_as_the_answer_to_a_question() {
    refused(
        authentic(&Session::Boot).bind(&ASKED, SPKI),
        &Rejection::NotFresh,
    );
}

#[test]
fn refuses_claims_that_cannot_be_read() {
    let mut broken = authentic(&ASKED);
    broken.claims.push(0);
    let what = "not deterministic CBOR".to_owned();
    refused(
        broken.bind(&ASKED, SPKI),
        &Rejection::ClaimsMalformed { what },
    );
}

#[test]
fn refuses_a_claimed_configuration_that_the_hardware_did_not_measure() {
    let other = changed(&ASKED, |genuine| genuine.report.host_data = [9; 32]);
    refused(other.bind(&ASKED, SPKI), &Rejection::ConfigurationMismatch);
}

#[test]
fn a_verdict_reads_as_lines() {
    let trusted = authentic(&ASKED)
        .bind(&ASKED, SPKI)
        .and_then(|bound| bound.appraise(&policy()));
    assert_eq!(
        Verdict::of(&trusted).to_string(),
        format!(
            "cpu     AMD SEV-SNP, Genoa       genuine, firmware at the floor\n\
             gpu     none\n\
             bound   this TLS session, your nonce\n\
             image   030303030303…            matches the policy\n\
             {MODEL}\n\
             {SILENT}\n\
             trusted until 2026-12-01 12:00 UTC"
        )
    );
}

#[test]
fn a_verdict_says_what_is_simulated_and_what_is_unchecked() {
    let simulated = changed(&ASKED, |genuine| {
        genuine.simulated = true;
        genuine.validity.revocation_until = None;
    });
    let mut policy = policy();
    policy.simulation = vec![[8; 32]];
    policy.snp.as_mut().expect("[snp]").revocation_unchecked = Some("no list yet".to_owned());
    let trusted = simulated
        .bind(&ASKED, SPKI)
        .and_then(|bound| bound.appraise(&policy));
    assert_eq!(
        Verdict::of(&trusted).to_string(),
        format!(
            "cpu     AMD SEV-SNP, Genoa       SIMULATED, not AMD hardware, firmware at the floor\n\
             gpu     none\n\
             bound   this TLS session, your nonce\n\
             image   030303030303…            matches the policy\n\
             {MODEL}\n\
             open    revocation               not checked: no list yet\n\
             {SILENT}\n\
             trusted (simulated) until 2027-01-15 08:00 UTC"
        )
    );
}

/// Evidence from a machine whose product line is known to be broken.
fn of_milan() -> Authentic {
    changed(&ASKED, |genuine| genuine.product = Product::Milan)
}

#[test]
fn a_verdict_on_broken_hardware_says_so_in_the_words_of_the_table() {
    let known = broken::of(Product::Milan).expect("known");
    let mut policy = policy();
    let snp = policy.snp.as_mut().expect("[snp]");
    snp.minimum_tcb = Floor::Unchecked {
        why: "no level helps".to_owned(),
    };
    snp.products = Expect::AnyOf(vec![Product::Milan]);
    let walk = |policy: &Policy| of_milan().bind(&ASKED, SPKI)?.appraise(policy);
    let refused = walk(&policy);
    let told = Verdict::of(&refused).to_string();
    let start = format!("not trusted: product_broken\n{known}\nhint: ");
    assert!(told.starts_with(&start), "{told}");
    let ear = Verdict::of(&refused).ear(Time(7));
    let vector = &ear["submods"]["cpu"]["ear_trustworthiness_vector"];
    assert_eq!(vector["hardware"], 96);

    let why = "our own machine".to_owned();
    let snp = policy.snp.as_mut().expect("[snp]");
    snp.broken = [(Product::Milan, why)].into();
    let trusted = walk(&policy);
    let verdict = Verdict::of(&trusted);
    assert_eq!(
        verdict.to_string(),
        format!(
            "cpu     AMD SEV-SNP, Milan       BROKEN since 2026-05-13, with any firmware\n\
             gpu     none\n\
             bound   this TLS session, your nonce\n\
             image   030303030303…            matches the policy\n\
             {MODEL}\n\
             open    soundness                not checked: our own machine. {known}\n\
             open    TCB floor                not checked: no level helps\n\
             open    committed TCB floor      not checked: no level helps\n\
             {SILENT}\n\
             trusted (broken hardware) until 2026-12-01 12:00 UTC"
        )
    );
    let json = serde_json::to_value(&verdict).expect("JSON");
    assert_eq!(json["claims"]["cpu"]["broken"]["source"], known.source);
    let ear = verdict.ear(Time(7));
    let cpu = &ear["submods"]["cpu"];
    assert_eq!(cpu["ear_trustworthiness_vector"]["hardware"], 32);
    let told = serde_json::json!({
        "step": "policy-1", "name": "soundness", "detail": format!("our own machine. {known}"),
    });
    let not_checked = &cpu["ear_verifier_claims"]["not_checked"];
    let not_checked = not_checked.as_array().expect("a list");
    assert!(not_checked.contains(&told), "{not_checked:?}");
}

#[test]
fn broken_hardware_is_not_genuine_unless_somebody_says_why() {
    let known = broken::of(Product::Milan).expect("known");
    let walk = |waivers: &Waivers| of_milan().bind(&ASKED, SPKI)?.without_policy(waivers);
    let refusal = Rejection::ProductBroken { broken: known };
    refused(walk(&Waivers::default()), &refusal);
    let waivers = Waivers {
        broken: [(Product::Milan, "a test".to_owned())].into(),
        session: Some("a test".to_owned()),
        ..Waivers::default()
    };
    let genuine = walk(&waivers).expect("genuine");
    let text = Verdict::from(&genuine).to_string();
    assert!(text.contains("Milan       BROKEN since "), "{text}");
    assert!(text.contains("\ngenuine (broken hardware) until"), "{text}");
    let unbound = of_milan().without_conversation(&waivers).expect("genuine");
    let text = Verdict::from(&unbound).to_string();
    assert!(text.contains("Milan       BROKEN since "), "{text}");
    // Only a policy can say so itself; waivers do not apply to it.
    let waived = waivers.applied_to(policy());
    let refused_all_the_same = of_milan()
        .bind(&ASKED, SPKI)
        .and_then(|bound| bound.appraise(&waived));
    refused(refused_all_the_same, &refusal);
}

#[test]
fn a_refusal_reads_as_code_detail_and_hint() {
    let mut policy = policy();
    policy.snp.as_mut().expect("[snp]").launch_digest = Expect::AnyOf(vec![[0; 48]]);
    let refused = authentic(&ASKED)
        .bind(&ASKED, SPKI)
        .and_then(|bound| bound.appraise(&policy));
    let verdict = Verdict::of(&refused);
    assert!(!verdict.is_trusted());
    assert_eq!(
        verdict.to_string(),
        format!(
            "not trusted: launch_digest_unknown\n\
             image   {} is not in the policy\n\
             hint: run `chrysalis measure DIR` to compute the digest of an image you built",
            "03".repeat(48)
        )
    );
}

#[test]
fn a_verdict_as_json_has_every_check() {
    let trusted = authentic(&ASKED)
        .bind(&ASKED, SPKI)
        .and_then(|bound| bound.appraise(&policy()));
    let json = serde_json::to_value(Verdict::of(&trusted)).expect("JSON");
    assert_eq!(json["verdict"], "trusted");
    assert_eq!(json["code"], serde_json::Value::Null);
    assert_eq!(json["simulated"], false);
    assert_eq!(json["until"], "2026-12-01T12:00:00Z");
    assert_eq!(json["claims"]["configuration"], "01".repeat(32));
    let engine = serde_json::json!({
        "name": "llama-cpu", "version": "llama.cpp b1", "disk": "02".repeat(32),
    });
    assert_eq!(json["claims"]["engines"], serde_json::json!([engine]));
    let model = serde_json::json!({
        "name": "smollm2", "kind": "chat", "engine": "llama-cpu", "disk": "03".repeat(32),
        "weights": "04".repeat(32), "tokenizer": "05".repeat(32),
    });
    assert_eq!(json["claims"]["models"], serde_json::json!([model]));
    let checks = json["checks"].as_array().expect("checks");
    assert_eq!(
        checks[1],
        serde_json::json!({
            "step": "bind-2",
            "name": "binding",
            "outcome": "passed",
            "detail": "this TLS session, your nonce",
        })
    );
    let chip = checks
        .iter()
        .find(|check| check["name"] == "chip")
        .expect("the chip");
    assert_eq!(chip["outcome"], "not_checked");

    let refused = authentic(&ASKED)
        .bind(&Session::Boot, SPKI)
        .and_then(|bound| bound.appraise(&policy()));
    let json = serde_json::to_value(Verdict::of(&refused)).expect("JSON");
    assert_eq!(json["verdict"], "rejected");
    assert_eq!(json["code"], "binding_mismatch");
    assert_eq!(json["claims"], serde_json::Value::Null);
}

#[test]
fn without_a_policy_nothing_is_trusted() {
    let genuine = authentic(&ASKED).bind(&ASKED, SPKI);
    let genuine = genuine
        .and_then(|it| it.without_policy(&Waivers::default()))
        .expect("genuine");
    let verdict = Verdict::from(&genuine);
    assert!(!verdict.is_trusted());
    assert_eq!(
        verdict.to_string(),
        format!(
            "cpu     AMD SEV-SNP, Genoa       genuine, bootloader 10, tee 0, snp 23, microcode 84\n\
             gpu     none\n\
             bound   this TLS session, your nonce\n\
             image   030303030303…            no policy says what is wanted\n\
             {MODEL}\n\
             genuine until 2026-12-01 12:00 UTC; no policy says what is wanted"
        )
    );
}

#[test]
fn a_bundle_without_its_conversation_is_genuine_only_where_somebody_says_why() {
    refused(
        authentic(&ASKED).without_conversation(&Waivers::default()),
        &Rejection::ConversationMissing,
    );
    let waivers = Waivers {
        session: Some("kept for the record".to_owned()),
        ..Waivers::default()
    };
    let unbound = authentic(&ASKED).without_conversation(&waivers);
    let unbound = unbound.expect("genuine");
    let verdict = Verdict::from(&unbound);
    assert!(!verdict.is_trusted());
    assert_eq!(
        verdict.to_string(),
        "cpu     AMD SEV-SNP, Genoa       genuine, bootloader 10, tee 0, snp 23, microcode 84\n\
         gpu     none\n\
         bound   to no known conversation\n\
         image   030303030303…            no policy says what is wanted\n\
         open    binding                  not checked: kept for the record\n\
         open    claimed configuration    not checked: kept for the record\n\
         genuine until 2026-12-01 12:00 UTC; no policy says what is wanted"
    );
    let json = serde_json::to_value(&verdict).expect("JSON");
    assert_eq!(json["claims"]["measurement"], "03".repeat(48));
    assert_eq!(
        json["claims"].get("models"),
        None,
        "it is not known whose it is"
    );
    assert_eq!(verdict.ear(Time(7)).get("eat_nonce"), None);

    let debugged = changed(&ASKED, |it| it.report.policy.0 |= 1 << 19);
    refused(
        debugged.without_conversation(&waivers),
        &Rejection::DebugAllowed,
    );
    let mut broken = authentic(&ASKED);
    broken.claims.push(0);
    let what = "not deterministic CBOR".to_owned();
    refused(
        broken.without_conversation(&waivers),
        &Rejection::ClaimsMalformed { what },
    );
    let mut unreadable = authentic(&ASKED);
    unreadable.gpus.evidence = vec![a_gpu()];
    assert!(unreadable.without_conversation(&waivers).is_err());
}

#[test]
fn without_a_policy_a_waived_list_is_listed() {
    let unknown = changed(&ASKED, |it| it.validity.revocation_until = None);
    let waivers = Waivers {
        crl: Some("offline".to_owned()),
        ..Waivers::default()
    };
    let bound = unknown.bind(&ASKED, SPKI).expect("bound");
    let genuine = bound.without_policy(&waivers).expect("genuine");
    let text = Verdict::from(&genuine).to_string();
    let open = "open    revocation               not checked: offline";
    assert!(text.contains(open), "{text}");
}

#[test]
fn a_policys_own_reasons_come_before_the_verifiers() {
    let all = |name: &str| {
        let why = Some(name.to_owned());
        Waivers {
            crl: why.clone(),
            ocsp: why.clone(),
            rim: why.clone(),
            fwid: why.clone(),
            event_log: why.clone(),
            freshness: why.clone(),
            session: why,
            broken: [].into(),
        }
    };
    let waived = all("first").applied_to(policy());
    let reason = |policy: &Policy| policy.snp.as_ref()?.revocation_unchecked.clone();
    assert_eq!(reason(&waived).as_deref(), Some("first"));
    assert_eq!(waived.freshness_unchecked.as_deref(), Some("first"));
    let again = all("second").applied_to(waived);
    assert_eq!(reason(&again).as_deref(), Some("first"));
    assert_eq!(again.freshness_unchecked.as_deref(), Some("first"));
    let untouched = Waivers::default().applied_to(policy());
    assert_eq!(reason(&untouched), None);
}

#[test]
fn without_a_policy_memory_has_to_be_private_and_revocation_known() {
    let walk = |authentic: Authentic| {
        authentic
            .bind(&ASKED, SPKI)?
            .without_policy(&Waivers::default())
    };
    let debugged = changed(&ASKED, |it| it.report.policy.0 |= 1 << 19);
    refused(walk(debugged), &Rejection::DebugAllowed);
    let unknown = changed(&ASKED, |it| it.validity.revocation_until = None);
    refused(walk(unknown), &Rejection::RevocationUnchecked);
}

/// docs/spec/ear.md: what each claim is made from.
#[test]
fn an_attestation_result_claims_what_was_checked_and_no_more() {
    let vector = |change_policy: &dyn Fn(&mut Policy), change: &dyn Fn(&mut snp::Genuine)| {
        let mut wanted = policy();
        change_policy(&mut wanted);
        let trusted = changed(&ASKED, change)
            .bind(&ASKED, SPKI)
            .and_then(|bound| bound.appraise(&wanted));
        let ear = Verdict::from(&trusted.expect("trusted")).ear(Time(7));
        let cpu = &ear["submods"]["cpu"];
        (
            cpu["ear_status"].clone(),
            cpu["ear_trustworthiness_vector"].clone(),
        )
    };
    let affirmed = serde_json::json!({"hardware": 2, "runtime-opaque": 2, "executables": 2, "configuration": 2});
    assert_eq!(vector(&|_| (), &|_| ()), ("affirming".into(), affirmed));

    let open = || Expect::Unchecked {
        why: "a test".to_owned(),
    };
    let any_image = |policy: &mut Policy| {
        policy.snp.as_mut().expect("[snp]").launch_digest = open();
    };
    let nothing_of_code =
        serde_json::json!({"hardware": 2, "runtime-opaque": 2, "configuration": 2});
    assert_eq!(
        vector(&any_image, &|_| ()),
        ("affirming".into(), nothing_of_code)
    );

    let any_firmware = |policy: &mut Policy| {
        policy.snp.as_mut().expect("[snp]").minimum_tcb = Floor::Unchecked {
            why: "a test".to_owned(),
        };
    };
    let of_any_age = serde_json::json!({"hardware": 32, "runtime-opaque": 2, "executables": 2, "configuration": 2});
    assert_eq!(
        vector(&any_firmware, &|_| ()),
        ("warning".into(), of_any_age)
    );

    let offline = |policy: &mut Policy| {
        let snp = policy.snp.as_mut().expect("[snp]");
        snp.revocation_unchecked = Some("offline".to_owned());
        snp.debug = true;
    };
    let debugged = |it: &mut snp::Genuine| {
        it.validity.revocation_until = None;
        it.report.policy.0 |= 1 << 19;
    };
    let warned = serde_json::json!({"hardware": 32, "runtime-opaque": 96, "executables": 2, "configuration": 2});
    assert_eq!(
        vector(&offline, &debugged),
        ("contraindicated".into(), warned)
    );
}
