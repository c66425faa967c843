//! A file of `CTranslate2`: a specification's name, then tensors by name, each with shape, type and bytes, then other names for
//! some of them.

use std::collections::BTreeMap;

use crate::models::{bounded::Bounded, error::NotModel};

const VERSION: u32 = 6;
/// More than any Whisper has.
const MAX_TENSORS: u32 = 1 << 16;
const MAX_DIMENSIONS: u8 = 4;

/// Types of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    Float32,
    Float16,
    Integer,
}

#[derive(Debug, Clone)]
pub(super) struct Tensor<'file> {
    pub(super) shape: Vec<u32>,
    pub(super) number: Number,
    pub(super) bytes: &'file [u8],
}

pub(super) struct Model<'file> {
    tensors: BTreeMap<String, Tensor<'file>>,
}

impl<'file> Model<'file> {
    pub(super) fn read(file: &'file [u8]) -> Result<Self, NotModel> {
        let mut front = file;
        let mut source = Bounded::new(&mut front, file.len() as u64);
        if source.u32()? != VERSION || text(&mut source)? != "WhisperSpec" {
            let what = "specification, which must be Whisper's of `CTranslate2` version 6,";
            return Err(NotModel::malformed(what));
        }
        source.u32()?;
        let count = source.u32()?;
        NotModel::at_most("number of tensors", count.into(), MAX_TENSORS.into())?;
        let mut tensors = BTreeMap::new();
        for _ in 0..count {
            let name = text(&mut source)?;
            tensors.insert(name, tensor(&mut source, file)?);
        }
        for _ in 0..source.u32()?.min(MAX_TENSORS) {
            let (alias, name) = (text(&mut source)?, text(&mut source)?);
            if let Some(tensor) = tensors.get(&name).cloned() {
                tensors.insert(alias, tensor);
            }
        }
        Ok(Self { tensors })
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.tensors.contains_key(name)
    }

    pub(super) fn tensor(&self, name: &str) -> Result<&Tensor<'file>, NotModel> {
        self.tensors.get(name).ok_or(NotModel::Missing {
            what: "tensor that Whisper has",
            whole: "a Whisper model of `CTranslate2`",
        })
    }

    pub(super) fn dimension(&self, name: &str, number: usize) -> Result<u32, NotModel> {
        let dimension = self.tensor(name)?.shape.get(number).copied();
        dimension.ok_or_else(|| NotModel::malformed("shape"))
    }

    /// A small whole number, of any width.
    pub(super) fn scalar(&self, name: &str) -> Result<u32, NotModel> {
        let bytes = self.tensor(name)?.bytes;
        let mut number = [0; 4];
        for (place, byte) in number.iter_mut().zip(bytes) {
            *place = *byte;
        }
        Ok(u32::from_le_bytes(number))
    }
}

fn tensor<'file>(source: &mut Bounded<'_>, file: &'file [u8]) -> Result<Tensor<'file>, NotModel> {
    let [dimensions] = source.array()?;
    if dimensions > MAX_DIMENSIONS {
        return Err(NotModel::malformed("shape"));
    }
    let shape = (0..dimensions).map(|_| source.u32());
    let shape = shape.collect::<Result<Vec<_>, _>>()?;
    let [number] = source.array()?;
    let number = match number {
        0 => Number::Float32,
        1..=3 => Number::Integer,
        4 => Number::Float16,
        _ => return Err(NotModel::malformed("type of numbers")),
    };
    let size = source.u32()?;
    let start = usize::try_from(source.position()).unwrap_or(usize::MAX);
    source.skip("tensor", size.into())?;
    let end = usize::try_from(source.position()).unwrap_or(usize::MAX);
    let bytes = file.get(start..end);
    Ok(Tensor {
        shape,
        number,
        bytes: bytes.ok_or(NotModel::Truncated { what: "tensor" })?,
    })
}

/// A text; its length counts a final zero.
fn text(source: &mut Bounded<'_>) -> Result<String, NotModel> {
    let length = u16::from_le_bytes(source.array()?);
    let mut bytes = source.bytes("name", length.into(), u16::MAX.into())?;
    bytes.pop();
    String::from_utf8(bytes).map_err(|_| NotModel::malformed("name"))
}
