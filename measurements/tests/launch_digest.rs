//! Holds the launch digest against `sev-snp-measure`, which other people wrote in another language.
//!
//! Needs an image folder (`CHRYSALIS_IMAGE`, by default build/cpu) for a firmware that SNP can measure, and the other
//! implementation: in `CHRYSALIS_PYTHON`, or fetched with Python's pip. Says which one it misses and passes.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use chrysalis_measure::{
    CommandLine, CpuType, Image, MAX_VCPUS, MeasureError, Shape, snp_launch_digest,
};
use std::{
    cell::RefCell,
    fs,
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Stdio},
    sync::Once,
};

/// What pip installs: this version with these bytes and no other.
const REQUIREMENT: &str = "sev-snp-measure==0.0.13 --hash=sha256:feda1aebe69dcbf38e9c636ed1d082bb7dc741fc6969f197d39faddb72b2762d\n";

/// Turin's versions are newer than the other implementation.
const UNKNOWN_THERE: [&str; 7] = [
    "EPYC-v5",
    "EPYC-Rome-v4",
    "EPYC-Rome-v5",
    "EPYC-Milan-v3",
    "EPYC-Genoa-v2",
    "EPYC-Turin-v1",
    "EPYC-Turin-v2",
];

#[test]
fn another_implementation_computes_the_same_digests() {
    let Some((image, other)) = image().zip(sev_snp_measure()) else {
        return;
    };
    let image = Image::open(image).unwrap();
    let mut cases = Vec::new();
    for cpu_type in CpuType::ALL {
        if !UNKNOWN_THERE.contains(&cpu_type.to_string().as_str()) {
            let shape = Shape {
                cpu_type,
                ..Shape::new(3)
            };
            cases.push((CommandLine::Hardware, shape));
        }
    }
    for vcpus in [1, 2, 4, 64, MAX_VCPUS] {
        for command_line in [CommandLine::Hardware, CommandLine::Simulated] {
            cases.push((command_line, Shape::new(vcpus)));
        }
    }
    for guest_features in [0, 0x21, u64::MAX] {
        let shape = Shape {
            guest_features,
            ..Shape::new(2)
        };
        cases.push((CommandLine::Hardware, shape));
    }
    for (command_line, shape) in cases {
        other.agrees(&image, command_line, shape);
    }
}

#[test]
fn odd_inputs_measure_the_same_too() {
    let Some((image, other)) = image().zip(sev_snp_measure()) else {
        return;
    };
    let long = "x".repeat(100_000);
    let random = |length: usize, seed: u64| -> Vec<u8> {
        let next = |state: &mut u64| {
            // A linear congruential generator: any bytes will do, the same on every run.
            *state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            Some(state.to_le_bytes()[7])
        };
        std::iter::successors(Some(seed), |_| Some(seed))
            .scan(seed, |state, _| next(state))
            .take(length)
            .collect()
    };
    let odd: [(&str, &[u8]); 9] = [
        ("cmdline", b""),
        ("cmdline", "größe=µ 漢字 -- 🦋".as_bytes()),
        ("cmdline", b"a  b\tc \"quoted words\" --"),
        ("cmdline", long.as_bytes()),
        ("kernel", b""),
        ("kernel", &random(1, 1)),
        ("kernel", &random(70_001, 2)),
        ("initrd", b""),
        ("initrd", &random(123_457, 3)),
    ];
    for (file, content) in odd {
        let folder = copy_of(&image);
        fs::write(folder.path().join(file), content).unwrap();
        let image = Image::open(folder.path()).unwrap();
        other.agrees(&image, CommandLine::Hardware, Shape::new(2));
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
    assert_eq!(fault_of(folder.path()), "this is not UEFI firmware for SEV");
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
    chrysalis_test_support::skip("no image: make image");
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

/// The other implementation, as one Python process that answers questions.
struct SevSnpMeasure(RefCell<Conversation>);

struct Conversation {
    process: Child,
    answers: BufReader<ChildStdout>,
}

/// Reads a question a line, as JSON, and prints the digest.
const PROGRAM: &str = "\
import json, sys
from sevsnpmeasure import guest
from sevsnpmeasure.sev_mode import SevMode
from sevsnpmeasure.vcpu_types import CPU_SIGS
for line in sys.stdin:
    q = json.loads(line)
    digest = guest.calc_launch_digest(SevMode.SEV_SNP, q['vcpus'], CPU_SIGS[q['cpu']], q['firmware'], q['kernel'], q['initrd'], q['append'], q['features'])
    print(digest.hex(), flush=True)
";

impl SevSnpMeasure {
    /// Computes the digest both ways, and panics unless they are the same.
    fn agrees(&self, image: &Image, command_line: CommandLine, shape: Shape) {
        let ours = hex::encode(snp_launch_digest(image, command_line, shape).unwrap());
        let question = serde_json::json!({
            "vcpus": shape.vcpus,
            "cpu": shape.cpu_type.to_string(),
            "features": shape.guest_features,
            "firmware": image.firmware(),
            "kernel": image.kernel(),
            "initrd": image.initrd(),
            "append": image.command_line(command_line),
        });
        let mut conversation = self.0.borrow_mut();
        writeln!(conversation.process.stdin.as_mut().unwrap(), "{question}").unwrap();
        let mut answer = String::new();
        conversation.answers.read_line(&mut answer).unwrap();
        assert_eq!(ours, answer.trim(), "{shape:?} {command_line:?}");
    }

    fn start(mut python: Command) -> Self {
        let mut process = python
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let answers = BufReader::new(process.stdout.take().unwrap());
        Self(RefCell::new(Conversation { process, answers }))
    }
}

impl Drop for Conversation {
    fn drop(&mut self) {
        // Without questions it ends.
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

static INSTALL: Once = Once::new();

/// From the environment that the tests are given, or installed once a build folder.
fn sev_snp_measure() -> Option<SevSnpMeasure> {
    if let Some(python) = std::env::var_os("CHRYSALIS_PYTHON") {
        return Some(SevSnpMeasure::start(Command::new(python)));
    }
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
        let mut python = Command::new("python3");
        python.env("PYTHONPATH", &folder);
        return Some(SevSnpMeasure::start(python));
    }
    chrysalis_test_support::skip("no sev-snp-measure");
    None
}
