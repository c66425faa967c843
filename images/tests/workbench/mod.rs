//! A small Debian archive, made up on the spot: a package of a kernel's source, a firmware package, a recipe and a lock that pin
//! them, and two programs. Nothing of it comes from a network, and nothing is compiled.

#![allow(dead_code, reason = "each test file uses its own part")]

use std::{
    fs,
    io::{Cursor, Write},
    path::PathBuf,
};

use chrysalis_image::{
    Error,
    assemble::image,
    compile::{binaries::Binaries, kernel::Kernel},
    digest::Sha256,
    inputs::{
        apt::Archives,
        fetch::Fetcher,
        lock::{Input, Kind, Lock},
    },
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
commandline = "quiet --"
not_before = "2026-11-29"
directories = ["proc"]
kernel = { input = "kernel", source = "usr/src/linux.tar.xz", folder = "kernel", options = ["guest.config"] }
firmware = { input = "firmware", path = "usr/share/ovmf/OVMF.amdsev.fd" }
binary = [{ package = "chrysalis-enclave", path = "init" }, { package = "worker", path = "worker" }]
"#;

/// When the suite had every package.
pub(crate) const MOMENT: &str = "20261129T000000Z";

pub(crate) struct Workbench {
    pub(crate) folder: TempDir,
    pub(crate) lock: Lock,
}

impl Workbench {
    /// All in order.
    pub(crate) fn new() -> Self {
        Self::with(&HASHES_ENTRY)
    }

    /// With this firmware.
    pub(crate) fn with(firmware: &[u8]) -> Self {
        let mut bench = Self {
            folder: tempfile::tempdir().unwrap(),
            lock: Lock { input: Vec::new() },
        };
        for folder in ["archive/pool/main", "recipes/kernel/patches", "binaries"] {
            fs::create_dir_all(bench.path(folder)).unwrap();
        }
        bench.publish(
            "firmware",
            &deb(&[("./usr/share/ovmf/OVMF.amdsev.fd", firmware)]),
        );
        bench.publish("kernel", &deb(&[("./usr/src/linux.tar.xz", b"source")]));
        bench.write("recipes/kernel/guest.config", b"NET=y # sockets\n");
        bench.write("recipes/kernel/dsdt.dsl", b"// nothing");
        bench.write(
            "recipes/toolchain.toml",
            b"suite = \"trixie\"\npackages = []\n",
        );
        bench.write("recipes/toolchain.lock.toml", b"input = []\n");
        bench.write("binaries/chrysalis-enclave", b"the enclave");
        bench.write("binaries/worker", b"the worker");
        bench.write("bzImage", b"the kernel");
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
            snapshot: (kind == Kind::Deb).then(|| MOMENT.parse().unwrap()),
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
        let (kernel, binaries) = (self.path("bzImage"), self.path("binaries"));
        image::build(
            &self.path("recipes/image.toml"),
            &self.path("out"),
            &self.fetcher(),
            |_| Kernel::given(&kernel),
            |_| Binaries::given(&binaries),
        )
    }

    /// Builds with one thing in the recipe replaced.
    pub(crate) fn build_with(&self, from: &str, to: &str) -> Result<Manifest, Error> {
        assert!(RECIPE.contains(from), "the recipe has no {from}");
        self.write("recipes/image.toml", RECIPE.replace(from, to).as_bytes());
        self.build()
    }

    /// Puts a wheel of these files into the cache, and its pin into the lock.
    pub(crate) fn wheel(&mut self, name: &str, files: &[(&str, &[u8])]) {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (path, bytes) in files {
            zip.start_file(*path, zip::write::SimpleFileOptions::default())
                .unwrap();
            zip.write_all(bytes).unwrap();
        }
        let wheel = zip.finish().unwrap().into_inner();
        self.pin(
            name,
            Kind::Wheel,
            &format!("{name}-1-py3-none-any.whl"),
            &wheel,
        );
        fs::create_dir_all(self.path("cache/inputs")).unwrap();
        self.write(&format!("cache/inputs/{}", Sha256::of(&wheel)), &wheel);
    }

    /// How many inputs are cached; temporary files count, too.
    pub(crate) fn cached(&self) -> usize {
        fs::read_dir(self.path("cache/inputs")).map_or(0, Iterator::count)
    }
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
    package(tar)
}

/// A Debian package of this archive.
pub(crate) fn package(tar: tar::Builder<Vec<u8>>) -> Vec<u8> {
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
