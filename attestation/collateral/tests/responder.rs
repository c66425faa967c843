//! NVIDIA's responder, asked by a verifier with nonces of its own: played by a local one that signs what it is asked.

#![allow(clippy::unwrap_used, reason = "what helps a test fails as a test does")]

mod common;

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use chrysalis_attestation::{
    Rejection, Time, Waivers,
    alone::gpus::{GpuQuestion, verify},
    nvidia::{
        GpuCollateral, GpuEvidence, GpuPolicy, NvidiaRoots,
        needs::{Questioned, to_ask},
        ocsp::OcspAnswer,
        policy::{Proof, Wanted},
    },
};
use chrysalis_collateral::{FetchError, Limits, Mirrors, Responder, Service, World};
use chrysalis_simulate::{Nvidia, service};
use common::{Local, status};

/// 2026-12-01 12:00 UTC
const NOW: Time = Time(1_796_126_400);
const NONCE: [u8; 32] = [0x42; 32];

/// Clocks that are set by hand, and random numbers that never repeat.
#[derive(Clone)]
struct Hand(Arc<Mutex<(Time, Duration, u8)>>);

impl Hand {
    fn pass(&self, wall: i64, stopwatch: u64) {
        let mut it = self.0.lock().unwrap();
        it.0 = Time(it.0.0 + wall);
        it.1 += Duration::from_secs(stopwatch);
    }
}

impl World for Hand {
    fn now(&self) -> Time {
        self.0.lock().unwrap().0
    }

    fn elapsed(&self) -> Duration {
        self.0.lock().unwrap().1
    }

    fn sleep(&self, duration: Duration) {
        self.0.lock().unwrap().1 += duration;
    }

    fn random(&self) -> Option<[u8; 32]> {
        let mut it = self.0.lock().unwrap();
        it.2 += 1;
        Some([it.2; 32])
    }
}

/// A vendor, its one GPU, and a responder of the verifier's that asks a local service.
struct Case {
    nvidia: Nvidia,
    gpus: Vec<GpuEvidence>,
    roots: NvidiaRoots,
    local: Local,
    hand: Hand,
    responder: Responder,
}

impl Case {
    fn new() -> Self {
        let nvidia = Nvidia::from_seed(&[7; 32], NOW);
        let local = Local::start();
        let vendor = nvidia.clone();
        local.respond_by(move |question| service::responder(&vendor, question, NOW));
        let mut mirrors = Mirrors::default();
        mirrors.set(Service::NvidiaOcsp, &local.base).unwrap();
        let hand = Hand(Arc::new(Mutex::new((NOW, Duration::ZERO, 0))));
        let limits = Limits {
            spacing: Duration::ZERO,
            ..Responder::LIMITS
        };
        Self {
            gpus: vec![nvidia.gpu(0).evidence(&NONCE)],
            roots: nvidia.roots(),
            responder: Responder::new(mirrors, Box::new(hand.clone()), limits),
            nvidia,
            local,
            hand,
        }
    }

    fn about(&self) -> Vec<Questioned> {
        to_ask(&self.gpus, &self.nvidia.rims(), &self.roots, NOW)
    }

    /// By the strictest policy: `revocation = "asked"`.
    fn verdict(&self, ocsp: Vec<OcspAnswer>) -> Result<usize, Rejection> {
        let collateral = GpuCollateral {
            rims: self.nvidia.rims(),
            ocsp,
        };
        let policy = GpuPolicy {
            proof: Proof::complete(),
            wanted: Wanted::any("this test is about revocation"),
        };
        let question = GpuQuestion {
            nonce: &NONCE,
            roots: &self.roots,
            collateral: &collateral,
            policy: Some(&policy),
            waivers: Waivers::none(),
            now: self.hand.now(),
        };
        verify(&self.gpus, &question)
            .map(|verified| verified.gpus().len())
            .map_err(|refusal| refusal.rejection)
    }
}

#[test]
fn what_is_asked_meets_a_policy_that_wants_it_asked() {
    let case = Case::new();
    let brought_along = case.nvidia.ocsp(NOW, None);
    assert_eq!(
        case.verdict(brought_along),
        Err(Rejection::OcspStapledRefused)
    );
    let answers = case.responder.ask(&case.about()).unwrap();
    let mut nonces: Vec<_> = answers.iter().map(|it| it.nonce.unwrap()).collect();
    nonces.dedup();
    assert_eq!(nonces.len(), 6, "each question has a nonce of its own");
    assert_eq!(case.verdict(answers), Ok(1));
}

#[test]
fn an_answer_is_taken_again_for_five_minutes_by_either_clock() {
    let asked_again = |wall: i64, stopwatch: u64| {
        let case = Case::new();
        let first = case.responder.ask(&case.about()).unwrap();
        case.local.forget();
        case.hand.pass(wall, stopwatch);
        let second = case.responder.ask(&case.about()).unwrap();
        assert_eq!(case.local.asked().is_empty(), first == second);
        case.local.asked().len()
    };
    assert_eq!(asked_again(299, 299), 0);
    assert_eq!(asked_again(300, 0), 6, "the machine slept");
    assert_eq!(asked_again(0, 300), 6, "the clock was set back");
    assert_eq!(asked_again(-1, 0), 6, "it was set back further");
}

#[test]
fn an_answer_to_another_nonce_is_not_kept_and_meets_no_policy() {
    let case = Case::new();
    for replayed in [None, Some([0xEE; 32])] {
        let answers = case.nvidia.ocsp(NOW, replayed);
        let pairs = case.nvidia.revocable();
        for (answer, (subject, issuer)) in answers.into_iter().zip(pairs) {
            let id = chrysalis_simulate::nvidia::Answer::id(&subject, &issuer);
            case.local.respond(&id, common::ok(&answer.der));
        }
        for _ in 0..2 {
            case.local.forget();
            let answers = case.responder.ask(&case.about()).unwrap();
            assert_eq!(case.verdict(answers), Err(Rejection::OcspNonceMismatch));
            assert_eq!(case.local.asked().len(), 6);
        }
    }
}

#[test]
fn a_responder_that_does_not_answer_is_an_error_and_not_a_silence() {
    let case = Case::new();
    let about = case.about();
    case.local.respond_by(|_| None);
    let refused = case.responder.ask(&about).unwrap_err();
    assert!(matches!(refused, FetchError::NotKnown { .. }), "{refused}");
    assert_eq!(case.local.asked().len(), 1, "the first is the end");
    case.local.forget();
    case.local.answer("/", [status(503)]);
    let busy = case.responder.ask(&about).unwrap_err();
    assert!(
        matches!(busy, FetchError::Unavailable { attempts: 3, .. }),
        "{busy}"
    );
}

#[test]
fn nobody_is_asked_about_simulated_hardware_unless_a_mirror_is_named() {
    let case = Case::new();
    let responder = Responder::new(
        Mirrors::default(),
        Box::new(case.hand.clone()),
        Responder::LIMITS,
    );
    assert_eq!(responder.ask(&case.about()).unwrap(), []);
}
