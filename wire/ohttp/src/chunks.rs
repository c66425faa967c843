//! Chunks: each behind its length, the last behind a zero, up to the end (draft-ietf-ohai-chunked-ohttp §3).

use crate::{Error, Form, TAG, key::AnswerKey};

/// The most bytes of a chunk before it is encrypted.
pub const MAX_CHUNK: usize = 1 << 14;
/// What the last chunk is authenticated with besides its content. Others have nothing.
pub(crate) const FINAL: &[u8] = b"final";

/// Opens all that a message has, by a function that opens the next piece.
pub(crate) fn open(
    form: Form,
    sealed: &[u8],
    mut piece: impl FnMut(&[u8], &[u8]) -> Result<Vec<u8>, hpke::HpkeError>,
) -> Result<Vec<u8>, Error> {
    let mut open = |sealed: &[u8], aad: &[u8]| piece(sealed, aad).map_err(|_| Error::Undecryptable);
    if form == Form::Whole {
        return open(sealed, &[]);
    }
    let mut message = Vec::new();
    let mut rest = sealed;
    loop {
        match next(rest)? {
            Next::More if rest.is_empty() => return Err(Error::FinalChunkMissing),
            Next::More => return Err(Error::Truncated),
            Next::Chunk { sealed, after } => {
                message.extend(open(sealed, &[])?);
                rest = after;
            }
            Next::Last(sealed) => {
                message.extend(open(sealed, FINAL)?);
                return Ok(message);
            }
        }
    }
}

/// What comes next in a message.
pub(crate) enum Next<'a> {
    /// It is not here yet.
    More,
    /// A chunk, and what follows it.
    Chunk { sealed: &'a [u8], after: &'a [u8] },
    /// What there is so far of the last chunk, which goes to the end.
    Last(&'a [u8]),
}

pub(crate) fn next(bytes: &[u8]) -> Result<Next<'_>, Error> {
    let Some((length, rest)) = varint(bytes) else {
        return Ok(Next::More);
    };
    let most = MAX_CHUNK.saturating_add(TAG);
    let length = usize::try_from(length).map_err(|_| Error::ChunkTooLong)?;
    if length > most || (length == 0 && rest.len() > most) {
        return Err(Error::ChunkTooLong);
    }
    if length == 0 {
        return Ok(Next::Last(rest));
    }
    Ok(match rest.split_at_checked(length) {
        Some((sealed, after)) => Next::Chunk { sealed, after },
        None => Next::More,
    })
}

/// A variable-length integer (RFC 9000 §16), and what follows it; `None` if it is not whole.
pub(crate) fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let (&first, rest) = bytes.split_first()?;
    let more = (1_usize << (first >> 6)) - 1;
    let (low, rest) = rest.split_at_checked(more)?;
    let high = u64::from(first & 0x3f);
    let value = low
        .iter()
        .fold(high, |value, byte| (value << 8) | u64::from(*byte));
    Some((value, rest))
}

/// The same, written in as few bytes as it takes. A length in memory is below 2^62.
pub(crate) fn put_varint(value: usize, into: &mut Vec<u8>) {
    let value = value as u64;
    match value {
        0..0x40 => into.extend(value.to_be_bytes().last()),
        0x40..0x4000 => into.extend_from_slice(&(value | 0x4000).to_be_bytes()[6..]),
        0x4000..0x4000_0000 => into.extend_from_slice(&(value | 0x8000_0000).to_be_bytes()[4..]),
        _ => into.extend_from_slice(&(value | 0xc000_0000_0000_0000).to_be_bytes()),
    }
}

/// Seals an answer, piece by piece.
pub struct Sealer(AnswerKey);

impl Sealer {
    pub(crate) fn new(key: AnswerKey) -> Self {
        Self(key)
    }

    /// The next piece, as chunks.
    pub fn piece(&mut self, piece: &[u8]) -> Result<Vec<u8>, Error> {
        let mut chunks = Vec::new();
        for chunk in piece.chunks(MAX_CHUNK) {
            let sealed = self.0.seal(chunk, &[])?;
            put_varint(sealed.len(), &mut chunks);
            chunks.extend(sealed);
        }
        Ok(chunks)
    }

    /// The last chunk, of at most [`MAX_CHUNK`] bytes. Without it an answer is not whole.
    pub fn last(mut self, piece: &[u8]) -> Result<Vec<u8>, Error> {
        if piece.len() > MAX_CHUNK {
            return Err(Error::ChunkTooLong);
        }
        Ok([&[0][..], &self.0.seal(piece, FINAL)?].concat())
    }
}
