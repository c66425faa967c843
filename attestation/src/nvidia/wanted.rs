//! Steps gpu-9 and gpu-10: are these genuine devices the ones that the policy wants, and do they belong to one machine?

use std::collections::BTreeSet;

use super::{
    device::{Devices, Gpu, Switch},
    opaque::Mode,
    policy::{Minimum, Wanted},
    version::DriverVersion,
};
use crate::transcript::{Inspection, ensure};
use crate::{Rejection, transcript::Expect};

/// What a switch reports if its configuration is locked until a reset.
const LOCKED: u16 = 1;

/// Step 9: is this genuine GPU one that the policy wants? `switches`: whether there is evidence of any.
pub(super) fn check_wanted(
    gpu: &Gpu,
    (driver, switches): (&DriverVersion, bool),
    wanted: &Wanted,
    inspection: &mut Inspection,
) {
    let mut expect = |name: &'static str, wanted: &Expect<String>, found: &[&String]| match wanted {
        Expect::Unchecked { why } => inspection.skip(("gpu-9", name), why),
        Expect::AnyOf(list) => {
            let fits = found.iter().any(|it| list.contains(it));
            let text = found.first().map(|it| (*it).clone()).unwrap_or_default();
            let refused = Rejection::GpuRefused {
                field: name,
                found: text.clone(),
            };
            inspection.note(("gpu-9", name), || ensure(fits, || refused), |()| text);
        }
    };
    expect("model", &wanted.models, &[&gpu.model]);
    expect("device", &wanted.devices, &[&gpu.ueid, &gpu.identity]);
    expect("driver", &wanted.drivers, &[&gpu.driver]);
    expect("VBIOS", &wanted.vbioses, &[&gpu.vbios]);
    match &wanted.minimum_driver {
        Minimum::Unchecked { why } => inspection.skip(("gpu-9", "driver floor"), why),
        Minimum::Driver(floor) => {
            let below = || Rejection::GpuDriverBelowFloor {
                found: driver.to_string(),
                floor: floor.to_string(),
            };
            inspection.note(
                ("gpu-9", "driver floor"),
                || ensure(!driver.is_below(floor), below),
                |()| format!("{driver} is not below {floor}"),
            );
        }
    }
    match &wanted.modes {
        Expect::Unchecked { why } => inspection.skip(("gpu-9", "mode"), why),
        Expect::AnyOf(modes) => {
            let refused = || Rejection::GpuRefused {
                field: "mode",
                found: gpu.mode.to_string(),
            };
            inspection.note(
                ("gpu-9", "mode"),
                || ensure(modes.contains(&gpu.mode), refused),
                |()| gpu.mode.to_string(),
            );
        }
    }
    if gpu.mode == Mode::ProtectedPcie && !switches {
        match &wanted.switches_unchecked {
            Some(why) => inspection.skip(("gpu-9", "switches"), why),
            None => {
                inspection.note(
                    ("gpu-9", "switches"),
                    || Err::<(), _>(Rejection::GpuSwitchesUnchecked),
                    |()| String::new(),
                );
            }
        }
    }
}

/// Step 9: is this genuine switch one that the policy wants?
pub(super) fn check_switch_wanted(
    switch: &Switch,
    lock: u16,
    wanted: &Wanted,
    inspection: &mut Inspection,
) {
    let firmware = &switch.firmware;
    match &wanted.switch_firmware {
        Expect::Unchecked { why } => inspection.skip(("gpu-9", "switch firmware"), why),
        Expect::AnyOf(list) => {
            let refused = || Rejection::GpuRefused {
                field: "switch firmware",
                found: firmware.clone(),
            };
            inspection.note(
                ("gpu-9", "switch firmware"),
                || ensure(list.contains(firmware), refused),
                |()| firmware.clone(),
            );
        }
    }
    let unlocked = || Rejection::SwitchUnlocked { found: lock };
    inspection.note(
        ("gpu-9", "switch lock"),
        || ensure(lock == LOCKED, unlocked),
        |()| "locked until reset".to_owned(),
    );
}

/// Step 10: are these, together, the devices of one machine?
pub(super) fn check_together(
    devices: &Devices,
    count: usize,
    wanted: &Wanted,
    inspection: &mut Inspection,
) {
    match &wanted.count {
        Expect::Unchecked { why } => inspection.skip(("gpu-10", "count"), why),
        Expect::AnyOf(counts) => {
            let refused = || Rejection::GpuCountMismatch {
                found: count,
                wanted: counts.first().copied().unwrap_or(0),
            };
            inspection.note(
                ("gpu-10", "count"),
                || ensure(counts.contains(&count), refused),
                |()| count.to_string(),
            );
        }
    }
    let gpus = &devices.gpus;
    let twice = || {
        let of_gpus = gpus.iter().map(|it| (&it.ueid, &it.identity, it.pdi));
        let of_switches = devices.switches.iter();
        let of_switches = of_switches.map(|it| (&it.ueid, &it.identity, Some(it.pdi)));
        let (mut known, mut named) = (BTreeSet::new(), BTreeSet::new());
        for (ueid, identity, pdi) in of_gpus.chain(of_switches) {
            let new = known.insert(ueid) && known.insert(identity);
            let new = new && pdi.is_none_or(|pdi| named.insert(pdi));
            ensure(new, || Rejection::GpuTwice {
                device: ueid.clone(),
            })?;
        }
        Ok(())
    };
    inspection.note(("gpu-10", "distinct devices"), twice, |()| {
        "no device is counted twice".to_owned()
    });
    let alike = || {
        let same = gpus
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.mode == b.mode));
        ensure(same, || Rejection::GpuModesDiffer)
    };
    inspection.note(("gpu-10", "one mode"), alike, |()| {
        gpus.first()
            .map(|it| it.mode.to_string())
            .unwrap_or_default()
    });
}
