//! OCSP: all seven checks, each with an answer that fails only it.

use super::vendor::{Answer, NONCE, Signer, Vendor, WHY, authority, responder, signer};
use crate::{
    Rejection, Time,
    nvidia::{
        der::{encode, tag},
        needs,
        ocsp::{OcspAnswer, question},
        policy::Revocation,
    },
};

const COMPROMISE: u8 = 1;
const HOLD: u8 = 6;

/// `[1] RevokedInfo { 2026-01-01, [0] { reason } }`
fn revoked_for(reason: u8) -> Vec<u8> {
    let when = encode(tag::GENERALIZED_TIME, &[b"20260101000000Z"]);
    let reason = encode(tag::context(0), &[&encode(tag::ENUMERATED, &[&[reason]])]);
    encode(tag::context(1), &[&when, &reason])
}

/// The verdict when the answer about the GPU's identity certificate is this one.
fn verdict(vendor: &Vendor, change: impl FnOnce(&mut Answer, &Vendor)) -> Option<Rejection> {
    let mut case = vendor.case().without_rims();
    let mut answer = Answer::good(&vendor.device[1], &vendor.device[2]);
    change(&mut answer, vendor);
    case.collateral.ocsp[0].der = answer.encode();
    case.verify().err()
}

fn responder_is(what: &'static str) -> Rejection {
    Rejection::OcspResponder { what }
}

const WHICH: &str = "GPU identity (BROM)";

#[test]
fn a_good_answer_counts_until_its_next_update() {
    let vendor = Vendor::new();
    let verified = vendor.case().verify().expect("good answers");
    assert_eq!(verified.until(), Time(1_772_323_200 + 18 * 3600));
    assert_eq!(verdict(&vendor, |answer, _| answer.by_key = true), None);
}

#[test]
fn only_a_successful_answer_counts() {
    let vendor = Vendor::new();
    for status in [1, 2, 3, 5, 6] {
        let found = verdict(&vendor, |answer, _| answer.response_status = status);
        assert_eq!(found, Some(Rejection::OcspUnsuccessful { status }));
    }
}

#[test]
fn only_its_responder_signs_an_answer() {
    let vendor = Vendor::new();
    let mut case = vendor.case().without_rims();
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
    let vendor = Vendor::new();
    // One of another authority of the same vendor.
    let elsewhere = verdict(&vendor, |answer, vendor| {
        answer.responder =
            Signer::issue("NVIDIA OCSP Responder", Some(&vendor.device[3]), responder);
    });
    assert_eq!(
        elsewhere,
        Some(responder_is(
            "was not appointed by the certificate's issuer"
        ))
    );
    // One that only claims to be appointed.
    let impostor = verdict(&vendor, |answer, _| {
        let issuer = Signer::issue("NVIDIA GH100 Provisioner ICA 1", None, authority);
        answer.responder = Signer::issue("NVIDIA OCSP Responder", Some(&issuer), responder);
    });
    assert_eq!(
        impostor,
        Some(Rejection::NvidiaCertificateSignature {
            which: "OCSP responder"
        })
    );
    // One that was appointed for something else.
    let without_purpose = verdict(&vendor, |answer, vendor| {
        answer.responder = Signer::issue("NVIDIA OCSP Responder", Some(&vendor.device[2]), signer);
    });
    assert_eq!(
        without_purpose,
        Some(responder_is("was not appointed for OCSP"))
    );
    let questionable = verdict(&vendor, |answer, vendor| {
        answer.responder =
            Signer::issue("NVIDIA OCSP Responder", Some(&vendor.device[2]), |params| {
                responder(params);
                params.custom_extensions.clear();
            });
    });
    assert_eq!(
        questionable,
        Some(responder_is("would need an OCSP answer about itself"))
    );
    let expired = verdict(&vendor, |answer, vendor| {
        answer.responder =
            Signer::issue("NVIDIA OCSP Responder", Some(&vendor.device[2]), |params| {
                responder(params);
                params.not_after = rcgen::date_time_ymd(2026, 1, 1);
            });
    });
    assert_eq!(
        expired.map(|it| it.code()),
        Some("nvidia_certificate_expired")
    );
}

#[test]
fn an_answer_about_another_certificate_is_none() {
    let vendor = Vendor::new();
    let other = verdict(&vendor, |answer, vendor| {
        answer.id = Answer::good(&vendor.device[0], &vendor.device[1]).id;
    });
    assert_eq!(other, Some(Rejection::OcspMissing { which: WHICH }));
}

#[test]
fn the_nonce_is_that_of_the_question() {
    let vendor = Vendor::new();
    let other = verdict(&vendor, |answer, _| answer.nonce = Some([1; 32]));
    assert_eq!(other, Some(Rejection::OcspNonceMismatch));
    assert_eq!(
        verdict(&vendor, |answer, _| answer.nonce = None),
        Some(Rejection::OcspNonceMismatch)
    );
}

#[test]
fn an_answer_brought_along_counts_only_where_that_is_said() {
    let vendor = Vendor::new();
    let mut case = vendor.case();
    for answer in &mut case.collateral.ocsp {
        answer.nonce = None;
    }
    assert_eq!(case.verify(), Err(Rejection::OcspStapledRefused));
    case.policy.proof.revocation = Revocation::Stapled;
    let verified = case.verify().expect("stapled answers");
    let told = |it: &crate::verdict::Check| {
        it.name == "device revocation" && it.detail.contains("brought along")
    };
    assert!(
        verified.transcript().checks().iter().any(told),
        "the transcript says so"
    );
}

#[test]
fn an_answer_counts_only_in_its_own_time() {
    let vendor = Vendor::new();
    let early = verdict(&vendor, |answer, _| answer.this_update = "20260301000001Z");
    assert_eq!(
        early,
        Some(Rejection::OcspNotYetValid {
            from: Time(1_772_323_201)
        })
    );
    let late = verdict(&vendor, |answer, _| {
        answer.next_update = Some("20260228235959Z");
    });
    assert_eq!(
        late,
        Some(Rejection::OcspExpired {
            until: Time(1_772_323_199)
        })
    );
    // Without an end it counts for an hour.
    let endless = |this_update| {
        move |answer: &mut Answer, _: &Vendor| {
            (answer.this_update, answer.next_update) = (this_update, None);
        }
    };
    assert_eq!(verdict(&vendor, endless("20260228230000Z")), None);
    let late = verdict(&vendor, endless("20260228225959Z"));
    assert_eq!(
        late,
        Some(Rejection::OcspExpired {
            until: Time(1_772_323_199)
        })
    );
}

#[test]
fn only_good_is_good() {
    let vendor = Vendor::new();
    let revoked = verdict(&vendor, |answer, _| answer.status = revoked_for(COMPROMISE));
    assert_eq!(revoked, Some(Rejection::OcspRevoked { which: WHICH }));
    let unknown = verdict(&vendor, |answer, _| answer.status = vec![0x82, 0]);
    assert_eq!(unknown, Some(Rejection::OcspUnknown { which: WHICH }));
    let hold = verdict(&vendor, |answer, _| answer.status = revoked_for(HOLD));
    assert_eq!(hold, Some(Rejection::OcspHold { which: WHICH }));
}

#[test]
fn a_hold_is_accepted_only_with_a_reason_and_is_shown() {
    let vendor = Vendor::new();
    let mut case = vendor.case();
    let mut answer = Answer::good(&vendor.device[1], &vendor.device[2]);
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
    let vendor = Vendor::new();
    let mut answer = Answer::good(&vendor.device[1], &vendor.device[2]);
    answer.status = revoked_for(COMPROMISE);
    let revoked = OcspAnswer {
        der: answer.encode(),
        nonce: Some(NONCE),
    };
    for place in [0, 6] {
        let mut case = vendor.case();
        case.collateral.ocsp.insert(place, revoked.clone());
        assert_eq!(case.verify(), Err(Rejection::OcspRevoked { which: WHICH }));
    }
}

#[test]
fn every_certificate_of_the_three_chains_needs_an_answer() {
    let vendor = Vendor::new();
    let which = [
        "GPU identity (BROM)",
        "GPU provisioner",
        "GPU family",
        "RIM signer",
        "RIM intermediate",
        "RIM authority",
    ];
    for (place, which) in which.into_iter().enumerate() {
        let mut case = vendor.case();
        case.collateral.ocsp.remove(place);
        assert_eq!(case.verify(), Err(Rejection::OcspMissing { which }));
    }
}

#[test]
fn no_flipped_bit_of_an_answer_counts() {
    let vendor = Vendor::new();
    let good = Answer::good(&vendor.device[1], &vendor.device[2]).encode();
    let mut case = vendor.case().without_rims();
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
    let vendor = Vendor::new();
    let case = vendor.case();
    let mut needed = needs::of_device(&case.evidence[0]);
    needed.extend(needs::of_rim(&case.collateral.rims[0]).expect("a manifest"));
    let signers = [&vendor.device[1..], &vendor.rim]
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
fn a_question_asks_about_the_certificate_with_the_nonce() {
    let vendor = Vendor::new();
    let [subject, issuer] = [&vendor.device[1], &vendor.device[2]];
    let question = question(&subject.der, &issuer.der, &NONCE).expect("a question");
    let id = Answer::good(subject, issuer).id;
    assert!(question.windows(id.len()).any(|it| it == id));
    assert!(question.windows(32).any(|it| it == NONCE));
}
