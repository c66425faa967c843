//! What files of weights say of themselves: the cards of models are made from it. Reads formats of others, bounded, and
//! believes nothing but their layout: which weights they are is for the digest to say.

pub mod bert;
mod bounded;
pub mod ctranslate2;
mod error;
mod facts;
pub mod folder;
pub mod gguf;
pub mod whisper;

use std::io::Read;

pub use error::NotModel;
pub use facts::{Facts, ModelKind};

use bounded::Bounded;

/// Reads a file of weights of this length: GGUF, or whisper.cpp's GGML. Reads no more than the front of it.
pub fn read(file: &mut dyn Read, length: u64) -> Result<Facts, NotModel> {
    let mut source = Bounded::new(file, length);
    let magic = source.array::<4>()?;
    match &magic {
        b"GGUF" => gguf::read(source),
        &whisper::MAGIC => whisper::read(source),
        _ => Err(NotModel::UnknownFormat { magic }),
    }
}
