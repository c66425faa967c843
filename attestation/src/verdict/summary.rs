//! The first lines of a verdict: what, which, and how it was found.

use super::about::{About, Bound};
use crate::{
    Time,
    appraisal::{epoch, platform::Platform, told::Told},
    azure::vtpm,
    evidence::claims::{Claims, ModelClaim},
    nvidia::{Devices, Gpu, Switch, measurements::Compared},
};

/// The lines.
pub(super) fn lines(about: About<'_>) -> Vec<[String; 3]> {
    let mut lines = Vec::new();
    if let (Some(cpu), Some(told)) = (about.cpu, about.told) {
        lines.push(["cpu".to_owned(), cpu.name(), how(cpu, told)]);
    }
    lines.extend(about.devices.map(devices).unwrap_or_default());
    let (bound, agreement) = match about.bound {
        Bound::Conversation(session, _, _, agreement) => (session.to_string(), agreement),
        Bound::Asked => ("to what was asked".to_owned(), None),
        Bound::Nothing => ("to no known conversation".to_owned(), None),
    };
    let agreement = agreement.map_or(String::new(), |it| format!(", keys agreed by {it}"));
    lines.push(["bound".to_owned(), bound + &agreement, String::new()]);
    if let (Some(cpu), Some(told)) = (about.cpu, about.told) {
        let short = short(&cpu.measurement());
        lines.push(["image".to_owned(), short, told.image.clone()]);
    }
    if let Bound::Conversation(_, claims, now, _) = about.bound {
        lines.extend(claims.models.iter().map(|it| model(it, claims)));
        lines.push(epoch(claims, now));
    }
    if let Some(events) = about.cpu.and_then(Platform::events) {
        let what = "account for the run-time registers".to_owned();
        lines.push(["log".to_owned(), format!("{events} events"), what]);
    }
    lines.extend(about.vtpm.map(vtpm));
    lines
}

/// The first digits of a digest.
fn short(digest: &[u8]) -> String {
    let digits = hex::encode(digest);
    digits.chars().take(12).chain(['…']).collect()
}

/// A model by its name in the API, its kind, weights and engine.
fn model(model: &ModelClaim, claims: &Claims) -> [String; 3] {
    let ModelClaim {
        name,
        kind,
        weights,
        ..
    } = model;
    let engine = claims.engine_of(model).map_or("", |it| &it.version);
    let how = format!("{kind}, weights {}, {engine}", short(weights));
    ["model".to_owned(), name.clone(), how]
}

/// How often the enclave has renewed its evidence, and how long ago by its own clock.
fn epoch(claims: &Claims, now: Time) -> [String; 3] {
    let how = format!(
        "{}, lasts {} s",
        epoch::age(claims, now),
        claims.epoch_seconds
    );
    ["epoch".to_owned(), claims.epoch.to_string(), how]
}

fn how(cpu: &dyn Platform, Told { firmware, .. }: &Told) -> String {
    let genuine = genuine(cpu.is_simulated(), cpu.vendor());
    match cpu.broken() {
        Some(broken) if cpu.is_simulated() => format!("{genuine}, {}", broken.told()),
        Some(broken) => broken.told(),
        None => format!("{genuine}, {firmware}"),
    }
}

fn vtpm(told: &vtpm::Told) -> [String; 3] {
    let fresh = if told.fresh {
        "signed for your nonce"
    } else {
        "signed, for a nonce that was not compared"
    };
    let pcrs = match told.quote.selection.as_slice() {
        [_] => "1 PCR".to_owned(),
        many => format!("{} PCRs", many.len()),
    };
    ["vtpm".to_owned(), pcrs, fresh.to_owned()]
}

fn genuine(simulated: bool, vendor: &str) -> String {
    if simulated {
        format!("SIMULATED, not {vendor} hardware")
    } else {
        "genuine".to_owned()
    }
}

/// One line for all devices with the same description.
fn counted(which: &str, devices: impl Iterator<Item = [String; 2]>) -> Vec<[String; 3]> {
    let mut kinds: Vec<([String; 2], usize)> = Vec::new();
    for words in devices {
        match kinds.iter_mut().find(|(kind, _)| *kind == words) {
            Some((_, count)) => *count += 1,
            None => kinds.push((words, 1)),
        }
    }
    let line = |([model, how], count): ([String; 2], usize)| {
        let times = if count > 1 {
            format!(" ×{count}")
        } else {
            String::new()
        };
        [which.to_owned(), format!("{model}{times}"), how]
    };
    kinds.into_iter().map(line).collect()
}

fn devices(devices: &Devices) -> Vec<[String; 3]> {
    let Devices { gpus, switches, .. } = devices;
    if gpus.is_empty() {
        return vec![["gpu", "none", ""].map(str::to_owned)];
    }
    let mut told = counted("gpu", gpus.iter().map(gpu));
    told.extend(counted("switch", switches.iter().map(switch)));
    told
}

/// Which GPU it is, and what was found. The certificates name the chip, not the product that contains it.
fn gpu(gpu: &Gpu) -> [String; 2] {
    let chip = gpu.model.split(' ').next().unwrap_or_default();
    let genuine = genuine(gpu.simulated, "NVIDIA");
    let measured = measured([&gpu.driver_measurements, &gpu.vbios_measurements]);
    let hold = if gpu.on_hold { ", on hold" } else { "" };
    [
        format!("NVIDIA {}, {chip}", gpu.architecture),
        format!("{genuine}, driver {}, {measured}{hold}", gpu.driver),
    ]
}

/// The same for a switch.
fn switch(switch: &Switch) -> [String; 2] {
    let chip = switch.model.split(' ').next().unwrap_or_default();
    let chip = chip.replace('_', "");
    let genuine = genuine(switch.simulated, "NVIDIA");
    let measured = measured([&switch.measurements]);
    let hold = if switch.on_hold { ", on hold" } else { "" };
    [
        format!("NVIDIA NVSwitch, {chip}"),
        format!("{genuine}, firmware {}, {measured}{hold}", switch.firmware),
    ]
}

fn measured<const N: usize>(compared: [&Option<Compared>; N]) -> String {
    let compared = compared.into_iter().flatten();
    match compared.map(|it| it.matching.len()).sum::<usize>() {
        0 => "measurements not checked".to_owned(),
        count => format!("{count} measurements match"),
    }
}
