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
    device_mapper::{self, CryptTable, DEVICE_PATIENCE, DeviceError, VerityTable},
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

/// The device that dm-crypt decrypts, which only dm-verity reads.
fn decrypted(disk: &Disk) -> PathBuf {
    Path::new("/dev").join(sealed_name(disk))
}

fn sealed_name(disk: &Disk) -> String {
    format!("sealed-{}", disk.root)
}

/// Makes the verified device of a sealed disk: dm-verity over dm-crypt, so that what a wrong key or the host makes of it is an error.
pub(super) fn unseal(disk: &Disk, key: &[u8]) -> Result<(), Failure> {
    let device = wait_for(disk.serial()).map_err(|why| Failure::DiskMissing {
        place: disk.sealed_file().into(),
        why,
    })?;
    let failed = |(step, why)| Failure::Crypt { step, why };
    let table = CryptTable {
        device: &device,
        blocks: disk.size() / Disk::BLOCK,
        key,
    };
    let number = device_mapper::create_crypt(&sealed_name(disk), &table).map_err(failed)?;
    let place = decrypted(disk);
    device_mapper::make_node(&place, number).map_err(|why| failed(("make its node", why)))?;
    let place = place.to_string_lossy();
    watch(&place, &disk.root, disk.blocks, &verified(disk))
}

/// Removes both devices of a sealed disk, and the kernel forgets the key: now, or when their last reader closes them.
pub(super) fn seal(disk: &Disk) -> Result<(), DeviceError> {
    device_mapper::remove(&disk.root)?;
    device_mapper::remove(&sealed_name(disk))
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
