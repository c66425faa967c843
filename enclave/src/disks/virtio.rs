//! Disks of the machine: found by the serial number that the host gives them, watched by dm-verity. The serial number only
//! says where to look; the tree decides whether it is the right disk.

use std::{
    fs, io,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

use chrysalis_wire::configuration::Disk;

use crate::{
    device_mapper::{self, DEVICE_PATIENCE, VerityTable},
    failure::Failure,
};

/// Where the kernel lists its disks.
const DISKS: &str = "/sys/block";
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(20);

/// The device that dm-verity watches.
pub(super) fn verified(disk: &Disk) -> PathBuf {
    Path::new("/dev").join(format!("disk-{}", disk.root))
}

/// Makes that device.
pub(super) fn open(disk: &Disk) -> Result<(), Failure> {
    let device = wait_for(disk.serial()).map_err(|why| Failure::DiskMissing {
        place: disk.file().into(),
        why,
    })?;
    watch(&device, &disk.root, disk.blocks, &verified(disk))
}

/// Makes a device at `place` that reads `device` through dm-verity.
pub(crate) fn watch(device: &str, root: &str, blocks: u64, place: &Path) -> Result<(), Failure> {
    let table = VerityTable {
        device,
        data_blocks: blocks,
        root,
    };
    let number = device_mapper::create_verity(root, &table)
        .map_err(|(step, why)| Failure::Verity { step, why })?;
    device_mapper::make_node(place, number).map_err(|why| Failure::Verity {
        step: "make its node",
        why,
    })
}

/// The disk with this serial number, once the kernel has found it.
pub(crate) fn wait_for(serial: &str) -> io::Result<String> {
    let deadline = Instant::now() + DEVICE_PATIENCE;
    loop {
        if let Some(device) = find(Path::new(DISKS), serial) {
            return Ok(device);
        }
        if Instant::now() >= deadline {
            return Err(io::ErrorKind::NotFound.into());
        }
        thread::sleep(PAUSE);
    }
}

fn find(disks: &Path, serial: &str) -> Option<String> {
    fs::read_dir(disks).ok()?.find_map(|entry| {
        let entry = entry.ok()?;
        let found = fs::read_to_string(entry.path().join("serial")).ok()?;
        let name = entry.file_name().into_string().ok()?;
        (found.trim_end() == serial).then(|| format!("/dev/{name}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_found_by_its_serial_number_alone() {
        let folder = tempfile::tempdir().unwrap();
        for (name, serial) in [
            ("vda", Some("aaaa")),
            ("vdb", Some("bbbb\n")),
            ("dm-0", None),
        ] {
            fs::create_dir(folder.path().join(name)).unwrap();
            if let Some(serial) = serial {
                fs::write(folder.path().join(name).join("serial"), serial).unwrap();
            }
        }
        assert_eq!(find(folder.path(), "bbbb"), Some("/dev/vdb".into()));
        assert_eq!(find(folder.path(), "cccc"), None);
        assert_eq!(find(Path::new("/nonexistent"), "aaaa"), None);
    }
}
