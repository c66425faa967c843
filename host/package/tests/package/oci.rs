//! The image for containers.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::{debian, files, has, host, package, printed};

fn pack(host: &Path, root: Option<&Path>, out: &Path) {
    let mut words: Vec<&Path> = vec!["oci".as_ref(), host, "--out".as_ref(), out];
    if let Some(root) = root {
        words.extend([Path::new("--root"), root]);
    }
    let packed = package(&words);
    assert!(
        packed.status.success(),
        "{}",
        String::from_utf8_lossy(&packed.stderr)
    );
}

fn name(layout: &Path) -> String {
    format!("oci:{}", layout.display())
}

#[test]
fn is_the_same_bytes_each_time_and_skopeo_reads_it() {
    let Some(host) = host() else { return };
    let folder = tempfile::tempdir().unwrap();
    let [first, second]: [PathBuf; 2] = ["first", "second"].map(|name| folder.path().join(name));
    pack(&host, None, &first);
    pack(&host, None, &second);
    assert!(files(&first) == files(&second), "two images differ");
    let again = package(&["oci".as_ref(), &host, "--out".as_ref(), &first]);
    assert!(String::from_utf8_lossy(&again.stderr).contains("is there already"));
    if !has("skopeo") {
        return;
    }
    let shown = printed(Command::new("skopeo").arg("inspect").arg(name(&first)));
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["Architecture"], "amd64");
    assert_eq!(shown["Created"], "2026-11-29T00:00:00Z");
    let config = printed(
        Command::new("skopeo")
            .args(["inspect", "--config"])
            .arg(name(&first)),
    );
    let config: Value = serde_json::from_str(&config).unwrap();
    assert_eq!(config["config"]["User"], "10001:10001");
    assert_eq!(config["config"]["StopSignal"], "SIGTERM");
    // A copy reads every blob and checks every digest.
    let copy = folder.path().join("copy");
    printed(
        Command::new("skopeo")
            .arg("copy")
            .arg(name(&first))
            .arg(format!("dir:{}", copy.display())),
    );
    assert!(files(&copy).len() >= 4);
}

#[test]
fn a_container_of_it_runs_the_host_as_nobody() {
    let (Some(host), Some(root)) = (host(), debian()) else {
        return;
    };
    if !has("podman") {
        return;
    }
    // podman takes the path for a name, which has no capitals.
    let name_of_folder = format!("chrysalis-oci-{}", std::process::id());
    let folder = tempfile::Builder::new()
        .prefix(&name_of_folder)
        .rand_bytes(0)
        .tempdir()
        .unwrap();
    let layout = folder.path().join("image");
    pack(&host, Some(&root), &layout);
    let podman = |words: &[&str]| {
        let mut command = Command::new("podman");
        command
            .arg("--root")
            .arg(folder.path().join("store"))
            .arg("--runroot")
            .arg(folder.path().join("run"))
            .args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"])
            .args(words);
        command
    };
    let pulled = printed(&mut podman(&["pull", "--quiet", &name(&layout)]));
    let image = pulled.trim();
    let shown = printed(&mut podman(&[
        "inspect",
        "--format",
        "{{.Config.User}}",
        image,
    ]));
    assert_eq!(shown.trim(), "10001:10001");
    let run = [
        "run",
        "--rm",
        "--network",
        "none",
        "--cgroups",
        "disabled",
        image,
        "--version",
    ];
    let output = podman(&run).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success()
        && (said.contains("Operation not permitted") || said.contains("permission denied"))
    {
        chrysalis_test_support::skip("no container may be started here");
        return;
    }
    assert!(output.status.success(), "{said}");
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(
        version.trim(),
        concat!("chrysalis-host ", env!("CARGO_PKG_VERSION"))
    );
}
