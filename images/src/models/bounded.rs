//! Little-endian numbers and bytes from a source of known length; what would lie beyond its end is refused before it is read.

use std::io::Read;

use super::error::NotModel;
use crate::digest::Hasher;

pub(super) struct Bounded<'file> {
    source: &'file mut dyn Read,
    length: u64,
    position: u64,
    /// Takes what is read, while there is one.
    pub(super) hasher: Option<Hasher>,
}

impl<'file> Bounded<'file> {
    pub(super) fn new(source: &'file mut dyn Read, length: u64) -> Self {
        Self {
            source,
            length,
            position: 0,
            hasher: None,
        }
    }

    /// Bytes of the whole file.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Bytes read so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Bytes that are left.
    pub(super) fn left(&self) -> u64 {
        self.length.saturating_sub(self.position)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], NotModel> {
        let mut bytes = [0; N];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, NotModel> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, NotModel> {
        self.array().map(u64::from_le_bytes)
    }

    /// A number that may not be larger than this.
    pub(super) fn at_most(&mut self, what: &'static str, most: u64) -> Result<u64, NotModel> {
        NotModel::at_most(what, self.u64()?, most)
    }

    /// That many bytes, which may not be more than a limit.
    pub(super) fn bytes(
        &mut self,
        what: &'static str,
        count: u64,
        most: u64,
    ) -> Result<Vec<u8>, NotModel> {
        NotModel::at_most(what, count, most)?;
        self.check(what, count)?;
        let mut bytes = vec![0; usize::try_from(count).unwrap_or(usize::MAX)];
        self.fill(&mut bytes)?;
        Ok(bytes)
    }

    /// Reads past that many bytes.
    pub(super) fn skip(&mut self, what: &'static str, count: u64) -> Result<(), NotModel> {
        self.check(what, count)?;
        let mut buffer = [0; 4096];
        let mut left = count;
        while left > 0 {
            let size = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            let part = buffer.get_mut(..size).unwrap_or_default();
            self.fill(part)?;
            left = left.saturating_sub(size as u64);
        }
        Ok(())
    }

    fn check(&self, what: &'static str, count: u64) -> Result<(), NotModel> {
        if count > self.left() {
            return Err(NotModel::Truncated { what });
        }
        Ok(())
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<(), NotModel> {
        self.check("front", bytes.len() as u64)?;
        let read = self.source.read_exact(bytes);
        read.map_err(|error| NotModel::Unreadable {
            reason: error.to_string(),
        })?;
        self.position = self.position.saturating_add(bytes.len() as u64);
        if let Some(hasher) = &mut self.hasher {
            hasher.update(bytes);
        }
        Ok(())
    }
}
