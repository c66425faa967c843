//! The systemd units, as systemd reads them.

use std::{fs, path::Path, process::Command};

use crate::{has, printed};

const UNITS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/units");
/// What each may leave open, by systemd's own count: tenths of 10, which is no protection at all.
const EXPOSED: [(&str, &str); 3] = [
    ("chrysalis-host@.service", "20"),
    ("chrysalis-cashier.service", "12"),
    ("chrysalis-directory.service", "12"),
];

#[test]
fn no_unit_is_more_exposed_than_it_was() {
    if !has("systemd-analyze") {
        return;
    }
    for (unit, most) in EXPOSED {
        let path = Path::new(UNITS).join(unit);
        let mut command = Command::new("systemd-analyze");
        command.args(["security", "--no-pager", "--offline=true"]);
        command.arg(format!("--threshold={most}")).arg(&path);
        // It fails over the threshold.
        let said = printed(&mut command);
        assert!(said.contains("Overall exposure level"), "{said}");
        let lower = most.parse::<u32>().unwrap() - 1;
        let mut command = Command::new("systemd-analyze");
        command.args(["security", "--no-pager", "--offline=true"]);
        command.arg(format!("--threshold={lower}")).arg(&path);
        let is_under = command.output().unwrap().status.success();
        assert!(
            !is_under,
            "{unit} is below its bound by now: lower the bound"
        );
    }
}

#[test]
fn systemd_finds_nothing_wrong() {
    if !has("systemd-analyze") {
        return;
    }
    // Instances, beside programs and files that are there.
    let folder = tempfile::tempdir().unwrap();
    for (unit, _) in EXPOSED {
        let text = fs::read_to_string(Path::new(UNITS).join(unit)).unwrap();
        let text = text
            .replace("/usr/bin/chrysalis-host", "/bin/true")
            .replace("/usr/bin/chrysalis-directory", "/bin/true")
            .replace(
                "Documentation=man:",
                "Documentation=https://chrysalis.example/",
            );
        let name = unit.replace("@.", "@one.");
        fs::write(folder.path().join(unit), text).unwrap();
        let unit = folder.path().join(name);
        let output = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(&unit)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let ours = said.lines().filter(|line| line.contains("chrysalis"));
        let ours: Vec<_> = ours.collect();
        assert!(ours.is_empty(), "{ours:?}");
    }
}

/// Every option that a unit gives, the program has.
#[test]
fn units_stop_by_draining() {
    let unit = fs::read_to_string(Path::new(UNITS).join("chrysalis-host@.service")).unwrap();
    assert!(
        unit.contains("KillMode=mixed"),
        "the guest must not get SIGTERM itself"
    );
    let seconds = unit
        .lines()
        .find_map(|line| line.strip_prefix("TimeoutStopSec="));
    // A grace of 600, a minute for claims, and some to spare.
    assert!(seconds.unwrap().parse::<u32>().unwrap() >= 600 + 60 + 30);
}
