//! GGUF, llama.cpp's format, versions 2 and 3, little-endian: a header, pairs of keys and values, what each tensor is, and the
//! tensors (docs/gguf.md of ggml). Reads all but the tensors, and checks that the file is long enough for them.

use super::{
    bounded::Bounded,
    error::NotModel,
    facts::{Facts, ModelKind},
};
use crate::digest::{Hasher, Sha256};

/// Pairs and tensors that a file may have: the largest models have a few thousand of each.
const MAX_ENTRIES: u64 = 1 << 17;
/// Bytes of a key (the format's own limit), or of a tensor's name.
const MAX_KEY: u64 = 65_535;
/// Bytes of a text that is looked at. Chat templates have up to 30 KB.
const MAX_TEXT: u64 = 1 << 20;
/// Bytes of all pairs: a tokenizer has up to 30 MB.
const MAX_METADATA: u64 = 1 << 28;
/// Dimensions of a tensor.
const MAX_DIMENSIONS: u64 = 4;
/// Where tensors begin, unless the file says otherwise.
const ALIGNMENT: u64 = 32;
const MAX_ALIGNMENT: u64 = 1 << 20;

/// Number of the type of a text, and of an array.
const TEXT: u32 = 8;
const ARRAY: u32 = 9;

const TEMPLATE: &str = "tokenizer.chat_template";
/// Numbers of llama.cpp's kinds of pooling: none, and by how well two texts fit.
const POOLING_NONE: u64 = 0;
const POOLING_RANK: u64 = 4;

/// What of the pairs matters here.
#[derive(Default)]
struct Metadata {
    architecture: Option<String>,
    licence: Option<String>,
    template: Option<Sha256>,
    tokenizer: Option<Sha256>,
    context: Vec<(String, u64)>,
    pooling: Vec<(String, u64)>,
    alignment: Option<u64>,
}

/// A value that matters here; others are only measured.
enum Value {
    Text(Vec<u8>),
    Number(u64),
    Other,
}

/// Reads what follows the magic.
pub(super) fn read(mut file: Bounded<'_>) -> Result<Facts, NotModel> {
    match file.u32()? {
        2 | 3 => {}
        swapped if matches!(swapped.swap_bytes(), 1..=3) => return Err(NotModel::BigEndian),
        version => return Err(NotModel::Version { version }),
    }
    let tensors = file.at_most("number of tensors", MAX_ENTRIES)?;
    let pairs = file.at_most("number of keys", MAX_ENTRIES)?;
    if tensors == 0 {
        return Err(NotModel::Missing {
            what: "tensors",
            whole: "not a file of its vocabulary alone",
        });
    }
    let metadata = metadata(&mut file, pairs)?;
    check_tensors(&mut file, tensors, metadata.alignment.unwrap_or(ALIGNMENT))?;
    metadata.facts()
}

impl Metadata {
    fn take(&mut self, key: &str, value: Value) -> Result<(), NotModel> {
        let text = |bytes| String::from_utf8(bytes).map_err(|_| NotModel::malformed("description"));
        match (key, value) {
            ("general.architecture", Value::Text(bytes)) => self.architecture = Some(text(bytes)?),
            ("general.license", Value::Text(bytes)) => self.licence = Some(text(bytes)?),
            ("general.alignment", Value::Number(number)) => self.alignment = Some(number),
            (TEMPLATE, Value::Text(bytes)) => self.template = Some(Sha256::of(&bytes)),
            (key, Value::Number(number)) => {
                if let Some(architecture) = key.strip_suffix(".context_length") {
                    self.context.push((architecture.into(), number));
                } else if let Some(architecture) = key.strip_suffix(".pooling_type") {
                    self.pooling.push((architecture.into(), number));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn facts(self) -> Result<Facts, NotModel> {
        let missing = |what| NotModel::Missing {
            what,
            whole: "one that llama.cpp's own converter wrote",
        };
        let architecture = self.architecture;
        let architecture = architecture.ok_or_else(|| missing("general.architecture"))?;
        let of = |numbers: &[(String, u64)]| {
            let mut numbers = numbers.iter();
            let found = numbers.find(|(name, _)| *name == architecture);
            found.map(|(_, number)| *number)
        };
        let trained_context = of(&self.context).ok_or_else(|| missing("context length"))?;
        let kind = match of(&self.pooling) {
            None | Some(POOLING_NONE) => ModelKind::Chat,
            Some(POOLING_RANK) => ModelKind::Rerank,
            Some(_) => ModelKind::Embedding,
        };
        Ok(Facts {
            kind,
            architecture,
            trained_context,
            tokenizer: self.tokenizer,
            template: self.template,
            licence: self.licence,
        })
    }
}

/// Reads all pairs. The tokenizer's digest is over its pairs as they are in the file, without the chat template.
fn metadata(file: &mut Bounded<'_>, pairs: u64) -> Result<Metadata, NotModel> {
    let mut metadata = Metadata::default();
    let mut tokenizer = None;
    let start = file.position();
    for _ in 0..pairs {
        let length = file.at_most("key's length", MAX_KEY)?;
        let key = file.bytes("key", length, MAX_KEY)?;
        let key = String::from_utf8(key).map_err(|_| NotModel::malformed("key"))?;
        let counts = key.starts_with("tokenizer.") && key != TEMPLATE;
        if counts {
            let mut hasher = tokenizer.take().unwrap_or_default();
            Hasher::update(&mut hasher, &length.to_le_bytes());
            hasher.update(key.as_bytes());
            file.hasher = Some(hasher);
        }
        let kind = file.u32()?;
        let value = value(file, kind, &key)?;
        if counts {
            tokenizer = file.hasher.take();
        }
        metadata.take(&key, value)?;
        let found = file.position().saturating_sub(start);
        NotModel::at_most("metadata", found, MAX_METADATA)?;
    }
    metadata.tokenizer = tokenizer.map(Hasher::finish);
    Ok(metadata)
}

fn value(file: &mut Bounded<'_>, kind: u32, key: &str) -> Result<Value, NotModel> {
    match kind {
        TEXT => {
            let length = file.at_most("text's length", MAX_METADATA)?;
            if key.starts_with("general.") || key == TEMPLATE {
                return file.bytes("text", length, MAX_TEXT).map(Value::Text);
            }
            file.skip("text", length)?;
            Ok(Value::Other)
        }
        ARRAY => {
            let kind = file.u32()?;
            let count = file.at_most("array's length", MAX_METADATA)?;
            if kind == TEXT {
                for _ in 0..count {
                    let length = file.at_most("text's length", MAX_METADATA)?;
                    file.skip("text", length)?;
                }
            } else {
                // An array of arrays has no width: llama.cpp refuses it, too.
                file.skip("array", count.saturating_mul(width(kind)?))?;
            }
            Ok(Value::Other)
        }
        4 => Ok(Value::Number(file.u32()?.into())),
        10 => Ok(Value::Number(file.u64()?)),
        5 => Ok(u64::try_from(file.u32()?.cast_signed()).map_or(Value::Other, Value::Number)),
        kind => {
            file.skip("value", width(kind)?)?;
            Ok(Value::Other)
        }
    }
}

/// Bytes of a value of this type.
fn width(kind: u32) -> Result<u64, NotModel> {
    match kind {
        0 | 1 | 7 => Ok(1),
        2 | 3 => Ok(2),
        4..=6 => Ok(4),
        10..=12 => Ok(8),
        _ => Err(NotModel::malformed("type of a value")),
    }
}

/// Reads what each tensor is. Every one must begin within the file.
fn check_tensors(file: &mut Bounded<'_>, count: u64, alignment: u64) -> Result<(), NotModel> {
    if !alignment.is_power_of_two() || alignment > MAX_ALIGNMENT {
        return Err(NotModel::malformed("alignment"));
    }
    let mut last = 0;
    for _ in 0..count {
        let length = file.at_most("tensor's name's length", MAX_KEY)?;
        file.skip("tensor's name", length)?;
        let dimensions = file.u32()?.into();
        NotModel::at_most("number of dimensions", dimensions, MAX_DIMENSIONS)?;
        // The dimensions, the type, and where the tensor begins.
        file.skip("tensor's dimensions", dimensions * 8 + 4)?;
        last = last.max(file.u64()?);
    }
    let start = file.position().next_multiple_of(alignment);
    if start
        .checked_add(last)
        .is_none_or(|begin| begin >= file.length())
    {
        return Err(NotModel::Truncated { what: "tensors" });
    }
    Ok(())
}
