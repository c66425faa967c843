//! Answers as binary HTTP of indeterminate length (RFC 9292 §3.2): a head, pieces of content, an end.

use crate::{
    Error,
    chunks::{put_varint, varint},
};

/// A response of indeterminate length.
const FRAMING: usize = 3;
/// The most bytes of a head that are read.
const MAX_HEAD: usize = 64 * 1024;
/// What ends the content, and the trailers, of which there are none.
pub const END: [u8; 2] = [0, 0];

/// The head of an answer. Header names are in lower case.
pub fn head<'a>(status: u16, headers: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Vec<u8> {
    let mut head = Vec::new();
    put_varint(FRAMING, &mut head);
    put_varint(status.into(), &mut head);
    for (name, value) in headers {
        for part in [name, value] {
            put_varint(part.len(), &mut head);
            head.extend_from_slice(part);
        }
    }
    head.push(0);
    head
}

/// A piece of content. An empty one is nothing: it would be the end.
pub fn content(piece: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    if !piece.is_empty() {
        put_varint(piece.len(), &mut content);
        content.extend_from_slice(piece);
    }
    content
}

/// What an answer begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AnswerHead {
    /// The status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(Vec<u8>, Vec<u8>)>,
}

/// What was read of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The head.
    Head(AnswerHead),
    /// Some of the content.
    Content(Vec<u8>),
}

/// Reads an answer as it arrives.
#[derive(Debug, Default)]
pub struct AnswerReader {
    buffer: Vec<u8>,
    at: Place,
}

/// Where a reader is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Head,
    /// Between pieces.
    Content,
    /// Inside a piece, of which so many bytes are missing.
    Piece(u64),
    Trailers,
    Padding,
}

impl AnswerReader {
    /// Takes bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// What can be read; `None` if more has to arrive first.
    pub fn next_part(&mut self) -> Result<Option<Part>, Error> {
        loop {
            match self.at {
                Place::Head => return self.head(),
                Place::Content => {
                    let Some((length, rest)) = varint(&self.buffer) else {
                        return Ok(None);
                    };
                    self.at = match length {
                        0 => Place::Trailers,
                        length => Place::Piece(length),
                    };
                    self.buffer = rest.to_vec();
                }
                Place::Piece(missing) => {
                    let wanted = usize::try_from(missing).unwrap_or(usize::MAX);
                    let taken = wanted.min(self.buffer.len());
                    if taken == 0 {
                        return Ok(None);
                    }
                    let rest = self.buffer.split_off(taken);
                    self.at = match missing.saturating_sub(taken as u64) {
                        0 => Place::Content,
                        missing => Place::Piece(missing),
                    };
                    return Ok(Some(Part::Content(std::mem::replace(
                        &mut self.buffer,
                        rest,
                    ))));
                }
                Place::Trailers => match self.buffer.first() {
                    None => return Ok(None),
                    Some(0) => self.at = Place::Padding,
                    Some(_) => return Err(Error::Inside("it has trailers")),
                },
                Place::Padding => {
                    let is_padding = self.buffer.iter().all(|byte| *byte == 0);
                    self.buffer.clear();
                    return if is_padding {
                        Ok(None)
                    } else {
                        Err(Error::Inside("something follows it"))
                    };
                }
            }
        }
    }

    /// Whether all of the answer has been read.
    pub fn is_over(&self) -> bool {
        self.at == Place::Padding
    }

    fn head(&mut self) -> Result<Option<Part>, Error> {
        let Some((head, rest)) = read_head(&self.buffer)? else {
            return match self.buffer.len() {
                0..=MAX_HEAD => Ok(None),
                _ => Err(Error::Inside("its head is too long")),
            };
        };
        self.buffer = rest.to_vec();
        self.at = Place::Content;
        Ok(Some(Part::Head(head)))
    }
}

/// The head and what follows it; `None` if it is not whole.
fn read_head(bytes: &[u8]) -> Result<Option<(AnswerHead, &[u8])>, Error> {
    let Some((framing, rest)) = varint(bytes) else {
        return Ok(None);
    };
    if framing != FRAMING as u64 {
        return Err(Error::Inside("it is no response of indeterminate length"));
    }
    let Some((status, mut rest)) = varint(rest) else {
        return Ok(None);
    };
    let status = u16::try_from(status).ok();
    let status = status.filter(|status| (200..600).contains(status));
    let status = status.ok_or(Error::Inside("its status is none"))?;
    let mut headers = Vec::new();
    loop {
        let Some((length, after)) = varint(rest) else {
            return Ok(None);
        };
        if length == 0 {
            return Ok(Some((AnswerHead { status, headers }, after)));
        }
        let Some((name, after)) = cut(after, length) else {
            return Ok(None);
        };
        let value = varint(after).and_then(|(length, after)| cut(after, length));
        let Some((value, after)) = value else {
            return Ok(None);
        };
        headers.push((name.to_vec(), value.to_vec()));
        rest = after;
    }
}

fn cut(bytes: &[u8], at: u64) -> Option<(&[u8], &[u8])> {
    bytes.split_at_checked(usize::try_from(at).ok()?)
}
