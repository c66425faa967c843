//! Whisper as `CTranslate2` keeps it (binary version 6, 16 bits a number), converted to whisper.cpp's GGML: other names,
//! fused projections split by rows, vectors as 32 bits. No number changes its value.

mod source;
mod target;
mod vocabulary;

use super::error::NotModel;
use source::Model;
use target::Writer;

/// Samples of a window, and a second.
const FFT: u32 = 400;
const RATE: f64 = 16_000.0;
const MAX_LAYERS: usize = 64;
const MAX_MELS: u32 = 1024;

/// The file of whisper.cpp for a file of `CTranslate2` and its vocabulary.
pub fn whisper(model: &[u8], vocabulary: &[u8]) -> Result<Vec<u8>, NotModel> {
    let model = Model::read(model)?;
    let words = vocabulary::words(vocabulary)?;
    let mut out = Writer::new(&model);
    let layers = [layers(&model, "encoder"), layers(&model, "decoder")];
    header(&mut out, layers, &words)?;
    for (side, layers) in ["encoder", "decoder"].into_iter().zip(layers) {
        tensors(&mut out, side, layers)?;
    }
    let state = model.dimension("decoder/embeddings/weight", 1)?;
    for number in 1..=2 {
        let (name, key) = (
            format!("encoder.conv{number}"),
            format!("encoder/conv{number}"),
        );
        out.put(&format!("{name}.weight"), &format!("{key}/weight"))?;
        // whisper.cpp wants one row a channel.
        out.shaped(&format!("{name}.bias"), &format!("{key}/bias"), &[state, 1])?;
    }
    out.put(
        "decoder.token_embedding.weight",
        "decoder/embeddings/weight",
    )?;
    Ok(out.bytes)
}

fn layers(model: &Model<'_>, side: &str) -> usize {
    let has = |number: &usize| model.has(&format!("{side}/layer_{number}/ffn/linear_0/weight"));
    (0..MAX_LAYERS).take_while(has).count()
}

fn header(out: &mut Writer<'_>, layers: [usize; 2], words: &[Vec<u8>]) -> Result<(), NotModel> {
    let model = out.model;
    let embeddings = "decoder/embeddings/weight";
    let [audio, text] =
        ["encoder", "decoder"].map(|side| format!("{side}/position_encodings/encodings"));
    let mels = model.dimension("encoder/conv1/weight", 1)?;
    if mels > MAX_MELS || model.scalar("decoder/pre_norm")? != 1 {
        return Err(NotModel::malformed("shape"));
    }
    let state = model.dimension(embeddings, 1)?;
    let [audio_layers, text_layers] = layers.map(|count| u32::try_from(count).unwrap_or_default());
    out.bytes.extend(super::whisper::MAGIC);
    out.numbers(&[
        model.dimension(embeddings, 0)?,
        model.dimension(&audio, 0)?,
        state,
        model.scalar("encoder/num_heads")?,
        audio_layers,
        model.dimension(&text, 0)?,
        state,
        model.scalar("decoder/num_heads")?,
        text_layers,
        mels,
        1, // matrices have 16 bits a number
    ]);
    out.numbers(&[mels, FFT / 2 + 1]);
    mel_filters(mels, &mut out.bytes);
    // Only the text's own tokens: whisper.cpp names the special ones itself.
    out.numbers(&[u32::try_from(words.len()).unwrap_or_default()]);
    for word in words {
        out.numbers(&[u32::try_from(word.len()).unwrap_or_default()]);
        out.bytes.extend(word);
    }
    Ok(())
}

/// Triangles on Slaney's mel scale, of equal area (librosa's `filters.mel`).
#[expect(clippy::cast_possible_truncation, reason = "filters have 32 bits")]
fn mel_filters(mels: u32, out: &mut Vec<u8>) {
    let step = 6.4_f64.ln() / 27.0;
    let hertz = |mel: f64| {
        if mel < 15.0 {
            mel * 200.0 / 3.0
        } else {
            1000.0 * ((mel - 15.0) * step).exp()
        }
    };
    let top = 15.0 + (RATE / 2.0 / 1000.0).ln() / step;
    let point = |number: u32| hertz(top * f64::from(number) / f64::from(mels + 1));
    for number in 0..mels {
        let [low, middle, high] = [0, 1, 2].map(|after| point(number + after));
        for bin in 0..=FFT / 2 {
            let at = f64::from(bin) * RATE / f64::from(FFT);
            let up = (at - low) / (middle - low);
            let down = (high - at) / (high - middle);
            let filter = up.min(down).max(0.0) * 2.0 / (high - low);
            out.extend((filter as f32).to_le_bytes());
        }
    }
}

/// Rows of a projection, below a layer: their name, from which key, which part of so many, with or without the bias.
type Rows = (&'static str, &'static str, usize, usize, bool);

/// One matrix has q, k and v; the bias of k is zero, and whisper.cpp has none.
const ATTENTION: [Rows; 4] = [
    ("attn.query", "self_attention/linear_0", 0, 3, true),
    ("attn.key", "self_attention/linear_0", 1, 3, false),
    ("attn.value", "self_attention/linear_0", 2, 3, true),
    ("attn.out", "self_attention/linear_1", 0, 1, true),
];
/// One matrix has k and v.
const CROSS_ATTENTION: [Rows; 4] = [
    ("cross_attn.query", "attention/linear_0", 0, 1, true),
    ("cross_attn.key", "attention/linear_1", 0, 2, false),
    ("cross_attn.value", "attention/linear_1", 1, 2, true),
    ("cross_attn.out", "attention/linear_2", 0, 1, true),
];
const MLP: [Rows; 2] = [
    ("mlp.0", "ffn/linear_0", 0, 1, true),
    ("mlp.2", "ffn/linear_1", 0, 1, true),
];

fn tensors(out: &mut Writer<'_>, side: &str, layers: usize) -> Result<(), NotModel> {
    let positions = format!("{side}.positional_embedding");
    out.wide(&positions, &format!("{side}/position_encodings/encodings"))?;
    let last = if side == "encoder" { "ln_post" } else { "ln" };
    out.norm(&format!("{side}.{last}"), side)?;
    for number in 0..layers {
        let (to, from) = (
            format!("{side}.blocks.{number}."),
            format!("{side}/layer_{number}/"),
        );
        let mut part = |norm: &str, of: &str, rows: &[Rows]| {
            out.norm(&format!("{to}{norm}"), &format!("{from}{of}"))?;
            for (name, key, part, parts, bias) in rows {
                let (name, key) = (format!("{to}{name}"), format!("{from}{key}"));
                out.rows(&name, &key, *part, *parts, *bias)?;
            }
            Ok(())
        };
        part("attn_ln", "self_attention", &ATTENTION)?;
        if side == "decoder" {
            part("cross_attn_ln", "attention", &CROSS_ATTENTION)?;
        }
        part("mlp_ln", "ffn", &MLP)?;
    }
    Ok(())
}
