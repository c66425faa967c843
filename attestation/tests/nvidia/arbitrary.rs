//! Bytes that mean nothing, and good ones that were cut, spliced or repeated: no parser panics, and nothing is verified.

use proptest::{collection::vec, prelude::*};

use super::scene::{NONCE, NOW, Scene};
use chrysalis_attestation::nvidia::{
    NvidiaRoots,
    evidence::{read, read_chain},
    ocsp::OcspAnswer,
    opaque::{Opaque, SwitchOpaque},
    rim,
    spdm::Report,
};

/// A good text, a place in it, and what to put there instead of so many bytes.
fn mutate(good: &[u8], place: usize, removed: usize, inserted: &[u8]) -> Vec<u8> {
    let start = place % (good.len() + 1);
    let end = (start + removed).min(good.len());
    [&good[..start], inserted, &good[end..]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parsers_do_not_panic_on_noise(bytes in vec(any::<u8>(), 0..600)) {
        prop_assert!(Report::parse(&bytes).is_err());
        let _ = Opaque::parse(&bytes);
        let _ = SwitchOpaque::parse(&bytes);
        prop_assert!(read(&bytes, Some(&bytes)).is_err());
        prop_assert!(read_chain(&bytes).is_err());
    }

    #[test]
    fn the_manifest_reader_does_not_panic_on_markup(text in "[<>/a-c:=\" \n&x!?-]{0,120}") {
        let vendor_less = NvidiaRoots::nvidia();
        prop_assert!(rim::verify(text.as_bytes(), &vendor_less, NOW).is_err());
    }
}

#[test]
fn a_mutated_good_set_is_refused() {
    let scene = Scene::new();
    let mut case = scene.case();
    let good_report = case.evidence[0].report.clone();
    let good_rim = case.collateral.rims[0].clone();
    let good_answer = scene.answer().encode();
    let good_leaf = scene.gpu.chain[0].der.clone();
    let strategy = (
        any::<usize>(),
        0_usize..64,
        vec(any::<u8>(), 0..64),
        0_u8..4,
    );
    let config = ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let case = std::cell::RefCell::new(&mut case);
    runner
        .run(&strategy, |(place, removed, inserted, which)| {
            let case = &mut **case.borrow_mut();
            case.evidence[0].report.clone_from(&good_report);
            case.evidence[0].chain[0].clone_from(&good_leaf);
            case.collateral.rims[0].clone_from(&good_rim);
            case.collateral.ocsp[0] = OcspAnswer {
                der: good_answer.clone(),
                nonce: Some(NONCE),
            };
            let target = match which {
                0 => &mut case.evidence[0].report,
                1 => &mut case.evidence[0].chain[0],
                2 => &mut case.collateral.rims[0],
                _ => &mut case.collateral.ocsp[0].der,
            };
            let mutated = mutate(target, place, removed, &inserted);
            let is_same = mutated == *target;
            *target = mutated;
            prop_assert_eq!(case.verify().is_ok(), is_same);
            Ok(())
        })
        .expect("no mutation passes");
}
