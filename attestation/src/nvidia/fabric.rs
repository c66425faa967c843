//! Step gpu-11: over which switches do GPUs in protected-PCIe mode share their memory, and with whom?
//!
//! Traffic on the links is not encrypted, so every device on the fabric belongs to the trusted base. Every GPU names, signed, the
//! switches at its links; every switch names, signed, the GPUs at its ports; and both names are in their certificates. They must
//! name exactly each other: a device that is not in the evidence is one that was not verified.

use std::collections::BTreeSet;

use super::{
    device::{Devices, Gpu, Switch},
    kind::Pdi,
};
use crate::Rejection;
use crate::transcript::{Inspection, ensure};

pub(super) fn check_fabric(devices: &Devices, inspection: &mut Inspection) {
    inspection.note(
        ("gpu-11", "fabric"),
        || closed(devices),
        |()| {
            let Devices { gpus, switches, .. } = devices;
            let (gpus, switches) = (gpus.len(), switches.len());
            format!("{gpus} GPU(s) and {switches} switch(es) name each other and no other device")
        },
    );
}

fn closed(devices: &Devices) -> Result<(), Rejection> {
    let Devices { gpus, switches, .. } = devices;
    // No two have the same name: step gpu-10.
    let name = |gpu: &Gpu| {
        gpu.pdi.ok_or_else(|| Rejection::FabricNameMissing {
            device: gpu.ueid.clone(),
        })
    };
    let gpus_there = gpus.iter().map(name).collect::<Result<_, _>>()?;
    let switches_there = switches.iter().map(|switch| switch.pdi).collect();
    let check = |device: String, named: &BTreeSet<Pdi>, there: &BTreeSet<Pdi>| {
        ensure(named == there, || Rejection::FabricMismatch {
            device,
            named: listed(named),
            there: listed(there),
        })
    };
    for Switch { pdi, gpus, .. } in switches {
        check(format!("switch {pdi}"), gpus, &gpus_there)?;
    }
    for Gpu { ueid, switches, .. } in gpus {
        check(format!("GPU {ueid}"), switches, &switches_there)?;
    }
    Ok(())
}

fn listed(pdis: &BTreeSet<Pdi>) -> String {
    let list: Vec<_> = pdis.iter().map(Pdi::to_string).collect();
    if list.is_empty() {
        return "no device".to_owned();
    }
    list.join(", ")
}
