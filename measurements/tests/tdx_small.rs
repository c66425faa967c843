//! An image for TDX small enough to be written down here: its registers as an independent computation has them, and damage
//! of every kind, which must end in an error that names the file.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use chrysalis_measure::{
    AcpiTables, CommandLine, EventDigest, Image, MeasureError, TdxMeasurement, TdxShape,
    tdx_measurement,
};
use std::fs;

const PAGE: usize = 4096;
/// Two pages of configuration volume, two of code.
const SIZE: usize = 4 * PAGE;
const METADATA_AT: usize = SIZE - 0x400;

/// Offset, length, address, size, type, attributes: as the firmware of Debian has them, and smaller.
type Section = (u32, u32, u64, u64, u32, u32);
const SECTIONS: [Section; 6] = [
    (0x2000, 0x2000, 0xFFFF_E000, 0x2000, 0, 1),
    (0, 0x2000, 0xFFFF_C000, 0x2000, 1, 0),
    (0, 0, 0x81_0000, 0x1_0000, 3, 0),
    (0, 0, 0x80_B000, 0x2000, 3, 0),
    (0, 0, 0x80_9000, 0x2000, 2, 0),
    (0, 0, 0x80_0000, 0x6000, 3, 0),
];

// GUIDs as they are stored.
const TABLE: &[u8; 16] = b"\xde\x82\xb5\x96\xb2\x1f\xf7\x45\xba\xea\xa3\x66\xc5\x5a\x08\x2d";
const TDX: &[u8; 16] = b"\x35\x65\x7a\xe4\x4a\x98\x98\x47\x86\x5e\x46\x85\xa7\xbf\x8e\xc2";
const STORE: &[u8; 16] = b"\x78\x2c\xf3\xaa\x7b\x94\x9a\x43\xa1\x80\x2e\x14\x4e\xc3\x77\x92";

fn metadata(sections: &[Section]) -> Vec<u8> {
    let count = u32::try_from(sections.len()).unwrap();
    let mut bytes = b"TDVF".to_vec();
    for word in [16 + 32 * count, 1, count] {
        bytes.extend(word.to_le_bytes());
    }
    for (offset, length, address, size, kind, attributes) in sections {
        bytes.extend([offset.to_le_bytes(), length.to_le_bytes()].concat());
        bytes.extend([address.to_le_bytes(), size.to_le_bytes()].concat());
        bytes.extend([kind.to_le_bytes(), attributes.to_le_bytes()].concat());
    }
    bytes
}

fn firmware(sections: &[Section]) -> Vec<u8> {
    let mut file = vec![0xFF; 2 * PAGE];
    file[40..44].copy_from_slice(b"_FVH");
    file[48..50].copy_from_slice(&72_u16.to_le_bytes());
    file[72..88].copy_from_slice(STORE);
    file[88..92].copy_from_slice(&0x1000_u32.to_le_bytes());
    file[92..100].copy_from_slice(&[0x5A, 0xFE, 0, 0, 0, 0, 0, 0]);
    file.extend(vec![0x90; 2 * PAGE]);

    let metadata = metadata(sections);
    file[METADATA_AT..METADATA_AT + metadata.len()].copy_from_slice(&metadata);
    let mut table = u32::try_from(SIZE - METADATA_AT)
        .unwrap()
        .to_le_bytes()
        .to_vec();
    table.extend(22_u16.to_le_bytes());
    table.extend(TDX);
    table.extend(40_u16.to_le_bytes());
    table.extend(TABLE);
    let end = SIZE - 32;
    file[end - table.len()..end].copy_from_slice(&table);
    file
}

/// Headers of a page, a section of half a page, sixteen bytes of signature.
fn kernel() -> Vec<u8> {
    let mut kernel = vec![0; PAGE];
    let mut put = |at: usize, bytes: &[u8]| kernel[at..at + bytes.len()].copy_from_slice(bytes);
    put(0, b"MZ");
    put(0x3C, &[0x80]);
    put(0x1FE, &[0x55, 0xAA]);
    put(0x202, b"HdrS");
    put(0x80, b"PE\0\0");
    // One section; an optional header of 240 bytes, PE32+, which counts the directories.
    put(0x86, &[1]);
    put(0x94, &[240]);
    put(0x98, &[0x0B, 0x02]);
    put(0x98 + 60, &0x1000_u32.to_le_bytes());
    put(0x98 + 64, b"sum ");
    put(0x98 + 108, &[16]);
    put(
        0x98 + 144,
        &[0x1800_u32.to_le_bytes(), 16_u32.to_le_bytes()].concat(),
    );
    put(
        0x188 + 16,
        &[0x800_u32.to_le_bytes(), 0x1000_u32.to_le_bytes()].concat(),
    );
    kernel.extend(vec![0xCC; 0x800]);
    kernel.extend([0xEE; 16]);
    kernel
}

struct Parts {
    firmware: Vec<u8>,
    kernel: Vec<u8>,
    initrd: Vec<u8>,
    command_line: String,
}

impl Default for Parts {
    fn default() -> Self {
        Self {
            firmware: firmware(&SECTIONS),
            kernel: kernel(),
            initrd: b"an initrd".to_vec(),
            command_line: "console=ttyS0 --".to_owned(),
        }
    }
}

impl Parts {
    fn measure(&self, shape: &TdxShape) -> Result<TdxMeasurement, MeasureError> {
        let folder = tempfile::tempdir().unwrap();
        let files: [(&str, &[u8]); 6] = [
            ("kernel", &self.kernel),
            ("initrd", &self.initrd),
            ("firmware.fd", b""),
            ("firmware-tdx.fd", &self.firmware),
            ("cmdline", self.command_line.as_bytes()),
            ("cmdline-simulated", b"platform=simulated"),
        ];
        for (name, content) in files {
            fs::write(folder.path().join(name), content).unwrap();
        }
        let image = Image::open(folder.path()).unwrap();
        tdx_measurement(&image, CommandLine::Hardware, shape)
    }

    fn measured(&self) -> TdxMeasurement {
        self.measure(&whole()).unwrap()
    }
}

/// 2 GiB, and some ACPI tables.
fn whole() -> TdxShape {
    TdxShape {
        memory: Some(2048),
        acpi: Some(AcpiTables {
            loader: b"loader".to_vec(),
            rsdp: b"rsdp".to_vec(),
            tables: b"tables".to_vec(),
        }),
    }
}

fn digest(measured: &TdxMeasurement, rtmr: u8, name: &str) -> String {
    let mut events = measured.events.iter();
    let event = events.find(|event| event.rtmr == rtmr && event.name == name);
    match event.unwrap().digest {
        EventDigest::Computed(digest) => hex::encode(digest),
        EventDigest::Varies(why) => why.to_owned(),
    }
}

/// Expected values: a computation in Python from the specifications' text alone.
#[test]
fn a_small_image_measures_as_another_computation_says() {
    let measured = Parts::default().measured();
    assert_eq!(
        hex::encode(measured.mrtd),
        "55c0f63fa191df4eb5b5bc4f08e4823a962ea82484b06b37038d262ffafbb05d387ca5e897174b203fd984d3691f7de6"
    );
    assert_eq!(
        digest(&measured, 1, "kernel"),
        "dff24206d659c360fbd9fdeb9646b982a242d0dcda8722d079cc6cc9dfff86ee0686fb34500e0619628f357f74d67c28"
    );
    assert_eq!(
        hex::encode(measured.rtmr(1).unwrap()),
        "fc7ea531a03e0347975602ba2aa6b40a5f83f07bf567b52c54aee610741956b81357dead5fa5babde021716530018a46"
    );
    assert_eq!(
        hex::encode(measured.rtmr(2).unwrap()),
        "0a640897365da60e5d016073c404e6898ec0cb95d999e2fe40b4f2a6adfe1ba1c680b193be523f369fc5034ed0e4d61c"
    );
}

/// Digests that the firmware edk2-stable202608 logged to a virtual TPM when it booted a kernel directly under QEMU 10.0: the
/// same measurements as on TDX, in registers of another name.
#[test]
fn events_are_those_that_the_firmware_logs_when_it_boots() {
    let parts = Parts {
        command_line: "console=ttyS0 quiet panic=-1 --".to_owned(),
        ..Parts::default()
    };
    let measured = parts.measured();
    for (rtmr, name, logged) in [
        (
            0,
            "variable SecureBoot",
            "9dc3a1f80bcec915391dcda5ffbb15e7419f77eab462bbf72b42166fb70d50325e37b36f93537a863769bcf9bedae6fb",
        ),
        (
            0,
            "variable PK",
            "6f2e3cbc14f9def86980f5f66fd85e99d63e69a73014ed8a5633ce56eca5b64b692108c56110e22acadcef58c3250f1b",
        ),
        (
            0,
            "variable KEK",
            "d607c0efb41c0d757d69bca0615c3a9ac0b1db06c557d992e906c6b7dee40e0e031640c7bfd7bcd35844ef9edeadc6f9",
        ),
        (
            0,
            "variable db",
            "08a74f8963b337acb6c93682f934496373679dd26af1089cb4eaf0c30cf260a12e814856385ab8843e56a9acea19e127",
        ),
        (
            0,
            "variable dbx",
            "18cc6e01f0c6ea99aa23f8a280423e94ad81d96d0aeb5180504fc0f7a40cb3619dd39bd6a95ec1680a86ed6ab0f9828d",
        ),
        (
            0,
            "separator",
            "394341b7182cd227c5c6b07ef8000cdfd86136c4292b8e576573ad7ed9ae41019f5818b4b971c9effc60e1ad9f1289f0",
        ),
        (
            0,
            "variable BootOrder",
            "52b9a02de946b947364b57d8210c63113b9058996e2a3ba7cead54af11ae0873b085d1e52bc01e4febe57ca05ca1332b",
        ),
        (
            0,
            "variable Boot0000",
            "5068e6a9ded2a1c3a8ebb5d26004410ea8670742d8f444c5c3d161b76c66fa23a7b1d2fb3f9840570b675384b5818f2d",
        ),
        (
            0,
            "variable Boot0001",
            "dd424f2eeb35f3e8a2c2f50f6cc87ff90b7577e92ce63e13a22869d07d104fd5ea9800e6e4f12c5058fc4eaa78374f20",
        ),
        (
            1,
            "boot attempt",
            "77a0dab2312b4e1e57a84d865a21e5b2ee8d677a21012ada819d0a98988078d3d740f6346bfe0abaa938ca20439a8d71",
        ),
        (
            1,
            "exit of boot services",
            "214b0bef1379756011344877743fdc2a5382bac6e70362d624ccf3f654407c1b4badf7d8f9295dd3dabdef65b27677e0",
        ),
        (
            1,
            "exit of boot services done",
            "0a2e01c85deae718a530ad8c6d20a84009babe6c8989269e950d8cf440c6e997695e64d455c4174a652cd080f6230b74",
        ),
        (
            2,
            "command line",
            "b635ad4db8a462882891f52e915f1b24639112161363d5d95e446c5ce3024fab5e78f1fe0a9fb392923e4878bbe65aec",
        ),
    ] {
        assert_eq!(digest(&measured, rtmr, name), logged, "{name}");
    }
}

#[test]
fn what_the_machine_decides_is_left_open() {
    let bare = Parts::default().measure(&TdxShape::default()).unwrap();
    assert_eq!(bare.rtmr(0), None);
    let open = |measured: &TdxMeasurement| {
        let events = measured.events.iter();
        let open = events.filter(|event| matches!(event.digest, EventDigest::Varies(_)));
        open.map(|event| event.name).collect::<Vec<_>>()
    };
    assert_eq!(
        open(&bare),
        [
            "TD hand-off block",
            "ACPI table loader",
            "ACPI root pointer",
            "ACPI tables",
            "SMBIOS tables"
        ]
    );
    let whole = Parts::default().measured();
    assert_eq!(open(&whole), ["SMBIOS tables"]);
    assert_eq!(
        (whole.mrtd, whole.rtmr(1), whole.rtmr(2)),
        (bare.mrtd, bare.rtmr(1), bare.rtmr(2))
    );
}

#[test]
fn every_input_changes_a_register() {
    let registers = |parts: &Parts, shape: &TdxShape| {
        let measured = parts.measure(shape).unwrap();
        (measured.mrtd, measured.events)
    };
    let mut all = vec![registers(&Parts::default(), &whole())];
    let more = TdxShape {
        memory: Some(4096),
        ..whole()
    };
    all.push(registers(&Parts::default(), &more));
    let mut parts = Parts::default();
    parts.firmware[3 * PAGE] ^= 1;
    all.push(registers(&parts, &whole()));
    let mut parts = Parts::default();
    parts.kernel[0x1001] ^= 1;
    all.push(registers(&parts, &whole()));
    let mut parts = Parts::default();
    parts.initrd[0] ^= 1;
    all.push(registers(&parts, &whole()));
    let parts = Parts {
        command_line: String::new(),
        ..Parts::default()
    };
    all.push(registers(&parts, &whole()));
    for (number, one) in all.iter().enumerate() {
        assert!(!all[..number].contains(one), "{number}");
    }
}

#[test]
fn a_kernels_checksum_and_signatures_do_not_count() {
    let mut parts = Parts::default();
    let plain = parts.measured();
    parts.kernel[0x98 + 64] ^= 1;
    let end = parts.kernel.len() - 1;
    parts.kernel[end] ^= 1;
    assert_eq!(parts.measured(), plain);
}

fn firmware_fault(firmware: Vec<u8>) -> &'static str {
    let parts = Parts {
        firmware,
        ..Parts::default()
    };
    match parts.measure(&whole()) {
        Err(MeasureError::TdxFirmware { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

const NOT_FIRMWARE: &str = "this is not UEFI firmware for TDX";
const NO_METADATA: &str = "this firmware has no TDX metadata, so a TDX module could not start it";
const DAMAGED: &str = "its TDX metadata is damaged";

#[test]
fn refuses_what_is_no_tdx_firmware() {
    for file in [vec![], vec![0; 31], vec![0; PAGE - 1], vec![0xFF; PAGE]] {
        assert_eq!(firmware_fault(file), NOT_FIRMWARE);
    }
    let mut other = firmware(&SECTIONS);
    let end = SIZE - 32;
    other[end - 34] ^= 1;
    assert_eq!(firmware_fault(other), NO_METADATA);
}

#[test]
fn refuses_sections_that_make_no_sense() {
    let [code, volume, memory, ..] = SECTIONS;
    let hand_off = SECTIONS[4];
    let with = |section: Section| firmware_fault(firmware(&[code, volume, hand_off, section]));
    let (_, _, address, size, kind, attributes) = memory;
    assert_eq!(with((0, 0, address + 1, size, kind, attributes)), DAMAGED);
    assert_eq!(with((0, 0, address, size + 1, kind, attributes)), DAMAGED);
    assert_eq!(with((0, 0, address, 0, kind, attributes)), DAMAGED);
    assert_eq!(with((0, 0, address, 1 << 40, kind, attributes)), DAMAGED);
    assert_eq!(
        with((0, 0, u64::MAX - 0xFFF, size, kind, attributes)),
        DAMAGED
    );
    assert_eq!(
        with((0, 0x2_0000, address, size, kind, attributes)),
        DAMAGED
    );
    assert_eq!(
        with((u32::MAX, 0x1000, address, size, kind, attributes)),
        DAMAGED
    );
    // Measured, and shorter than its place; over another; a second hand-off block.
    assert_eq!(with((0, 0x1000, address, size, kind, 1)), DAMAGED);
    assert_eq!(with(hand_off), DAMAGED);
    assert_eq!(with((0, 0, address, size, 2, 0)), DAMAGED);
    let unknown = "its TDX metadata asks for something that this version cannot measure (a section's type or attributes)";
    assert_eq!(with((0, 0, address, size, 5, 0)), unknown);
    assert_eq!(with((0, 0, address, size, kind, 2)), unknown);
    for missing in [code, volume, hand_off] {
        let rest: Vec<Section> = SECTIONS
            .into_iter()
            .filter(|section| *section != missing)
            .collect();
        assert_eq!(firmware_fault(firmware(&rest)), DAMAGED);
    }
}

#[test]
fn refuses_firmware_with_secure_boot_keys_or_other_variables() {
    let mut enrolled = firmware(&SECTIONS);
    enrolled[100..102].copy_from_slice(&[0xAA, 0x55]);
    assert_eq!(
        firmware_fault(enrolled),
        "its store of UEFI variables is not empty (Debian's has Microsoft's Secure Boot keys, which refuse this kernel)"
    );
    for position in [40, 72, 92, 93] {
        let mut other = firmware(&SECTIONS);
        other[position] ^= 1;
        assert_eq!(
            firmware_fault(other),
            "its configuration volume holds no store of UEFI variables"
        );
    }
}

#[test]
fn refuses_what_is_no_kernel() {
    let fault = |kernel: Vec<u8>| {
        let parts = Parts {
            kernel,
            ..Parts::default()
        };
        match parts.measure(&whole()) {
            Err(MeasureError::Kernel { fault, .. }) => fault,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(fault(vec![]), "this is not a bzImage");
    assert_eq!(fault(vec![0; 0x2000]), "this is not a bzImage");
    let mut plain = kernel();
    plain[0] = 0;
    assert_eq!(
        fault(plain),
        "this kernel has no EFI stub, so the firmware would boot it without measuring it"
    );
    let damaged = "its PE header is damaged";
    assert_eq!(fault(kernel()[..0x1000].to_vec()), damaged);
    for (position, value) in [
        (0x3F, 0xFF),
        (0x80, 0),
        (0x87, 0xFF),
        (0x98, 0),
        (0x98 + 63, 0xFF),
        (0x98 + 108, 4),
        (0x98 + 151, 0xFF),
        (0x188 + 19, 0xFF),
        (0x188 + 21, 0),
    ] {
        let mut other = kernel();
        other[position] = value;
        assert_eq!(fault(other), damaged, "{position:#x}");
    }
}

#[test]
fn refuses_an_empty_initrd() {
    let parts = Parts {
        initrd: Vec::new(),
        ..Parts::default()
    };
    assert!(matches!(
        parts.measure(&whole()),
        Err(MeasureError::Initrd { .. })
    ));
}

#[test]
fn refuses_memory_that_no_guest_has() {
    for memory in [0, 1, 8, 64 * 1024 * 1024 + 1, u64::MAX] {
        let shape = TdxShape {
            memory: Some(memory),
            ..TdxShape::default()
        };
        let measured = Parts::default().measure(&shape);
        assert!(
            matches!(measured, Err(MeasureError::Memory { memory: found }) if found == memory),
            "{memory}"
        );
    }
}

/// Any byte of what is parsed, any of three values: a measurement or an error, and never a panic.
#[test]
fn no_damage_is_a_panic() {
    let sound = firmware(&SECTIONS);
    let header = [40, 41, 48, 49].into_iter().chain(72..104);
    let metadata = METADATA_AT..METADATA_AT + 16 + 6 * 32;
    for position in header.chain(metadata).chain(SIZE - 72..SIZE - 32) {
        for value in [0x00, 0x7F, 0xFF] {
            let mut parts = Parts {
                firmware: sound.clone(),
                ..Parts::default()
            };
            parts.firmware[position] = value;
            let _ = parts.measure(&whole());
        }
    }
    for position in (0..4).chain(0x3C..0x40).chain(0x80..0x1B0) {
        for value in [0x00, 0x7F, 0xFF] {
            let mut parts = Parts::default();
            parts.kernel[position] = value;
            let _ = parts.measure(&whole());
        }
    }
}
