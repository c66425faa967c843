//! NVIDIA GPUs: which there are, whether they have a confidential mode, and whether a guest can be given them.

use std::{fs, path::Path};

use super::Check;

/// NVIDIA, among PCI vendors.
const NVIDIA: &str = "0x10de";
/// The PCI devices that have a confidential mode.
const CONFIDENTIAL: [(&str, &str); 6] = [
    ("0x2321", "H100 NVL"),
    ("0x2330", "H100 SXM5 80 GB"),
    ("0x2331", "H100 PCIe"),
    ("0x2335", "H200 SXM"),
    ("0x2339", "H100 SXM5 96 GB"),
    ("0x233b", "H200 NVL"),
];
const CC_MODE: &str = "confidential mode is set while no driver holds the GPU: `nvidia_gpu_tools.py --set-cc-mode=on \
                       --reset-after-cc-mode-switch` (NVIDIA's gpu-admin-tools); `--query-cc-mode` says how it stands";

/// A GPU of NVIDIA's.
struct Gpu {
    address: String,
    name: String,
    confidential: bool,
    driver: Option<String>,
}

pub(super) fn checks(root: &Path) -> Vec<Check> {
    let gpus = find(root);
    let text = |gpu: &Gpu| format!("{} at {}", gpu.name, gpu.address);
    let names: Vec<String> = gpus.iter().map(text).collect();
    if gpus.is_empty() {
        let fix = "an H100 or H200; without one the CPU computes";
        return vec![Check::lacks("gpu", "there is no NVIDIA GPU", fix)];
    }
    if !gpus.iter().any(|gpu| gpu.confidential) {
        let found = format!("{}: no confidential mode", names.join(", "));
        return vec![Check::lacks("gpu", found, "an H100 or H200")];
    }
    vec![
        Check::ok("gpu", names.join(", ")).advising(CC_MODE),
        passthrough(&gpus),
        iommu(root),
    ]
}

fn find(root: &Path) -> Vec<Gpu> {
    let mut gpus: Vec<Gpu> = fs::read_dir(root.join("sys/bus/pci/devices"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|device| {
            let read = |name: &str| fs::read_to_string(device.path().join(name)).ok();
            let is_gpu = read("vendor")?.trim() == NVIDIA && read("class")?.starts_with("0x03");
            let id = read("device")?.trim().to_owned();
            let known = CONFIDENTIAL.iter().find(|(known, _)| *known == id);
            let driver = fs::read_link(device.path().join("driver")).ok();
            is_gpu.then(|| Gpu {
                address: device.file_name().to_string_lossy().into_owned(),
                name: format!("NVIDIA {}", known.map_or(id.as_str(), |(_, name)| name)),
                confidential: known.is_some(),
                driver: driver
                    .and_then(|link| Some(link.file_name()?.to_string_lossy().into_owned())),
            })
        })
        .collect();
    gpus.sort_by(|one, other| one.address.cmp(&other.address));
    gpus
}

fn passthrough(gpus: &[Gpu]) -> Check {
    let elsewhere = gpus
        .iter()
        .find(|gpu| gpu.confidential && gpu.driver.as_deref() != Some("vfio-pci"));
    match elsewhere {
        None => Check::ok("gpu passthrough", "vfio-pci holds every GPU"),
        Some(Gpu {
            address, driver, ..
        }) => Check::lacks(
            "gpu passthrough",
            format!(
                "{} holds {address}",
                driver.as_deref().unwrap_or("no driver")
            ),
            format!(
                "as root: `modprobe vfio-pci`, `echo vfio-pci > /sys/bus/pci/devices/{address}/driver_override`, \
                 unbind it from its driver, `echo {address} > /sys/bus/pci/drivers_probe`"
            ),
        ),
    }
}

fn iommu(root: &Path) -> Check {
    if root.join("dev/iommu").exists() {
        Check::ok("gpu iommu", "/dev/iommu")
    } else {
        Check::lacks(
            "gpu iommu",
            "there is no /dev/iommu",
            "`modprobe iommufd`, with the IOMMU on in the BIOS and in the kernel (on Intel: intel_iommu=on)",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lacking, write};
    use super::*;
    use std::os::unix::fs::symlink;

    fn machine(id: &str) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in [
            ("vendor", "0x10de\n"),
            ("device", id),
            ("class", "0x030200\n"),
        ] {
            write(
                root.path(),
                &format!("sys/bus/pci/devices/0000:01:00.0/{name}"),
                text,
            );
        }
        root
    }

    #[test]
    fn a_gpu_is_ready_for_a_guest_once_vfio_holds_it() {
        let root = machine("0x2331\n");
        let found = checks(root.path());
        assert_eq!(found[0].found, "NVIDIA H100 PCIe at 0000:01:00.0");
        assert!(found[0].fix.as_ref().unwrap().contains("--set-cc-mode=on"));
        assert_eq!(lacking(&found), ["gpu passthrough", "gpu iommu"]);
        let driver = root.path().join("sys/bus/pci/devices/0000:01:00.0/driver");
        symlink("../../../bus/pci/drivers/nvidia", &driver).unwrap();
        assert_eq!(checks(root.path())[1].found, "nvidia holds 0000:01:00.0");
        fs::remove_file(&driver).unwrap();
        symlink("../../../bus/pci/drivers/vfio-pci", &driver).unwrap();
        write(root.path(), "dev/iommu", "");
        assert!(lacking(&checks(root.path())).is_empty());
    }

    #[test]
    fn a_gpu_without_confidential_mode_does_not_count() {
        let found = checks(machine("0x20b0\n").path());
        assert_eq!(
            found[0].found,
            "NVIDIA 0x20b0 at 0000:01:00.0: no confidential mode"
        );
    }
}
