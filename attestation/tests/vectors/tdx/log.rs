//! A real event log, and the registers that it made.

use chrysalis_attestation::{
    Rejection,
    alone::tdx::{TdxEvidence, verify},
    encoding::digest::sha384,
    tdx::{EventLog, Quote, TdxPolicy},
};
use serde_json::Value;

use super::{Case, any_status, vectors};
use crate::expected::{bytes, json};

/// Another project's evidence lists its events as JSON: as a TCG2 log they must make the quote's registers.
#[test]
fn a_real_log_makes_the_registers() {
    let Some(vectors) = vectors() else { return };
    let folder = vectors.join("quotes/v4-dstack-report");
    let report = json(folder.join("quote-report.json"));
    let events: Vec<Value> =
        serde_json::from_str(report["event_log"].as_str().expect("text")).expect("JSON");
    let mut log = Vec::new();
    for part in [0_u32, 3] {
        log.extend(part.to_le_bytes());
    }
    let specification = [
        b"Spec ID Event03\0".as_slice(),
        &[0, 0, 0, 0, 0, 2, 0, 2],
        &1_u32.to_le_bytes(),
        &[0x0C, 0, 48, 0, 0],
    ]
    .concat();
    log.extend([0; 20]);
    log.extend(
        u32::try_from(specification.len())
            .expect("short")
            .to_le_bytes(),
    );
    log.extend(&specification);
    for event in &events {
        let payload = hex::decode(event["event_payload"].as_str().expect("hex")).expect("hex");
        let digest = hex::decode(event["digest"].as_str().expect("hex")).expect("hex");
        let register = u32::try_from(event["imr"].as_u64().expect("a number")).expect("small") + 1;
        let kind = u32::try_from(event["event_type"].as_u64().expect("a number")).expect("small");
        for part in [register, kind, 1] {
            log.extend(part.to_le_bytes());
        }
        log.extend([0x0C, 0]);
        log.extend(&digest);
        log.extend(u32::try_from(payload.len()).expect("short").to_le_bytes());
        log.extend(&payload);
    }
    log.extend([0xFF; 64]);
    let parsed = EventLog::parse(&log).expect("a log");
    assert_eq!(parsed.events.len(), events.len());
    assert!(parsed.events.iter().any(|event| event.data_is_measured));
    for event in &parsed.events {
        assert_eq!(
            event.data_is_measured,
            sha384(&[&event.data]) == event.digest.0
        );
    }
    let quote = bytes(folder.join("quote.bin"));
    let quote = Quote::parse(&quote).expect("a quote");
    assert_eq!(parsed.replay(), quote.td().expect("a TD").rtmr);

    let case = Case::new(
        &vectors,
        "v4-dstack-report",
        "90c06f-2026-03",
        TdxPolicy {
            event_log_unchecked: None,
            ..any_status()
        },
    );
    assert_eq!(case.verify(), Err(Rejection::EventLogMissing));
    let verified = case.ask(|quote, question| {
        let event_log = Some(&*log);
        verify(TdxEvidence { event_log, ..quote }, question)
    });
    assert!(verified.expect("verified").td().event_log.is_some());
}
