//! A small Debian archive, made up on the spot: a kernel package with three modules, a firmware package, a recipe and a
//! lock that pin them, and two programs. Nothing of it comes from a network.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::{fs, io::Write, path::PathBuf};

use chrysalis_image::{
    Error,
    apt::Archives,
    binaries::Binaries,
    digest::Sha256,
    fetch::Fetcher,
    image,
    lock::{Input, Kind, Lock},
    manifest::Manifest,
};
use tempfile::TempDir;

/// OVMF's entry for the table of kernel hashes: base, size, length of the entry, GUID.
const HASHES_ENTRY: [u8; 26] = [
    0, 0xf0, 0x80, 0, 0, 4, 0, 0, 26, 0, //
    0x1f, 0x37, 0x55, 0x72, 0x3b, 0x3a, 0x04, 0x4b, 0x92, 0x7b, 0x1d, 0xa6, 0xef, 0xa8, 0xd4, 0x54,
];

pub(crate) const RECIPE: &str = r#"
name = "test"
commandline = "console=ttyS0 --"
not_before = "2026-11-29"
modules = ["dm-verity"]
directories = ["proc"]
kernel = { input = "kernel", path = "boot/vmlinuz-*" }
firmware = { input = "firmware", path = "usr/share/ovmf/OVMF.amdsev.fd" }
binary = [{ package = "chrysalis-enclave", path = "init" }, { package = "worker", path = "worker" }]
"#;

pub(crate) struct Workbench {
    pub(crate) folder: TempDir,
    pub(crate) lock: Lock,
}

impl Workbench {
    /// All in order.
    pub(crate) fn new() -> Self {
        Self::with(&bz_image(), &HASHES_ENTRY)
    }

    /// With this kernel and this firmware.
    pub(crate) fn with(kernel: &[u8], firmware: &[u8]) -> Self {
        let mut bench = Self {
            folder: tempfile::tempdir().unwrap(),
            lock: Lock { input: Vec::new() },
        };
        for folder in ["archive/pool/main", "recipes", "binaries"] {
            fs::create_dir_all(bench.path(folder)).unwrap();
        }
        bench.publish(
            "firmware",
            &deb(&[("./usr/share/ovmf/OVMF.amdsev.fd", firmware)]),
        );
        let modules = "./usr/lib/modules/6/";
        let module = |name: &str| format!("{modules}kernel/{name}.ko.xz");
        let kernel = deb(&[
            ("./boot/vmlinuz-6", kernel),
            (
                &module("dm-verity"),
                &xz(&elf("license=GPL\0depends=dm-bufio,virtio_pci\0")),
            ),
            (&module("dm-bufio"), &xz(&elf("depends=\0"))),
            (&module("lonely"), &xz(&elf("depends=nowhere\0"))),
            (
                &format!("{modules}modules.builtin"),
                b"kernel/drivers/virtio/virtio_pci.ko\n",
            ),
        ]);
        bench.publish("kernel", &kernel);
        bench.write("binaries/chrysalis-enclave", b"the enclave");
        bench.write("binaries/worker", b"the worker");
        bench.write("recipes/image.toml", RECIPE.as_bytes());
        bench
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// Puts a package into the archive and its pin into the lock.
    pub(crate) fn publish(&mut self, name: &str, bytes: &[u8]) {
        let path = format!("pool/main/{name}.deb");
        self.write(&format!("archive/{path}"), bytes);
        self.pin(name, Kind::Deb, &path, bytes);
    }

    pub(crate) fn pin(&mut self, name: &str, kind: Kind, path: &str, bytes: &[u8]) {
        self.lock.input.push(Input {
            name: name.into(),
            kind,
            package: name.into(),
            follows: None,
            version: "1-1".into(),
            suite: (kind == Kind::Deb).then(|| "trixie".into()),
            path: path.into(),
            size: bytes.len() as u64,
            sha256: Sha256::of(bytes),
        });
        self.write("recipes/lock.toml", self.lock.render().as_bytes());
    }

    pub(crate) fn fetcher(&self) -> Fetcher {
        Fetcher {
            cache: self.path("cache"),
            mirrors: vec![self.path("archive").display().to_string()],
            archives: Archives::default(),
        }
    }

    pub(crate) fn build(&self) -> Result<Manifest, Error> {
        let binaries = self.path("binaries");
        image::build(
            &self.path("recipes/image.toml"),
            &self.path("out"),
            &self.fetcher(),
            |_| Binaries::given(&binaries),
        )
    }

    /// Builds with one thing in the recipe replaced.
    pub(crate) fn build_with(&self, from: &str, to: &str) -> Result<Manifest, Error> {
        assert!(RECIPE.contains(from), "the recipe has no {from}");
        self.write("recipes/image.toml", RECIPE.replace(from, to).as_bytes());
        self.build()
    }

    /// How many inputs are cached; temporary files count, too.
    pub(crate) fn cached(&self) -> usize {
        fs::read_dir(self.path("cache/inputs")).map_or(0, Iterator::count)
    }
}

pub(crate) fn bz_image() -> Vec<u8> {
    let mut kernel = vec![0; 0x300];
    kernel[0x1fe..0x200].copy_from_slice(&[0x55, 0xaa]);
    kernel[0x202..0x206].copy_from_slice(b"HdrS");
    kernel
}

/// A Debian package of these files.
pub(crate) fn deb(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, *bytes).unwrap();
    }
    let data = xz(&tar.into_inner().unwrap());
    let mut package = ar::Builder::new(Vec::new());
    for (name, bytes) in [("debian-binary", &b"2.0\n"[..]), ("data.tar.xz", &data)] {
        let header = ar::Header::new(name.as_bytes().to_vec(), bytes.len() as u64);
        package.append(&header, bytes).unwrap();
    }
    package.into_inner().unwrap()
}

pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// The smallest 64-bit ELF file with a .modinfo section: header, names, section, table of three.
pub(crate) fn elf(modinfo: &str) -> Vec<u8> {
    const NAMES: &[u8] = b"\0.modinfo\0";
    let mut file = vec![0; 64];
    file[..6].copy_from_slice(b"\x7fELF\x02\x01");
    let mut table = vec![0; 64];
    let mut section = |file: &mut Vec<u8>, name: u32, bytes: &[u8]| {
        let mut header = [0; 64];
        header[..4].copy_from_slice(&name.to_le_bytes());
        header[0x18..0x20].copy_from_slice(&(file.len() as u64).to_le_bytes());
        header[0x20..0x28].copy_from_slice(&(bytes.len() as u64).to_le_bytes());
        table.extend_from_slice(&header);
        file.extend_from_slice(bytes);
    };
    section(&mut file, 0, NAMES);
    section(&mut file, 1, modinfo.as_bytes());
    let start = file.len() as u64;
    file[0x28..0x30].copy_from_slice(&start.to_le_bytes());
    file[0x3c..0x40].copy_from_slice(&[3, 0, 1, 0]);
    file.extend_from_slice(&table);
    file
}
