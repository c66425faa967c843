//! An image small enough to be written down here, so that the digest is tested where no real image was built.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use chrysalis_measure::{CommandLine, Image, MeasureError, Shape, snp_launch_digest};
use std::fs;

const PAGE: usize = 4096;
/// Where the firmware's memory holds the table of hashes.
const HASHES_AT: u32 = 0x0080_0C00;

/// Address, size and type of the pages that SNP measures: memory, secrets, CPUID, kernel hashes.
const SECTIONS: [(u32, u32, u32); 4] = [
    (0x0080_1000, 0x2000, 1),
    (0x0080_3000, 0x1000, 2),
    (0x0080_4000, 0x1000, 3),
    (0x0080_0000, 0x1000, 0x10),
];

// GUIDs as they are stored.
const TABLE: &[u8; 16] = b"\xde\x82\xb5\x96\xb2\x1f\xf7\x45\xba\xea\xa3\x66\xc5\x5a\x08\x2d";
const HASHES: &[u8; 16] = b"\x1f\x37\x55\x72\x3b\x3a\x04\x4b\x92\x7b\x1d\xa6\xef\xa8\xd4\x54";
const RESET: &[u8; 16] = b"\xde\x71\xf7\x00\x7e\x1a\xcb\x4f\x89\x0e\x68\xc7\x7e\x2f\xb4\x4e";
const METADATA: &[u8; 16] = b"\x66\x65\x88\xdc\x4a\x98\x98\x47\xa7\x5e\x55\x85\xa7\xbf\x67\xcc";

/// Two pages: metadata at the start of the second, the table of entries at its end.
fn firmware(sections: &[(u32, u32, u32)], hashes_at: u32) -> Vec<u8> {
    let count = u32::try_from(sections.len()).unwrap();
    let mut metadata = b"ASEV".to_vec();
    for word in [16 + 12 * count, 1, count] {
        metadata.extend(word.to_le_bytes());
    }
    for (address, size, kind) in sections {
        metadata.extend(
            [
                address.to_le_bytes(),
                size.to_le_bytes(),
                kind.to_le_bytes(),
            ]
            .concat(),
        );
    }
    let mut table = Vec::new();
    for (value, guid) in [
        (hashes_at, HASHES),
        (0xFFFF_FFF0, RESET),
        (0x1000, METADATA),
    ] {
        table.extend(value.to_le_bytes());
        // QEMU's table of hashes has a size besides its address; nobody reads it here.
        table.extend(22_u16.to_le_bytes());
        table.extend(guid);
    }
    table.extend(u16::try_from(table.len() + 18).unwrap().to_le_bytes());
    table.extend(TABLE);

    let mut firmware = vec![0x90; 2 * PAGE];
    firmware[PAGE..PAGE + metadata.len()].copy_from_slice(&metadata);
    let end = 2 * PAGE - 32;
    firmware[end - table.len()..end].copy_from_slice(&table);
    firmware
}

fn image(firmware: &[u8]) -> (tempfile::TempDir, Image) {
    let folder = tempfile::tempdir().unwrap();
    let files: [(&str, &[u8]); 5] = [
        ("kernel", b"a kernel"),
        ("initrd", b"an initrd"),
        ("firmware.fd", firmware),
        ("cmdline", b"console=ttyS0 --"),
        ("cmdline-simulated", b"console=ttyS0 -- platform=simulated"),
    ];
    for (name, content) in files {
        fs::write(folder.path().join(name), content).unwrap();
    }
    let image = Image::open(folder.path()).unwrap();
    (folder, image)
}

/// `sev-snp-measure` 0.0.13 printed these for the same files.
#[test]
fn a_small_image_measures_as_another_implementation_says() {
    let (_folder, image) = image(&firmware(&SECTIONS, HASHES_AT));
    let digest = |command_line, vcpus| {
        hex::encode(snp_launch_digest(&image, command_line, Shape::new(vcpus)).unwrap())
    };
    assert_eq!(
        digest(CommandLine::Hardware, 1),
        "86dde23d7d33f935c7523745bfd485426196ff58d8436f985bfee7149a33da028d0a87087ac5da41792c2c501fb0ffc3"
    );
    assert_eq!(
        digest(CommandLine::Hardware, 2),
        "5f3c70a72141002696db033a5cd3a70d3deda542119564c7eddda85d62226ed75abcbe36a9c2f2a1a173481d52c4ca07"
    );
    assert_eq!(
        digest(CommandLine::Simulated, 2),
        "2d4a4538a64e3024fec1c2cbb901e21cc5c79c1d94861b279e31c68127825b196d9234692bdc5105ea985e4268ff5561"
    );
}

fn fault(firmware: &[u8]) -> &'static str {
    let (_folder, image) = image(firmware);
    match snp_launch_digest(&image, CommandLine::Hardware, Shape::new(1)) {
        Err(MeasureError::Firmware { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

const NO_HASHES: &str =
    "this firmware has no table for the SNP kernel hashes, so a host could boot any kernel";
const DAMAGED: &str = "its table of SEV entries is damaged";
const NOT_FIRMWARE: &str = "this is not UEFI firmware for SEV";

#[test]
fn refuses_firmware_that_does_not_hold_the_kernel_to_its_hashes() {
    assert_eq!(fault(&firmware(&SECTIONS[..3], HASHES_AT)), NO_HASHES);
}

#[test]
fn refuses_a_table_of_hashes_outside_its_page() {
    for hashes_at in [0, 0x007F_FFFF, 0x0080_0F51, 0x0080_1000, u32::MAX] {
        assert_eq!(
            fault(&firmware(&SECTIONS, hashes_at)),
            DAMAGED,
            "{hashes_at:#x}"
        );
    }
}

#[test]
fn refuses_sections_that_make_no_sense() {
    let [memory, secrets, cpuid, hashes] = SECTIONS;
    let odd_size = (memory.0, 0x1001, memory.2);
    let unknown = (memory.0, memory.1, 7);
    for sections in [[odd_size, hashes], [unknown, hashes], [hashes, hashes]] {
        assert_eq!(fault(&firmware(&sections, HASHES_AT)), DAMAGED);
    }
    let large_page = (hashes.0, 0x2000, hashes.2);
    assert_eq!(
        fault(&firmware(&[secrets, cpuid, large_page], HASHES_AT)),
        DAMAGED
    );
}

#[test]
fn refuses_what_is_no_firmware() {
    for file in [vec![], vec![0; 31], vec![0; PAGE - 1], vec![0xFF; PAGE]] {
        assert_eq!(fault(&file), NOT_FIRMWARE);
    }
}

/// Any byte of the two tables, any of three values: a digest or an error, and never a panic.
#[test]
fn no_damaged_table_is_a_panic() {
    let sound = firmware(&SECTIONS, HASHES_AT);
    for position in (PAGE..PAGE + 64).chain(2 * PAGE - 132..2 * PAGE - 32) {
        for value in [0x00, 0x7F, 0xFF] {
            let mut damaged = sound.clone();
            damaged[position] = value;
            let (_folder, image) = image(&damaged);
            let _ = snp_launch_digest(&image, CommandLine::Hardware, Shape::new(1));
        }
    }
}

/// The library that `chrysalis-measure` uses knows these by name, so that it can say what their digest is.
#[test]
fn a_type_s_signature_measures_as_its_name_does() {
    use sev::measurement::{
        snp::{SnpMeasurementArgs, snp_calc_launch_digest},
        vcpu_types::CpuType as Known,
        vmsa::{GuestFeatures, VMMType},
    };
    let (_folder, image) = image(&firmware(&SECTIONS, HASHES_AT));
    let digest = |cpu: &str| {
        let shape = Shape {
            cpu_type: cpu.parse().unwrap(),
            ..Shape::new(3)
        };
        snp_launch_digest(&image, CommandLine::Hardware, shape).unwrap()
    };
    for (name, hex, known) in [
        ("EPYC-v4", "0x800f12", Known::EpycV4),
        ("EPYC-Rome", "0x830f10", Known::EpycRome),
        ("EPYC-Milan", "0xa00f11", Known::EpycMilan),
        ("EPYC-Genoa", "0xa10f10", Known::EpycGenoa),
        ("EPYC-Turin", "0xb00f00", Known::EpycTurin),
    ] {
        let other: Vec<u8> = snp_calc_launch_digest(SnpMeasurementArgs {
            vcpus: 3,
            vcpu_type: known,
            ovmf_file: image.firmware(),
            guest_features: GuestFeatures(Shape::new(3).guest_features),
            kernel_file: Some(image.kernel()),
            initrd_file: Some(image.initrd()),
            append: Some("console=ttyS0 --"),
            ovmf_hash_str: None,
            vmm_type: Some(VMMType::QEMU),
        })
        .unwrap()
        .try_into()
        .unwrap();
        assert_eq!(digest(name).as_slice(), other, "{name}");
        assert_eq!(digest(hex), digest(name), "{name}");
    }
    // A newer version of a type is measured like the first; another stepping is not.
    assert_eq!(digest("EPYC-Milan-v3"), digest("EPYC-Milan"));
    assert_eq!(digest("EPYC-Genoa-v2"), digest("10555152"));
    assert_ne!(digest("0xa10f11"), digest("EPYC-Genoa"));
}
