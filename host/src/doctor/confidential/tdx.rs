//! Intel TDX: the CPU, the BIOS, the kernel, KVM, and who makes quotes.

use std::path::Path;

use super::{Check, cpu, kernel, switched_on};

/// Where Intel's Quote Generation Service listens unless told otherwise.
const QUOTES: &str = "var/run/tdx-qgs/qgs.socket";

/// Whether KVM can start TDX guests.
pub(crate) fn is_on(root: &Path) -> bool {
    switched_on(&root.join("sys/module/kvm_intel/parameters/tdx"))
}

pub(super) fn checks(root: &Path) -> Vec<Check> {
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
             TME-MT/TDX key split above 0, SGX on",
        )];
    }
    vec![
        kernel(root, "tdx kernel", (6, 16), "starting TDX guests"),
        kvm(root),
        quotes(root),
    ]
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
    if root.join(QUOTES).exists() {
        Check::ok("tdx quotes", format!("/{QUOTES}"))
    } else {
        Check::lacks(
            "tdx quotes",
            format!("/{QUOTES} is not there"),
            "install Intel's tdx-qgs and register the platform (mpa_registration_tool or a PCCS); with its port set to 4050 \
             guests reach it by vsock, and --quotes names another place",
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{lacking, write};
    use super::*;

    #[test]
    fn names_each_thing_that_an_intel_machine_lacks() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(
            root,
            "proc/cpuinfo",
            "vendor_id\t: GenuineIntel\nflags\t\t: fpu\n",
        );
        assert_eq!(lacking(&checks(root)), ["tdx"]);
        write(
            root,
            "proc/cpuinfo",
            "vendor_id\t: GenuineIntel\nflags\t\t: fpu tdx_host_platform\n",
        );
        assert_eq!(lacking(&checks(root)), ["tdx kernel", "tdx", "tdx quotes"]);
        write(root, "proc/sys/kernel/osrelease", "6.16.3\n");
        write(root, "sys/module/kvm_intel/parameters/tdx", "Y\n");
        write(root, QUOTES, "");
        assert!(lacking(&checks(root)).is_empty());
    }
}
