//! whisper.cpp's GGML: a magic and eleven numbers, then filters, vocabulary and tensors. Only the numbers are looked at.

use super::{
    bounded::Bounded,
    error::NotModel,
    facts::{Facts, ModelKind},
};

/// `ggml` as a little-endian number.
pub const MAGIC: [u8; 4] = *b"lmgg";
/// More than any Whisper has, of anything.
const MOST: u64 = 1 << 20;

/// Reads what follows the magic.
pub(super) fn read(mut file: Bounded<'_>) -> Result<Facts, NotModel> {
    let mut numbers = [0; 11];
    for number in &mut numbers {
        *number = NotModel::at_most("header's number", file.u32()?.into(), MOST)?;
    }
    // The vocabulary; context, state, heads and layers of the audio, then of the text; mels; the type, which alone may be 0.
    let [vocabulary, _, _, _, _, text_context, text_state, ..] = numbers;
    let [sizes @ .., _type] = numbers;
    if sizes.contains(&0) {
        return Err(NotModel::malformed("header"));
    }
    // What the tensors have at the least: the token embedding, in the smallest type, two numbers a byte.
    if file.left() < vocabulary.saturating_mul(text_state) / 2 {
        return Err(NotModel::Truncated { what: "tensors" });
    }
    Ok(Facts {
        kind: ModelKind::Speech,
        architecture: "whisper".into(),
        trained_context: text_context,
        tokenizer: None,
        template: None,
        licence: None,
    })
}
