//! Lies that only the VM can tell: what boots is not what was promised. One VM at a time.

use std::{fs, path::Path, sync::Mutex};

use chrysalis_tests::{
    machine::{Machine, Plan, chrysalis, text},
    paths,
};

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// Verifies under the honest policy: the exit code, and all that was printed.
fn verify(machine: &Machine) -> (Option<i32>, String) {
    let output = chrysalis(&[
        "verify",
        &machine.url(),
        "--policy",
        &machine.policy().to_string_lossy(),
    ]);
    (
        output.status.code(),
        text(&output.stdout) + &text(&output.stderr),
    )
}

fn flip_last_byte_before(path: &Path, from_end: usize) {
    let mut bytes = fs::read(path).expect("a file");
    let at = bytes.len() - from_end;
    bytes[at] ^= 1;
    fs::write(path, bytes).expect("a changed file");
}

#[test]
fn one_byte_of_the_initrd_changed_is_an_unknown_launch_digest() {
    let _turn = ONE_AT_A_TIME.lock();
    let folder = tempfile::tempdir().expect("a folder");
    // The padding at the archive's end: the guest boots all the same, and only the measurement tells.
    let plan = Plan::vm().with_image(&folder.path().join("image"), |image| {
        flip_last_byte_before(&image.join("initrd"), 1);
    });
    let machine = Machine::boot(&plan);
    let (code, printed) = verify(&machine);
    assert_eq!(code, Some(1), "{printed}");
    assert!(
        printed.contains("launch_digest_unknown") && printed.contains("hint:"),
        "{printed}"
    );
}

#[test]
fn another_kernel_command_line_is_an_unknown_launch_digest() {
    let _turn = ONE_AT_A_TIME.lock();
    let folder = tempfile::tempdir().expect("a folder");
    let plan = Plan::vm().with_image(&folder.path().join("image"), |image| {
        let path = image.join("cmdline-simulated");
        let line = fs::read_to_string(&path).expect("a command line");
        fs::write(&path, format!("debug {line}")).expect("a changed command line");
    });
    let machine = Machine::boot(&plan);
    let (code, printed) = verify(&machine);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("launch_digest_unknown"), "{printed}");
}

#[test]
fn another_configuration_is_refused_by_name() {
    let _turn = ONE_AT_A_TIME.lock();
    let folder = tempfile::tempdir().expect("a folder");
    let configuration = folder.path().join("configuration.toml");
    let text = fs::read_to_string(paths::configuration()).expect("a configuration");
    fs::write(&configuration, text + "# not what was promised\n").expect("a changed configuration");
    let machine = Machine::boot(&Plan {
        configuration,
        ..Plan::vm()
    });
    let (code, printed) = verify(&machine);
    assert_eq!(code, Some(1), "{printed}");
    assert!(printed.contains("configuration_unknown"), "{printed}");
}

#[test]
fn one_byte_of_the_weights_changed_stops_the_boot() {
    let _turn = ONE_AT_A_TIME.lock();
    let folder = tempfile::tempdir().expect("a folder");
    let plan = Plan::vm().with_changed_model(folder.path(), 50_000_000);
    let (status, log) = Machine::fail(&plan);
    assert_eq!(status.code(), Some(1), "{log}");
    assert!(log.contains("disk_wrong") && log.contains("hint:"), "{log}");
}
