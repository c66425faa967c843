//! A Llama that counts: after each byte comes the next one. Its only layer does nothing, so the answer is the same on every
//! machine, and whoever reads it sees whether prompts reach the engine and answers come back whole.

use std::{collections::BTreeMap, fs, path::Path};

use serde_json::{Value, json};

/// Numbers a token's vector has.
const WIDTH: usize = 64;
/// The bytes, and three words that are no text.
const TOKENS: usize = 259;
/// Ends an answer.
const END: usize = 256;
/// Comes before the answer in a conversation.
const ASSISTANT: usize = 258;

/// Writes its folder: configuration, tokenizer with its template, and weights.
pub(crate) fn write(folder: &Path) {
    let put = |name: &str, value: &Value| {
        fs::write(folder.join(name), value.to_string()).expect("a file of the model");
    };
    put(
        "config.json",
        &json!({
            "architectures": ["LlamaForCausalLM"], "model_type": "llama", "torch_dtype": "float32",
            "hidden_size": WIDTH, "intermediate_size": WIDTH, "num_hidden_layers": 1,
            "num_attention_heads": 1, "num_key_value_heads": 1, "head_dim": WIDTH, "vocab_size": TOKENS,
            "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
            "tie_word_embeddings": false, "eos_token_id": END,
        }),
    );
    put(
        "tokenizer_config.json",
        &json!({
            "tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|end|>", "model_max_length": 512,
            "chat_template": "{% for message in messages %}<|user|>{{ message['content'] }}{% endfor %}<|assistant|>",
        }),
    );
    put("tokenizer.json", &tokenizer());
    fs::write(folder.join("model.safetensors"), weights()).expect("the weights");
}

/// A token for each byte, under the name that byte-level tokenizers give it: itself where it can be printed.
fn tokenizer() -> Value {
    let printed = |byte: &u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut others = 256..;
    let vocabulary: BTreeMap<String, usize> = (0..=u8::MAX)
        .map(|byte| {
            let code = if printed(&byte) {
                u32::from(byte)
            } else {
                others.next().expect("numbers do not end")
            };
            let name = char::from_u32(code).expect("a letter");
            (name.to_string(), byte.into())
        })
        .collect();
    let words = ["<|end|>", "<|user|>", "<|assistant|>"];
    let added = words.iter().zip(END..).map(|(word, id)| {
        json!({
            "id": id, "content": word, "special": true,
            "single_word": false, "lstrip": false, "rstrip": false, "normalized": false,
        })
    });
    let bytes = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": false});
    json!({
        "version": "1.0", "truncation": null, "padding": null, "normalizer": null, "post_processor": null,
        "added_tokens": added.collect::<Vec<_>>(), "pre_tokenizer": bytes, "decoder": bytes,
        "model": {
            "type": "BPE", "vocab": vocabulary, "merges": [], "dropout": null, "unk_token": null,
            "continuing_subword_prefix": null, "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false,
        },
    })
}

/// The token that comes after one.
fn next(token: usize) -> Option<usize> {
    match token {
        ASSISTANT => Some(usize::from(b'a')),
        token if token == usize::from(b'z') => Some(END),
        token if token < END => Some((token + 1) % END),
        _ => None,
    }
}

fn weights() -> Vec<u8> {
    let vectors: Vec<Vec<f32>> = (0..TOKENS).map(vector).collect();
    let mut heads = vec![vec![0.0; WIDTH]; TOKENS];
    for (token, vector) in vectors.iter().enumerate() {
        if let Some(next) = next(token) {
            // Two tokens may lead to the same one.
            for (sum, part) in heads[next].iter_mut().zip(vector) {
                *sum += part;
            }
        }
    }
    let zeros = || vec![0.0; WIDTH * WIDTH];
    let square = [WIDTH, WIDTH];
    let mut tensors: Vec<(String, Vec<usize>, Vec<f32>)> = vec![
        (
            "model.embed_tokens.weight".into(),
            vec![TOKENS, WIDTH],
            vectors.concat(),
        ),
        ("lm_head.weight".into(), vec![TOKENS, WIDTH], heads.concat()),
        ("model.norm.weight".into(), vec![WIDTH], vec![1.0; WIDTH]),
    ];
    for part in ["q", "k", "v", "o"] {
        let name = format!("model.layers.0.self_attn.{part}_proj.weight");
        tensors.push((name, square.into(), zeros()));
    }
    for part in ["gate", "up", "down"] {
        let name = format!("model.layers.0.mlp.{part}_proj.weight");
        tensors.push((name, square.into(), zeros()));
    }
    for part in ["input", "post_attention"] {
        let name = format!("model.layers.0.{part}_layernorm.weight");
        tensors.push((name, vec![WIDTH], vec![1.0; WIDTH]));
    }
    safetensors(&tensors)
}

/// Numbers of length 8 that look like those of no other token.
fn vector(token: usize) -> Vec<f32> {
    let mut state = u64::try_from(token).expect("a token") + 1;
    let mut one = || {
        // Knuth's MMIX; its high bits are good enough.
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        if state >> 63 == 0 { 1.0 } else { -1.0 }
    };
    // Neighbours begin alike.
    for _ in 0..16 {
        one();
    }
    (0..WIDTH).map(|_| one()).collect()
}

fn safetensors(tensors: &[(String, Vec<usize>, Vec<f32>)]) -> Vec<u8> {
    let mut header = serde_json::Map::new();
    let mut data = Vec::new();
    for (name, shape, numbers) in tensors {
        let start = data.len();
        data.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        let place = json!({"dtype": "F32", "shape": shape, "data_offsets": [start, data.len()]});
        header.insert(name.clone(), place);
    }
    let header = Value::from(header).to_string();
    let length = u64::try_from(header.len()).expect("a length");
    [&length.to_le_bytes(), header.as_bytes(), &data].concat()
}
