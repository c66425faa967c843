//! The events of a boot: what the firmware and the kernel's EFI stub extend RTMR0, RTMR1 and RTMR2 with, in order.
//!
//! The order is that of EDK II since edk2-stable202505; docs/guide/measure.md says how it was checked.

use super::{
    AcpiTables, EventDigest,
    EventDigest::{Computed, Varies},
    Sha384Digest, TdxEvent, sha384,
};

/// 8be4df61-93ca-11d2-aa0d-00e098032b8c: the variables that UEFI defines, as it is stored.
const GLOBAL: [u8; 16] = *b"\x61\xdf\xe4\x8b\xca\x93\xd2\x11\xaa\x0d\x00\xe0\x98\x03\x2b\x8c";
/// d719b2cb-3d3a-4596-a3bc-dad00e67656f: the databases of Secure Boot.
const SECURITY: [u8; 16] = *b"\xcb\xb2\x19\xd7\x3a\x3d\x96\x45\xa3\xbc\xda\xd0\x0e\x67\x65\x6f";
/// 7cb8bdc9-f8eb-4f34-aaea-3ee4af6516a1: the volume with OVMF's own programs.
const PROGRAMS: [u8; 16] = *b"\xc9\xbd\xb8\x7c\xeb\xf8\x34\x4f\xaa\xea\x3e\xe4\xaf\x65\x16\xa1";
/// eec25bdc-67f2-4d95-b1d5-f81b2039d11d
const BOOT_MENU: [u8; 16] = *b"\xdc\x5b\xc2\xee\xf2\x67\x95\x4d\xb1\xd5\xf8\x1b\x20\x39\xd1\x1d";
/// 462caa21-7614-4503-836e-8ab6f4662331
const SETUP: [u8; 16] = *b"\x21\xaa\x2c\x46\x14\x76\x03\x45\x83\x6e\x8a\xb6\xf4\x66\x23\x31";

/// The load options' attributes: active, an application; and hidden.
const SHOWN: u32 = 0x101;
const HIDDEN: u32 = 0x109;

/// What QEMU tells the firmware to try first with a direct kernel boot, if no device was given a `bootindex`.
const BOOT_ORDER: &[u8] = b"/rom@genroms/linuxboot_dma.bin\0";
const SEPARATOR: &[u8] = &[0; 4];
const ACPI: &str =
    "QEMU's ACPI tables, which depend on its version, the CPUs and the devices: give them";
const SMBIOS: &str = "QEMU's SMBIOS tables, which depend on its version, the CPUs and the memory";

/// What a boot measures.
pub(super) struct Boot<'a> {
    pub(super) hand_off: EventDigest,
    pub(super) configuration: &'a [u8],
    pub(super) acpi: Option<&'a AcpiTables>,
    pub(super) kernel: Sha384Digest,
    pub(super) command_line: &'a str,
    pub(super) initrd: Sha384Digest,
}

impl Boot<'_> {
    /// By register, and within each register in boot order.
    pub(super) fn events(&self) -> Vec<TdxEvent> {
        let of = |bytes: &[u8]| Computed(sha384(&[bytes]));
        let acpi = |table: fn(&AcpiTables) -> &Vec<u8>| match self.acpi {
            Some(tables) => of(table(tables)),
            None => Varies(ACPI),
        };
        let unset = |owner, name| of(&unset_variable(owner, name));
        let lists: [&[(&'static str, EventDigest)]; 3] = [
            &[
                ("TD hand-off block", self.hand_off),
                ("configuration volume", of(self.configuration)),
                ("fw_cfg BootMenu", of(&[0, 0])),
                ("fw_cfg bootorder", of(BOOT_ORDER)),
                ("variable SecureBoot", unset(GLOBAL, "SecureBoot")),
                ("variable PK", unset(GLOBAL, "PK")),
                ("variable KEK", unset(GLOBAL, "KEK")),
                ("variable db", unset(SECURITY, "db")),
                ("variable dbx", unset(SECURITY, "dbx")),
                ("separator", of(SEPARATOR)),
                ("ACPI table loader", acpi(|tables| &tables.loader)),
                ("ACPI root pointer", acpi(|tables| &tables.rsdp)),
                ("ACPI tables", acpi(|tables| &tables.tables)),
                ("SMBIOS tables", Varies(SMBIOS)),
                ("variable BootOrder", of(&[0, 0, 1, 0])),
                (
                    "variable Boot0000",
                    of(&load_option(HIDDEN, "BootManagerMenuApp", BOOT_MENU)),
                ),
                (
                    "variable Boot0001",
                    of(&load_option(SHOWN, "EFI Firmware Setup", SETUP)),
                ),
            ],
            &[
                ("kernel", Computed(self.kernel)),
                (
                    "boot attempt",
                    of(b"Calling EFI Application from Boot Option"),
                ),
                ("separator", of(SEPARATOR)),
                (
                    "exit of boot services",
                    of(b"Exit Boot Services Invocation"),
                ),
                (
                    "exit of boot services done",
                    of(b"Exit Boot Services Returned with Success"),
                ),
            ],
            &[
                ("command line", of(&load_options(self.command_line))),
                ("initrd", Computed(self.initrd)),
            ],
        ];
        let events = (0..).zip(lists).flat_map(|(rtmr, list)| {
            list.iter().map(move |(name, digest)| TdxEvent {
                rtmr,
                name,
                digest: *digest,
            })
        });
        events.collect()
    }
}

/// `UEFI_VARIABLE_DATA` of a variable that is not set: owner, lengths of name and content, name.
fn unset_variable(owner: [u8; 16], name: &str) -> Vec<u8> {
    let length = name.len() as u64;
    let head = owner.into_iter().chain(length.to_le_bytes());
    head.chain([0; 8]).chain(utf16(name)).collect()
}

/// `EFI_LOAD_OPTION` of a program in OVMF's own volume.
fn load_option(attributes: u32, name: &str, program: [u8; 16]) -> Vec<u8> {
    // A node of the volume, one of the file in it, and the end of the path.
    let path = [
        &[4, 7, 20, 0][..],
        &PROGRAMS,
        &[4, 6, 20, 0],
        &program,
        &[0x7F, 0xFF, 4, 0],
    ]
    .concat();
    let length = u16::try_from(path.len()).unwrap_or(u16::MAX);
    let head = attributes.to_le_bytes().into_iter();
    head.chain(length.to_le_bytes())
        .chain(utf16(name))
        .chain([0; 2])
        .chain(path)
        .collect()
}

/// What OVMF passes to the kernel's EFI stub, which measures it: first a word of OVMF's own, then every byte of the command line as
/// a character, then the final zero.
fn load_options(command_line: &str) -> Vec<u8> {
    let bytes = b"initrd=initrd ".iter().chain(command_line.as_bytes());
    bytes.chain(&[0]).flat_map(|byte| [*byte, 0]).collect()
}

fn utf16(text: &str) -> impl Iterator<Item = u8> {
    text.encode_utf16().flat_map(u16::to_le_bytes)
}
