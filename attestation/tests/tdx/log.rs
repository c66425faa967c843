//! Event logs made by hand.

use chrysalis_attestation::{
    Rejection,
    encoding::digest::{Hex, sha384},
    tdx::{EventLog, policy::BootEvent},
    transcript::{Expect, Outcome},
};
use chrysalis_simulate::intel::event_log;

use super::scene::Scene;

#[test]
fn replaying_a_log_makes_the_registers() {
    let bytes = event_log(&[
        (1, 4, b"a"),
        (2, 13, b"b"),
        (1, 3, b"no action"),
        (1, 4, b"c"),
    ]);
    let log = EventLog::parse(&bytes).expect("a log");
    assert_eq!(log.events.len(), 3);
    assert_eq!(log.events[1].name, "EV_IPL");
    assert!(log.events.iter().all(|event| event.data_is_measured));
    let extend = |register: [u8; 48], data: &[u8]| sha384(&[&register, &sha384(&[data])]);
    let [first, second, third, fourth] = log.replay();
    assert_eq!(first.0, extend(extend([0; 48], b"a"), b"c"));
    assert_eq!(second.0, extend([0; 48], b"b"));
    assert_eq!((third.0, fourth.0), ([0; 48], [0; 48]));
}

#[test]
fn the_written_part_of_a_log_ends_where_its_last_event_does() {
    // Data that ends as the unused area begins must not be taken for it.
    let log = event_log(&[(1, 4, b"a"), (2, 13, &[0xFF; 9])]);
    for unused in [vec![], vec![0; 100], vec![0xFF; 100]] {
        let area = [log.clone(), unused].concat();
        assert_eq!(EventLog::written(&area), Ok(log.as_slice()));
    }
    let cut = EventLog::written(&log[..log.len() - 1]).expect_err("cut");
    assert_eq!(cut.code(), "event_log_malformed");
}

#[test]
fn a_log_that_makes_the_reported_registers_passes() {
    let bytes = event_log(&[(1, 4, b"a"), (4, 13, b"d")]);
    let mut scene = Scene::new();
    let registers = EventLog::parse(&bytes).expect("a log").replay();
    scene.td.rtmrs = registers.map(|register| register.0);
    let mut case = scene.case();
    case.policy.event_log_unchecked = None;
    case.event_log = Some([bytes.clone(), vec![0xFF; 100]].concat());
    let verified = case.verify().expect("it explains the registers");
    let log = verified.td().event_log.as_ref().expect("the log");
    assert_eq!(log.events[1].rtmr, 3);
    // One event less, and it explains nothing.
    case.event_log = Some(event_log(&[(1, 4, b"a")]));
    let refused = case.verify().expect_err("one is missing");
    assert_eq!(refused.code(), "event_log_mismatch");
}

#[test]
fn what_is_not_one_log_to_its_end_is_refused() {
    let good = event_log(&[(1, 4, b"abc")]);
    for end in 0..good.len() {
        // A log may end after any event, here after its specification.
        assert_eq!(
            EventLog::parse(&good[..end]).is_ok(),
            end == good.len() - 69,
            "{end}"
        );
    }
    for bad in [
        [&good[..], &[1]].concat(),
        [&good[..], &[0, 0xFF]].concat(),
        event_log(&[(0, 4, b"MRTD")]),
        event_log(&[(5, 4, b"none")]),
    ] {
        let refused = EventLog::parse(&bad).expect_err("bad");
        assert!(
            matches!(refused, Rejection::EventLogMalformed { .. }),
            "{refused}"
        );
    }
}

#[test]
fn events_of_rtmr0_are_held_against_the_policy_one_by_one() {
    let measured = |data: &[u8]| BootEvent::Measured(Hex(sha384(&[data])));
    let varies = || BootEvent::Varies {
        why: "memory map".to_owned(),
    };
    let bytes = event_log(&[(1, 0x8000_000B, b"a"), (2, 13, b"kernel"), (1, 4, b"c")]);
    let mut scene = Scene::new();
    let registers = EventLog::parse(&bytes).expect("a log").replay();
    scene.td.rtmrs = registers.map(|register| register.0);
    let mut case = scene.case();
    case.event_log = Some(bytes);
    case.policy.rtmr0_events = Some(vec![varies(), measured(b"c")]);
    case.verify().expect("as wanted, but for what varies");
    let refused = [
        (vec![varies(), measured(b"d")], 1, "EV_SEPARATOR"),
        (vec![measured(b"c"), varies()], 0, "EV_EFI_HANDOFF_TABLES2"),
        (vec![varies()], 1, "EV_SEPARATOR"),
        (vec![varies(), measured(b"c"), varies()], 2, "nothing"),
    ];
    for (wanted, at, name) in refused {
        case.policy.rtmr0_events = Some(wanted);
        match case.verify().expect_err("not as wanted") {
            Rejection::EventUnexpected { index, found } => {
                assert_eq!(index, at);
                assert!(found.starts_with(name), "{found}");
            }
            other => panic!("{other:?}"),
        }
    }
    // No reason goes without the log that this needs.
    case.event_log = None;
    case.policy.event_log_unchecked = Some("nobody kept it".to_owned());
    let refused = case.verify().expect_err("no log");
    assert_eq!(refused, Rejection::EventLogMissing);
}

/// A TD whose log explains RTMR0 and RTMR1, and which then extended RTMR3 itself.
fn extended_by_the_guest() -> super::scene::Case {
    let bytes = event_log(&[(1, 4, b"a"), (2, 13, b"kernel"), (4, 13, b"a claim")]);
    let mut scene = Scene::new();
    let registers = EventLog::parse(&bytes).expect("a log").replay();
    scene.td.rtmrs = registers.map(|register| register.0);
    scene.td.rtmrs[3] = [7; 48];
    let mut case = scene.case();
    case.policy.event_log_unchecked = None;
    case.event_log = Some(bytes);
    case
}

#[test]
fn a_pinned_rtmr3_may_stand_unexplained_and_is_listed_so() {
    let mut case = extended_by_the_guest();
    case.policy.rtmr[3] = Expect::AnyOf(vec![[7; 48]]);
    let verified = case.verify().expect("its value is wanted");
    let log = verified.td().event_log.as_ref().expect("the log");
    assert!(
        log.events.iter().all(|event| event.rtmr != 3),
        "nothing vouches for these"
    );
    assert_eq!(log.events.len(), 2);
    let mut open = verified.transcript().checks().iter();
    let open =
        open.find(|check| check.outcome == Outcome::NotChecked && check.name == "RTMR3 events");
    assert!(open.is_some_and(
        |check| check.step == "tdx-9" && check.detail.contains("the log does not say how")
    ));
    // Another value than the wanted one is refused for that.
    case.policy.rtmr[3] = Expect::AnyOf(vec![[8; 48]]);
    assert_eq!(case.verify().map_err(|it| it.code()), Err("td_refused"));
}

#[test]
fn an_rtmr3_that_the_policy_leaves_open_must_be_explained() {
    let case = extended_by_the_guest();
    let refused = case.verify().expect_err("nobody wants its value");
    let wanted = Hex([7; 48]);
    assert_eq!(
        refused,
        Rejection::EventLogMismatch {
            register: 3,
            wanted
        }
    );
}

#[test]
fn the_firmwares_registers_must_be_explained_even_where_they_are_pinned() {
    for register in [0, 1, 2] {
        let mut scene = Scene::new();
        scene.td.rtmrs[register] = [9; 48];
        let mut case = scene.case();
        case.policy.event_log_unchecked = None;
        case.event_log = Some(event_log(&[]));
        case.policy.rtmr = std::array::from_fn(|place| {
            let value = if place == register { [9; 48] } else { [0; 48] };
            Expect::AnyOf(vec![value])
        });
        assert_eq!(
            case.verify().map_err(|it| it.code()),
            Err("event_log_mismatch"),
            "{register}"
        );
    }
}
