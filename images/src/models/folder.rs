//! A folder of safetensors, as vLLM and others read it: config.json, the weights, and the tokenizer with its chat template.

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde_json::Value;

use super::{
    error::NotModel,
    facts::{Facts, ModelKind},
};
use crate::digest::Sha256;

/// Bytes of a configuration that is looked at.
const MAX_JSON: u64 = 1 << 26;
/// Bytes of the header of safetensors: the format's own limit.
const MAX_HEADER: u64 = 100_000_000;
const WEIGHTS: &str = "safetensors";

/// A file of the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its path in the folder.
    pub path: String,
    /// Where it is.
    pub at: PathBuf,
    /// Its digest.
    pub sha256: Sha256,
}

/// The files of a folder, sorted by path. What is hidden stays out: it belongs to the tools that fetched the model.
pub fn parts(folder: &Path) -> Result<Vec<Part>, NotModel> {
    let mut parts = Vec::new();
    walk(folder, "", &mut parts)?;
    parts.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(parts)
}

/// The digest of all files: SHA-256 of a line for each, with digest and path.
pub fn weights(parts: &[Part]) -> Sha256 {
    let line = |part: &Part| format!("{}  {}\n", part.sha256, part.path);
    Sha256::of(parts.iter().map(line).collect::<String>().as_bytes())
}

/// Reads what a folder says of itself.
pub fn read(folder: &Path, parts: &[Part]) -> Result<Facts, NotModel> {
    let has = |path: &str| parts.iter().find(|part| part.path == path);
    let weights = parts.iter().filter(|part| {
        Path::new(&part.path)
            .extension()
            .is_some_and(|end| end == WEIGHTS)
    });
    let mut count = 0;
    for part in weights {
        check_safetensors(&part.at)?;
        count += 1;
    }
    let missing = |what| NotModel::Missing {
        what,
        whole: "a folder with config.json, tokenizer.json and the weights as safetensors",
    };
    if count == 0 {
        return Err(missing("file that ends in .safetensors"));
    }
    has("config.json").ok_or_else(|| missing("config.json"))?;
    let config = json(&folder.join("config.json"))?;
    let class = config.pointer("/architectures/0").and_then(Value::as_str);
    let class = class.or_else(|| config.get("model_type")?.as_str());
    let class = class.ok_or_else(|| missing("architectures in config.json"))?;
    let contexts = [
        "/max_position_embeddings",
        "/text_config/max_position_embeddings",
        "/max_target_positions",
    ];
    let context = contexts
        .iter()
        .find_map(|path| config.pointer(path)?.as_u64());
    Ok(Facts {
        kind: kind(class),
        architecture: class.into(),
        trained_context: context
            .ok_or_else(|| missing("max_position_embeddings in config.json"))?,
        tokenizer: has("tokenizer.json").map(|part| part.sha256),
        template: template(
            folder,
            has("chat_template.jinja"),
            has("tokenizer_config.json"),
        )?,
        licence: None,
    })
}

/// What models of a class are for, as transformers names classes.
fn kind(class: &str) -> ModelKind {
    if class.starts_with("Whisper") {
        ModelKind::Speech
    } else if class.ends_with("ForSequenceClassification") {
        ModelKind::Rerank
    } else if class.contains("ForCausalLM") || class.ends_with("ForConditionalGeneration") {
        ModelKind::Chat
    } else {
        ModelKind::Embedding
    }
}

/// The chat template: of its own file, or of the tokenizer's configuration.
fn template(
    folder: &Path,
    file: Option<&Part>,
    configuration: Option<&Part>,
) -> Result<Option<Sha256>, NotModel> {
    if let Some(file) = file {
        return Ok(Some(file.sha256));
    }
    if configuration.is_none() {
        return Ok(None);
    }
    let config = json(&folder.join("tokenizer_config.json"))?;
    let text = match config.get("chat_template") {
        Some(Value::Array(several)) => {
            let default = several.iter().find(|one| one["name"] == "default");
            default.and_then(|one| one["template"].as_str())
        }
        Some(one) => one.as_str(),
        None => None,
    };
    Ok(text.map(|text| Sha256::of(text.as_bytes())))
}

fn check_safetensors(path: &Path) -> Result<(), NotModel> {
    let unreadable = unreadable(path);
    let mut file = File::open(path).map_err(unreadable)?;
    let length = file.metadata().map_err(unreadable)?.len();
    let what = "header of safetensors";
    let truncated = NotModel::Truncated { what };
    let mut front = [0; 9];
    if file.read_exact(&mut front).is_err() {
        return Err(truncated);
    }
    let [header @ .., first] = front;
    let found = u64::from_le_bytes(header);
    NotModel::at_most(what, found, MAX_HEADER)?;
    if found.saturating_add(8) > length {
        return Err(truncated);
    }
    if first != b'{' {
        return Err(NotModel::malformed(what));
    }
    Ok(())
}

fn json(path: &Path) -> Result<Value, NotModel> {
    let unreadable = unreadable(path);
    let mut text = Vec::new();
    let file = File::open(path).map_err(unreadable)?;
    file.take(MAX_JSON)
        .read_to_end(&mut text)
        .map_err(unreadable)?;
    let what = if path.ends_with("config.json") {
        "config.json"
    } else {
        "tokenizer_config.json"
    };
    serde_json::from_slice(&text).map_err(|_| NotModel::malformed(what))
}

fn unreadable(path: &Path) -> impl Fn(io::Error) -> NotModel + Copy {
    move |error| NotModel::Unreadable {
        reason: format!("{}: {error}", path.display()),
    }
}

fn walk(folder: &Path, above: &str, parts: &mut Vec<Part>) -> Result<(), NotModel> {
    let unreadable = unreadable(folder);
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let name = entry.file_name().into_string();
        let what = "name of a file, which is not UTF-8,";
        let name = name.map_err(|_| NotModel::malformed(what))?;
        if name.starts_with('.') {
            continue;
        }
        let at = entry.path();
        // Follows links: caches of models are made of them.
        let metadata = fs::metadata(&at).map_err(unreadable)?;
        if metadata.is_dir() {
            walk(&at, &format!("{above}{name}/"), parts)?;
        } else if metadata.is_file() {
            let (_, sha256) = Sha256::of_file(&at).map_err(unreadable)?;
            let path = format!("{above}{name}");
            parts.push(Part { path, at, sha256 });
        }
    }
    Ok(())
}
