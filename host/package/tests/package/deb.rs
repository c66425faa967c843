//! The Debian package.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::{debian, has, host, package, printed};

fn pack(host: &Path, out: &Path) {
    let packed = package(&["deb".as_ref(), host, "--out".as_ref(), out]);
    assert!(
        packed.status.success(),
        "{}",
        String::from_utf8_lossy(&packed.stderr)
    );
}

#[test]
fn is_the_same_bytes_each_time_and_dpkg_reads_it() {
    let Some(host) = host() else { return };
    let folder = tempfile::tempdir().unwrap();
    let [first, second] = ["first.deb", "second.deb"].map(|name| {
        // Another file with the same bytes, made at another time.
        let copy = folder.path().join(name.trim_end_matches(".deb"));
        fs::create_dir(&copy).unwrap();
        fs::copy(&host, copy.join("chrysalis-host")).unwrap();
        let out = folder.path().join(name);
        pack(&copy.join("chrysalis-host"), &out);
        out
    });
    assert!(
        fs::read(&first).unwrap() == fs::read(second).unwrap(),
        "two packages differ"
    );
    if !has("dpkg-deb") {
        return;
    }
    let shown = printed(Command::new("dpkg-deb").arg("--field").arg(&first));
    for field in [
        "Package: chrysalis-host",
        concat!("Version: ", env!("CARGO_PKG_VERSION")),
        "Architecture: amd64",
        "Depends: libc6 (>= 2.",
    ] {
        assert!(shown.contains(field), "{field}\n{shown}");
    }
    let listed = printed(Command::new("dpkg-deb").arg("--contents").arg(&first));
    for line in [
        "-rwxr-xr-x root/root",
        " 2026-11-29 00:00 usr/bin/chrysalis-host",
        "usr/lib/systemd/system/chrysalis-host@.service",
        "usr/lib/systemd/system/chrysalis-cashier.service",
        "usr/lib/udev/rules.d/60-chrysalis.rules",
    ] {
        assert!(listed.contains(line), "{line}\n{listed}");
    }
    assert!(!listed.contains("chrysalis-directory"), "{listed}");
}

/// A copy of the clean system, so that the next test finds it clean: hard links, which dpkg breaks when it writes.
fn copy(root: &Path, to: &Path) -> PathBuf {
    let copy = to.join("root");
    printed(Command::new("cp").args(["-al"]).arg(root).arg(&copy));
    copy
}

#[test]
fn is_installed_in_a_clean_debian_and_runs() {
    let (Some(host), Some(root)) = (host(), debian()) else {
        return;
    };
    // Beside it: hard links do not cross file systems.
    let folder = tempfile::tempdir_in(root.parent().unwrap()).unwrap();
    let root = copy(&root, folder.path());
    pack(&host, &root.join("chrysalis-host.deb"));
    let inside = |words: &[&str]| printed(Command::new("chroot").arg(&root).args(words));
    inside(&["dpkg", "--install", "/chrysalis-host.deb"]);
    let status = inside(&["dpkg-query", "--status", "chrysalis-host"]);
    assert!(status.contains("Status: install ok installed"), "{status}");
    let version = inside(&["chrysalis-host", "--version"]);
    assert_eq!(
        version.trim(),
        concat!("chrysalis-host ", env!("CARGO_PKG_VERSION"))
    );
    let user = inside(&["id", "chrysalis"]);
    assert!(user.contains("(kvm)"), "{user}");
    let help = inside(&["chrysalis-host", "run", "--help"]);
    assert!(help.contains("--settings <FILE>"), "{help}");
    // The user can do what the first step of the guide says.
    let found = Command::new("chroot")
        .args(["--userspec", "chrysalis"])
        .arg(&root)
        .args(["chrysalis-host", "doctor", "--format", "json"])
        .output()
        .unwrap();
    assert!(
        found.stdout.starts_with(b"{") || found.stdout.starts_with(b"["),
        "{found:?}"
    );
    inside(&["dpkg", "--remove", "chrysalis-host"]);
    assert!(!root.join("usr/bin/chrysalis-host").exists());
}
