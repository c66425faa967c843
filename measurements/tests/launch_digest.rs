//! Holds the launch digest against `sev-snp-measure`, which other people wrote in another language.
//!
//! Needs an image folder (`CHRYSALIS_IMAGE`, by default build/cpu) for a firmware that SNP can measure, and Python's
//! pip to fetch the other implementation; says which one it misses and passes.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use chrysalis_measure::{CommandLine, Image, MeasureError, Shape, snp_launch_digest};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::Once,
};

/// What pip installs: this version with these bytes and no other.
const REQUIREMENT: &str = "sev-snp-measure==0.0.13 --hash=sha256:feda1aebe69dcbf38e9c636ed1d082bb7dc741fc6969f197d39faddb72b2762d\n";

#[test]
fn another_implementation_computes_the_same_digests() {
    let Some((image, other)) = image().zip(sev_snp_measure()) else {
        return;
    };
    let image = Image::open(image).unwrap();
    for vcpus in [1, 2, 4] {
        for cpu_type in ["EPYC-v4", "EPYC-Milan"] {
            for command_line in [CommandLine::Hardware, CommandLine::Simulated] {
                let shape = Shape {
                    cpu_type: cpu_type.parse().unwrap(),
                    ..Shape::new(vcpus)
                };
                let ours = hex::encode(snp_launch_digest(&image, command_line, shape).unwrap());
                assert_eq!(
                    ours,
                    other.digest(&image, command_line, shape),
                    "{shape:?} {command_line:?}"
                );
            }
        }
    }
}

#[test]
fn odd_command_lines_measure_the_same_too() {
    let Some((image, other)) = image().zip(sev_snp_measure()) else {
        return;
    };
    let long = "x".repeat(2000);
    for odd in [
        "",
        "größe=µ 漢字 -- 🦋",
        "a  b\tc \"quoted words\" --",
        &long,
    ] {
        let folder = copy_of(&image);
        fs::write(folder.path().join("cmdline"), odd).unwrap();
        let image = Image::open(folder.path()).unwrap();
        let shape = Shape::new(2);
        let ours = hex::encode(snp_launch_digest(&image, CommandLine::Hardware, shape).unwrap());
        assert_eq!(
            ours,
            other.digest(&image, CommandLine::Hardware, shape),
            "{odd:?}"
        );
    }
}

#[test]
fn every_input_changes_the_digest() {
    let Some(original) = image() else { return };
    let measure = |folder: &Path, shape| {
        snp_launch_digest(&Image::open(folder).unwrap(), CommandLine::Hardware, shape).unwrap()
    };
    let mut digests = vec![
        measure(&original, Shape::new(2)),
        measure(&original, Shape::new(3)),
    ];
    let milan = Shape {
        cpu_type: "EPYC-Milan".parse().unwrap(),
        ..Shape::new(2)
    };
    digests.push(measure(&original, milan));
    digests.push(measure(
        &original,
        Shape {
            guest_features: 0x21,
            ..Shape::new(2)
        },
    ));
    for name in ["kernel", "initrd", "firmware.fd", "cmdline"] {
        let folder = copy_of(&original);
        flip_one_bit(&folder.path().join(name));
        digests.push(measure(folder.path(), Shape::new(2)));
    }
    let count = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), count);
}

#[test]
fn refuses_a_firmware_that_does_not_hold_the_kernel_to_its_hashes() {
    let Some(original) = image() else { return };
    let folder = copy_of(&original);
    let path = folder.path().join("firmware.fd");
    let mut firmware = fs::read(&path).unwrap();
    // The type of the metadata's section for the kernel hashes becomes that of plain memory.
    let hashes = [0x10, 0, 0, 0];
    let metadata = firmware
        .windows(4)
        .position(|window| window == b"ASEV")
        .unwrap();
    let section = (0..16).map(|item| metadata + 16 + item * 12 + 8);
    let section = section
        .into_iter()
        .find(|at| firmware[*at..*at + 4] == hashes)
        .unwrap();
    firmware[section] = 1;
    fs::write(&path, firmware).unwrap();
    assert_eq!(
        fault_of(folder.path()),
        "this firmware has no table for the SNP kernel hashes, so a host could boot any kernel"
    );
}

#[test]
fn no_damage_to_the_firmware_is_a_panic() {
    let Some(original) = image() else { return };
    let folder = copy_of(&original);
    let path = folder.path().join("firmware.fd");
    let firmware = fs::read(&path).unwrap();
    for length in [
        0,
        1,
        49,
        4095,
        4096,
        firmware.len() - 1,
        firmware.len() - 4096,
    ] {
        fs::write(&path, &firmware[..length]).unwrap();
        let image = Image::open(folder.path()).unwrap();
        let _ = snp_launch_digest(&image, CommandLine::Hardware, Shape::new(1));
    }
    fs::write(&path, vec![0xFF; 4096]).unwrap();
    assert_eq!(fault_of(folder.path()), "this is no UEFI firmware for SEV");
}

fn fault_of(folder: &Path) -> &'static str {
    let image = Image::open(folder).unwrap();
    match snp_launch_digest(&image, CommandLine::Hardware, Shape::new(1)) {
        Err(MeasureError::Firmware { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

/// The image folder, if one was built.
fn image() -> Option<PathBuf> {
    let default = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../build/cpu");
    let folder = std::env::var_os("CHRYSALIS_IMAGE").map_or_else(default, PathBuf::from);
    if folder.join("kernel").exists() {
        return Some(folder);
    }
    println!("skipped: no image (make image)");
    None
}

/// A folder with the same files, each to be replaced without touching the original.
fn copy_of(image: &Path) -> tempfile::TempDir {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    for name in [
        "kernel",
        "initrd",
        "firmware.fd",
        "cmdline",
        "cmdline-simulated",
    ] {
        fs::write(
            folder.path().join(name),
            fs::read(image.join(name)).unwrap(),
        )
        .unwrap();
    }
    folder
}

fn flip_one_bit(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    bytes[0] ^= 1;
    fs::write(path, bytes).unwrap();
}

/// The other implementation, where pip put it.
struct SevSnpMeasure(PathBuf);

impl SevSnpMeasure {
    /// Its digest in hexadecimal.
    fn digest(&self, image: &Image, command_line: CommandLine, shape: Shape) -> String {
        let output = Command::new("python3")
            .args(["-m", "sevsnpmeasure.cli", "--mode", "snp"])
            .env("PYTHONPATH", &self.0)
            .args(["--vcpus", &shape.vcpus.to_string()])
            .args(["--vcpu-type", &shape.cpu_type.to_string()])
            .arg("--ovmf")
            .arg(image.firmware())
            .arg("--kernel")
            .arg(image.kernel())
            .arg("--initrd")
            .arg(image.initrd())
            .arg(format!("--append={}", image.command_line(command_line)))
            .output()
            .unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }
}

/// Installs it once a build folder.
fn sev_snp_measure() -> Option<SevSnpMeasure> {
    static INSTALL: Once = Once::new();
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sev-snp-measure-0.0.13");
    let installed = folder.join("sevsnpmeasure/cli.py");
    INSTALL.call_once(|| {
        if installed.exists() {
            return;
        }
        let requirement = Path::new(env!("CARGO_TARGET_TMPDIR")).join("requirements.txt");
        fs::write(&requirement, REQUIREMENT).unwrap();
        let pip = Command::new("python3")
            .args([
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--require-hashes",
                "--target",
            ])
            .arg(&folder)
            .arg("--requirement")
            .arg(&requirement)
            .output();
        match pip {
            Ok(output) => print!("{}", String::from_utf8_lossy(&output.stderr)),
            Err(error) => println!("python3: {error}"),
        }
    });
    if installed.exists() {
        return Some(SevSnpMeasure(folder));
    }
    println!("skipped: no sev-snp-measure");
    None
}
