//! What directories said last, in a folder: of their classes, so that the proxy starts while none of them answers, until its listings are
//! over; and the last head of each one's log, signed as it came, so that a log which changed meanwhile is found out.
//!
//! It is verified like anything that a directory says.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use chrysalis_attestation::{
    encoding::{
        cbor::{self, Fields, Value},
        digest::Hex,
    },
    release::{Checkpoint, Head, PublicKey},
};
use chrysalis_network::{ClassFile, MAX_CLASS_FILE, MAX_NOW, Now};
use chrysalis_settle::fields::number;

/// The most bytes that are read of it.
const MAX_FILE: usize = 64 * 1024 * 1024;
/// The most bytes of a log's head.
const MAX_NOTE: usize = 64 * 1024;
/// The version that this library reads.
const VERSION: u64 = 1;

/// A class as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) file: ClassFile,
    pub(super) now: Now,
}

/// The folder, and of which network.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    folder: PathBuf,
    network: Hex<32>,
}

impl Kept {
    pub(super) fn new(folder: PathBuf, network: [u8; 32]) -> Self {
        Self {
            folder,
            network: Hex(network),
        }
    }

    /// The network's classes; nothing if they are not there, or not as they were written.
    pub(super) fn classes(&self) -> Vec<Class> {
        let read = read(&self.classes_path(), MAX_FILE).ok();
        read.and_then(|it| decode(&it)).unwrap_or_default()
    }

    /// Keeps the classes, whole or not at all.
    pub(super) fn keep_classes(&self, classes: &[Class]) -> io::Result<()> {
        write(&self.classes_path(), &encode(classes))
    }

    /// The last head of the log with this key, in whatever network it was met; none if there is none that its key signed.
    pub(super) fn head(&self, log: &Hex<32>) -> Option<Head> {
        let key = PublicKey::from_ed25519(log.0).ok()?;
        let note = read(&self.log_path(log), MAX_NOTE).ok()?;
        let head = Checkpoint::verify(&note, &key).ok()?;
        Some(head.head())
    }

    /// Keeps a log's head, as it was signed.
    pub(super) fn keep_head(&self, log: &Hex<32>, note: &[u8]) -> io::Result<()> {
        write(&self.log_path(log), note)
    }

    fn classes_path(&self) -> PathBuf {
        self.folder.join(format!("network-{}.cbor", self.network))
    }

    fn log_path(&self, log: &Hex<32>) -> PathBuf {
        self.folder.join(format!("log-{log}.note"))
    }
}

fn read(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    fs::File::open(path)?.take(most).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if bytes.len() > MAX_FILE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let unfinished = unfinished(path);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&unfinished, path));
    if written.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    written
}

fn unfinished(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}", std::process::id()))
}

fn encode(classes: &[Class]) -> Vec<u8> {
    let class = |class: &Class| {
        cbor::map([
            ("file", Value::Bytes(class.file.encode())),
            ("now", Value::Bytes(class.now.encode())),
        ])
    };
    cbor::encode(&cbor::map([
        ("version", number(VERSION)),
        ("classes", Value::Array(classes.iter().map(class).collect())),
    ]))
}

fn decode(bytes: &[u8]) -> Option<Vec<Class>> {
    let mut fields = Fields::of(cbor::decode(bytes)?)?;
    let version: u64 = fields.number("version")?;
    let classes = cbor::array(fields.take("classes")?)?;
    if version != VERSION || fields.left_over().is_some() {
        return None;
    }
    classes.into_iter().map(class).collect()
}

fn class(value: Value) -> Option<Class> {
    let mut fields = Fields::of(value)?;
    let mut bytes = |name, most| {
        let bytes = cbor::bytes(fields.take(name)?)?;
        (bytes.len() <= most).then_some(bytes)
    };
    let file = bytes("file", MAX_CLASS_FILE)?;
    let now = bytes("now", MAX_NOW)?;
    Some(Class {
        file: ClassFile::decode(&file).ok()?,
        now: Now::decode(&now).ok()?,
    })
}
