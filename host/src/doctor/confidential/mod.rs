//! What would make a run confidential: the CPU's protection of memory, and a GPU that takes part in it. A simulated run
//! needs none of it. Read from the kernel's own files, which need no tool and no privilege.

mod gpu;
mod snp;
mod tdx;

use std::{fs, path::Path};

use rustix::fs::{Access, access};

use super::Check;
use crate::launch::programs::QemuVersion;
pub(crate) use snp::is_on as snp_is_on;
pub(crate) use tdx::is_on as tdx_is_on;

/// Everything about confidentiality, with the QEMU that was found.
pub(super) fn checks(qemu: Option<QemuVersion>) -> Vec<Check> {
    checks_under(Path::new("/"), qemu)
}

fn checks_under(root: &Path, qemu: Option<QemuVersion>) -> Vec<Check> {
    [
        snp::checks(root),
        tdx::checks(root, qemu),
        gpu::checks(root),
    ]
    .concat()
}

/// What keeps whoever runs this from a device, if anything does.
fn hindrance(root: &Path, device: &str) -> Option<Hindrance> {
    let path = root.join(device);
    if !path.exists() {
        return Some(Hindrance::Absent);
    }
    let allowed = access(&path, Access::READ_OK | Access::WRITE_OK).is_ok();
    (!allowed).then_some(Hindrance::Forbidden)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hindrance {
    Absent,
    Forbidden,
}

/// A device that this user may not open, and udev's words for it.
fn forbidden(name: &'static str, device: &str, rule: &str) -> Check {
    Check::lacks(
        name,
        format!("no permission to open /{device}"),
        format!(
            "run as root, or give it to the group kvm: {rule}, GROUP=\"kvm\", MODE=\"0660\" in /etc/udev/rules.d"
        ),
    )
}

/// A module's switch.
fn switched_on(parameter: &Path) -> bool {
    fs::read_to_string(parameter).is_ok_and(|text| matches!(text.trim(), "Y" | "1"))
}

/// Whether the first CPU's vendor is this one, and whether it has this flag.
fn cpu(root: &Path, vendor: &str, flag: &str) -> (bool, bool) {
    let has = cpuinfo(root, "flags").split(' ').any(|it| it == flag);
    (cpuinfo(root, "vendor_id") == vendor, has)
}

/// What the kernel says about the first CPU; nothing if it does not.
fn cpuinfo(root: &Path, name: &str) -> String {
    let text = fs::read_to_string(root.join("proc/cpuinfo")).unwrap_or_default();
    let mut lines = text.lines().filter_map(|line| line.split_once(':'));
    let found = lines.find(|(found, _)| found.trim_end() == name);
    found.map_or_else(String::new, |(_, value)| value.trim().to_owned())
}

/// Whether the host's kernel is new enough.
fn kernel(root: &Path, name: &'static str, wanted: (u32, u32), what: &str) -> Check {
    let release = fs::read_to_string(root.join("proc/sys/kernel/osrelease")).unwrap_or_default();
    let mut numbers = release
        .split(|character: char| !character.is_ascii_digit())
        .map_while(|number| number.parse::<u32>().ok());
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    let text = format!("Linux {}", release.trim());
    if found >= wanted {
        Check::ok(name, text)
    } else {
        let (major, minor) = wanted;
        let fix =
            format!("{what} is in the kernel from {major}.{minor} on: install that or a newer one");
        Check::lacks(name, text, fix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::Outcome;

    pub(super) fn write(root: &Path, name: &str, text: &str) {
        let path = root.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    pub(super) fn lacking(checks: &[Check]) -> Vec<&'static str> {
        let lacks = |check: &&Check| check.outcome == Outcome::Lacks;
        checks
            .iter()
            .filter(lacks)
            .map(|check| check.name)
            .collect()
    }

    #[test]
    fn finds_nothing_on_an_empty_machine() {
        let root = tempfile::tempdir().unwrap();
        let checks = checks_under(root.path(), None);
        assert_eq!(lacking(&checks), ["snp", "tdx", "gpu"]);
        assert_eq!(
            checks.len(),
            3,
            "one line for each thing that is not there at all"
        );
    }

    #[test]
    fn reads_kernel_versions_as_numbers() {
        let root = tempfile::tempdir().unwrap();
        let judged = |release: &str| {
            write(root.path(), "proc/sys/kernel/osrelease", release);
            kernel(root.path(), "kernel", (6, 11), "it").outcome
        };
        assert_eq!(judged("6.9.12-amd64\n"), Outcome::Lacks);
        assert_eq!(judged("6.12.107+deb13-amd64\n"), Outcome::Ok);
        assert_eq!(judged("7.0.1\n"), Outcome::Ok);
        assert_eq!(judged("garbage"), Outcome::Lacks);
    }
}
