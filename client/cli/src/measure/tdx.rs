//! TDX: the registers, event by event, and a guest's event log compared with them.

use std::{fs, path::Path};

use anyhow::Context;
use chrysalis_attestation::tdx::EventLog;
use chrysalis_measure::{
    AcpiTables, CommandLine, EventDigest, FoundEvent, Image, TdxMeasurement, TdxShape,
    explain_events, mr_config_id, tdx_measurement,
};
use serde_json::{Value, json};

use super::{arguments::MeasureArguments, difference::told};
use crate::{options::Format, outcome::Outcome};

pub(super) fn run(
    image: &Image,
    which: CommandLine,
    arguments: &MeasureArguments,
) -> anyhow::Result<Outcome> {
    let tdx = &arguments.tdx;
    let acpi = tdx.acpi.as_deref().map(AcpiTables::read).transpose()?;
    let shape = TdxShape {
        memory: tdx.memory,
        acpi,
    };
    let measured = tdx_measurement(image, which, &shape)?;
    if let Some(path) = &tdx.event_log {
        return compare(&measured, path);
    }
    let configuration = tdx.configuration.as_deref().map(read).transpose()?;
    let configuration = configuration.map(|bytes| hex::encode(mr_config_id(&bytes)));
    match arguments.format {
        Format::Text => print!("{}", text(&measured, configuration.as_deref())),
        Format::Json => println!("{}", json(&measured, configuration)),
    }
    Ok(Outcome::Yes)
}

fn read(path: &Path) -> anyhow::Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Compares a log with the image. The log proves nothing by itself: `chrysalis verify` checks it against a quote.
fn compare(measured: &TdxMeasurement, path: &Path) -> anyhow::Result<Outcome> {
    let bytes = read(path)?;
    let log = EventLog::parse(&bytes).map_err(|rejection| anyhow::anyhow!("{rejection}"))?;
    let found: Vec<FoundEvent> = log
        .events
        .iter()
        .map(|event| FoundEvent {
            rtmr: event.rtmr,
            name: event.name.to_owned(),
            digest: event.digest.0,
        })
        .collect();
    let difference = explain_events(&measured.events, &found);
    Ok(told("the log tells of this image", difference.as_ref()))
}

fn text(measured: &TdxMeasurement, configuration: Option<&str>) -> String {
    let mut lines = vec![format!("mrtd        {}", hex::encode(measured.mrtd))];
    if let Some(digest) = configuration {
        lines.push(format!("mrconfigid  {digest}"));
    }
    for rtmr in 0..=2 {
        let value = measured.rtmr(rtmr).map_or("varies".to_owned(), hex::encode);
        lines.push(format!("rtmr{rtmr}       {value}"));
        for event in measured.events.iter().filter(|event| event.rtmr == rtmr) {
            let digest = match event.digest {
                EventDigest::Computed(digest) => hex::encode(digest),
                EventDigest::Varies(why) => format!("varies: {why}"),
            };
            lines.push(format!("  {:26}  {digest}", event.name));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

fn json(measured: &TdxMeasurement, configuration: Option<String>) -> Value {
    let events: Vec<Value> = measured
        .events
        .iter()
        .map(|event| match event.digest {
            EventDigest::Computed(digest) => {
                json!({ "rtmr": event.rtmr, "name": event.name, "digest": hex::encode(digest) })
            }
            EventDigest::Varies(why) => {
                json!({ "rtmr": event.rtmr, "name": event.name, "varies": why })
            }
        })
        .collect();
    let rtmr: Vec<Value> = (0..=2)
        .map(|rtmr| measured.rtmr(rtmr).map(hex::encode).into())
        .collect();
    let mut object = json!({ "mrtd": hex::encode(measured.mrtd), "rtmr": rtmr, "events": events });
    if let (Some(digest), Some(object)) = (configuration, object.as_object_mut()) {
        object.insert("mrconfigid".to_owned(), digest.into());
    }
    object
}
