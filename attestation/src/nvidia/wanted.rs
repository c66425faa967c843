//! Steps gpu-9 and gpu-10: are these genuine GPUs the ones that the policy wants, and one machine's?

use super::{
    inspection::{Inspection, ensure},
    opaque::Mode,
    policy::{Minimum, Wanted},
    verify::Gpu,
    version::DriverVersion,
};
use crate::{Rejection, policy::Expect};

/// Step 9: is this genuine GPU one that the policy wants?
pub(super) fn check_wanted(
    gpu: &Gpu,
    driver: &DriverVersion,
    wanted: &Wanted,
    inspection: &mut Inspection<'_>,
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
            inspection.check(("gpu-9", name), || ensure(fits, || refused), |()| text);
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
            inspection.check(
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
            inspection.check(
                ("gpu-9", "mode"),
                || ensure(modes.contains(&gpu.mode), refused),
                |()| gpu.mode.to_string(),
            );
        }
    }
    if gpu.mode == Mode::ProtectedPcie {
        match &wanted.switches_unchecked {
            Some(why) => inspection.skip(("gpu-9", "switches"), why),
            None => {
                inspection.check(
                    ("gpu-9", "switches"),
                    || Err::<(), _>(Rejection::GpuSwitchesUnchecked),
                    |()| String::new(),
                );
            }
        }
    }
}

/// Step 10: are these, together, the GPUs of one machine?
pub(super) fn check_together(
    gpus: &[Gpu],
    count: usize,
    wanted: &Wanted,
    inspection: &mut Inspection<'_>,
) {
    match &wanted.count {
        Expect::Unchecked { why } => inspection.skip(("gpu-10", "count"), why),
        Expect::AnyOf(counts) => {
            let refused = || Rejection::GpuCountMismatch {
                found: count,
                wanted: counts.first().copied().unwrap_or(0),
            };
            inspection.check(
                ("gpu-10", "count"),
                || ensure(counts.contains(&count), refused),
                |()| count.to_string(),
            );
        }
    }
    let twice = || {
        for (place, gpu) in gpus.iter().enumerate() {
            let same = |other: &&Gpu| other.ueid == gpu.ueid || other.identity == gpu.identity;
            if gpus.iter().skip(place + 1).any(|other| same(&other)) {
                return Err(Rejection::GpuTwice {
                    device: gpu.ueid.clone(),
                });
            }
        }
        Ok(())
    };
    inspection.check(("gpu-10", "distinct devices"), twice, |()| {
        "no device stands for two".to_owned()
    });
    let alike = || {
        let same = gpus
            .windows(2)
            .all(|pair| matches!(pair, [a, b] if a.mode == b.mode));
        ensure(same, || Rejection::GpuModesDiffer)
    };
    inspection.check(("gpu-10", "one mode"), alike, |()| {
        gpus.first()
            .map(|it| it.mode.to_string())
            .unwrap_or_default()
    });
}
