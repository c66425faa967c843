//! What an enclave claims to serve: its engines and its models, each from a read-only disk that a dm-verity root identifies.

use serde::Serialize;
use serde_cbor::Value;

use crate::{
    Rejection,
    encoding::cbor::{self, Fields},
};

/// The most engines, and the most models.
pub const MAX_SERVED: usize = 16;
/// The most bytes of a name or a version.
pub const MAX_NAME: usize = 128;
/// What a model may be for.
pub const KINDS: [&str; 4] = ["chat", "embedding", "rerank", "speech"];

/// An engine: a program that computes. Every field is bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EngineClaim {
    /// What models call it: up to [`MAX_NAME`] printable ASCII characters, without spaces.
    pub name: String,
    /// Its own version, as its disk states it: up to [`MAX_NAME`] printable ASCII characters.
    pub version: String,
    /// The dm-verity root of its disk.
    #[serde(serialize_with = "as_hex")]
    pub disk: [u8; 32],
}

/// A model. Every field is bound.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ModelClaim {
    /// Its name in the API: up to [`MAX_NAME`] printable ASCII characters, without spaces.
    pub name: String,
    /// What it is for: one of [`KINDS`].
    pub kind: String,
    /// The name of the engine that runs it.
    pub engine: String,
    /// The dm-verity root of its disk.
    #[serde(serialize_with = "as_hex")]
    pub disk: [u8; 32],
    /// SHA-256 of its weights: of the file, or of the list of a folder's files.
    #[serde(serialize_with = "as_hex")]
    pub weights: [u8; 32],
    /// SHA-256 of its tokenizer, if it has one.
    #[serde(serialize_with = "as_hex_if", skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<[u8; 32]>,
    /// SHA-256 of its chat template, if it has one.
    #[serde(serialize_with = "as_hex_if", skip_serializing_if = "Option::is_none")]
    pub template: Option<[u8; 32]>,
}

/// Claims that cannot be read.
pub(super) fn malformed(what: &str) -> Rejection {
    let what = what.to_owned();
    Rejection::ClaimsMalformed { what }
}

/// Whether this may be a name in claims: one to [`MAX_NAME`] printable ASCII characters, none of them a space.
pub fn is_name(text: &str) -> bool {
    is_text(text) && !text.contains(' ')
}

fn is_text(text: &str) -> bool {
    let printable = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    (1..=MAX_NAME).contains(&text.len()) && text.bytes().all(printable)
}

/// An element of one of the two lists.
pub(super) trait Served: Sized {
    /// The list's name.
    const LIST: &'static str;
    fn name(&self) -> &str;
    fn encode(&self) -> Value;
    fn decode(fields: &mut Element) -> Result<Self, Rejection>;
}

/// The fields of an element, each taken once.
pub(super) struct Element {
    list: &'static str,
    fields: Fields,
}

impl Element {
    fn wrong(&self, key: &str, what: &str) -> Rejection {
        malformed(&format!("`{}.{key}` {what}", self.list))
    }

    fn text(&mut self, key: &str, holds: fn(&str) -> bool) -> Result<String, Rejection> {
        let text = self.fields.text(key).filter(|text| holds(text));
        text.ok_or_else(|| self.wrong(key, "is missing or of the wrong form"))
    }

    fn digest(&mut self, key: &str) -> Result<[u8; 32], Rejection> {
        let digest = self.digest_if(key)?;
        digest.ok_or_else(|| self.wrong(key, "is missing or of the wrong form"))
    }

    fn digest_if(&mut self, key: &str) -> Result<Option<[u8; 32]>, Rejection> {
        let Some(value) = self.fields.take(key) else {
            return Ok(None);
        };
        let digest = cbor::bytes(value).and_then(|bytes| bytes.try_into().ok());
        let wrong = || self.wrong(key, "is missing or of the wrong form");
        digest.map(Some).ok_or_else(wrong)
    }
}

impl Served for EngineClaim {
    const LIST: &'static str = "engines";

    fn name(&self) -> &str {
        &self.name
    }

    fn encode(&self) -> Value {
        cbor::map([
            ("name", Value::Text(self.name.clone())),
            ("version", Value::Text(self.version.clone())),
            ("disk", Value::Bytes(self.disk.to_vec())),
        ])
    }

    fn decode(fields: &mut Element) -> Result<Self, Rejection> {
        Ok(Self {
            name: fields.text("name", is_name)?,
            version: fields.text("version", is_text)?,
            disk: fields.digest("disk")?,
        })
    }
}

impl Served for ModelClaim {
    const LIST: &'static str = "models";

    fn name(&self) -> &str {
        &self.name
    }

    fn encode(&self) -> Value {
        let required = [
            ("name", Value::Text(self.name.clone())),
            ("kind", Value::Text(self.kind.clone())),
            ("engine", Value::Text(self.engine.clone())),
            ("disk", Value::Bytes(self.disk.to_vec())),
            ("weights", Value::Bytes(self.weights.to_vec())),
        ];
        let optional = [("tokenizer", self.tokenizer), ("template", self.template)];
        let optional = optional
            .into_iter()
            .filter_map(|(key, digest)| Some((key, Value::Bytes(digest?.to_vec()))));
        let fields = required.into_iter().chain(optional);
        let named = fields.map(|(key, value)| (Value::Text(key.to_owned()), value));
        Value::Map(named.collect())
    }

    fn decode(fields: &mut Element) -> Result<Self, Rejection> {
        Ok(Self {
            name: fields.text("name", is_name)?,
            kind: fields.text("kind", |kind| KINDS.contains(&kind))?,
            engine: fields.text("engine", is_name)?,
            disk: fields.digest("disk")?,
            weights: fields.digest("weights")?,
            tokenizer: fields.digest_if("tokenizer")?,
            template: fields.digest_if("template")?,
        })
    }
}

/// The list as CBOR.
pub(super) fn encode<T: Served>(list: &[T]) -> Value {
    Value::Array(list.iter().map(T::encode).collect())
}

/// Takes a list out of the claims. No name occurs twice.
pub(super) fn take<T: Served>(claims: &mut Fields) -> Result<Vec<T>, Rejection> {
    let wrong = |what: &str| malformed(&format!("`{}` {what}", T::LIST));
    let values = claims.take(T::LIST).and_then(cbor::array);
    let values = values.ok_or_else(|| wrong("is missing or of the wrong type"))?;
    if values.len() > MAX_SERVED {
        return Err(wrong("has too many elements"));
    }
    let mut list: Vec<T> = Vec::with_capacity(values.len());
    for value in values {
        let fields = Fields::of(value).ok_or_else(|| wrong("has an element that is not a map"))?;
        let mut element = Element {
            list: T::LIST,
            fields,
        };
        let served = T::decode(&mut element)?;
        if let Some(key) = element.fields.left_over() {
            return Err(element.wrong(&key, "is unknown"));
        }
        if list.iter().any(|other| other.name() == served.name()) {
            return Err(wrong("has a name twice"));
        }
        list.push(served);
    }
    Ok(list)
}

#[expect(clippy::ref_option, reason = "serde passes references")]
pub(super) fn as_hex_if<S: serde::Serializer>(
    bytes: &Option<[u8; 32]>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match bytes {
        Some(bytes) => as_hex(bytes, serializer),
        None => serializer.serialize_none(),
    }
}

pub(super) fn as_hex<S: serde::Serializer>(
    bytes: &[u8; 32],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&hex::encode(bytes))
}
