//! Holds the computation against real hardware: an event log that a TDX quote vouches for (tests/vectors/real), and the
//! firmware of a built image (`CHRYSALIS_IMAGE`, by default build/cpu). Says which one it misses and passes.
//!
//! The log is of another operator's machine with 64 GiB and of firmware before edk2-stable202505, whose store of variables,
//! memory layout and actions are the same.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use chrysalis_measure::{
    CommandLine, Difference, EventDigest, FoundEvent, Image, TdxEvent, TdxShape, explain_events,
    tdx_measurement,
};
use std::{fs, path::Path};

const LOG: &str = "tdx/quotes/v4-dstack-report/quote-report.json";
/// Of the machine that the log is from, in MiB.
const MEMORY: u64 = 64 * 1024;

/// The events in the log, by register.
fn logged() -> Option<Vec<FoundEvent>> {
    let text = fs::read_to_string(chrysalis_test_support::real(&[LOG])?.join(LOG)).unwrap();
    let report: serde_json::Value = serde_json::from_str(&text).unwrap();
    let log: serde_json::Value =
        serde_json::from_str(report["event_log"].as_str().unwrap()).unwrap();
    let events = log.as_array().unwrap().iter().map(|event| FoundEvent {
        rtmr: event["imr"].as_u64().unwrap().try_into().unwrap(),
        name: event["event_type"].to_string(),
        digest: hex::decode(event["digest"].as_str().unwrap())
            .unwrap()
            .try_into()
            .unwrap(),
    });
    Some(events.collect())
}

fn computed() -> Option<Vec<TdxEvent>> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../build/cpu");
    let folder = std::env::var_os("CHRYSALIS_IMAGE").map_or_else(default, Into::into);
    if !folder.join("firmware-tdx.fd").exists() {
        chrysalis_test_support::skip("no image with TDX firmware: make image");
        return None;
    }
    let image = Image::open(folder).unwrap();
    let shape = TdxShape {
        memory: Some(MEMORY),
        acpi: None,
    };
    let measured = tdx_measurement(&image, CommandLine::Hardware, &shape).unwrap();
    Some(measured.events)
}

#[test]
fn what_does_not_depend_on_the_image_is_as_real_hardware_logged_it() {
    let Some((logged, computed)) = logged().zip(computed()) else {
        return;
    };
    for name in [
        "TD hand-off block",
        "configuration volume",
        "variable SecureBoot",
        "variable PK",
        "variable KEK",
        "variable db",
        "variable dbx",
        "separator",
        "boot attempt",
        "exit of boot services",
        "exit of boot services done",
    ] {
        let event = computed.iter().find(|event| event.name == name).unwrap();
        let same = |found: &&FoundEvent| {
            found.rtmr == event.rtmr && EventDigest::Computed(found.digest) == event.digest
        };
        assert!(logged.iter().find(same).is_some(), "{name}");
    }
}

#[test]
fn the_first_event_of_another_firmware_and_image_is_named() {
    let Some((logged, computed)) = logged().zip(computed()) else {
        return;
    };
    // Firmware before edk2-stable202505 measures no fw_cfg item after the configuration volume.
    assert_eq!(
        explain_events(&computed, &logged),
        Some(Difference::Event {
            rtmr: 0,
            index: 2,
            expected: Some("fw_cfg BootMenu"),
            found: Some("2147483649".to_owned()),
        })
    );
    let of = |register: u8| {
        computed
            .iter()
            .filter(move |event| event.rtmr == register)
            .cloned()
    };
    let kernel: Vec<TdxEvent> = of(1).collect();
    let Some(Difference::Event {
        rtmr: 1,
        index: 0,
        expected,
        ..
    }) = explain_events(
        &kernel,
        &logged
            .iter()
            .filter(|event| event.rtmr == 1)
            .cloned()
            .collect::<Vec<_>>(),
    )
    else {
        panic!("the kernel is another");
    };
    assert_eq!(expected, Some("kernel"));
}
