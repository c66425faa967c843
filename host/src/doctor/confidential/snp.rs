//! AMD SEV-SNP: the CPU, the BIOS, the kernel, KVM.

use std::{fs, path::Path};

use chrysalis_attestation::snp::{
    broken::{self, Broken},
    product::{Cpuid, Product},
};

use super::kernel::{Hindrance, cpu, cpuinfo, forbidden, hindrance, kernel, kvm};
use crate::{doctor::check::Check, launch::platform::Platform};

pub(super) fn checks(root: &Path) -> Vec<Check> {
    let (amd, flag) = cpu(root, "AuthenticAMD", "sev_snp");
    if !amd {
        let fix = "use a machine with an AMD EPYC 9004 (Genoa) or newer";
        return vec![Check::missing("snp", "the CPU is not AMD's", fix)];
    }
    let in_cpu = if let Some(broken) = broken(root) {
        Check::missing(
            "snp cpu",
            broken.to_string(),
            "offer a machine of another line, such as an EPYC 9004: clients refuse this CPU unless their policies accept it by name",
        )
    } else if flag {
        Check::ok("snp cpu", "the CPU has SEV-SNP, and the BIOS has it on")
    } else {
        Check::missing(
            "snp cpu",
            "the kernel sees no SEV-SNP in the CPU",
            "use an EPYC 9004 or newer; in the BIOS, turn on SMEE, SNP Memory Coverage (RMP table) and SEV-SNP Support, and set \
             Minimum SEV non-ES ASID above 1",
        )
    };
    vec![
        in_cpu,
        kernel(root, "snp kernel", (6, 11), "starting SNP guests"),
        iommu(root),
        kvm(
            root,
            Platform::Snp,
            "snp",
            "put kvm_amd.sev=1 kvm_amd.sev_es=1 kvm_amd.sev_snp=1 on the host's kernel command line; run `dmesg | grep -i -e sev -e \
             ccp -e rmp` to see what prevents it",
        ),
        device(root),
    ]
}

/// What is known against this machine's product line, if anything.
fn broken(root: &Path) -> Option<&'static Broken> {
    let number = |name| cpuinfo(root, name).parse().ok();
    let cpuid = Cpuid {
        family: number("cpu family")?,
        model: number("model")?,
        stepping: 0,
    };
    Product::of(cpuid).and_then(broken::of)
}

fn iommu(root: &Path) -> Check {
    let any = fs::read_dir(root.join("sys/class/iommu")).is_ok_and(|mut all| all.next().is_some());
    let found = if any {
        "the IOMMU is on"
    } else {
        "the kernel uses no IOMMU, and SNP does not start without one"
    };
    let fix = "turn IOMMU on in the BIOS; remove amd_iommu=off and iommu=pt from the host's kernel command line";
    Check::of("snp iommu", any, found, fix)
}

fn device(root: &Path) -> Check {
    match hindrance(root, "dev/sev") {
        None => Check::ok("snp processor", "/dev/sev"),
        Some(Hindrance::Absent) => Check::missing(
            "snp processor",
            "there is no /dev/sev",
            "load the module ccp; install its firmware (amd64-microcode), or update it with the BIOS",
        ),
        Some(Hindrance::Forbidden) => forbidden("snp processor", "dev/sev", "KERNEL==\"sev\""),
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernel::tests::{missing, write};
    use super::*;

    #[test]
    fn names_each_thing_missing_on_an_amd_machine() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(
            root,
            "proc/cpuinfo",
            "vendor_id\t: AuthenticAMD\nflags\t\t: fpu sev sev_es\n",
        );
        let all = ["snp cpu", "snp kernel", "snp iommu", "snp", "snp processor"];
        assert_eq!(missing(&checks(root)), all);
        write(
            root,
            "proc/cpuinfo",
            "vendor_id\t: AuthenticAMD\nflags\t\t: fpu sev_snp\n",
        );
        write(root, "proc/sys/kernel/osrelease", "6.12.0\n");
        write(root, "sys/class/iommu/ivhd0", "");
        write(root, "sys/module/kvm_amd/parameters/sev_snp", "Y\n");
        assert_eq!(missing(&checks(root)), ["snp processor"]);
        write(root, "dev/sev", "");
        assert!(missing(&checks(root)).is_empty());
        let of_model = |model: u8| {
            let text = format!(
                "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: {model}\nmodel name\t: AMD EPYC\nflags\t\t: fpu sev_snp\n"
            );
            write(root, "proc/cpuinfo", &text);
            missing(&checks(root))
        };
        assert_eq!(of_model(1), ["snp cpu"], "Milan is known to be broken");
        assert!(of_model(17).is_empty(), "Genoa is not");
    }
}
