//! GPUs that the guest gets whole: each by its PCI address, through VFIO and the host's IOMMU.

use std::{path::Path, str::FromStr};

/// Addresses above 4 GiB that the firmware leaves for GPU memory, in MiB: an H100 maps 128 GiB, eight of them 1 TiB.
const WINDOW_MIB_PER_GPU: usize = 256 * 1024;

/// A PCI address, such as `0000:41:00.0`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PciAddress(String);

impl FromStr for PciAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let hex = |part: &str, digits: usize| {
            part.len() == digits && part.bytes().all(|byte| byte.is_ascii_hexdigit())
        };
        let whole = match text.matches(':').count() {
            1 => format!("0000:{text}"),
            _ => text.to_owned(),
        };
        let parts: Vec<&str> = whole.split([':', '.']).collect();
        match parts[..] {
            [domain, bus, slot, function]
                if hex(domain, 4) && hex(bus, 2) && hex(slot, 2) && hex(function, 1) =>
            {
                Ok(Self(whole.to_ascii_lowercase()))
            }
            _ => Err(
                "give a PCI address, such as 0000:41:00.0; `lspci -d 10de:` lists NVIDIA's"
                    .to_owned(),
            ),
        }
    }
}

/// Which of the kernel's interfaces to the IOMMU maps the guest's memory for its GPUs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Iommu {
    /// `/dev/iommu`
    Fd,
    /// VFIO's own container, `/dev/vfio/vfio`, which counts every mapping: for kernels without the other, such as Debian 13's.
    Container,
}

impl Iommu {
    /// The one that the machine under `root` has; the newer if it has none, so that a command can be shown anywhere.
    pub(crate) fn of_this_machine(root: &Path) -> Self {
        let there = |device: &str| root.join("dev").join(device).exists();
        if there("vfio/vfio") && !there("iommu") {
            Self::Container
        } else {
            Self::Fd
        }
    }
}

/// QEMU's arguments for them.
pub(super) fn arguments(gpus: &[PciAddress], iommu: Iommu) -> Vec<String> {
    if gpus.is_empty() {
        return Vec::new();
    }
    let (object, by) = match iommu {
        Iommu::Fd => (Some("iommufd,id=iommu"), ",iommufd=iommu"),
        Iommu::Container => (None, ""),
    };
    let mut words = Vec::new();
    words.extend(
        object
            .into_iter()
            .flat_map(|object| ["-object".to_owned(), object.to_owned()]),
    );
    for (index, PciAddress(address)) in gpus.iter().enumerate() {
        let port = index.saturating_add(1);
        words.extend([
            "-device".to_owned(),
            format!("pcie-root-port,id=gpu{port},chassis={port},slot={port}"),
            "-device".to_owned(),
            format!("vfio-pci,host={address},bus=gpu{port}{by}"),
        ]);
    }
    let window = WINDOW_MIB_PER_GPU.saturating_mul(gpus.len());
    words.extend([
        "-fw_cfg".to_owned(),
        format!("name=opt/ovmf/X-PciMmio64Mb,string={window}"),
    ]);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_addresses_with_and_without_domain() {
        let whole = PciAddress("0000:41:00.0".to_owned());
        assert_eq!("0000:41:00.0".parse(), Ok(whole.clone()));
        assert_eq!("41:00.0".parse(), Ok(whole));
        for wrong in [
            "",
            "41",
            "0000:41:00",
            "0000:4g:00.0",
            "0000:41:00.0,x=y",
            "1:2:3:4.5",
        ] {
            assert!(wrong.parse::<PciAddress>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn gives_each_gpu_a_port_and_the_firmware_a_window() {
        let gpus = ["41:00.0", "c1:00.0"].map(|address| address.parse().unwrap());
        let words = arguments(&gpus, Iommu::Fd);
        assert!(words.contains(&"vfio-pci,host=0000:c1:00.0,bus=gpu2,iommufd=iommu".to_owned()));
        assert!(words.contains(&"name=opt/ovmf/X-PciMmio64Mb,string=524288".to_owned()));
        assert_eq!(arguments(&[], Iommu::Fd), Vec::<String>::new());
    }

    #[test]
    fn a_kernel_without_iommufd_maps_by_vfio_itself() {
        let root = tempfile::tempdir().unwrap();
        let dev = root.path().join("dev");
        let found = || Iommu::of_this_machine(root.path());
        assert_eq!(found(), Iommu::Fd);
        std::fs::create_dir_all(dev.join("vfio")).unwrap();
        std::fs::write(dev.join("vfio/vfio"), "").unwrap();
        assert_eq!(found(), Iommu::Container);
        let words = arguments(&["41:00.0".parse().unwrap()], found());
        assert!(words.contains(&"vfio-pci,host=0000:41:00.0,bus=gpu1".to_owned()));
        assert!(!words.contains(&"-object".to_owned()));
        std::fs::write(dev.join("iommu"), "").unwrap();
        assert_eq!(found(), Iommu::Fd);
    }
}
