//! QEMU's command line, as data. The machine has the disks of its engines and models, that of a GPU's driver if its image has one,
//! a vsock, a console and the GPUs that it is given. It has nothing else: no network.

use std::{ffi::OsString, path::PathBuf};

use super::{
    accelerator::Kind,
    disks::{self, DiskFile},
    gpu,
    gpu::{Iommu, PciAddress},
    protection::Protection,
    shell::utf8,
};

/// A machine.
#[derive(Debug)]
pub(super) struct Machine {
    pub(super) protection: Protection,
    pub(super) accelerator: Kind,
    pub(super) kernel: PathBuf,
    pub(super) initrd: PathBuf,
    pub(super) command_line: String,
    pub(super) disks: Vec<DiskFile>,
    pub(super) vcpus: u32,
    pub(super) memory_mib: u32,
    pub(super) vsock: VsockDevice,
    pub(super) gpus: Vec<PciAddress>,
    pub(super) iommu: Iommu,
}

/// The guest's end of the vsock.
#[derive(Debug)]
pub(super) enum VsockDevice {
    /// In the host's kernel.
    Kernel {
        /// The guest's context id.
        cid: u32,
    },
    /// In a program that listens for QEMU here.
    User {
        /// Its socket.
        socket: PathBuf,
    },
}

impl Machine {
    /// All of QEMU's arguments.
    pub(super) fn arguments(&self) -> anyhow::Result<Vec<OsString>> {
        let mut arguments: Vec<OsString> = Vec::new();
        let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
        // Nothing that is not asked for: no default devices, no configuration of the user's, no second chance after a
        // panic, no privilege that QEMU does not need.
        add(&[
            "-nodefaults",
            "-no-user-config",
            "-display",
            "none",
            "-no-reboot",
        ]);
        add(&[
            "-sandbox",
            "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny",
        ]);
        let protection = &self.protection;
        let machine = "q35,memory-backend=memory,smm=off,vmport=off";
        add(&["-machine", &format!("{machine}{}", protection.machine())]);
        if let Some(object) = protection.object() {
            add(&["-object", &object.to_string()]);
        }
        // A vhost-user device maps the guest's memory, so it must be shareable.
        let memory = format!(
            "memory-backend-memfd,id=memory,size={}M,share=on",
            self.memory_mib
        );
        add(&["-object", &memory, "-m", &format!("{}M", self.memory_mib)]);
        add(&["-smp", &self.vcpus.to_string()]);
        let (accelerator, cpu) = match self.accelerator {
            Kind::Kvm => ("kvm", "host"),
            Kind::Tcg => ("tcg,thread=multi", "max"),
        };
        let cpu = protection.cpu().unwrap_or_else(|| cpu.to_owned());
        add(&["-accel", accelerator, "-cpu", &cpu]);
        add(&[
            "-chardev",
            "stdio,id=console,signal=off",
            "-serial",
            "chardev:console",
            "-monitor",
            "none",
        ]);
        let virtio = protection.virtio();
        for word in disks::arguments(&self.disks, virtio)? {
            add(&[&word]);
        }
        match &self.vsock {
            VsockDevice::Kernel { cid } => {
                add(&[
                    "-device",
                    &format!("vhost-vsock-pci,guest-cid={cid}{virtio}"),
                ]);
            }
            VsockDevice::User { socket } => {
                let socket = format!("socket,id=vsock,path={}", doubled(utf8(socket)?));
                add(&[
                    "-chardev",
                    &socket,
                    "-device",
                    &format!("vhost-user-vsock-pci,chardev=vsock{virtio}"),
                ]);
            }
        }
        for word in gpu::arguments(&self.gpus, self.iommu) {
            add(&[&word]);
        }
        if let Some(firmware) = protection.firmware() {
            add(&["-bios", utf8(firmware)?]);
        }
        // Exactly what was measured.
        add(&[
            "-kernel",
            utf8(&self.kernel)?,
            "-initrd",
            utf8(&self.initrd)?,
        ]);
        add(&["-append", &self.command_line]);
        Ok(arguments)
    }
}

/// A comma separates options unless it is doubled.
fn doubled(value: &str) -> String {
    value.replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::super::protection::{CBit, QuoteService, Snp, Tdx};
    use super::*;
    use chrysalis_attestation::snp::bits::GuestPolicy;
    use chrysalis_measure::CpuType;
    use serde_json::json;

    fn machine(accelerator: Kind, vsock: VsockDevice) -> Machine {
        Machine {
            protection: Protection::None,
            accelerator,
            kernel: "/image/kernel".into(),
            initrd: "/image/initrd".into(),
            command_line: "console=ttyS0 -- platform=simulated".to_owned(),
            disks: vec![DiskFile {
                serial: "0123".to_owned(),
                file: "/disks/0123.img".into(),
            }],
            vcpus: 2,
            memory_mib: 1024,
            vsock,
            gpus: Vec::new(),
            iommu: Iommu::Fd,
        }
    }

    fn words(machine: &Machine) -> Vec<String> {
        machine
            .arguments()
            .unwrap()
            .into_iter()
            .map(|word| word.into_string().unwrap())
            .collect()
    }

    fn value<'a>(words: &'a [String], option: &str) -> Vec<&'a str> {
        words
            .windows(2)
            .filter(|pair| pair[0] == option)
            .map(|pair| pair[1].as_str())
            .collect()
    }

    #[test]
    fn boots_what_was_measured_and_nothing_else() {
        let words = words(&machine(
            Kind::Tcg,
            VsockDevice::User {
                socket: "/a,b/vhost.sock".into(),
            },
        ));
        assert_eq!(value(&words, "-kernel"), ["/image/kernel"]);
        assert_eq!(value(&words, "-initrd"), ["/image/initrd"]);
        assert_eq!(
            value(&words, "-append"),
            ["console=ttyS0 -- platform=simulated"]
        );
        assert_eq!(
            value(&words, "-device"),
            [
                "virtio-blk-pci,drive=disk-0123,serial=0123,multifunction=on,addr=10.0",
                "vhost-user-vsock-pci,chardev=vsock"
            ]
        );
        assert!(words.iter().any(|word| word == "-nodefaults"));
        assert!(
            !words
                .iter()
                .any(|word| word.starts_with("-net") || word.contains("virtio-net"))
        );
    }

    #[test]
    fn hands_over_a_path_with_commas_whole() {
        let words = words(&machine(
            Kind::Tcg,
            VsockDevice::User {
                socket: "/a,b/vhost.sock".into(),
            },
        ));
        assert!(value(&words, "-chardev").contains(&"socket,id=vsock,path=/a,,b/vhost.sock"));
    }

    #[test]
    fn follows_the_accelerator_and_the_vsock() {
        let words = words(&machine(Kind::Kvm, VsockDevice::Kernel { cid: 77 }));
        assert_eq!(value(&words, "-accel"), ["kvm"]);
        assert_eq!(value(&words, "-cpu"), ["host"]);
        assert!(value(&words, "-device").contains(&"vhost-vsock-pci,guest-cid=77"));
    }

    fn object(words: &[String]) -> serde_json::Value {
        let json = value(words, "-object")
            .into_iter()
            .find(|object| object.starts_with('{'));
        serde_json::from_str(json.unwrap()).unwrap()
    }

    #[test]
    fn an_snp_launch_binds_kernel_configuration_and_id_block() {
        let snp = Snp {
            firmware: "/image/firmware.fd".into(),
            cpu: CpuType::EPYC_V4,
            policy: GuestPolicy(0x3_0000),
            host_data: [7; 32],
            id_block: None,
            c_bit: CBit {
                position: 51,
                reduced: 1,
            },
        };
        let words = words(&Machine {
            protection: Protection::Snp(snp),
            gpus: vec!["41:00.0".parse().unwrap()],
            ..machine(Kind::Kvm, VsockDevice::Kernel { cid: 77 })
        });
        assert_eq!(
            object(&words),
            json!({
                "qom-type": "sev-snp-guest", "id": "protection", "cbitpos": 51, "reduced-phys-bits": 1,
                "policy": 0x3_0000, "kernel-hashes": true,
                "host-data": "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=",
            })
        );
        assert!(value(&words, "-machine")[0].ends_with(",confidential-guest-support=protection"));
        assert_eq!(value(&words, "-bios"), ["/image/firmware.fd"]);
        assert_eq!(value(&words, "-cpu"), ["EPYC-v4,host-phys-bits=on"]);
        let devices = value(&words, "-device");
        assert!(
            devices.contains(&"vhost-vsock-pci,guest-cid=77,disable-legacy=on,iommu_platform=on")
        );
        assert!(devices.contains(&"vfio-pci,host=0000:41:00.0,bus=gpu1,iommufd=iommu"));
    }

    #[test]
    fn a_tdx_launch_binds_the_configuration_and_names_who_makes_quotes() {
        let tdx = Tdx {
            firmware: "/image/firmware-tdx.fd".into(),
            mrconfigid: [0; 48],
            quotes: QuoteService::Vsock { cid: 2, port: 4050 },
        };
        let words = words(&Machine {
            protection: Protection::Tdx(tdx),
            ..machine(Kind::Kvm, VsockDevice::Kernel { cid: 77 })
        });
        assert_eq!(
            object(&words),
            json!({
                "qom-type": "tdx-guest", "id": "protection", "sept-ve-disable": true, "mrconfigid": "A".repeat(64),
                "quote-generation-socket": { "type": "vsock", "cid": "2", "port": "4050" },
            })
        );
        assert!(value(&words, "-machine")[0].ends_with("kernel-irqchip=split"));
        assert_eq!(value(&words, "-cpu"), ["host"]);
    }
}
