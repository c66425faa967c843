//! What the host's kernel says, read from its own files.

use std::{fs, path::Path};

use rustix::fs::{Access, access};

use crate::{doctor::check::Check, launch::platform::Platform};

/// What keeps this user from a device, if anything does.
pub(super) fn hindrance(root: &Path, device: &str) -> Option<Hindrance> {
    let path = root.join(device);
    if !path.exists() {
        return Some(Hindrance::Absent);
    }
    let allowed = access(&path, Access::READ_OK | Access::WRITE_OK).is_ok();
    (!allowed).then_some(Hindrance::Forbidden)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hindrance {
    Absent,
    Forbidden,
}

/// A device that this user may not open, and udev's rule for it.
pub(super) fn forbidden(name: &'static str, device: &str, rule: &str) -> Check {
    Check::missing(
        name,
        format!("no permission to open /{device}"),
        format!(
            "run as root, or give it to the group kvm with {rule}, GROUP=\"kvm\", MODE=\"0660\" in /etc/udev/rules.d"
        ),
    )
}

/// Whether the first CPU's vendor is this one, and whether it has this flag.
pub(super) fn cpu(root: &Path, vendor: &str, flag: &str) -> (bool, bool) {
    let has = cpuinfo(root, "flags").split(' ').any(|it| it == flag);
    (cpuinfo(root, "vendor_id") == vendor, has)
}

/// What the kernel says about the first CPU; empty if nothing.
pub(super) fn cpuinfo(root: &Path, name: &str) -> String {
    let text = fs::read_to_string(root.join("proc/cpuinfo")).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(found, _)| found.trim_end() == name);
    found.map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

/// Whether the host's kernel is new enough.
pub(super) fn kernel(root: &Path, name: &'static str, wanted: (u32, u32), what: &str) -> Check {
    let release = fs::read_to_string(root.join("proc/sys/kernel/osrelease")).unwrap_or_default();
    let mut numbers = release
        .split(|character: char| !character.is_ascii_digit())
        .map_while(|number| number.parse::<u32>().ok());
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let (major, minor) = wanted;
    let fix = format!("install Linux {major}.{minor} or newer, which brings {what}");
    let text = format!("Linux {}", release.trim());
    Check::of(name, found >= wanted, text, fix)
}

/// Whether KVM can start guests under this platform.
pub(super) fn kvm(root: &Path, platform: Platform, name: &'static str, fix: &str) -> Check {
    let on = platform.is_on(root);
    let found = format!("{platform} is {} in KVM", if on { "on" } else { "off" });
    Check::of(name, on, found, fix)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::doctor::check::Outcome;

    pub(crate) fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(crate) fn missing(checks: &[Check]) -> Vec<&'static str> {
        let missing = |check: &&Check| check.outcome == Outcome::Missing;
        checks
            .iter()
            .filter(missing)
            .map(|check| check.name)
            .collect()
    }

    #[test]
    fn reads_kernel_versions_as_numbers() {
        let root = tempfile::tempdir().unwrap();
        let judged = |release: &str| {
            write(root.path(), "proc/sys/kernel/osrelease", release);
            kernel(root.path(), "kernel", (6, 11), "it").outcome
        };
        assert_eq!(judged("6.9.12-amd64\n"), Outcome::Missing);
        assert_eq!(judged("6.12.107+deb13-amd64\n"), Outcome::Ok);
        assert_eq!(judged("7.0.1\n"), Outcome::Ok);
        assert_eq!(judged("garbage"), Outcome::Missing);
    }
}
