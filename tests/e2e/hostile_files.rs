//! Files made to break any program that opens them, in every file argument of `chrysalis verify` and `chrysalis show`.
//!
//! Each run must end in a rejection or a usage error that names the file, without a panic and within 64 MB of memory. The
//! kernel holds the program to that: 48 MiB for what it allocates leave 16 for its code and its stack.

use std::{
    fmt::Write,
    fs::{self, File},
    io::{BufWriter, Write as _},
    os::unix::fs::symlink,
    path::Path,
    process::Command,
};

use chrysalis_attestation::{
    evidence::{CpuReport, Evidence},
    nvidia::spdm::Request,
};
use chrysalis_simulate::{
    Amd, Intel, Launch, azure,
    intel::{TdProfile, collateral_json},
};
use chrysalis_tests::{
    paths,
    scene::{LAUNCH_DIGEST, NOW, claims},
};
use tempfile::TempDir;

/// What the program may allocate, in KiB.
const MEMORY: usize = 48 * 1024;
const MIB: usize = 1024 * 1024;
/// The most files that one option takes.
const MANY: usize = 16;

/// Where a file can be named; `{}` is the hostile one, the others are as they should be.
const PLACES: [&str; 30] = [
    "verify snp --report {} --cert vcek.der",
    "verify snp --report report.bin --cert {}",
    "verify snp --report report.bin --cert vcek.der --crl {}",
    "verify snp --report report.bin --cert vcek.der --policy {}",
    "verify snp --report wrapped.bin --cert vcek.der --tpm-quote {}",
    "verify snp --report wrapped.bin --cert vcek.der --tpm-quote quote.bin --tpm-signature {}",
    "verify snp --report wrapped.bin --cert vcek.der --tpm-quote quote.bin --tpm-signature gpu.bin --tpm-pcrs {}",
    "verify tdx --quote {} --quote-collateral collateral.json",
    "verify tdx --quote quote.tdx --quote-collateral {}",
    "verify tdx --quote quote.tdx --quote-collateral collateral.json --event-log {}",
    "verify tdx --quote quote.tdx --quote-collateral collateral.json --policy {}",
    "verify tdx --quote quote.tdx --quote-collateral collateral.json --hcl-report {}",
    "verify tdx --quote quote.tdx --quote-collateral collateral.json --hcl-report wrapped.tdx --tpm-quote {}",
    "verify nvidia --nonce NONCE --report {} --chain vcek.pem",
    "verify nvidia --nonce NONCE --report {}",
    "verify nvidia --nonce NONCE --report gpu.bin --chain {}",
    "verify nvidia --nonce NONCE --report gpu.bin --chain vcek.pem --rim {}",
    "verify nvidia --nonce NONCE --report gpu.bin --chain vcek.pem --ocsp {}",
    "verify nvidia --nonce NONCE --report gpu.bin --chain vcek.pem --policy {}",
    "verify snp --report report.bin --cert vcek.der --statement {}",
    "verify snp --report report.bin --collateral store-{}",
    "verify tdx --quote quote.tdx --collateral folder-{}",
    "verify tdx --quote quote.tdx --collateral store-{}",
    "verify --explain-only {}",
    "verify bundle.cbor --session-nonce NONCE --session-exporter NONCE --session-key {}",
    "verify vcek.der --collateral store-{}",
    "verify vcek.der --policy {}",
    "verify vcek.der --collateral folder-{}",
    "verify {}",
    "show {}",
];

/// Good files, plus one hostile file after the other.
struct Scene(TempDir);

impl Scene {
    fn new() -> Self {
        let scene = Self(tempfile::tempdir().expect("a folder"));
        let amd = Amd::open_or_create(&paths::vendor(), NOW, &mut |step| {
            println!("{step}");
        })
        .expect("a vendor");
        let launch = Launch::new(LAUNCH_DIGEST, [0; 32], [0; 32]);
        let vcek = &amd.endorsements().certificates[0];
        let nonce = [0; 32];
        let mut gpu = Request { nonce, slot: 0 }.encode().to_vec();
        gpu.resize(1000, 0);
        scene.put("report.bin", &amd.sign_report(&launch, [0; 64]));
        scene.put("wrapped.bin", &wrapped(&amd, &launch));
        scene.put("quote.bin", b"\xFFTCG\x80\x18 and no more");
        let intel = Intel::from_seed(&[7; 32], NOW);
        let collateral = collateral_json(&intel.collateral(NOW)).to_string();
        let td = TdProfile {
            report_data: azure::report_data(&[]),
            ..TdProfile::default()
        };
        scene.put("quote.tdx", &intel.quote(&td));
        scene.put("wrapped.tdx", &azure::wrap(&azure::tdreport(&td), &[]));
        scene.put("collateral.json", collateral.as_bytes());
        scene.put("vcek.der", vcek);
        scene.put("vcek.pem", pem(vcek).as_bytes());
        scene.put("gpu.bin", &gpu);
        let bundle = Evidence {
            cpu: CpuReport::Snp(amd.sign_report(&launch, [0; 64]).to_vec()),
            claims: claims().encode(),
            gpus: Vec::new(),
            path: None,
            endorsements: amd.endorsements(),
        };
        scene.put("bundle.cbor", &bundle.encode());
        scene
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).expect("a file");
    }

    /// Bytes again and again, up to a size.
    fn fill(&self, name: &str, start: &[u8], unit: &[u8], size: usize) {
        let mut file = BufWriter::new(File::create(self.path(name)).expect("a file"));
        file.write_all(start).expect("room");
        for _ in 0..size.saturating_sub(start.len()) / unit.len() {
            file.write_all(unit).expect("room");
        }
        file.flush().expect("room");
    }

    /// Names a file in every place, and then in every place that takes several as often as it takes.
    fn survives(&self, name: &str) {
        let folder = self.path(&format!("folder-{name}"));
        fs::create_dir(&folder).expect("a folder");
        symlink(self.path(name), folder.join("x.pem")).expect("a link");
        let store = self.path(&format!("store-{name}"));
        fs::create_dir(&store).expect("a folder");
        symlink(self.path(name), store.join("store.json")).expect("a link");
        for place in PLACES {
            self.run(&place.replace("{}", name), name);
        }
        for (command, options) in [
            (
                "verify snp --explain-only --report report.bin",
                ["--cert", "--crl"],
            ),
            (
                "verify nvidia --explain-only --nonce NONCE --report gpu.bin --chain vcek.pem",
                ["--rim", "--ocsp"],
            ),
        ] {
            let mut command = command.to_owned();
            for option in options {
                for _ in 0..MANY {
                    write!(command, " {option} {name}").expect("a string takes all");
                }
            }
            self.run(&command, name);
        }
    }

    fn run(&self, arguments: &str, name: &str) {
        let arguments = arguments.replace("NONCE", &"00".repeat(32));
        let output = Command::new("sh")
            .args(["-c", &format!("ulimit -d {MEMORY} && exec \"$0\" \"$@\"")])
            .arg(paths::tool("chrysalis"))
            .args(arguments.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .expect("sh, and the program: cargo build -p chrysalis");
        let found = String::from_utf8_lossy(&output.stdout);
        let talk = String::from_utf8_lossy(&output.stderr);
        let what = format!("{arguments}: {}: {found}{talk}", output.status);
        assert!(!talk.contains("panicked"), "{what}");
        assert!(!talk.contains("memory"), "{what}");
        match output.status.code() {
            Some(1) => assert!(found.contains("not trusted: "), "{what}"),
            Some(2) => assert!(talk.starts_with("error: ") && talk.contains(name), "{what}"),
            _ => panic!("{what}"),
        }
    }
}

/// A report as Azure wraps it, without runtime data.
fn wrapped(amd: &Amd, launch: &Launch) -> Vec<u8> {
    let report = amd.sign_report(launch, azure::report_data(&[]));
    azure::wrap(&report, &[])
}

fn pem(der: &[u8]) -> String {
    let mut text = "-----BEGIN CERTIFICATE-----\n".to_owned();
    text.push_str(&data_encoding::BASE64.encode(der));
    text.push_str("\n-----END CERTIFICATE-----\n");
    text
}

#[test]
fn files_far_beyond_every_limit() {
    let scene = Scene::new();
    let sparse = File::create(scene.path("sparse")).expect("a file");
    sparse.set_len(1 << 30).expect("a gibibyte of nothing");
    scene.survives("sparse");
    symlink("/dev/zero", scene.path("endless")).expect("a link");
    scene.survives("endless");
    scene.fill("nested-200m", b"", b"<a>", 200 * MIB);
    scene.survives("nested-200m");
    fs::remove_file(scene.path("nested-200m")).expect("it was there");
}

#[test]
fn text_that_nests_or_repeats_as_far_as_it_may() {
    let scene = Scene::new();
    let certificate = pem(&fs::read(scene.path("vcek.der")).expect("a file"));
    for (name, start, unit, size) in [
        ("xml-deep", "", "<a>", 64 * 1024),
        ("xml-deeper", "", "<a>", MIB),
        ("xml-attributes", "<a", " b=\"\"", 64 * 1024),
        ("json-arrays", "", "[", 4 * MIB),
        ("json-objects", "", "{\"tcb_info\":", 4 * MIB),
        (
            "json-gpus",
            "[",
            "{\"certificate\":\"\",\"evidence\":\"\"},",
            512 * 1024,
        ),
        (
            "pem-empty",
            "",
            "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
            MIB,
        ),
        ("pem-many", "", &certificate, MIB),
        ("pem-open", "", "-----BEGIN CERTIFICATE-----\n", MIB),
        ("pem-long", "-----BEGIN CERTIFICATE-----\n", "A", MIB),
        (
            "pem-huge",
            "-----BEGIN CERTIFICATE-----\n",
            "AAAAAAAAAAAAAAAA\n",
            8 * MIB,
        ),
        ("hex", "", "30", MIB),
        ("toml-dotted", "a", ".a", 256 * 1024),
        ("toml-head", "[a", ".a", 256 * 1024),
        ("toml-arrays", "a=", "[", 256 * 1024),
        ("toml-numbers", "a=[", "1,", 256 * 1024),
        ("toml-tables", "", "[[a]]\n", 256 * 1024),
    ] {
        // A byte less than the limit: files at it are read.
        scene.fill(name, start.as_bytes(), unit.as_bytes(), size - 1);
        scene.survives(name);
    }
}

#[test]
fn lengths_that_lie() {
    let scene = Scene::new();
    for (name, start, unit, size) in [
        ("cbor-deep", &[][..], &[0x81][..], 256 * 1024),
        ("cbor-tags", &[], &[0xC0], 256 * 1024),
        ("cbor-numbers", &[0x9A, 0, 3, 0xFF, 0xFB], &[0], 256 * 1024),
        (
            "cbor-arrays",
            &[0x9A, 0, 3, 0xFF, 0xFB],
            &[0x80],
            256 * 1024,
        ),
        (
            "cbor-map",
            &[0xBB, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0],
            1000,
        ),
        (
            "cbor-text",
            &[0x7B, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0],
            1000,
        ),
        (
            "der-long",
            &[0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0],
            1000,
        ),
        (
            "der-longer",
            &[0x30, 0x88, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
            &[0],
            1000,
        ),
        ("der-open", &[0x30, 0x80], &[0x30, 0x80], MIB),
        (
            "der-wide",
            &[0x30, 0x84, 0, 0x0F, 0xFF, 0xFA],
            &[0x05, 0],
            MIB,
        ),
        ("spdm", &[0x11, 0xE0, 1, 0xFF], &[0xFF], 5000),
        ("quote", &[4, 0, 2, 0, 0x81, 0, 0, 0], &[0xFF], 50_000),
        ("table", &[1; 16], &[0xFF; 8], 1000),
        ("wrapped", b"HCLA\x02\0\0\0", &[0xFF], MIB),
    ] {
        scene.fill(name, start, unit, size);
        scene.survives(name);
    }
}

#[test]
fn a_folder_of_more_than_any_vendor_publishes() {
    let scene = Scene::new();
    let folder = scene.path("folder-many");
    fs::create_dir(&folder).expect("a folder");
    scene.fill("many", &[0x30, 0x83, 0x0F, 0xFF, 0xF0], &[0], MIB);
    for number in 0..1000 {
        link(&scene.path("many"), &folder.join(format!("{number}.der")));
    }
    scene.run("verify vcek.der --collateral folder-many", "folder-many");
}

fn link(from: &Path, to: &Path) {
    symlink(from, to).expect("a link");
}
