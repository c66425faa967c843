//! Seeds of files of weights: the smallest that are whole.

use super::{Seed, seed};
use crate::parts;

const HEADER: &str = r#"{"encoder.layer.0.output.dense.bias": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}"#;
const VOCABULARY: &[u8] = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhouse\n##s\n";
const CONFIG: &[u8] = br#"{"num_hidden_layers": 1, "max_position_embeddings": 8, "hidden_size": 2, "intermediate_size": 4,
    "num_attention_heads": 1, "layer_norm_eps": 1e-12, "type_vocab_size": 2}"#;

pub(super) fn seeds() -> Vec<Seed> {
    let weights = [
        &(HEADER.len() as u64).to_le_bytes()[..],
        HEADER.as_bytes(),
        &[1; 8],
    ]
    .concat();
    let gguf = chrysalis_image::models::bert::gguf(&weights, VOCABULARY, CONFIG);
    let whisper = [100, 1500, 512, 8, 6, 448, 512, 8, 6, 80, 1_u32].map(u32::to_le_bytes);
    let whisper = [&b"lmgg"[..], &whisper.concat(), &[0; 64]].concat();
    vec![
        seed("model", "gguf", gguf.expect("a whole model")),
        seed("model", "whisper", whisper),
        seed(
            "model",
            "bert",
            parts::join(&[&weights, VOCABULARY, CONFIG]),
        ),
        seed(
            "model",
            "ctranslate2",
            parts::join(&[&ctranslate2(), b"a\n<|endoftext|>\n", b""]),
        ),
    ]
}

/// A specification and one tensor of it.
fn ctranslate2() -> Vec<u8> {
    let text = |text: &str| {
        let length = u16::try_from(text.len() + 1).expect("a short text");
        [&length.to_le_bytes()[..], text.as_bytes(), &[0]].concat()
    };
    let shape = [&[2][..], &1_u32.to_le_bytes(), &2_u32.to_le_bytes()].concat();
    let tensor = [
        &text("decoder/embeddings/weight")[..],
        &shape,
        &[4],
        &4_u32.to_le_bytes(),
        &[0; 4],
    ];
    let count = 1_u32.to_le_bytes();
    [
        &6_u32.to_le_bytes()[..],
        &text("WhisperSpec"),
        &count,
        &count,
        &tensor.concat(),
        &[0; 4],
    ]
    .concat()
}
