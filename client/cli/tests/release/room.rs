//! A folder in which the programs run, and remember.

use std::{
    collections::BTreeMap,
    env, fs,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use chrysalis_attestation::{
    Time,
    encoding::digest::Hex,
    release::{Measurements, Release, SnpMeasurement, Subject},
};
use chrysalis_image::publish::SigningKey;
use tempfile::TempDir;

pub(crate) struct Room(TempDir);

/// The repository.
pub(crate) fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().unwrap()
}

/// This repository's releases.
pub(crate) fn releases() -> PathBuf {
    root().join("measurements/releases")
}

/// Where `chrysalis` and `chrysalis-image` are.
pub(crate) fn programs() -> &'static Path {
    let programs = Path::new(env!("CARGO_BIN_EXE_chrysalis")).parent().unwrap();
    assert!(
        programs.join("chrysalis-image").exists(),
        "no chrysalis-image: cargo build -p chrysalis-image"
    );
    programs
}

/// The image of `CHRYSALIS_IMAGE` or build/cpu.
pub(crate) fn image() -> Option<PathBuf> {
    let image = env::var_os("CHRYSALIS_IMAGE").map_or(root().join("build/cpu"), PathBuf::from);
    if image.join("image.json").exists() {
        return Some(image.canonicalize().unwrap());
    }
    chrysalis_test_support::skip("no image: make image");
    None
}

impl Room {
    /// With this repository's releases.
    pub(crate) fn new() -> Self {
        let room = Self(tempfile::tempdir().unwrap());
        symlink(root().join("measurements"), room.path("measurements")).unwrap();
        room
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs a line of shell.
    pub(crate) fn run(&self, command: &str) -> Output {
        let path = format!("{}:{}", programs().display(), env::var("PATH").unwrap());
        Command::new("bash")
            .args(["-euc", command])
            .current_dir(self.0.path())
            .env("PATH", path)
            .env("XDG_STATE_HOME", self.path("state"))
            .output()
            .unwrap()
    }

    /// What it prints, having gone well.
    #[track_caller]
    pub(crate) fn yes(&self, command: &str) -> String {
        let output = self.run(command);
        assert_eq!(output.status.code(), Some(0), "{command}: {output:?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// A verdict was reached, and it is this code.
    #[track_caller]
    pub(crate) fn no(&self, command: &str, code: &str) {
        let output = self.run(command);
        let said = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{command}: {output:?}");
        assert!(
            said.starts_with(&format!("not trusted: {code}\n")),
            "{command}: {said}"
        );
    }

    /// No verdict: the message has this in it.
    #[track_caller]
    pub(crate) fn cannot(&self, command: &str, why: &str) {
        let output = self.run(command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{command}: {output:?}");
        assert!(said.contains(why), "{command}: {said}");
    }

    /// A manifest of an image that was never built.
    pub(crate) fn made_up(&self, key: &SigningKey, project: Option<&str>, epoch: u64, out: &str) {
        let release = Release {
            project: project.map(str::to_owned),
            release: format!("v{epoch}"),
            epoch,
            issued: Time(1_790_000_000),
            expires: Time(4_000_000_000),
            inputs: Vec::new(),
            toolchain: None,
            measurements: Measurements {
                snp: vec![SnpMeasurement {
                    vcpus: 1,
                    cpu: "EPYC-v4".to_owned(),
                    guest_features: 1,
                    simulated: false,
                    launch_digest: Hex([7; 48]),
                }],
                tdx: Vec::new(),
            },
            minimum_tcb: BTreeMap::new(),
        };
        let envelope = release.envelope(vec![Subject::new("kernel", [1; 32])]);
        let out = self.path(out);
        fs::create_dir_all(out.parent().unwrap()).unwrap();
        fs::write(out, key.seal(envelope).unwrap()).unwrap();
    }
}
