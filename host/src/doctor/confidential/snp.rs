//! AMD SEV-SNP: the CPU, the BIOS, the kernel, KVM.

use std::{fs, path::Path};

use chrysalis_attestation::snp::{
    broken::{self, Broken},
    product::{Cpuid, Product},
};

use super::{Check, Hindrance, cpu, cpuinfo, forbidden, hindrance, kernel, switched_on};

/// Whether KVM can start SNP guests.
pub(crate) fn is_on(root: &Path) -> bool {
    switched_on(&root.join("sys/module/kvm_amd/parameters/sev_snp"))
}

pub(super) fn checks(root: &Path) -> Vec<Check> {
    let (amd, flag) = cpu(root, "AuthenticAMD", "sev_snp");
    if !amd {
        let fix = "SNP needs an AMD EPYC 9004 (Genoa) or newer";
        return vec![Check::lacks("snp", "the CPU is not AMD's", fix)];
    }
    let in_cpu = if let Some(broken) = broken(root) {
        Check::lacks(
            "snp cpu",
            broken.to_string(),
            "clients refuse this CPU unless their policies accept it by name; offer a machine of another line, such as an EPYC 9004",
        )
    } else if flag {
        Check::ok("snp cpu", "the CPU has SEV-SNP, and the BIOS has it on")
    } else {
        Check::lacks(
            "snp cpu",
            "the kernel sees no SEV-SNP in the CPU",
            "an EPYC 9004 or newer; in the BIOS: SMEE on, SNP Memory Coverage (RMP table) on, SEV-SNP Support on, \
             Minimum SEV non-ES ASID above 1",
        )
    };
    vec![
        in_cpu,
        kernel(root, "snp kernel", (6, 11), "starting SNP guests"),
        iommu(root),
        kvm(root),
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
    if any {
        Check::ok("snp iommu", "the IOMMU is on")
    } else {
        Check::lacks(
            "snp iommu",
            "the kernel uses no IOMMU, and SNP does not start without one",
            "turn IOMMU on in the BIOS; no amd_iommu=off and no iommu=pt on the host's kernel command line",
        )
    }
}

fn kvm(root: &Path) -> Check {
    if is_on(root) {
        Check::ok("snp", "kvm_amd has SEV-SNP on")
    } else {
        Check::lacks(
            "snp",
            "kvm_amd does not have SEV-SNP on",
            "kvm_amd.sev=1 kvm_amd.sev_es=1 kvm_amd.sev_snp=1; `dmesg | grep -i -e sev -e ccp -e rmp` says what hinders it",
        )
    }
}

fn device(root: &Path) -> Check {
    match hindrance(root, "dev/sev") {
        None => Check::ok("snp processor", "/dev/sev"),
        Some(Hindrance::Absent) => Check::lacks(
            "snp processor",
            "there is no /dev/sev",
            "load the module ccp; its firmware is in amd64-microcode, or update it with the BIOS",
        ),
        Some(Hindrance::Forbidden) => forbidden("snp processor", "dev/sev", "KERNEL==\"sev\""),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lacking, write};
    use super::*;

    #[test]
    fn names_each_thing_that_an_amd_machine_lacks() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(
            root,
            "proc/cpuinfo",
            "vendor_id\t: AuthenticAMD\nflags\t\t: fpu sev sev_es\n",
        );
        let all = ["snp cpu", "snp kernel", "snp iommu", "snp", "snp processor"];
        assert_eq!(lacking(&checks(root)), all);
        write(
            root,
            "proc/cpuinfo",
            "vendor_id\t: AuthenticAMD\nflags\t\t: fpu sev_snp\n",
        );
        write(root, "proc/sys/kernel/osrelease", "6.12.0\n");
        write(root, "sys/class/iommu/ivhd0", "");
        write(root, "sys/module/kvm_amd/parameters/sev_snp", "Y\n");
        assert_eq!(lacking(&checks(root)), ["snp processor"]);
        write(root, "dev/sev", "");
        assert!(lacking(&checks(root)).is_empty());
        let of_model = |model: u8| {
            let text = format!(
                "vendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: {model}\nmodel name\t: AMD EPYC\nflags\t\t: fpu sev_snp\n"
            );
            write(root, "proc/cpuinfo", &text);
            lacking(&checks(root))
        };
        assert_eq!(of_model(1), ["snp cpu"], "Milan is known to be broken");
        assert!(of_model(17).is_empty(), "Genoa is not");
    }
}
