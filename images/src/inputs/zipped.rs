//! One file of a zip archive that stays where it is until it is read: an archive may unpack to more than memory or the disk
//! has room for.

use std::{
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Take},
    path::Path,
    sync::Arc,
};

use flate2::{Crc, bufread::DeflateDecoder};

/// A file of an archive, as the archive's directory describes it.
#[derive(Debug, Clone)]
pub struct Zipped {
    /// The archive, which must stay as it is until the file is read.
    pub(super) archive: Arc<Path>,
    /// Where its bytes begin.
    pub(super) start: u64,
    /// How many bytes it has there.
    pub(super) packed: u64,
    /// How many it unpacks to.
    pub(super) size: u64,
    /// The checksum of those.
    pub(super) crc32: u32,
    /// Whether they are deflated, or stored.
    pub(super) deflated: bool,
}

impl Zipped {
    /// A reader of the file, which opens the archive only when it is read.
    pub(crate) fn reader(&self) -> ZippedReader<'_> {
        ZippedReader {
            file: self,
            source: Source::Closed,
            read: 0,
            crc: Crc::new(),
        }
    }

    /// Whether it has the bytes of another, as far as both directories say.
    pub(crate) fn equals(&self, other: &Self) -> bool {
        (self.size, self.crc32) == (other.size, other.crc32)
    }
}

/// A file as it is unpacked: at its end, the length and the checksum must be those of the directory.
pub(crate) struct ZippedReader<'file> {
    file: &'file Zipped,
    source: Source,
    read: u64,
    crc: Crc,
}

enum Source {
    Closed,
    Stored(Take<BufReader<File>>),
    Deflated(Box<DeflateDecoder<Take<BufReader<File>>>>),
    Done,
}

impl Read for ZippedReader<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if matches!(self.source, Source::Closed) {
            self.source = self.open()?;
        }
        let count = match &mut self.source {
            Source::Stored(stored) => stored.read(buffer)?,
            Source::Deflated(deflated) => deflated.read(buffer)?,
            Source::Closed | Source::Done => return Ok(0),
        };
        self.crc.update(buffer.get(..count).unwrap_or_default());
        self.read = self.read.saturating_add(count as u64);
        let Zipped { size, crc32, .. } = *self.file;
        // More than it says is found out before the rest is unpacked.
        let ended = count == 0;
        if self.read > size || ended && (self.read, self.crc.sum()) != (size, crc32) {
            let problem = "a file in it is not as long as it says, or damaged";
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        if ended {
            self.source = Source::Done;
        }
        Ok(count)
    }
}

impl ZippedReader<'_> {
    fn open(&self) -> io::Result<Source> {
        let mut archive = BufReader::new(File::open(&self.file.archive)?);
        archive.seek(SeekFrom::Start(self.file.start))?;
        let packed = archive.take(self.file.packed);
        Ok(if self.file.deflated {
            Source::Deflated(Box::new(DeflateDecoder::new(packed)))
        } else {
            Source::Stored(packed)
        })
    }
}
