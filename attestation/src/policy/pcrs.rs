//! `pcrs` of `[snp]` and of `[tdx]`: what Azure's virtual TPM must have measured.

use std::collections::BTreeMap;

use super::{PolicyError, section::Section};

/// Of a PC's TPM.
const PCRS: [&str; 24] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15", "16",
    "17", "18", "19", "20", "21", "22", "23",
];

/// Each PCR that the section names, with the values that are wanted.
pub(super) fn pcrs(section: &Section<'_>) -> Result<BTreeMap<u8, Vec<[u8; 32]>>, PolicyError> {
    let section = section.section("pcrs", &PCRS)?;
    let mut pcrs = BTreeMap::new();
    for (index, name) in (0..).zip(PCRS) {
        let values = section.read(name, |values| values.list(|it| it.hex("a SHA-256 in hex")))?;
        if let Some(values) = values {
            pcrs.insert(index, values);
        }
    }
    Ok(pcrs)
}
