//! The guest's disks. All are read-only, and all are found by what virtio calls their serial number, never by their order.

use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use serde_json::json;

use super::shell::utf8;

/// The serial number of the disk of a GPU's driver.
const DRIVER: &str = "driver";
/// The PCI slots that disks take, as the eight functions of each. QEMU gives the other devices slots from 1 upwards.
const SLOTS: std::ops::Range<usize> = 0x10..0x1f;
/// Functions of a PCI slot.
const FUNCTIONS: usize = 8;

/// A disk, and how the guest finds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DiskFile {
    /// At most 20 letters and digits.
    pub(crate) serial: String,
    pub(crate) file: PathBuf,
}

impl DiskFile {
    /// The disk of a GPU's driver.
    pub(super) fn driver(file: &Path) -> Self {
        Self {
            serial: DRIVER.to_owned(),
            file: file.to_owned(),
        }
    }
}

/// QEMU's arguments for them; `virtio` is what every virtio device gets.
pub(super) fn arguments(disks: &[DiskFile], virtio: &str) -> anyhow::Result<Vec<String>> {
    let mut words = Vec::new();
    for (index, DiskFile { serial, file }) in disks.iter().enumerate() {
        let slot = SLOTS.start.saturating_add(index / FUNCTIONS);
        ensure!(
            SLOTS.contains(&slot),
            "a machine has room for {} disks, and the configuration names more\nhint: serve fewer models on one machine",
            SLOTS.len() * FUNCTIONS
        );
        let function = index % FUNCTIONS;
        let file = utf8(file).with_context(|| format!("the disk {serial}"))?;
        let disk = json!({
            "driver": "raw",
            "node-name": format!("disk-{serial}"),
            "read-only": true,
            "file": { "driver": "file", "filename": file, "read-only": true },
        });
        words.extend([
            "-blockdev".to_owned(),
            disk.to_string(),
            "-device".to_owned(),
            format!(
                "virtio-blk-pci,drive=disk-{serial},serial={serial},multifunction=on,addr={slot:x}.{function}{virtio}"
            ),
        ]);
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn many(count: usize) -> Vec<DiskFile> {
        (0..count)
            .map(|index| DiskFile {
                serial: format!("{index:0>20}"),
                file: "/disks/one.img".into(),
            })
            .collect()
    }

    #[test]
    fn each_disk_is_read_only_and_found_by_its_serial() {
        let words = arguments(
            &[DiskFile::driver(Path::new("/a,b/\"driver\".img"))],
            ",x=on",
        )
        .unwrap();
        let [_, blockdev, _, device] = &words[..] else {
            panic!("{words:?}")
        };
        let disk: serde_json::Value = serde_json::from_str(blockdev).unwrap();
        assert_eq!(disk["file"]["filename"], "/a,b/\"driver\".img");
        assert_eq!(
            [&disk["read-only"], &disk["file"]["read-only"]],
            [true, true]
        );
        assert_eq!(
            device,
            "virtio-blk-pci,drive=disk-driver,serial=driver,multifunction=on,addr=10.0,x=on"
        );
    }

    #[test]
    fn there_is_room_for_many_and_one_more_is_refused() {
        let words = arguments(&many(120), "").unwrap();
        assert!(words.last().unwrap().ends_with(",addr=1e.7"), "{words:?}");
        let places: std::collections::BTreeSet<_> = words
            .iter()
            .filter_map(|word| word.rsplit("addr=").next())
            .collect();
        assert!(places.len() >= 120);
        let refused = arguments(&many(121), "").unwrap_err().to_string();
        assert!(
            refused.contains("room for 120 disks") && refused.contains("hint: "),
            "{refused}"
        );
    }
}
