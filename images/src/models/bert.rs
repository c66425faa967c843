//! BERT as sentence-transformers keep it (safetensors, 32 bits a number), converted to GGUF: other names, and the words of
//! `WordPiece` with their spaces in front. No number changes its value.

use serde_json::Value;

use super::error::NotModel;

const VERSION: u32 = 3;
const ALIGNMENT: usize = 32;
/// Of GGUF: types of values, and of tensors.
const UINT32: u32 = 4;
const INT32: i32 = 5;
const FLOAT32: u32 = 6;
const BOOL: u32 = 7;
const TEXT: u32 = 8;
const ARRAY: u32 = 9;
const TENSOR_FLOAT32: u32 = 0;
/// Of llama.cpp: an embedding is the mean of all tokens'.
const POOLING_MEAN: u32 = 1;
/// Of llama.cpp: words of a text, and marks of the model's own.
const NORMAL: i32 = 1;
const CONTROL: i32 = 3;
/// What the model's own marks are, and what GGUF calls them.
const MARKS: [(&str, &str); 5] = [
    ("[CLS]", "bos"),
    ("[UNK]", "unknown"),
    ("[SEP]", "seperator"),
    ("[PAD]", "padding"),
    ("[MASK]", "mask"),
];
/// Names of tensors in a layer, and what llama.cpp calls them.
const LAYER: [(&str, &str); 8] = [
    ("attention.self.query", "attn_q"),
    ("attention.self.key", "attn_k"),
    ("attention.self.value", "attn_v"),
    ("attention.output.dense", "attn_output"),
    ("attention.output.LayerNorm", "attn_output_norm"),
    ("intermediate.dense", "ffn_up"),
    ("output.dense", "ffn_down"),
    ("output.LayerNorm", "layer_output_norm"),
];

/// A tensor as both formats describe it.
struct Tensor<'file> {
    name: String,
    shape: Vec<u64>,
    bytes: &'file [u8],
}

/// Pairs of keys and values in the making.
#[derive(Default)]
struct Pairs {
    count: u64,
    bytes: Vec<u8>,
}

/// The GGUF file for a file of safetensors, its vocabulary (a word a line) and its config.json.
pub fn gguf(weights: &[u8], vocabulary: &[u8], config: &[u8]) -> Result<Vec<u8>, NotModel> {
    let config = json(config, "config.json")?;
    let tensors = tensors(weights)?;
    let mut pairs = Pairs::default();
    describe(&mut pairs, &config)?;
    words(&mut pairs, vocabulary)?;

    let mut out = b"GGUF".to_vec();
    out.extend(VERSION.to_le_bytes());
    out.extend((tensors.len() as u64).to_le_bytes());
    out.extend(pairs.count.to_le_bytes());
    out.extend(pairs.bytes);
    let mut offset = 0;
    for tensor in &tensors {
        text(&mut out, tensor.name.as_bytes());
        let dimensions = u32::try_from(tensor.shape.len()).unwrap_or_default();
        out.extend(dimensions.to_le_bytes());
        // GGUF names the dimension that changes fastest first.
        out.extend(
            tensor
                .shape
                .iter()
                .rev()
                .flat_map(|size| size.to_le_bytes()),
        );
        out.extend(TENSOR_FLOAT32.to_le_bytes());
        out.extend((offset as u64).to_le_bytes());
        offset += tensor.bytes.len().next_multiple_of(ALIGNMENT);
    }
    for tensor in &tensors {
        out.resize(out.len().next_multiple_of(ALIGNMENT), 0);
        out.extend(tensor.bytes);
    }
    Ok(out)
}

impl Pairs {
    fn add(&mut self, key: &str, kind: u32, value: &[u8]) {
        text(&mut self.bytes, key.as_bytes());
        self.bytes.extend(kind.to_le_bytes());
        self.bytes.extend(value);
        self.count += 1;
    }

    fn number(&mut self, key: &str, value: u32) {
        self.add(key, UINT32, &value.to_le_bytes());
    }

    fn text(&mut self, key: &str, value: &str) {
        let mut bytes = Vec::new();
        text(&mut bytes, value.as_bytes());
        self.add(key, TEXT, &bytes);
    }
}

fn describe(pairs: &mut Pairs, config: &Value) -> Result<(), NotModel> {
    let malformed = || NotModel::malformed("config.json");
    let number = |key: &str| {
        let number = config.get(key).and_then(Value::as_u64);
        let number = number.and_then(|number| u32::try_from(number).ok());
        number.ok_or_else(malformed)
    };
    let epsilon = config.get("layer_norm_eps").and_then(Value::as_f64);
    let epsilon = epsilon.ok_or_else(malformed)?;
    #[expect(clippy::cast_possible_truncation, reason = "GGUF has 32 bits for it")]
    let epsilon = epsilon as f32;
    pairs.text("general.architecture", "bert");
    pairs.number("general.file_type", 0);
    for (key, of) in [
        ("block_count", "num_hidden_layers"),
        ("context_length", "max_position_embeddings"),
        ("embedding_length", "hidden_size"),
        ("feed_forward_length", "intermediate_size"),
        ("attention.head_count", "num_attention_heads"),
    ] {
        pairs.number(&format!("bert.{key}"), number(of)?);
    }
    let key = "bert.attention.layer_norm_epsilon";
    pairs.add(key, FLOAT32, &epsilon.to_le_bytes());
    pairs.add("bert.attention.causal", BOOL, &[0]);
    pairs.number("bert.pooling_type", POOLING_MEAN);
    pairs.number(
        "tokenizer.ggml.token_type_count",
        number("type_vocab_size")?,
    );
    Ok(())
}

fn words(pairs: &mut Pairs, vocabulary: &[u8]) -> Result<(), NotModel> {
    let malformed = || NotModel::malformed("vocabulary");
    let words = std::str::from_utf8(vocabulary).map_err(|_| malformed())?;
    let words: Vec<&str> = words.lines().collect();
    let is_mark = |word: &str| MARKS.iter().any(|(mark, _)| *mark == word);
    let count = (words.len() as u64).to_le_bytes();
    let (mut texts, mut kinds) = (TEXT.to_le_bytes().to_vec(), INT32.to_le_bytes().to_vec());
    texts.extend(count);
    kinds.extend(count);
    for word in &words {
        let kind = if is_mark(word) { CONTROL } else { NORMAL };
        match word.strip_prefix("##") {
            _ if kind == CONTROL => text(&mut texts, word.as_bytes()),
            Some(rest) => text(&mut texts, rest.as_bytes()),
            None => text(&mut texts, format!("\u{2581}{word}").as_bytes()),
        }
        kinds.extend(kind.to_le_bytes());
    }
    pairs.text("tokenizer.ggml.model", "bert");
    pairs.add("tokenizer.ggml.tokens", ARRAY, &texts);
    pairs.add("tokenizer.ggml.token_type", ARRAY, &kinds);
    for (mark, name) in MARKS {
        let at = words.iter().position(|word| *word == mark);
        let at = at
            .and_then(|at| u32::try_from(at).ok())
            .ok_or_else(malformed)?;
        pairs.number(&format!("tokenizer.ggml.{name}_token_id"), at);
    }
    Ok(())
}

/// The tensors that llama.cpp uses, by its names. The pooler is for sentences in pairs, and positions are counted.
fn tensors(file: &[u8]) -> Result<Vec<Tensor<'_>>, NotModel> {
    let what = "header of safetensors";
    let truncated = || NotModel::Truncated { what };
    let (length, rest) = file.split_first_chunk().ok_or_else(truncated)?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| truncated())?;
    let (header, data) = rest.split_at_checked(length).ok_or_else(truncated)?;
    let malformed = || NotModel::malformed(what);
    let header = json(header, what)?;
    let mut tensors = Vec::new();
    for (key, value) in header.as_object().ok_or_else(malformed)? {
        let Some(name) = name(key) else { continue };
        let numbers = |key: &str| -> Option<Vec<u64>> {
            let list = value.get(key)?.as_array()?.iter();
            list.map(Value::as_u64).collect()
        };
        let shape = numbers("shape").ok_or_else(malformed)?;
        let range = numbers("data_offsets").ok_or_else(malformed)?;
        let [start, end] = range[..] else {
            return Err(malformed());
        };
        let range = usize::try_from(start).ok().zip(usize::try_from(end).ok());
        let bytes = range.and_then(|(start, end)| data.get(start..end));
        let bytes = bytes.ok_or(NotModel::Truncated { what: "tensors" })?;
        let count = shape
            .iter()
            .try_fold(4, |all: u64, size| all.checked_mul(*size));
        if count != Some(bytes.len() as u64) || value["dtype"] != "F32" {
            return Err(malformed());
        }
        tensors.push(Tensor { name, shape, bytes });
    }
    Ok(tensors)
}

fn name(key: &str) -> Option<String> {
    let (module, part) = key.rsplit_once('.')?;
    let module = match module {
        "embeddings.word_embeddings" => "token_embd".to_owned(),
        "embeddings.token_type_embeddings" => "token_types".to_owned(),
        "embeddings.position_embeddings" => "position_embd".to_owned(),
        "embeddings.LayerNorm" => "token_embd_norm".to_owned(),
        _ => {
            let (number, place) = module.strip_prefix("encoder.layer.")?.split_once('.')?;
            let (_, name) = LAYER.iter().find(|(from, _)| *from == place)?;
            format!("blk.{number}.{name}")
        }
    };
    Some(format!("{module}.{part}"))
}

fn json(bytes: &[u8], what: &'static str) -> Result<Value, NotModel> {
    serde_json::from_slice(bytes).map_err(|_| NotModel::malformed(what))
}

fn text(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend((bytes.len() as u64).to_le_bytes());
    out.extend(bytes);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{ModelKind, read};

    const CONFIG: &[u8] = br#"{"num_hidden_layers": 1, "max_position_embeddings": 8, "hidden_size": 2,
        "intermediate_size": 4, "num_attention_heads": 1, "layer_norm_eps": 1e-12, "type_vocab_size": 2}"#;
    const VOCABULARY: &[u8] = b"[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nhouse\n##s\n";

    fn weights() -> Vec<u8> {
        let header = r#"{"embeddings.position_ids": {"dtype": "I64"},
            "encoder.layer.0.output.dense.bias": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}"#;
        let mut file = (header.len() as u64).to_le_bytes().to_vec();
        file.extend(header.as_bytes());
        file.extend([1; 8]);
        file
    }

    #[test]
    fn makes_a_file_that_says_what_it_is() {
        let made = gguf(&weights(), VOCABULARY, CONFIG).unwrap();
        let facts = read(&mut made.as_slice(), made.len() as u64).unwrap();
        assert_eq!(
            (facts.kind, facts.architecture.as_str()),
            (ModelKind::Embedding, "bert")
        );
        assert_eq!(facts.trained_context, 8);
        let has = |text: &[u8]| made.windows(text.len()).any(|window| window == text);
        assert!(has(b"blk.0.ffn_down.bias") && has("\u{2581}house".as_bytes()));
        assert!(made.ends_with(&[1; 8]));
    }

    #[test]
    fn refuses_what_is_no_bert() {
        let sound = weights();
        for end in 0..sound.len() {
            assert!(
                gguf(&sound[..end], VOCABULARY, CONFIG).is_err(),
                "{end} bytes"
            );
        }
        assert!(gguf(&sound, b"house\n", CONFIG).is_err());
        assert!(gguf(&sound, VOCABULARY, b"{}").is_err());
    }
}
