//! What would make a run confidential: the CPU's protection of memory, and a GPU that takes part in it. A simulated run
//! needs none of it. Read from the kernel's own files, which need no tool and no privilege.

use std::{fs, path::Path};

use super::Check;

/// NVIDIA, among PCI vendors.
const NVIDIA: &str = "0x10de";
/// The PCI devices that have a confidential mode.
const CONFIDENTIAL_GPUS: [(&str, &str); 6] = [
    ("0x2321", "H100 NVL"),
    ("0x2330", "H100 SXM5 80 GB"),
    ("0x2331", "H100 PCIe"),
    ("0x2335", "H200 SXM"),
    ("0x2339", "H100 SXM5 96 GB"),
    ("0x233b", "H200 NVL"),
];
const CC_MODE: &str = "whether confidential mode is on, `nvidia-smi conf-compute -f` says where the driver runs, \
                       and `nvidia_gpu_tools.py --query-cc-mode` (NVIDIA's gpu-admin-tools) where it does not";

/// Everything about confidentiality.
pub(super) fn checks() -> Vec<Check> {
    checks_under(Path::new("/"))
}

fn checks_under(root: &Path) -> Vec<Check> {
    vec![snp(root), tdx(root), gpu(root)]
}

fn snp(root: &Path) -> Check {
    let fix = "an EPYC 7003 or newer with SEV-SNP on in the BIOS, and a host kernel 6.11 or newer";
    match (snp_is_on(root), root.join("dev/sev").exists()) {
        (true, true) => Check::ok("snp", "AMD SEV-SNP is on"),
        (true, false) => Check::lacks(
            "snp",
            "kvm_amd has SEV-SNP on, but there is no /dev/sev",
            "load the module ccp",
        ),
        (false, _) => Check::lacks("snp", "kvm_amd does not have SEV-SNP on", fix),
    }
}

fn tdx(root: &Path) -> Check {
    if tdx_is_on(root) {
        Check::ok("tdx", "Intel TDX is on")
    } else {
        Check::lacks(
            "tdx",
            "kvm_intel does not have TDX on",
            "a Xeon of the 5th generation or newer with TDX on in the BIOS, a host kernel 6.16 or newer, kvm_intel.tdx=1",
        )
    }
}

fn gpu(root: &Path) -> Check {
    let mut names: Vec<String> = fs::read_dir(root.join("sys/bus/pci/devices"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|device| {
            let read = |name: &str| fs::read_to_string(device.path().join(name)).ok();
            let is_gpu = read("vendor")?.trim() == NVIDIA && read("class")?.starts_with("0x03");
            let id = read("device")?.trim().to_owned();
            is_gpu.then(|| {
                let known = CONFIDENTIAL_GPUS.iter().find(|(known, _)| *known == id);
                known.map_or_else(
                    || format!("NVIDIA {id}"),
                    |(_, name)| format!("NVIDIA {name}"),
                )
            })
        })
        .collect();
    names.sort();
    let knows = |name: &String| {
        CONFIDENTIAL_GPUS
            .iter()
            .any(|(_, known)| name.ends_with(known))
    };
    if names.is_empty() {
        Check::lacks(
            "gpu",
            "there is no NVIDIA GPU",
            "an H100 or H200; without one the CPU computes",
        )
    } else if names.iter().any(knows) {
        Check::ok("gpu", names.join(", ")).advising(CC_MODE)
    } else {
        Check::lacks(
            "gpu",
            format!("{}: no confidential mode", names.join(", ")),
            "an H100 or H200",
        )
    }
}

/// Whether KVM can start SNP guests.
pub(crate) fn snp_is_on(root: &Path) -> bool {
    is_on(&root.join("sys/module/kvm_amd/parameters/sev_snp"))
}

/// Whether KVM can start TDX guests.
pub(crate) fn tdx_is_on(root: &Path) -> bool {
    is_on(&root.join("sys/module/kvm_intel/parameters/tdx"))
}

fn is_on(parameter: &Path) -> bool {
    fs::read_to_string(parameter).is_ok_and(|text| matches!(text.trim(), "Y" | "1"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn outcomes(root: &Path) -> Vec<(&'static str, Outcome)> {
        checks_under(root)
            .into_iter()
            .map(|check| (check.name, check.outcome))
            .collect()
    }

    #[test]
    fn finds_nothing_on_an_empty_machine() {
        let root = tempfile::tempdir().unwrap();
        let lacks = Outcome::Lacks;
        assert_eq!(
            outcomes(root.path()),
            [("snp", lacks), ("tdx", lacks), ("gpu", lacks)]
        );
    }

    #[test]
    fn finds_what_a_confidential_machine_has() {
        let root = tempfile::tempdir().unwrap();
        write(root.path(), "sys/module/kvm_amd/parameters/sev_snp", "Y\n");
        write(root.path(), "dev/sev", "");
        write(root.path(), "sys/module/kvm_intel/parameters/tdx", "Y\n");
        for (name, text) in [
            ("vendor", "0x10de\n"),
            ("device", "0x2331\n"),
            ("class", "0x030200\n"),
        ] {
            write(
                root.path(),
                &format!("sys/bus/pci/devices/0000:01:00.0/{name}"),
                text,
            );
        }
        let ok = Outcome::Ok;
        assert_eq!(
            outcomes(root.path()),
            [("snp", ok), ("tdx", ok), ("gpu", ok)]
        );
        let gpu = gpu(root.path());
        assert_eq!(gpu.found, "NVIDIA H100 PCIe");
        assert!(gpu.fix.unwrap().contains("nvidia-smi conf-compute"));
    }

    #[test]
    fn a_gpu_without_confidential_mode_does_not_count() {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("vendor", "0x10de\n"),
            ("device", "0x20b0\n"),
            ("class", "0x030200\n"),
        ] {
            write(
                root.path(),
                &format!("sys/bus/pci/devices/0000:01:00.0/{name}"),
                text,
            );
        }
        assert_eq!(
            gpu(root.path()).found,
            "NVIDIA 0x20b0: no confidential mode"
        );
    }
}
