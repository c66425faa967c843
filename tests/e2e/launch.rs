//! The real launches, checked with QEMU itself: it knows every word of them, and on a machine without the hardware its
//! only complaint is that the hardware is missing.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use std::{
    collections::BTreeSet,
    os::unix::net::UnixListener,
    process::{Command, Output},
};

use chrysalis_tests::paths;
use tempfile::TempDir;

/// Properties that QEMU's help leaves out; it refuses an object that has none of them.
const UNLISTED: [&str; 2] = ["cbitpos", "reduced-phys-bits"];
/// What QEMU says where the CPU, its KVM or the IOMMU is not up to it. Anything else is our mistake.
const HARDWARE_IS_MISSING: [&str; 6] = [
    "vm-type SEV-SNP not supported by KVM",
    "vm-type TDX not supported by KVM",
    "Could not access KVM kernel module",
    "failed to initialize kvm",
    "KVM doesn't support TDX",
    "/dev/iommu does not exist",
];

/// A command that was printed, and the folder that it speaks of.
struct Printed {
    command: String,
    /// Where QEMU connects if the guest's vsock is a program's.
    _vsock: (TempDir, UnixListener),
}

fn printed(platform: &str, more: &[&str]) -> Printed {
    let state = tempfile::tempdir().unwrap();
    let vsock = UnixListener::bind(state.path().join("vhost.sock")).unwrap();
    let output = Command::new(paths::tool("chrysalis-host"))
        .arg("run")
        .arg(paths::image())
        .arg("--configuration")
        .arg(paths::configuration())
        .arg("--disks")
        .arg(paths::disks())
        .args(["--print", "--platform", platform, "--state"])
        .arg(state.path())
        .args(more)
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{error}");
    Printed {
        command: String::from_utf8(output.stdout).unwrap(),
        _vsock: (state, vsock),
    }
}

/// The values of an option in a printed command, one option a line.
fn values<'a>(command: &'a str, option: &str) -> Vec<&'a str> {
    command
        .lines()
        .filter_map(|line| {
            line.trim()
                .trim_end_matches(" \\")
                .strip_prefix(option)?
                .strip_prefix(' ')
        })
        .collect()
}

fn qemu(arguments: &[&str]) -> Output {
    Command::new("qemu-system-x86_64")
        .args(arguments)
        .output()
        .unwrap()
}

/// The properties that QEMU lists in `-object NAME,help` or `-device NAME,help`.
fn properties(option: &str, name: &str) -> Option<BTreeSet<String>> {
    let output = qemu(&[option, &format!("{name},help")]);
    let text = String::from_utf8(output.stdout).unwrap();
    let listed = |line: &str| line.trim().split_once('=').map(|(name, _)| name.to_owned());
    output
        .status
        .success()
        .then(|| text.lines().filter_map(listed).collect())
}

/// Whether this QEMU has the object; then every property is one that it lists, where it lists any.
fn knows_the_object(command: &str) -> bool {
    let object = values(command, "-object")
        .into_iter()
        .find(|object| object.starts_with("'{"));
    let object: serde_json::Value =
        serde_json::from_str(object.unwrap().trim_matches('\'')).unwrap();
    let object = object.as_object().unwrap();
    let kind = object["qom-type"].as_str().unwrap();
    let Some(mut known) = properties("-object", kind) else {
        chrysalis_test_support::skip(format!("this QEMU has no {kind}"));
        return false;
    };
    if !known.is_empty() {
        let listed_nowhere = ["qom-type", "id"].into_iter().chain(UNLISTED);
        known.extend(listed_nowhere.map(str::to_owned));
        let ours: BTreeSet<String> = object.keys().cloned().collect();
        let unknown: Vec<_> = ours.difference(&known).collect();
        assert!(unknown.is_empty(), "{kind} has no {unknown:?}");
    }
    true
}

fn knows_the_devices(command: &str) {
    for device in values(command, "-device") {
        let mut words = device.split(',');
        let name = words.next().unwrap();
        let known =
            properties("-device", name).unwrap_or_else(|| panic!("QEMU has no device {name}"));
        for word in words {
            let (property, _) = word.split_once('=').unwrap();
            let is_known = ["bus", "id"].contains(&property) || known.contains(property);
            assert!(is_known, "{name} has no property {property}");
        }
    }
}

/// Runs the command as a shell does: it must come as far as asking KVM for the hardware.
fn only_the_hardware_is_missing(command: &str) {
    let output = Command::new("sh").args(["-c", command]).output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success(),
        "QEMU started a protected guest on a machine of tests"
    );
    assert!(
        HARDWARE_IS_MISSING
            .iter()
            .any(|missing| error.contains(missing)),
        "{error}"
    );
}

#[test]
fn qemu_understands_an_snp_launch() {
    let printed = printed("snp", &[]);
    assert!(knows_the_object(&printed.command));
    knows_the_devices(&printed.command);
    only_the_hardware_is_missing(&printed.command);
}

#[test]
fn qemu_understands_a_launch_with_gpus() {
    let printed = printed("snp", &["--gpu", "41:00.0", "--gpu", "c1:00.0"]);
    knows_the_devices(&printed.command);
    only_the_hardware_is_missing(&printed.command);
}

#[test]
fn qemu_understands_a_tdx_launch() {
    let printed = printed("tdx", &[]);
    if knows_the_object(&printed.command) {
        knows_the_devices(&printed.command);
        only_the_hardware_is_missing(&printed.command);
    }
}

#[test]
fn a_machine_without_the_hardware_is_told_so_before_anything_starts() {
    let output = Command::new(paths::tool("chrysalis-host"))
        .arg("run")
        .arg(paths::image())
        .arg("--configuration")
        .arg(paths::configuration())
        .arg("--disks")
        .arg(paths::disks())
        .args(["--platform", "tdx"])
        .output()
        .unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(
        error.contains("cannot launch under Intel TDX") && error.contains("doctor"),
        "{error}"
    );
}
