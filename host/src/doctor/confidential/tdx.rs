//! Intel TDX: the CPU, the BIOS, the kernel, KVM, and who makes quotes.

use std::{fs, path::Path};

use super::{Check, cpu, kernel, switched_on};
use crate::launch::{
    programs::{QemuVersion, TDX_FIX},
    protection::QUOTE_SOCKET,
};

/// The configuration of Intel's Quote Generation Service.
const QUOTES: &str = "etc/qgs.conf";
const BY_PORT: &str = "`port = 4050` in /etc/qgs.conf, then `systemctl restart qgsd`";

/// Whether KVM can start TDX guests.
pub(crate) fn is_on(root: &Path) -> bool {
    switched_on(&root.join("sys/module/kvm_intel/parameters/tdx"))
}

pub(super) fn checks(root: &Path, qemu: Option<QemuVersion>) -> Vec<Check> {
    let (intel, flag) = cpu(root, "GenuineIntel", "tdx_host_platform");
    if !intel || !flag && !is_on(root) {
        let found = if intel {
            "the kernel sees no TDX in the CPU"
        } else {
            "the CPU is not Intel's"
        };
        return vec![Check::lacks(
            "tdx",
            found,
            "a Xeon of the 4th generation with TDX, or of the 5th or newer; in the BIOS: TME, TME-MT, TDX and SEAM Loader on, \
             TME-MT/TDX key split above 0, SGX on; a kernel from 6.16 on that was built with CONFIG_INTEL_TDX_HOST (Ubuntu's \
             from 25.10 on, not Debian's)",
        )];
    }
    let mut checks = vec![
        kernel(root, "tdx kernel", (6, 16), "starting TDX guests"),
        kvm(root),
        quotes(root),
    ];
    checks.extend(qemu.map(starts_guests));
    checks
}

fn starts_guests(qemu: QemuVersion) -> Check {
    let found = format!("QEMU {qemu}");
    if qemu.starts_tdx() {
        Check::ok("tdx qemu", found)
    } else {
        Check::lacks(
            "tdx qemu",
            format!("{found} cannot start TDX guests"),
            TDX_FIX,
        )
    }
}

fn kvm(root: &Path) -> Check {
    if is_on(root) {
        Check::ok("tdx", "kvm_intel has TDX on")
    } else {
        Check::lacks(
            "tdx",
            "kvm_intel does not have TDX on",
            "kvm_intel.tdx=1 and nohibernate on the host's kernel command line; `dmesg | grep -i tdx` says what hinders it",
        )
    }
}

fn quotes(root: &Path) -> Check {
    match port(root).as_deref() {
        Some("4050") => Check::ok("tdx quotes", format!("port 4050, says /{QUOTES}")),
        Some(other) => Check::lacks(
            "tdx quotes",
            format!("port {other}, says /{QUOTES}; guests ask on 4050"),
            BY_PORT,
        ),
        None if root.join(QUOTE_SOCKET).exists() => Check::ok(
            "tdx quotes",
            format!("/{QUOTE_SOCKET}"),
        )
        .advising(format!(
            "guests get to it through QEMU, which takes a second a quote; with {BY_PORT} they ask by themselves"
        )),
        None => Check::lacks(
            "tdx quotes",
            format!("neither a port in /{QUOTES} nor /{QUOTE_SOCKET}"),
            format!("install Intel's tdx-qgs and register the platform (mpa_registration_tool or a PCCS); {BY_PORT}"),
        ),
    }
}

/// The port that the service was told to listen on, in a line of its own.
fn port(root: &Path) -> Option<String> {
    let text = fs::read_to_string(root.join(QUOTES)).ok()?;
    let value = |line: &str| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == "port").then(|| value.trim().to_owned())
    };
    text.lines().find_map(value)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lacking, write};
    use super::*;
    use crate::doctor::Outcome;

    #[test]
    fn names_each_thing_that_an_intel_machine_lacks() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(
            root,
            "proc/cpuinfo",
            "vendor_id\t: GenuineIntel\nflags\t\t: fpu\n",
        );
        let lacking = |qemu| lacking(&checks(root, qemu));
        let old = QemuVersion::parse("QEMU emulator version 10.0.2");
        let new = QemuVersion::parse("QEMU emulator version 10.1.0");
        assert_eq!(lacking(None), ["tdx"]);
        write(
            root,
            "proc/cpuinfo",
            "vendor_id\t: GenuineIntel\nflags\t\t: fpu tdx_host_platform\n",
        );
        let all = ["tdx kernel", "tdx", "tdx quotes", "tdx qemu"];
        assert_eq!(lacking(old), all);
        write(root, "proc/sys/kernel/osrelease", "6.16.3\n");
        write(root, "sys/module/kvm_intel/parameters/tdx", "Y\n");
        write(root, QUOTE_SOCKET, "");
        assert_eq!(lacking(old), ["tdx qemu"]);
        assert!(lacking(new).is_empty());
    }

    #[test]
    fn the_quote_service_listens_where_guests_ask() {
        let root = tempfile::tempdir().unwrap();
        let judged = |configuration: &str| {
            write(root.path(), QUOTES, configuration);
            quotes(root.path()).outcome
        };
        assert_eq!(judged("#port = 4050\nnumber_threads = 4\n"), Outcome::Lacks);
        assert_eq!(judged("port = 4051\n"), Outcome::Lacks);
        assert_eq!(judged("port = 4050\n"), Outcome::Ok);
        write(root.path(), QUOTE_SOCKET, "");
        assert_eq!(judged("#port = 4050\n"), Outcome::Ok);
    }
}
