//! What directories said last, in a file, so that the proxy starts while none of them answers: until its listings are over.
//!
//! It is verified like anything that a directory says.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use chrysalis_attestation::encoding::cbor::{self, Fields, Value};
use chrysalis_network::{ClassFile, MAX_CLASS_FILE, MAX_NOW, Now};
use chrysalis_settle::fields::number;

/// The most bytes that are read of it.
const MAX_FILE: usize = 64 * 1024 * 1024;
/// The version that this library reads.
const VERSION: u64 = 1;

/// A class as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) file: ClassFile,
    pub(super) now: Now,
}

/// The file.
#[derive(Debug, Clone)]
pub(super) struct Kept(pub(super) PathBuf);

impl Kept {
    /// What is in it; nothing if it is not there, or not as it was written.
    pub(super) fn read(&self) -> Vec<Class> {
        let mut bytes = Vec::new();
        let most = u64::try_from(MAX_FILE).unwrap_or(u64::MAX);
        let read = fs::File::open(&self.0).and_then(|it| it.take(most).read_to_end(&mut bytes));
        read.ok().and_then(|_| decode(&bytes)).unwrap_or_default()
    }

    /// Writes it, whole or not at all.
    pub(super) fn write(&self, classes: &[Class]) -> io::Result<()> {
        let bytes = encode(classes);
        if bytes.len() > MAX_FILE {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let unfinished = unfinished(&self.0);
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&unfinished)
            .and_then(|mut file| file.write_all(&bytes))
            .and_then(|()| fs::rename(&unfinished, &self.0));
        if written.is_err() {
            let _ = fs::remove_file(&unfinished);
        }
        written
    }
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
