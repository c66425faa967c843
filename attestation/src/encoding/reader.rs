//! Reads little-endian fields off the front of untrusted bytes.

use crate::Rejection;

/// What is left to read, and what running out of it means.
#[derive(Debug, Clone)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    at_the_end: Rejection,
}

impl<'a> Reader<'a> {
    /// Starts at the first byte.
    pub(crate) fn new(bytes: &'a [u8], at_the_end: Rejection) -> Self {
        Self {
            rest: bytes,
            at_the_end,
        }
    }

    /// The next `N` bytes.
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], Rejection> {
        let (head, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| self.at_the_end.clone())?;
        self.rest = rest;
        Ok(*head)
    }

    /// The next `length` bytes.
    pub(crate) fn take(&mut self, length: usize) -> Result<&'a [u8], Rejection> {
        let (head, rest) = self
            .rest
            .split_at_checked(length)
            .ok_or_else(|| self.at_the_end.clone())?;
        self.rest = rest;
        Ok(head)
    }

    /// What is left.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The next four bytes as a number.
    pub(crate) fn u32(&mut self) -> Result<u32, Rejection> {
        self.array().map(u32::from_le_bytes)
    }

    /// The next eight bytes as a number.
    pub(crate) fn u64(&mut self) -> Result<u64, Rejection> {
        self.array().map(u64::from_le_bytes)
    }
}
