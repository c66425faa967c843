//! What a simulated run needs, and what makes it faster.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

use super::{check::Check, options::DoctorOptions};
use crate::{
    launch::{
        accelerator,
        programs::{self, Fitness, QEMU_FIX, QemuVersion},
        vsock::{self, VsockWay},
    },
    state,
};

/// Memory for the default guest and QEMU around it.
const WANTED_MEMORY_MIB: u64 = 1536;
/// Disk for the state folder: consoles are bounded, keys are small.
const WANTED_DISK_MIB: u64 = 64;

/// Everything about the machine as such.
pub(super) async fn checks(
    options: &DoctorOptions,
    qemu: anyhow::Result<PathBuf>,
    found: Option<QemuVersion>,
) -> Vec<Check> {
    let mut checks = Vec::new();
    match qemu {
        Ok(qemu) => {
            checks.push(version(found).needed());
            checks.push(kvm(&qemu).await);
        }
        Err(error) => {
            checks.push(
                Check::missing("qemu", "there is no qemu-system-x86_64 in PATH", QEMU_FIX).needed(),
            );
            checks.push(Check::missing(
                "kvm",
                format!("not tried: {}", first_line(&error)),
                "install QEMU first",
            ));
        }
    }
    checks.push(vhost_vsock());
    checks.push(vsock_device());
    checks.push(firmware(&options.image));
    checks.push(memory(&fs::read_to_string("/proc/meminfo").unwrap_or_default()).needed());
    checks.push(disk(options.state.as_deref()).needed());
    checks
}

fn version(version: Option<QemuVersion>) -> Check {
    let Some(version) = version else {
        return Check::missing("qemu", "cannot tell its version", QEMU_FIX);
    };
    let found = format!("QEMU {version}");
    match version.fitness() {
        Fitness::Good => Check::ok("qemu", found),
        Fitness::Untested => Check::ok("qemu", format!("{found}, untested")).advising(QEMU_FIX),
        Fitness::Crashes => Check::missing(
            "qemu",
            format!(
                "{found}; versions as old as 7.2 crash 6.12 kernels under emulation at random (cmpxchg16b)"
            ),
            QEMU_FIX,
        ),
    }
}

async fn kvm(qemu: &Path) -> Check {
    match accelerator::kvm(qemu, &env::temp_dir()).await {
        Ok(()) => Check::ok("kvm", "a trial run worked"),
        Err(why) => Check::missing(
            "kvm",
            format!("{why}; guests are emulated, slowly"),
            "turn virtualization on in the BIOS, or nested virtualization in the cloud's settings; join the group that owns /dev/kvm",
        ),
    }
}

fn vhost_vsock() -> Check {
    match vsock::kernel() {
        Ok(()) => Check::ok("vhost-vsock", "/dev/vhost-vsock works"),
        Err(why) => Check::missing(
            "vhost-vsock",
            why,
            "run `modprobe vhost_vsock` as root; without it, vhost-device-vsock is used",
        ),
    }
}

fn vsock_device() -> Check {
    match (programs::vsock_device(), VsockWay::find()) {
        (Some(program), _) => {
            Check::ok("vhost-device-vsock", program.display().to_string()).needed()
        }
        (None, Ok(_)) => Check::ok(
            "vhost-device-vsock",
            "none, and none is needed with vhost-vsock",
        ),
        (None, Err(_)) => Check::missing(
            "vhost-device-vsock",
            format!(
                "neither in PATH nor where {} points",
                programs::DEVICE_VARIABLE
            ),
            "run `make setup`, or `cargo install vhost-device-vsock --version 0.3.0 --locked`",
        )
        .needed(),
    }
}

fn firmware(image: &Path) -> Check {
    let path = image.join("firmware.fd");
    match fs::metadata(&path) {
        Ok(file) => Check::ok(
            "firmware",
            format!("{}, {} KiB", path.display(), file.len() >> 10),
        ),
        Err(error) => Check::missing(
            "firmware",
            format!("{}: {error}", path.display()),
            "build an image with `make image`, or name another folder with --image",
        ),
    }
}

fn memory(meminfo: &str) -> Check {
    let available = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))
        .and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u64>().ok())
        .map(|kib| kib >> 10);
    match available {
        Some(mib) if mib >= WANTED_MEMORY_MIB => {
            Check::ok("memory", format!("{mib} MiB available"))
        }
        Some(mib) => Check::missing(
            "memory",
            format!("{mib} MiB available; the default guest needs {WANTED_MEMORY_MIB}"),
            "end other programs, or start a smaller guest with `--memory` for a smaller model",
        ),
        None => Check::missing("memory", "/proc/meminfo does not say", "mount /proc"),
    }
}

fn disk(folder: Option<&Path>) -> Check {
    let folder = match folder.map_or_else(state::default_path, |folder| Ok(folder.to_owned())) {
        Ok(folder) => folder,
        Err(error) => {
            return Check::missing(
                "disk",
                first_line(&error),
                "choose a state folder with --state",
            );
        }
    };
    let free = folder
        .ancestors()
        .find(|ancestor| ancestor.exists())
        .and_then(|existing| {
            let disk = rustix::fs::statvfs(existing).ok()?;
            disk.f_bavail
                .checked_mul(disk.f_frsize)
                .map(|bytes| bytes >> 20)
        });
    match free {
        Some(mib) if mib >= WANTED_DISK_MIB => {
            Check::ok("disk", format!("{mib} MiB free for {}", folder.display()))
        }
        found => Check::missing(
            "disk",
            format!(
                "{} MiB free for {}; {WANTED_DISK_MIB} are needed",
                found.unwrap_or(0),
                folder.display()
            ),
            "make room, or choose another folder with --state",
        ),
    }
}

fn first_line(error: &anyhow::Error) -> String {
    error
        .to_string()
        .lines()
        .next()
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::check::Outcome;

    #[test]
    fn reads_the_available_memory() {
        let check = memory("MemTotal:       9 kB\nMemAvailable:   2097152 kB\n");
        assert_eq!(
            (check.outcome, check.found.as_str()),
            (Outcome::Ok, "2048 MiB available")
        );
        assert_eq!(memory("MemAvailable: 1024 kB\n").outcome, Outcome::Missing);
        assert_eq!(memory("").outcome, Outcome::Missing);
    }

    #[test]
    fn names_the_firmware_that_is_missing() {
        let check = firmware(Path::new("/no/such/folder"));
        assert_eq!(check.outcome, Outcome::Missing);
        assert!(
            check.found.starts_with("/no/such/folder/firmware.fd: "),
            "{}",
            check.found
        );
    }

    #[test]
    fn measures_the_disk_of_a_folder_that_is_not_there_yet() {
        let folder = tempfile::tempdir().unwrap();
        let check = disk(Some(&folder.path().join("not/yet")));
        assert!(check.found.contains("MiB free for"), "{}", check.found);
    }
}
