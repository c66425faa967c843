//! Which chip this machine has, and at which firmware level its reports are signed: what AMD is asked about.

use std::fs;

use anyhow::Context;
use chrysalis_attestation::snp::{
    needs::Chip,
    product::{Cpuid, Product},
    tcb::Tcb,
};
use sev::firmware::host::Firmware;

/// This machine's chip at the level that its reports name.
pub(crate) fn this_chip() -> anyhow::Result<Chip> {
    let cpus = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    let product =
        product(&cpus).context("this CPU belongs to no product line that AMD has a root for")?;
    let denied = "cannot ask /dev/sev; run as root";
    let mut firmware = Firmware::open().context(denied)?;
    let identity = firmware.get_identifier().context(denied)?;
    let status = firmware.snp_platform_status().context(denied)?;
    let tcb = status.reported_tcb_version;
    Ok(Chip {
        products: vec![product],
        hardware_id: identity
            .0
            .iter()
            .copied()
            .take(product.hardware_id_size())
            .collect(),
        tcb: Tcb {
            fmc: tcb.fmc.filter(|_| product == Product::Turin),
            bootloader: tcb.bootloader,
            tee: tcb.tee,
            snp: tcb.snp,
            microcode: tcb.microcode,
        },
    })
}

/// By the first CPU; all of a machine's are alike.
fn product(cpus: &str) -> Option<Product> {
    let value = |name: &str| {
        cpus.lines()
            .filter_map(|line| line.split_once(':'))
            .find(|(key, _)| key.trim() == name)
            .and_then(|(_, value)| value.trim().parse().ok())
    };
    Product::of(Cpuid {
        family: value("cpu family")?,
        model: value("model")?,
        stepping: value("stepping")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cpu_is_told_by_its_family_and_model() {
        let cpus = "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 17\nmodel name\t: AMD EPYC\nstepping\t: 1\n";
        assert_eq!(product(cpus), Some(Product::Genoa));
        assert_eq!(
            product(&cpus.replace(": 25", ": 26").replace(": 17", ": 2")),
            Some(Product::Turin)
        );
        assert_eq!(product(&cpus.replace(": 25", ": 6")), None);
        assert_eq!(product(""), None);
    }
}
