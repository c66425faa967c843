//! Bytes that mean nothing, and good ones that were cut, spliced or flipped: no parser panics, and nothing is verified.

use proptest::{collection::vec, prelude::*};

use chrysalis_attestation::{
    alone::tdx::{TdxQuestion, verify},
    tdx::{EventLog, IntelCollateral, Quote, TdxPolicy, split_answer},
};
use chrysalis_simulate::intel::event_log;

use super::scene::{NOW, Scene, WHY};

/// A good text, a place in it, and what to put there instead of so many bytes.
fn mutate(good: &[u8], place: usize, removed: usize, inserted: &[u8]) -> Vec<u8> {
    let start = place % (good.len() + 1);
    let end = (start + removed).min(good.len());
    [&good[..start], inserted, &good[end..]].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parsers_do_not_panic_on_noise(bytes in vec(any::<u8>(), 0..1200), text in "[{}\":,a-f0-9]{0,80}") {
        prop_assert!(Quote::parse(&bytes).is_err());
        prop_assert!(EventLog::parse(&bytes).is_err());
        prop_assert!(IntelCollateral::parse(&bytes).is_err());
        prop_assert!(IntelCollateral::parse(text.as_bytes()).is_err());
        prop_assert!(split_answer(&text, "tcbInfo").is_err());
    }

    #[test]
    fn the_log_reader_does_not_panic_on_a_changed_log(
        place in any::<usize>(), removed in 0_usize..40, inserted in vec(any::<u8>(), 0..40)
    ) {
        let good = event_log(&[(1, 4, b"abc"), (2, 13, b"def")]);
        let _ = EventLog::parse(&mutate(&good, place, removed, &inserted));
    }
}

#[test]
fn a_changed_quote_is_refused() {
    let case = Scene::new().case();
    let collateral =
        IntelCollateral::parse(case.collateral.to_string().as_bytes()).expect("collateral");
    let policy = TdxPolicy::genuine(WHY);
    let question = TdxQuestion {
        policy: Some(&policy),
        ..TdxQuestion::new(&case.roots, &collateral, NOW)
    };
    verify(&case.quote, &question).expect("honest");
    let strategy = (any::<usize>(), 0_usize..64, vec(any::<u8>(), 0..64));
    let config = ProptestConfig {
        cases: 400,
        failure_persistence: None,
        ..ProptestConfig::default()
    };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    runner
        .run(&strategy, |(place, removed, inserted)| {
            let mutated = mutate(&case.quote, place, removed, &inserted);
            let padded = mutated.starts_with(&case.quote)
                && mutated[case.quote.len()..].iter().all(|byte| *byte == 0);
            prop_assert_eq!(verify(&mutated, &question).is_ok(), padded);
            Ok(())
        })
        .expect("no mutation passes");
    for place in 0..case.quote.len() {
        let mut flipped = case.quote.clone();
        flipped[place] ^= 1 << (place % 8);
        assert!(verify(&flipped, &question).is_err(), "byte {place}");
    }
}
