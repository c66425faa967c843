//! Event logs made by hand.

use chrysalis_attestation::{
    Rejection,
    digest::{Hex, sha384},
    tdx::{EventLog, policy::BootEvent},
};

use super::scene::Scene;

/// A log of these events: register as the log counts, type, data whose digest is measured.
pub(crate) fn with(events: &[(u32, u32, &[u8])]) -> Vec<u8> {
    let mut log = [0_u32, 3].map(u32::to_le_bytes).concat();
    log.extend([0; 20]);
    let specification = [
        b"Spec ID Event03\0".as_slice(),
        &[0, 0, 0, 0, 0, 2, 0, 2],
        &1_u32.to_le_bytes(),
        &[0x0C, 0, 48, 0, 0],
    ]
    .concat();
    log.extend(counted(&specification));
    for (register, kind, data) in events {
        for part in [*register, *kind, 1] {
            log.extend(part.to_le_bytes());
        }
        log.extend([0x0C, 0]);
        log.extend(sha384(&[data]));
        log.extend(counted(data));
    }
    log
}

fn counted(bytes: &[u8]) -> Vec<u8> {
    let count = u32::try_from(bytes.len()).expect("short");
    [&count.to_le_bytes(), bytes].concat()
}

#[test]
fn replaying_a_log_makes_the_registers() {
    let bytes = with(&[
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
    let log = with(&[(1, 4, b"a"), (2, 13, &[0xFF; 9])]);
    for unused in [vec![], vec![0; 100], vec![0xFF; 100]] {
        let area = [log.clone(), unused].concat();
        assert_eq!(EventLog::written(&area), Ok(log.as_slice()));
    }
    let cut = EventLog::written(&log[..log.len() - 1]).expect_err("cut");
    assert_eq!(cut.code(), "event_log_malformed");
}

#[test]
fn a_log_that_makes_the_reported_registers_passes() {
    let bytes = with(&[(1, 4, b"a"), (4, 13, b"d")]);
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
    case.event_log = Some(with(&[(1, 4, b"a")]));
    let refused = case.verify().expect_err("one is missing");
    assert_eq!(refused.code(), "event_log_mismatch");
}

#[test]
fn what_is_not_one_log_to_its_end_is_refused() {
    let good = with(&[(1, 4, b"abc")]);
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
        with(&[(0, 4, b"MRTD")]),
        with(&[(5, 4, b"none")]),
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
    let bytes = with(&[(1, 0x8000_000B, b"a"), (2, 13, b"kernel"), (1, 4, b"c")]);
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
