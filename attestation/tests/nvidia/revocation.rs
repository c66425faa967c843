//! OCSP: all eight checks, each with an answer that fails only it.

use std::time::Duration;

use chrysalis_attestation::{
    Rejection, Time,
    nvidia::{
        NvidiaRoots, needs,
        ocsp::{MAX_ANSWER_SIZE, OcspAnswer, question},
        policy::{Proof, Revocation},
    },
};
use chrysalis_simulate::{
    Profile, Purpose,
    nvidia::{Answer, CertificateStatus},
};

use super::scene::{NONCE, NOW, Scene, WHY, impostor, profile};

const COMPROMISE: u8 = 1;
const HOLD: u8 = 6;

/// 2026-01-01 00:00 UTC
const THIS_YEAR: Time = Time(1_767_225_600);

fn revoked_for(reason: u8) -> CertificateStatus {
    CertificateStatus::Revoked {
        since: THIS_YEAR,
        reason,
    }
}

/// The verdict when the answer about the GPU's identity certificate is this one.
fn verdict(scene: &Scene, change: impl FnOnce(&mut Answer, &Scene)) -> Option<Rejection> {
    let mut case = scene.case().without_rims();
    let mut answer = scene.answer();
    change(&mut answer, scene);
    case.collateral.ocsp[0].der = answer.encode();
    case.verify().err()
}

fn responder_is(what: &'static str) -> Rejection {
    Rejection::OcspResponder { what }
}

fn sha1(point: &[u8]) -> [u8; 20] {
    let digest = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, point);
    digest.as_ref().try_into().expect("20 bytes")
}

const WHICH: &str = "device identity (BROM)";

#[test]
fn a_good_answer_counts_until_its_next_update() {
    let scene = Scene::new();
    let verified = scene.case().verify().expect("good answers");
    assert_eq!(verified.until(), Time(1_772_323_200 + 18 * 3600));
    assert_eq!(
        verdict(&scene, |answer, _| answer.key_hash =
            Some(sha1(&answer.responder.point()))),
        None
    );
}

#[test]
fn answers_are_bounded_in_number_and_size() {
    let scene = Scene::new();
    let refused = |what| Err(Rejection::OcspMalformed { what });
    let mut case = scene.case();
    let one = case.collateral.ocsp[0].clone();
    case.collateral.ocsp.resize(64, one.clone());
    assert!(case.verify().is_ok(), "as many as may be");
    case.collateral.ocsp.push(one);
    assert_eq!(case.verify(), refused("there are too many of them"));
    let mut case = scene.case();
    case.collateral.ocsp[0].der = vec![0; MAX_ANSWER_SIZE + 1];
    let what = "it is larger than any of NVIDIA's";
    assert_eq!(case.verify(), refused(what));
}

#[test]
fn only_a_successful_answer_counts() {
    let scene = Scene::new();
    for status in [1, 2, 3, 5, 6] {
        let found = verdict(&scene, |answer, _| answer.response_status = status);
        assert_eq!(found, Some(Rejection::OcspUnsuccessful { status }));
    }
}

#[test]
fn only_its_responder_signs_an_answer() {
    let scene = Scene::new();
    let mut case = scene.case().without_rims();
    let good = case.collateral.ocsp[0].der.clone();
    let place = good
        .windows(15)
        .position(|it| it == b"20260301180000Z")
        .expect("its next update");
    case.collateral.ocsp[0].der[place + 3] = b'7';
    assert_eq!(case.verify(), Err(Rejection::OcspSignature));
}

#[test]
fn only_the_issuers_own_responder_counts() {
    let scene = Scene::new();
    // One of another authority of the same vendor.
    let elsewhere = verdict(&scene, |answer, scene| {
        answer.responder = scene.gpu.chain[3].issue(Answer::responder_profile(NOW));
    });
    assert_eq!(
        elsewhere,
        Some(responder_is(
            "was not appointed by the certificate's issuer"
        ))
    );
    // One that only claims to be appointed.
    let impostor = verdict(&scene, |answer, _| {
        let issuer = impostor("NVIDIA GH100 Provisioner ICA 1");
        answer.responder = issuer.issue(Answer::responder_profile(NOW));
    });
    assert_eq!(
        impostor,
        Some(Rejection::NvidiaCertificateSignature {
            which: "OCSP responder"
        })
    );
    // One that was appointed for something else.
    let without_purpose = verdict(&scene, |answer, scene| {
        let signer = profile("NVIDIA OCSP Responder", Purpose::Signs);
        answer.responder = scene.gpu.chain[2].issue(signer);
    });
    assert_eq!(
        without_purpose,
        Some(responder_is("was not appointed for OCSP"))
    );
    let questionable = verdict(&scene, |answer, scene| {
        answer.responder = scene.gpu.chain[2].issue(Profile {
            extensions: Vec::new(),
            ..Answer::responder_profile(NOW)
        });
    });
    assert_eq!(
        questionable,
        Some(responder_is("would need an OCSP answer about itself"))
    );
    let expired = verdict(&scene, |answer, scene| {
        answer.responder = scene.gpu.chain[2].issue(Profile {
            not_after: THIS_YEAR,
            ..Answer::responder_profile(NOW)
        });
    });
    assert_eq!(
        expired.map(|it| it.code()),
        Some("nvidia_certificate_expired")
    );
}

#[test]
fn an_answer_about_another_certificate_is_none() {
    let scene = Scene::new();
    let other = verdict(&scene, |answer, scene| {
        answer.id = Answer::id(&scene.gpu.chain[0], &scene.gpu.chain[1]);
    });
    assert_eq!(other, Some(Rejection::OcspMissing { which: WHICH }));
}

#[test]
fn the_nonce_is_that_of_the_question() {
    let scene = Scene::new();
    let other = verdict(&scene, |answer, _| answer.nonce = Some([1; 32]));
    assert_eq!(other, Some(Rejection::OcspNonceMismatch));
    assert_eq!(
        verdict(&scene, |answer, _| answer.nonce = None),
        Some(Rejection::OcspNonceMismatch)
    );
}

#[test]
fn an_answer_brought_along_counts_only_where_that_is_said() {
    let scene = Scene::new();
    let mut case = scene.case();
    for answer in &mut case.collateral.ocsp {
        answer.nonce = None;
    }
    assert_eq!(case.verify(), Err(Rejection::OcspStapledRefused));
    case.policy.proof.revocation = Revocation::Stapled;
    let verified = case.verify().expect("stapled answers");
    let told = |it: &chrysalis_attestation::transcript::Check| {
        it.name == "device revocation" && it.detail.contains("stapled answers")
    };
    assert!(
        verified.transcript().checks().iter().any(told),
        "the transcript says so"
    );
}

/// The same for an answer that was stapled, under a policy that accepts such answers for this long.
fn stapled(
    scene: &Scene,
    age: Duration,
    change: impl FnOnce(&mut Answer),
) -> Result<Time, Rejection> {
    let mut case = scene.case().without_rims();
    let mut answer = scene.answer();
    change(&mut answer);
    case.collateral.ocsp[0].der = answer.encode();
    for answer in &mut case.collateral.ocsp {
        answer.nonce = None;
    }
    case.policy.proof = Proof {
        revocation: Revocation::Stapled,
        stapled_age: age,
        ..case.policy.proof
    };
    case.verify().map(|verified| verified.until())
}

const DAY: i64 = 24 * 3600;

#[test]
fn an_answer_brought_along_counts_for_a_day() {
    let scene = Scene::new();
    let age = Proof::offline().stapled_age;
    let made = |seconds: i64| {
        move |answer: &mut Answer| {
            answer.this_update = Time(NOW.0 - seconds);
            answer.next_update = Some(Time(NOW.0 + 7 * DAY));
        }
    };
    assert_eq!(stapled(&scene, age, made(DAY)), Ok(NOW));
    let too_old = |seconds: i64, hours| {
        Err(Rejection::OcspTooOld {
            made: Time(NOW.0 - seconds),
            hours,
        })
    };
    assert_eq!(stapled(&scene, age, made(DAY + 1)), too_old(DAY + 1, 24));
    // The policy's own bound, shorter or longer.
    let hours = |hours: u64| Duration::from_secs(hours * 3600);
    assert_eq!(stapled(&scene, hours(6), made(6 * 3600)), Ok(NOW));
    assert_eq!(
        stapled(&scene, hours(6), made(6 * 3600 + 1)),
        too_old(6 * 3600 + 1, 6)
    );
    assert!(stapled(&scene, hours(48), made(DAY + 1)).is_ok());
    // An answer's own end comes first where it is earlier.
    let ended = |answer: &mut Answer| answer.next_update = Some(Time(NOW.0 - 1));
    assert_eq!(
        stapled(&scene, age, ended),
        Err(Rejection::OcspExpired {
            until: Time(NOW.0 - 1)
        })
    );
}

#[test]
fn an_answer_is_as_old_as_its_signature_where_that_is_older() {
    let scene = Scene::new();
    let age = Proof::offline().stapled_age;
    let signed = |seconds: i64| {
        move |answer: &mut Answer| {
            answer.this_update = NOW;
            answer.produced_at = Some(Time(NOW.0 + seconds));
        }
    };
    assert_eq!(stapled(&scene, age, signed(-DAY)), Ok(NOW));
    assert_eq!(
        stapled(&scene, age, signed(-DAY - 1)),
        Err(Rejection::OcspTooOld {
            made: Time(NOW.0 - DAY - 1),
            hours: 24
        })
    );
    assert_eq!(
        stapled(&scene, age, signed(1)),
        Err(Rejection::OcspNotYetValid {
            from: Time(NOW.0 + 1)
        })
    );
}

/// It repeats a nonce that is younger than the question: however old the status is, NVIDIA knows nothing newer.
#[test]
fn an_answer_that_was_asked_for_has_no_age() {
    let scene = Scene::new();
    let old = |answer: &mut Answer, _: &Scene| {
        answer.this_update = Time(NOW.0 - 7 * DAY);
        answer.produced_at = Some(NOW);
    };
    assert_eq!(verdict(&scene, old), None);
}

#[test]
fn what_is_revoked_stays_so_however_old_the_answer_and_whoever_asked() {
    let scene = Scene::new();
    let mut answer = scene.answer();
    answer.status = revoked_for(COMPROMISE);
    (answer.this_update, answer.next_update) = (THIS_YEAR, Some(Time(THIS_YEAR.0 + DAY)));
    for nonce in [None, Some([7; 32])] {
        let mut case = scene.case();
        let der = answer.encode();
        case.collateral.ocsp.push(OcspAnswer { der, nonce });
        assert_eq!(case.verify(), Err(Rejection::OcspRevoked { which: WHICH }));
    }
    // A hold may have been lifted since.
    answer.status = revoked_for(HOLD);
    let mut case = scene.case();
    case.collateral.ocsp.push(OcspAnswer {
        der: answer.encode(),
        nonce: None,
    });
    assert!(case.verify().is_ok());
}

#[test]
fn an_answer_counts_only_in_its_own_time() {
    let scene = Scene::new();
    let begins =
        |seconds: i64| move |answer: &mut Answer| answer.this_update = Time(NOW.0 + seconds);
    let from = |seconds: i64| Rejection::OcspNotYetValid {
        from: Time(NOW.0 + seconds),
    };
    let age = Proof::offline().stapled_age;
    assert_eq!(stapled(&scene, age, begins(1)), Err(from(1)));
    // To a nonce of our own, the responder's clock may be five minutes ahead.
    let asked = |seconds: i64| verdict(&scene, |answer, _| begins(seconds)(answer));
    assert_eq!(asked(300), None);
    assert_eq!(asked(301), Some(from(301)));
    let late = verdict(&scene, |answer, _| {
        answer.next_update = Some(Time(NOW.0 - 1));
    });
    assert_eq!(
        late,
        Some(Rejection::OcspExpired {
            until: Time(1_772_323_199)
        })
    );
    // Without an end it counts for an hour.
    let endless = |this_update| {
        move |answer: &mut Answer, _: &Scene| {
            (answer.this_update, answer.next_update) = (this_update, None);
        }
    };
    assert_eq!(verdict(&scene, endless(Time(NOW.0 - 3600))), None);
    let late = verdict(&scene, endless(Time(NOW.0 - 3601)));
    assert_eq!(
        late,
        Some(Rejection::OcspExpired {
            until: Time(1_772_323_199)
        })
    );
}

#[test]
fn only_good_is_good() {
    let scene = Scene::new();
    let revoked = verdict(&scene, |answer, _| answer.status = revoked_for(COMPROMISE));
    assert_eq!(revoked, Some(Rejection::OcspRevoked { which: WHICH }));
    let unknown = verdict(&scene, |answer, _| {
        answer.status = CertificateStatus::Unknown;
    });
    assert_eq!(unknown, Some(Rejection::OcspUnknown { which: WHICH }));
    let hold = verdict(&scene, |answer, _| answer.status = revoked_for(HOLD));
    assert_eq!(hold, Some(Rejection::OcspHold { which: WHICH }));
}

#[test]
fn a_hold_is_accepted_only_with_a_reason_and_is_shown() {
    let scene = Scene::new();
    let mut case = scene.case();
    let mut answer = scene.answer();
    answer.status = revoked_for(HOLD);
    case.collateral.ocsp[0].der = answer.encode();
    assert_eq!(case.verify(), Err(Rejection::OcspHold { which: WHICH }));
    case.policy.proof.hold_accepted = Some(WHY.to_owned());
    assert!(case.verify().expect("accepted").gpus()[0].on_hold);
    answer.status = revoked_for(COMPROMISE);
    case.collateral.ocsp[0].der = answer.encode();
    assert_eq!(
        case.verify(),
        Err(Rejection::OcspRevoked { which: WHICH }),
        "a hold is not any revocation"
    );
}

#[test]
fn one_answer_that_revokes_outweighs_those_that_do_not() {
    let scene = Scene::new();
    let mut answer = scene.answer();
    answer.status = revoked_for(COMPROMISE);
    let revoked = OcspAnswer {
        der: answer.encode(),
        nonce: Some(NONCE),
    };
    for place in [0, 6] {
        let mut case = scene.case();
        case.collateral.ocsp.insert(place, revoked.clone());
        assert_eq!(case.verify(), Err(Rejection::OcspRevoked { which: WHICH }));
    }
}

#[test]
fn every_certificate_of_the_three_chains_needs_an_answer() {
    let scene = Scene::new();
    let which = [
        "device identity (BROM)",
        "device provisioner",
        "device family",
        "RIM signer",
        "RIM intermediate",
        "RIM authority",
    ];
    for (place, which) in which.into_iter().enumerate() {
        let mut case = scene.case();
        case.collateral.ocsp.remove(place);
        assert_eq!(case.verify(), Err(Rejection::OcspMissing { which }));
    }
}

#[test]
fn no_flipped_bit_of_an_answer_counts() {
    let scene = Scene::new();
    let good = scene.answer().encode();
    let mut case = scene.case().without_rims();
    for place in 0..good.len() {
        case.collateral.ocsp[0].der.clone_from(&good);
        case.collateral.ocsp[0].der[place] ^= 1 << (place % 8);
        assert!(case.verify().is_err(), "byte {place}");
    }
    for size in 0..good.len() {
        case.collateral.ocsp[0].der = good[..size].to_vec();
        assert_eq!(
            case.verify().map_err(|it| it.code()),
            Err("ocsp_malformed"),
            "{size} bytes"
        );
    }
}

#[test]
fn what_evidence_needs_is_what_it_is_refused_without() {
    let scene = Scene::new();
    let case = scene.case();
    let mut needed = needs::of_device(&case.evidence[0]);
    needed.extend(needs::of_rim(&case.collateral.rims[0]).expect("a manifest"));
    let signers = [&scene.gpu.chain[1..], &scene.nvidia.rim_chain]
        .into_iter()
        .flat_map(|chain| chain.windows(2));
    let expected: Vec<_> = signers
        .map(|pair| needs::Questioned {
            subject: pair[0].der.clone(),
            issuer: pair[1].der.clone(),
        })
        .collect();
    assert_eq!(needed, expected);
    let ids = needs::rim_ids(&case.evidence[0]);
    let [driver, vbios] = [
        "NV_GPU_DRIVER_GH100_550.90.07",
        "NV_GPU_VBIOS_1010_0200_882_96009F0001",
    ]
    .map(str::to_owned);
    assert_eq!(ids, Ok(vec![driver, vbios]));
}

#[test]
fn only_what_an_accepted_root_stands_behind_is_asked_about() {
    let scene = Scene::new();
    let case = scene.case();
    let [driver, vbios] = &case.collateral.rims[..] else {
        panic!()
    };
    let ask = |devices: &[_], rims: &[Vec<u8>]| needs::to_ask(devices, rims, &case.roots, NOW);
    let all = ask(&case.evidence, &case.collateral.rims);
    assert_eq!(
        all.len(),
        6,
        "each once, though one chain signed both manifests"
    );
    let twice = [&case.evidence[..], &case.evidence].concat();
    assert_eq!(
        ask(&twice, &[driver.clone(), vbios.clone(), vbios.clone()]),
        all
    );
    assert_eq!(ask(&[], std::slice::from_ref(driver)), all[3..]);

    let stranger = Scene::of_another();
    assert_eq!(
        ask(&[stranger.gpu.evidence(&NONCE)], &stranger.nvidia.rims()),
        []
    );
    let mut cut = case.evidence[0].clone();
    cut.chain.pop();
    let mut changed = driver.clone();
    let place = changed.len() / 2;
    changed[place] ^= 1;
    assert_eq!(ask(&[cut], &[changed, b"none".to_vec()]), []);
    assert_eq!(
        needs::to_ask(&case.evidence, &[], &NvidiaRoots::nvidia(), NOW),
        [],
        "nobody named the simulated roots"
    );
}

#[test]
fn a_question_asks_about_the_certificate_with_the_nonce() {
    let scene = Scene::new();
    let [_, subject, issuer, ..] = &scene.gpu.chain;
    let question = question(&subject.der, &issuer.der, &NONCE).expect("a question");
    let id = Answer::id(subject, issuer);
    assert!(question.windows(id.len()).any(|it| it == id));
    assert!(question.windows(32).any(|it| it == NONCE));
}
