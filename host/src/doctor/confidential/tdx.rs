//! Intel TDX: the CPU, the BIOS, the kernel, KVM, and who makes quotes.

use std::{fs, path::Path};

use super::kernel::{cpu, kernel, kvm};
use crate::{
    doctor::check::Check,
    launch::{
        platform::Platform,
        programs::{QemuVersion, TDX_FIX},
        protection::QUOTE_SOCKET,
    },
};

/// The configuration of Intel's Quote Generation Service.
const QUOTES: &str = "etc/qgs.conf";
const BY_PORT: &str = "put `port = 4050` in /etc/qgs.conf, then run `systemctl restart qgsd`";

pub(super) fn checks(root: &Path, qemu: Option<QemuVersion>) -> Vec<Check> {
    let (intel, flag) = cpu(root, "GenuineIntel", "tdx_host_platform");
    if !intel || !flag && !Platform::Tdx.is_on(root) {
        let found = if intel {
            "the kernel sees no TDX in the CPU"
        } else {
            "the CPU is not Intel's"
        };
        return vec![Check::missing(
            "tdx",
            found,
            "use a Xeon of the 4th generation with TDX, or of the 5th or newer; in the BIOS, turn on TME, TME-MT, TDX, SEAM Loader \
             and SGX, and set the TME-MT/TDX key split above 0; install Linux 6.16 or newer built with CONFIG_INTEL_TDX_HOST \
             (Ubuntu's since 25.10, not Debian's)",
        )];
    }
    let mut checks = vec![
        kernel(root, "tdx kernel", (6, 16), "starting TDX guests"),
        kvm(
            root,
            Platform::Tdx,
            "tdx",
            "put kvm_intel.tdx=1 and nohibernate on the host's kernel command line; run `dmesg | grep -i tdx` to see what prevents it",
        ),
        quotes(root),
    ];
    checks.extend(qemu.map(starts_guests));
    checks
}

fn starts_guests(qemu: QemuVersion) -> Check {
    let found = format!("QEMU {qemu}");
    if qemu.starts_tdx() {
        return Check::ok("tdx qemu", found);
    }
    let found = format!("{found} cannot start TDX guests");
    Check::missing("tdx qemu", found, TDX_FIX)
}

fn quotes(root: &Path) -> Check {
    match port(root).as_deref() {
        Some("4050") => Check::ok("tdx quotes", format!("port 4050, according to /{QUOTES}")),
        Some(other) => Check::missing(
            "tdx quotes",
            format!("port {other}, according to /{QUOTES}; guests ask on 4050"),
            BY_PORT,
        ),
        None if root.join(QUOTE_SOCKET).exists() => Check::ok(
            "tdx quotes",
            format!("/{QUOTE_SOCKET}"),
        )
        .advising(format!(
            "{BY_PORT}: guests then ask it directly, instead of through QEMU, which takes a second for each quote"
        )),
        None => Check::missing(
            "tdx quotes",
            format!("neither a port in /{QUOTES} nor /{QUOTE_SOCKET}"),
            format!("install Intel's tdx-qgs, register the platform (mpa_registration_tool or a PCCS), and {BY_PORT}"),
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
    use super::super::kernel::tests::{missing, write};
    use super::*;
    use crate::doctor::check::Outcome;

    #[test]
    fn names_each_thing_missing_on_an_intel_machine() {
        let root = tempfile::tempdir().unwrap();
        let root = root.path();
        write(
            root,
            "proc/cpuinfo",
            "vendor_id\t: GenuineIntel\nflags\t\t: fpu\n",
        );
        let missing = |qemu| missing(&checks(root, qemu));
        let old = QemuVersion::parse("QEMU emulator version 10.0.2");
        let new = QemuVersion::parse("QEMU emulator version 10.1.0");
        assert_eq!(missing(None), ["tdx"]);
        write(
            root,
            "proc/cpuinfo",
            "vendor_id\t: GenuineIntel\nflags\t\t: fpu tdx_host_platform\n",
        );
        let all = ["tdx kernel", "tdx", "tdx quotes", "tdx qemu"];
        assert_eq!(missing(old), all);
        write(root, "proc/sys/kernel/osrelease", "6.16.3\n");
        write(root, "sys/module/kvm_intel/parameters/tdx", "Y\n");
        write(root, QUOTE_SOCKET, "");
        assert_eq!(missing(old), ["tdx qemu"]);
        assert!(missing(new).is_empty());
    }

    #[test]
    fn the_quote_service_listens_where_guests_ask() {
        let root = tempfile::tempdir().unwrap();
        let judged = |configuration: &str| {
            write(root.path(), QUOTES, configuration);
            quotes(root.path()).outcome
        };
        assert_eq!(
            judged("#port = 4050\nnumber_threads = 4\n"),
            Outcome::Missing
        );
        assert_eq!(judged("port = 4051\n"), Outcome::Missing);
        assert_eq!(judged("port = 4050\n"), Outcome::Ok);
        write(root.path(), QUOTE_SOCKET, "");
        assert_eq!(judged("#port = 4050\n"), Outcome::Ok);
    }
}
