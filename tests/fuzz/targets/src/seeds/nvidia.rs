//! Seeds of what GPUs say.

use chrysalis_attestation::nvidia::spdm::Request;

use super::{Seed, seed};

/// The policy of GPUs, with every key.
const POLICY: &str = r#"version = 1
[gpu]
count = [1]
minimum_driver = "550.90.07"
models = ["GH100 A01 GSP BROM"]
devices = { unchecked = "any" }
drivers = ["550.90.07"]
vbioses = ["96.00.9F.00.01"]
modes = ["single_passthrough", "unstated"]
switches = { unchecked = "none" }
revocation = "stapled"
hold = { unchecked = "none" }
rims = { unchecked = "none" }
fwid = { unchecked = "none" }
"#;

pub(super) fn seeds() -> Vec<Seed> {
    let opaque = opaque();
    vec![
        seed("spdm", "unsigned", report(&opaque)),
        seed("opaque", "hopper", opaque),
        seed("policy", "gpus", POLICY),
    ]
}

/// Question and answer with three measurements, and a signature of zeros.
fn report(opaque: &[u8]) -> Vec<u8> {
    let nonce = [0x4E; 32];
    let mut bytes = Request { nonce, slot: 0 }.encode().to_vec();
    let mut record = Vec::new();
    for index in 1..=3 {
        record.extend([index, 1, 51, 0, 1, 48, 0]);
        record.extend([index; 48]);
    }
    bytes.extend([0x11, 0x60, 0, 0, 3]);
    bytes.extend(&little_endian(record.len())[..3]);
    bytes.extend(record);
    bytes.extend([2; 32]);
    bytes.extend(&little_endian(opaque.len())[..2]);
    bytes.extend(opaque);
    bytes.extend([0; 96]);
    bytes
}

/// Everything that the verifier reads of Hopper's firmware.
fn opaque() -> Vec<u8> {
    let fields: [(u8, &[u8]); 8] = [
        (3, b"550.90.07\0"),
        (6, &[0x00, 0x9F, 0x00, 0x96, 0x01, 0, 0, 0]),
        (11, &[0xAA]),
        (15, b"882\0\0\0\0\0\0"),
        (17, b"1010\0"),
        (18, b"0200\0"),
        (20, &[5; 48]),
        (36, &[0, 0]),
    ];
    fields
        .iter()
        .flat_map(|(kind, value)| {
            let size = little_endian(value.len());
            [&[*kind, 0], &size[..2], value].concat()
        })
        .collect()
}

fn little_endian(number: usize) -> [u8; 4] {
    u32::try_from(number)
        .expect("seeds are small")
        .to_le_bytes()
}
