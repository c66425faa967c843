//! Devices of dm-verity and dm-crypt through the kernel's device-mapper ioctls (linux/dm-ioctl.h): four calls, so no library.
//!
//! All are read-only. Through dm-verity, a block that does not hash up to the root reads as an I/O error. dm-crypt holds its key for as long as
//! its device is there, and overwrites it then.
#![allow(unsafe_code)]

use std::{
    fs::{self, File, OpenOptions},
    io,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use chrysalis_wire::configuration::Disk;
use rustix::{
    fs::{CWD, Dev, FileType, Mode, makedev, mknodat},
    ioctl::{Opcode, Updater, ioctl, opcode},
};
use zeroize::{Zeroize, Zeroizing};

/// How long a device may take to appear after the kernel started.
pub(crate) const DEVICE_PATIENCE: Duration = Duration::from_secs(10);
/// The device-mapper's control device, a misc device with a number of its own.
const CONTROL: &str = "/dev/mapper/control";
/// Its number.
const CONTROL_NUMBER: (u32, u32) = (10, 236);
/// Bytes in a sector.
const SECTOR: u64 = 512;
/// Room for one target and its parameters.
const PAYLOAD: usize = 1024;

const DEV_CREATE: Opcode = opcode::read_write::<Header>(0xFD, 3);
const DEV_REMOVE: Opcode = opcode::read_write::<Header>(0xFD, 4);
const DEV_SUSPEND: Opcode = opcode::read_write::<Header>(0xFD, 6);
const TABLE_LOAD: Opcode = opcode::read_write::<Header>(0xFD, 9);

/// `DM_READONLY_FLAG`
const READ_ONLY: u32 = 1;
/// `DM_SECURE_DATA_FLAG`: the kernel overwrites its copies of the request.
const SECURE: u32 = 1 << 15;
/// `DM_DEFERRED_REMOVE`: once it is closed, if it is open now.
const DEFERRED: u32 = 1 << 17;

/// `struct dm_ioctl`
#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    version: [u32; 3],
    data_size: u32,
    data_start: u32,
    target_count: u32,
    open_count: i32,
    flags: u32,
    event_number: u32,
    padding: u32,
    device: u64,
    name: [u8; 128],
    uuid: [u8; 129],
    data: [u8; 7],
}

/// `struct dm_target_spec`
#[repr(C)]
#[derive(Clone, Copy)]
struct Target {
    first_sector: u64,
    sectors: u64,
    status: i32,
    next: u32,
    kind: [u8; 16],
    parameters: [u8; PAYLOAD],
}

/// What the kernel reads and writes: header, then target, without a gap.
#[repr(C)]
struct Request {
    header: Header,
    target: Target,
}

const _: () = assert!(size_of::<Header>() == 312 && size_of::<Target>() == 40 + PAYLOAD);

/// A disk that holds data and, right after it, its hash tree without a superblock.
pub(crate) struct VerityTable<'a> {
    /// The disk.
    pub(crate) device: &'a str,
    /// Blocks of data, of [`Disk::BLOCK`] bytes each.
    pub(crate) data_blocks: u64,
    /// Hexadecimal root.
    pub(crate) root: &'a str,
}

impl VerityTable<'_> {
    /// Parameters as in Documentation/admin-guide/device-mapper/verity.rst: format 1, no salt, and the tree starts at the
    /// block after the data.
    fn parameters(&self) -> String {
        let Self {
            device,
            data_blocks,
            root,
        } = self;
        let block = Disk::BLOCK;
        format!("1 {device} {device} {block} {block} {data_blocks} {data_blocks} sha256 {root} -")
    }
}

/// A disk that is encrypted as a whole with AES-256-XTS, the IV of each block of [`Disk::BLOCK`] bytes being the number of its first sector of
/// 512, little-endian (`plain64`).
pub(crate) struct CryptTable<'a> {
    /// The disk.
    pub(crate) device: &'a str,
    /// Its blocks, of [`Disk::BLOCK`] bytes each.
    pub(crate) blocks: u64,
    /// 64 bytes: the cipher's key, then the tweak's.
    pub(crate) key: &'a [u8],
}

impl CryptTable<'_> {
    /// Parameters as in Documentation/admin-guide/device-mapper/dm-crypt.rst.
    fn parameters(&self) -> Zeroizing<String> {
        let (device, block) = (self.device, Disk::BLOCK);
        let key = Zeroizing::new(hex::encode(self.key));
        Zeroizing::new(format!(
            "aes-xts-plain64 {} 0 {device} 0 1 sector_size:{block}",
            *key
        ))
    }
}

/// The step that failed, and how.
pub(crate) type DeviceError = (&'static str, io::Error);

/// Makes a verified device and returns its number.
pub(crate) fn create_verity(name: &str, table: &VerityTable<'_>) -> Result<Dev, DeviceError> {
    create(name, "verity", table.data_blocks, &table.parameters())
}

/// Makes a decrypted device and returns its number. No copy of the key outlives the call but the kernel's.
pub(crate) fn create_crypt(name: &str, table: &CryptTable<'_>) -> Result<Dev, DeviceError> {
    create(name, "crypt", table.blocks, &table.parameters())
}

fn create(name: &str, kind: &str, blocks: u64, parameters: &str) -> Result<Dev, DeviceError> {
    let control = open_control().map_err(|error| ("open the device-mapper", error))?;

    let mut create = request(name, 0);
    call::<DEV_CREATE>(&control, &mut create).map_err(|error| ("create it", error))?;

    let mut load = request(name, READ_ONLY | SECURE);
    load.header.target_count = 1;
    load.target.sectors = blocks.saturating_mul(Disk::BLOCK / SECTOR);
    copy(&mut load.target.kind, kind);
    copy(&mut load.target.parameters, parameters);
    let loaded = call::<TABLE_LOAD>(&control, &mut load);
    load.target.parameters.zeroize();
    loaded.map_err(|error| ("load its table", error))?;

    // Resuming a device that has a new table makes the table live.
    let mut resume = request(name, 0);
    call::<DEV_SUSPEND>(&control, &mut resume).map_err(|error| ("start it", error))?;
    Ok(resume.header.device)
}

/// Removes a device: now, or when whoever reads it closes it.
pub(crate) fn remove(name: &str) -> Result<(), DeviceError> {
    let control = open_control().map_err(|error| ("open the device-mapper", error))?;
    let mut remove = request(name, DEFERRED);
    call::<DEV_REMOVE>(&control, &mut remove).map_err(|error| ("remove it", error))
}

/// Makes a node for a device, readable by all, writable by none.
pub(crate) fn make_node(path: &Path, device: Dev) -> io::Result<()> {
    let mode = Mode::RUSR | Mode::RGRP | Mode::ROTH;
    Ok(mknodat(CWD, path, FileType::BlockDevice, mode, device)?)
}

fn open_control() -> io::Result<File> {
    let deadline = Instant::now() + DEVICE_PATIENCE;
    loop {
        match OpenOptions::new().read(true).write(true).open(CONTROL) {
            Err(error) if Instant::now() < deadline => {
                if error.kind() == io::ErrorKind::NotFound {
                    make_control_node();
                }
                thread::sleep(Duration::from_millis(20));
            }
            opened => return opened,
        }
    }
}

/// devtmpfs makes the node; if it is late, we do. Opening it shows whether that worked.
fn make_control_node() {
    let (major, minor) = CONTROL_NUMBER;
    let _ = fs::create_dir("/dev/mapper");
    let mode = Mode::RUSR | Mode::WUSR;
    let _ = mknodat(
        CWD,
        CONTROL,
        FileType::CharacterDevice,
        mode,
        makedev(major, minor),
    );
}

fn request(name: &str, flags: u32) -> Request {
    let mut request = Request {
        header: Header {
            version: [4, 0, 0],
            data_size: u32::try_from(size_of::<Request>()).unwrap_or(u32::MAX),
            data_start: u32::try_from(size_of::<Header>()).unwrap_or(u32::MAX),
            target_count: 0,
            open_count: 0,
            flags,
            event_number: 0,
            padding: 0,
            device: 0,
            name: [0; 128],
            uuid: [0; 129],
            data: [0; 7],
        },
        target: Target {
            first_sector: 0,
            sectors: 0,
            status: 0,
            next: 0,
            kind: [0; 16],
            parameters: [0; PAYLOAD],
        },
    };
    copy(&mut request.header.name, name);
    request
}

/// Copies a text into a field, which keeps at least one zero at its end.
fn copy(field: &mut [u8], text: &str) {
    let room = field.len().saturating_sub(1);
    for (place, byte) in field.iter_mut().take(room).zip(text.bytes()) {
        *place = byte;
    }
}

fn call<const OPCODE: Opcode>(control: &File, request: &mut Request) -> io::Result<()> {
    // SAFETY: OPCODE is one of the four above, each of which takes a `struct dm_ioctl` followed by its payload, and
    // reads and writes no more than `data_size` bytes: the size of `Request`, which is plain old data.
    let updater = unsafe { Updater::<OPCODE, Request>::new(request) };
    // SAFETY: `control` is the device-mapper's control device, which defines these opcodes so.
    Ok(unsafe { ioctl(control, updater) }?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_opcodes_are_those_of_the_kernel() {
        assert_eq!(
            [DEV_CREATE, DEV_REMOVE, DEV_SUSPEND, TABLE_LOAD],
            [0xC138_FD03, 0xC138_FD04, 0xC138_FD06, 0xC138_FD09]
        );
    }

    #[test]
    fn a_sealed_disk_is_decrypted_by_blocks_and_its_table_has_room() {
        let table = CryptTable {
            device: "/dev/vdb",
            blocks: 3,
            key: &[0xAB; 64],
        };
        let parameters = table.parameters();
        let key = "ab".repeat(64);
        assert_eq!(
            *parameters,
            format!("aes-xts-plain64 {key} 0 /dev/vdb 0 1 sector_size:4096")
        );
        assert!(parameters.len() < PAYLOAD);
    }

    #[test]
    fn the_table_starts_the_tree_after_the_data() {
        let table = VerityTable {
            device: "/dev/vda",
            data_blocks: 3,
            root: "aa",
        };
        assert_eq!(
            table.parameters(),
            "1 /dev/vda /dev/vda 4096 4096 3 3 sha256 aa -"
        );
    }
}
