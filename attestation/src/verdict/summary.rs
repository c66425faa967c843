//! The first lines of a verdict: what, which, and how it was found.

use super::{About, NO_POLICY};
use crate::{
    Cpu,
    nvidia::{Devices, Gpu, Switch, measurements::Compared},
    policy::{Expect, Policy, ReleasePolicy},
};

/// How the two main answers are told: on the CPU's firmware, and on the image.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    firmware: String,
    image: String,
}

impl Told {
    /// Of a CPU that was appraised by this policy; `None`: by none.
    pub(crate) fn of(cpu: &Cpu, policy: Option<&Policy>) -> Self {
        let floor = policy.and_then(|it| it.snp.as_ref());
        let firmware = match (cpu, floor) {
            (Cpu::Snp(_), Some(policy)) => policy.minimum_tcb.told(),
            (Cpu::Snp(genuine), None) => genuine.reported_tcb().to_string(),
            (Cpu::Tdx(genuine), _) => genuine.td().status.to_string(),
        };
        let image = policy.map(|policy| {
            let release = policy.release.as_ref().map(ReleasePolicy::told);
            match cpu {
                Cpu::Snp(_) => told(policy.snp.as_ref().map(|it| &it.launch_digest), release),
                Cpu::Tdx(_) => told(policy.tdx.as_ref().map(|it| &it.mrtd), release),
            }
        });
        Self {
            firmware,
            image: image.unwrap_or_else(|| NO_POLICY.to_owned()),
        }
    }
}

fn told<T>(expected: Option<&Expect<T>>, release: Option<String>) -> String {
    match expected {
        Some(Expect::AnyOf(_)) => release.unwrap_or_else(|| "matches the policy".to_owned()),
        Some(Expect::Unchecked { why }) => format!("not checked: {why}"),
        None => "not checked".to_owned(),
    }
}

/// The lines.
pub(super) fn lines(about: About<'_>) -> Vec<[String; 3]> {
    let About {
        cpu, told, bound, ..
    } = about;
    let Told { firmware, image } = told;
    let genuine = genuine(cpu.simulated(), cpu.vendor());
    let short = hex::encode(cpu.measurement())
        .chars()
        .take(12)
        .chain(['…'])
        .collect();
    let how = match cpu.broken() {
        Some(broken) if cpu.simulated() => format!("{genuine}, {}", broken.told()),
        Some(broken) => broken.told(),
        None => format!("{genuine}, {firmware}"),
    };
    let of_the_cpu = ["cpu".to_owned(), cpu.to_string(), how];
    let bound = match bound {
        Some((session, _)) => session.to_string(),
        None => "to nothing that is known".to_owned(),
    };
    let bound = ["bound".to_owned(), bound, String::new()];
    let image = ["image".to_owned(), short, image.clone()];
    [of_the_cpu]
        .into_iter()
        .chain(devices(about.devices))
        .chain([bound, image])
        .collect()
}

fn genuine(simulated: bool, vendor: &str) -> String {
    if simulated {
        format!("SIMULATED, not {vendor} hardware")
    } else {
        "genuine".to_owned()
    }
}

/// One line for all the devices that are told in the same words.
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

/// Which it is, and how it was found. The certificates name the chip, not the product that is sold with it.
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

/// The same of a switch.
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
