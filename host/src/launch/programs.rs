//! Finds the programs that a run needs, and tells which versions of QEMU are good.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    process::Stdio,
};

use anyhow::Context;
use tokio::process::Command;

/// Points to `vhost-device-vsock` outside PATH.
pub(crate) const DEVICE_VARIABLE: &str = "CHRYSALIS_VHOST_DEVICE_VSOCK";
const DEVICE: &str = "vhost-device-vsock";
const QEMU: &str = "qemu-system-x86_64";

/// QEMU.
pub(crate) fn qemu() -> anyhow::Result<PathBuf> {
    in_path(QEMU).with_context(|| format!("there is no {QEMU} in PATH\nhint: {QEMU_FIX}"))
}

/// The user-space vsock device.
pub(crate) fn vsock_device() -> Option<PathBuf> {
    let beside_us = || {
        Some(
            env::current_exe()
                .ok()?
                .parent()?
                .parent()?
                .join("tools/bin")
                .join(DEVICE),
        )
    };
    in_path(DEVICE)
        .or_else(|| {
            env::var_os(DEVICE_VARIABLE)
                .map(PathBuf::from)
                .filter(|path| path.is_file())
        })
        .or_else(|| beside_us().filter(|path| path.is_file()))
}

fn in_path(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|program| program.is_file())
}

/// What to do if QEMU is missing, or old.
pub(crate) const QEMU_FIX: &str =
    "install QEMU 9.2 or newer (Debian: qemu-system-x86 of trixie or bookworm-backports)";
/// What to do if it [cannot start](QemuVersion::starts_tdx) guests under Intel TDX.
pub(crate) const TDX_FIX: &str =
    "install QEMU 10.1 or newer (Debian: qemu-system-x86 of trixie-backports)";

/// A version of QEMU.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct QemuVersion {
    major: u32,
    minor: u32,
}

/// How good a version is for this work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fitness {
    /// Tested.
    Good,
    /// Probably works; not tested.
    Untested,
    /// Known to crash guests.
    Crashes,
}

impl QemuVersion {
    /// Asks the program.
    pub(crate) async fn of(qemu: &Path) -> Option<Self> {
        let output = Command::new(qemu)
            .arg("--version")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output();
        Self::parse(&String::from_utf8_lossy(&output.await.ok()?.stdout))
    }

    /// Of what `--version` says.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text
            .split("version ")
            .nth(1)?
            .split(|character: char| !character.is_ascii_digit());
        Some(Self {
            major: numbers.next()?.parse().ok()?,
            minor: numbers.next()?.parse().ok()?,
        })
    }

    /// How good it is.
    pub(crate) fn fitness(self) -> Fitness {
        match (self.major, self.minor) {
            (10.., _) | (9, 2..) => Fitness::Good,
            (9, _) => Fitness::Untested,
            _ => Fitness::Crashes,
        }
    }

    /// Whether it knows what a guest under Intel TDX is.
    pub(crate) fn starts_tdx(self) -> bool {
        (self.major, self.minor) >= (10, 1)
    }
}

impl fmt::Display for QemuVersion {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_judges_versions() {
        let judged =
            |text| QemuVersion::parse(text).map(|version| (version.to_string(), version.fitness()));
        assert_eq!(
            judged("QEMU emulator version 7.2.11 (Debian 1:7.2+dfsg-7)\n"),
            Some(("7.2".to_owned(), Fitness::Crashes))
        );
        assert_eq!(
            judged("QEMU emulator version 9.0.1"),
            Some(("9.0".to_owned(), Fitness::Untested))
        );
        assert_eq!(
            judged("QEMU emulator version 9.2.0"),
            Some(("9.2".to_owned(), Fitness::Good))
        );
        assert_eq!(
            judged("QEMU emulator version 10.0.2 (…)"),
            Some(("10.0".to_owned(), Fitness::Good))
        );
        assert_eq!(judged("something else"), None);
        let starts_tdx = |text| QemuVersion::parse(text).unwrap().starts_tdx();
        assert!(!starts_tdx("QEMU emulator version 10.0.2"));
        assert!(starts_tdx("QEMU emulator version 10.1.0"));
        assert!(starts_tdx("QEMU emulator version 11.0.0"));
    }
}
