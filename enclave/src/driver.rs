//! Between the first step and the second, on images for GPUs: the driver. It comes on a disk from the host, read through
//! dm-verity; its root is on the measured command line, so every module, library and firmware on it is measured, too. The
//! kernel loads modules from that one file system alone (`LoadPin`), and once they are loaded it accepts no more from
//! anywhere. Until then, the disk's bytes are the only bytes from the host that are read.

use std::{fs, io, path::Path, sync::Arc};

use chrysalis_wire::boot::Stage;
use rustix::{
    fs::{CWD, FileType, Mode, makedev, mknodat},
    io::Errno,
    mount::{MountFlags, mount},
};

use crate::{
    boot::{Booted, Ground},
    console::since_boot_ms,
    disks::virtio,
    failure::Failure,
    machine::{self, Machine},
    words::Disk,
};

/// The serial number that the host gives its disk.
const SERIAL: &str = "driver";
/// What comes out of it through dm-verity.
const VERIFIED: &str = "/dev/driver";
/// Where its file system is mounted.
const PLACE: &str = "/nvidia";
/// Its modules, loaded in the order of their names.
const MODULES: &str = "/nvidia/modules";
/// One folder for each GPU that the driver holds.
const GPUS: &str = "/proc/driver/nvidia/gpus";
/// `NV_MAJOR_DEVICE_NUMBER` of the driver's nv-chardev-numbers.h, and its control device's minor number.
const NVIDIA: (u32, u32) = (195, 255);
/// Whether modules and firmware must all come from the file system that supplied the first of them.
const PINNED: &str = "/proc/sys/kernel/loadpin/enforce";
/// Whether the kernel accepts no more modules. This can be turned on, but not off.
const CLOSED: &str = "/proc/sys/kernel/modules_disabled";

/// An enclave whose kernel has all the code that it will ever have.
pub(crate) struct Locked {
    pub(crate) ground: Arc<Ground>,
    /// As [`Booted::untold`], with the driver's stage.
    pub(crate) untold: Vec<(Stage, u64)>,
}

impl Booted {
    /// Loads the driver, if the image has one, and locks the kernel.
    pub(crate) fn load_driver(self) -> Result<Locked, Failure> {
        let Self { ground, mut untold } = self;
        match (&ground.words.driver, ground.machine) {
            // Such an image's kernel loads no modules.
            (None, _) => {}
            (Some(_), Machine::Shared) => {
                return Err(failed(
                    "load it into a machine that is not the enclave's own",
                )(io::ErrorKind::Unsupported.into()));
            }
            (Some(disk), Machine::Own) => {
                open(disk)?;
                must_be_on(PINNED, "make sure that modules come from its disk alone")?;
                load_modules()?;
                make_nodes()?;
                close_kernel()?;
                untold.push((Stage::DriverLoaded, since_boot_ms()));
            }
        }
        Ok(Locked { ground, untold })
    }
}

fn failed(step: &'static str) -> impl FnOnce(io::Error) -> Failure {
    move |why| Failure::Driver { step, why }
}

fn open(disk: &Disk) -> Result<(), Failure> {
    let device = virtio::wait_for(SERIAL).map_err(failed("find its disk"))?;
    virtio::watch(&device, &disk.root, disk.blocks, Path::new(VERIFIED))?;
    let flags = MountFlags::RDONLY | MountFlags::NOSUID | MountFlags::NODEV;
    mount(VERIFIED, PLACE, "squashfs", flags, None)
        .map_err(|error| failed("mount its disk, which may not be this image's")(error.into()))
}

fn load_modules() -> Result<(), Failure> {
    for file in machine::list(Path::new(MODULES)).map_err(failed("read its modules"))? {
        match machine::load_module(&file) {
            Ok(()) => {}
            Err(Errno::NODEV) => return Err(Failure::NoGpu),
            Err(error) => return Err(failed("load its modules")(error.into())),
        }
    }
    Ok(())
}

/// The nodes that a desktop's udev would make: the driver's own, one for each GPU, and those for unified memory.
fn make_nodes() -> Result<(), Failure> {
    let (major, control) = NVIDIA;
    let mut gpus = fs::read_dir(GPUS).map_err(failed("list its GPUs"))?.count();
    node("/dev/nvidiactl", major, control)?;
    // Minor numbers count up from 0, in the order in which the GPUs were found.
    while let Some(minor) = gpus.checked_sub(1) {
        let number = u32::try_from(minor).unwrap_or(u32::MAX);
        node(&format!("/dev/nvidia{minor}"), major, number)?;
        gpus = minor;
    }
    let devices = fs::read_to_string("/proc/devices").map_err(failed("read /proc/devices"))?;
    let memory = major_of("nvidia-uvm", &devices).ok_or_else(|| {
        failed("find nvidia-uvm among the devices")(io::ErrorKind::NotFound.into())
    })?;
    node("/dev/nvidia-uvm", memory, 0)?;
    node("/dev/nvidia-uvm-tools", memory, 1)
}

/// The number before a name in /proc/devices.
fn major_of(name: &str, devices: &str) -> Option<u32> {
    let mut lines = devices
        .lines()
        .filter_map(|line| line.trim().split_once(' '));
    let (number, _) = lines.find(|(_, found)| *found == name)?;
    number.parse().ok()
}

fn node(path: &str, major: u32, minor: u32) -> Result<(), Failure> {
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(
        CWD,
        path,
        FileType::CharacterDevice,
        mode,
        makedev(major, minor),
    )
    .map_err(|error| failed("make its device nodes")(error.into()))
}

/// From here on the kernel accepts no code from anyone. Read back, because an enclave that only assumes so must not go on.
fn close_kernel() -> Result<(), Failure> {
    fs::write(CLOSED, "1").map_err(failed("close the kernel to modules"))?;
    must_be_on(CLOSED, "close the kernel to modules")
}

/// A switch of the kernel that has to be on.
fn must_be_on(switch: &str, step: &'static str) -> Result<(), Failure> {
    let state = fs::read_to_string(switch).map_err(failed(step))?;
    if state.trim() == "1" {
        return Ok(());
    }
    Err(failed(step)(io::ErrorKind::PermissionDenied.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_number_of_a_device() {
        let devices = "Character devices:\n  1 mem\n195 nvidia\n506 nvidia-uvm\n\nBlock devices:\n254 virtblk\n";
        assert_eq!(major_of("nvidia-uvm", devices), Some(506));
        assert_eq!(major_of("mem", devices), Some(1));
        assert_eq!(major_of("nvidia-modeset", devices), None);
    }

    #[test]
    fn goes_on_only_when_the_kernel_says_that_a_switch_is_on() {
        let folder = tempfile::tempdir().unwrap();
        let switch = folder.path().join("switch");
        let state = |text: &str| {
            fs::write(&switch, text).unwrap();
            must_be_on(switch.to_str().unwrap(), "see").map_err(|failure| failure.code())
        };
        assert_eq!(state("1\n"), Ok(()));
        for off in ["0\n", "", "10\n", "y\n"] {
            assert_eq!(state(off), Err("driver_failed"), "{off:?}");
        }
        assert!(must_be_on("/nowhere/at/all", "see").is_err());
    }
}
