//! Recipes of models: which files of which inputs are its weights, and which they must turn out to be.

use std::path::Path;

use serde::Deserialize;

use super::{
    names::{NAME_RULE, is_name},
    recipe::Source,
};
use crate::{Error, digest::Sha256, files::read_toml, models::ModelKind};

/// The recipe of a model, such as images/models/smollm2.toml.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelRecipe {
    /// What the model is called.
    pub name: String,
    /// What it is for.
    pub kind: ModelKind,
    /// Its licence, as SPDX names it.
    pub licence: String,
    /// The file of weights, as the inputs have it.
    pub weights: Weights,
    /// What it is converted to, if engines want another format.
    pub conversion: Option<Conversion>,
}

/// A file of weights in pinned inputs.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weights {
    /// Its length: bounds what is unpacked.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
    /// The files that it is joined from, in order.
    pub part: Vec<Source>,
}

/// A conversion of weights.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversion {
    /// The format that the inputs have.
    pub from: Format,
    /// The vocabulary, which that format keeps in a file of its own.
    pub vocabulary: Source,
    /// The description of its shape, if that is in a file of its own, too.
    pub config: Option<Source>,
    /// Length of the result.
    pub size: u64,
    /// Its digest.
    pub sha256: Sha256,
}

/// Formats that can be converted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Whisper, as `CTranslate2` keeps it; becomes whisper.cpp's GGML.
    Ctranslate2Whisper,
    /// BERT, as sentence-transformers keep it; becomes GGUF.
    SafetensorsBert,
}

impl ModelRecipe {
    /// Reads and checks a recipe.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let recipe: Self = read_toml(path)?;
        let rules = [
            (is_name(&recipe.name), "name", NAME_RULE),
            (
                !recipe.licence.is_empty(),
                "licence",
                "must be the model's licence, such as \"Apache-2.0\"",
            ),
            (recipe.weights.size > 0, "weights.size", "must not be 0"),
            (
                !recipe.weights.part.is_empty(),
                "weights.part",
                "must name a file of an input",
            ),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            None => Ok(recipe),
            Some((_, key, problem)) => Err(Error::value(path, key, problem)),
        }
    }
}
