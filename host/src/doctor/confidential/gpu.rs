//! NVIDIA GPUs: which there are, whether they have a confidential mode, and whether a guest can be given them.

use std::{fs, path::Path};

use super::kernel::{Hindrance, forbidden, hindrance};
use crate::doctor::check::Check;
use crate::launch::gpu::Iommu;

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
const CC_MODE: &str = "set confidential mode while no driver holds the GPU, with `nvidia_gpu_tools.py --gpu-bdf=ADDRESS --set-cc-mode=on \
                       --reset-after-cc-mode-switch` (NVIDIA's gpu-admin-tools); check it with `--query-cc-mode`";

/// How many mappings VFIO makes on a kernel without /dev/iommu.
const MAPPINGS: &str = "sys/module/vfio_iommu_type1/parameters/dma_entry_limit";
/// One for every page of 64 GiB.
const WANTED_MAPPINGS: u64 = 16 << 20;
/// Its bit in a set of capabilities.
const CAP_IPC_LOCK: u64 = 1 << 14;

/// An NVIDIA GPU.
struct Gpu {
    address: String,
    name: String,
    confidential: bool,
    driver: Option<String>,
    /// What VFIO opens once vfio-pci holds it: the device itself or, on older kernels, its group.
    device: Option<String>,
}

pub(super) fn checks(root: &Path) -> Vec<Check> {
    let gpus = find(root);
    let text = |gpu: &Gpu| format!("{} at {}", gpu.name, gpu.address);
    let names: Vec<String> = gpus.iter().map(text).collect();
    if gpus.is_empty() {
        let fix = "add an H100 or H200; without one the CPU computes";
        return vec![Check::missing("gpu", "there is no NVIDIA GPU", fix)];
    }
    if !gpus.iter().any(|gpu| gpu.confidential) {
        let found = format!("{}: no confidential mode", names.join(", "));
        return vec![Check::missing("gpu", found, "use an H100 or H200")];
    }
    vec![
        Check::ok("gpu", names.join(", ")).advising(CC_MODE),
        passthrough(root, &gpus),
        iommu(root),
        locked_memory(root),
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
                driver: driver.as_deref().and_then(file_name),
                device: vfio_device(&device.path()),
            })
        })
        .collect();
    gpus.sort_by(|one, other| one.address.cmp(&other.address));
    gpus
}

fn file_name(path: &Path) -> Option<String> {
    Some(path.file_name()?.to_string_lossy().into_owned())
}

fn vfio_device(device: &Path) -> Option<String> {
    let itself = || fs::read_dir(device.join("vfio-dev")).ok()?.next()?.ok();
    if let Some(entry) = itself() {
        return Some(format!("dev/vfio/devices/{}", file_name(&entry.path())?));
    }
    let group = fs::read_link(device.join("iommu_group")).ok()?;
    Some(format!("dev/vfio/{}", file_name(&group)?))
}

fn passthrough(root: &Path, gpus: &[Gpu]) -> Check {
    let confidential = || gpus.iter().filter(|gpu| gpu.confidential);
    let elsewhere = confidential().find(|gpu| gpu.driver.as_deref() != Some("vfio-pci"));
    let mut devices = confidential().filter_map(|gpu| gpu.device.as_deref());
    let closed = devices.find(|it| hindrance(root, it) == Some(Hindrance::Forbidden));
    match (elsewhere, closed) {
        (None, None) => Check::ok("gpu passthrough", "vfio-pci holds every GPU"),
        (None, Some(device)) => forbidden("gpu passthrough", device, "SUBSYSTEM==\"vfio*\""),
        (
            Some(Gpu {
                address, driver, ..
            }),
            _,
        ) => Check::missing(
            "gpu passthrough",
            format!(
                "{} holds {address}",
                driver.as_deref().unwrap_or("no driver")
            ),
            format!(
                "as root, run `modprobe vfio-pci` and `echo vfio-pci > /sys/bus/pci/devices/{address}/driver_override`, unbind it from \
                 its driver, then run `echo {address} > /sys/bus/pci/drivers_probe`"
            ),
        ),
    }
}

fn iommu(root: &Path) -> Check {
    let iommu = Iommu::of_this_machine(root);
    let (device, rule) = match iommu {
        Iommu::Fd => ("dev/iommu", "KERNEL==\"iommu\""),
        Iommu::Container => ("dev/vfio/vfio", "KERNEL==\"vfio\", SUBSYSTEM==\"misc\""),
    };
    match hindrance(root, device) {
        None => match iommu {
            Iommu::Fd => Check::ok("gpu iommu", "/dev/iommu"),
            Iommu::Container => mappings(root),
        },
        Some(Hindrance::Absent) => Check::missing(
            "gpu iommu",
            "there is neither /dev/iommu nor /dev/vfio/vfio",
            "run `modprobe iommufd vfio-pci`, with the IOMMU on in the BIOS and in the kernel (on Intel: intel_iommu=on)",
        ),
        Some(Hindrance::Forbidden) => forbidden("gpu iommu", device, rule),
    }
}

/// Without /dev/iommu there is a limit, too low by default for a guest that shares its memory page by page.
fn mappings(root: &Path) -> Check {
    let text = fs::read_to_string(root.join(MAPPINGS)).unwrap_or_default();
    let limit = text.trim().parse::<u64>().unwrap_or(0);
    Check::of(
        "gpu iommu",
        limit >= WANTED_MAPPINGS,
        format!("/dev/vfio/vfio, which maps no more than {limit} pieces of a guest's memory"),
        format!(
            "put `options vfio_iommu_type1 dma_entry_limit={WANTED_MAPPINGS}` in /etc/modprobe.d, which is enough for 64 GiB: a guest \
             needs a mapping for every 4 KiB; or use a kernel with CONFIG_IOMMUFD, which needs no limit"
        ),
    )
}

/// A GPU may reach all of the guest's memory, so all of it stays locked, and the kernel bounds how much a user may lock.
fn locked_memory(root: &Path) -> Check {
    let read = |name: &str| fs::read_to_string(root.join("proc/self").join(name));
    let value = |text: &str, name: &str| {
        let mut rests = text.lines().filter_map(|line| line.strip_prefix(name));
        Some(rests.next()?.split_whitespace().next()?.to_owned())
    };
    let capable = read("status")
        .ok()
        .and_then(|text| u64::from_str_radix(&value(&text, "CapEff:")?, 16).ok())
        .is_some_and(|capabilities| capabilities & CAP_IPC_LOCK != 0);
    let limit = read("limits")
        .ok()
        .and_then(|text| value(&text, "Max locked memory"))
        .unwrap_or_else(|| "unknown".to_owned());
    match limit.as_str() {
        _ if capable => Check::ok("gpu memory", "this user may lock memory without limit"),
        "unlimited" => Check::ok("gpu memory", "memory can be locked without limit"),
        _ => Check::missing(
            "gpu memory",
            format!(
                "this user may lock {limit} bytes, but a GPU needs all of its guest's memory locked"
            ),
            "run as root, or raise it with `@kvm - memlock unlimited` in /etc/security/limits.d, or LimitMEMLOCK=infinity for a \
             systemd service",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::super::kernel::tests::{missing, write};
    use super::*;
    use crate::doctor::check::Outcome;
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
        let all = ["gpu passthrough", "gpu iommu", "gpu memory"];
        assert_eq!(missing(&found), all);
        let driver = root.path().join("sys/bus/pci/devices/0000:01:00.0/driver");
        symlink("../../../bus/pci/drivers/nvidia", &driver).unwrap();
        assert_eq!(checks(root.path())[1].found, "nvidia holds 0000:01:00.0");
        fs::remove_file(&driver).unwrap();
        symlink("../../../bus/pci/drivers/vfio-pci", &driver).unwrap();
        write(root.path(), "dev/iommu", "");
        assert_eq!(missing(&checks(root.path())), ["gpu memory"]);
    }

    #[test]
    fn a_kernel_without_iommufd_must_map_a_guest_page_by_page() {
        let root = machine("0x2331\n");
        let judged = || iommu(root.path());
        assert!(judged().found.starts_with("there is neither"));
        write(root.path(), "dev/vfio/vfio", "");
        write(root.path(), MAPPINGS, "65535\n");
        assert!(
            judged()
                .found
                .ends_with("no more than 65535 pieces of a guest's memory")
        );
        write(root.path(), MAPPINGS, "16777216\n");
        assert_eq!(judged().outcome, Outcome::Ok);
    }

    #[test]
    fn a_gpu_is_found_under_vfio_by_itself_or_by_its_group() {
        let root = machine("0x2331\n");
        let device = root.path().join("sys/bus/pci/devices/0000:01:00.0");
        let found = || find(root.path())[0].device.clone();
        assert_eq!(found(), None);
        symlink(
            "../../../kernel/iommu_groups/44",
            device.join("iommu_group"),
        )
        .unwrap();
        assert_eq!(found().as_deref(), Some("dev/vfio/44"));
        fs::create_dir_all(device.join("vfio-dev/vfio3")).unwrap();
        assert_eq!(found().as_deref(), Some("dev/vfio/devices/vfio3"));
    }

    #[test]
    fn a_gpu_wants_memory_that_may_be_locked() {
        let root = tempfile::tempdir().unwrap();
        let judged = |limit: &str, capabilities: &str| {
            let limits = format!(
                "Limit                     Soft Limit           Hard Limit           Units     \n\
                 Max locked memory         {limit:<20} {limit:<20} bytes     \n"
            );
            write(root.path(), "proc/self/limits", &limits);
            let status = format!("Name:\tqemu\nCapEff:\t{capabilities}\n");
            write(root.path(), "proc/self/status", &status);
            locked_memory(root.path())
        };
        assert!(
            judged("8388608", "0000000000000000")
                .found
                .starts_with("this user may lock 8388608 bytes")
        );
        for (limit, capabilities) in [
            ("unlimited", "0000000000000000"),
            ("8388608", "000001ffffffffff"),
        ] {
            assert_eq!(judged(limit, capabilities).outcome, Outcome::Ok, "{limit}");
        }
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
