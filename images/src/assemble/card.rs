//! Cards: what a disk holds, beside it in a file of its own. Nothing trusts a card; configurations are made from it.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::disk::{Disk, Shelf};
use crate::{Error, digest::Sha256, files::read_toml, models::ModelKind};

/// The card of an engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineCard {
    /// All of it.
    pub engine: EngineFacts,
}

/// What the card of an engine says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineFacts {
    /// What it is called.
    pub name: String,
    /// Its own version.
    pub version: String,
    /// The kinds of models that it serves.
    pub kinds: Vec<ModelKind>,
    /// Its disk.
    pub disk: Disk,
}

/// The card of a model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelCard {
    /// All of it.
    pub model: ModelFacts,
}

/// What the card of a model says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFacts {
    /// What it is called.
    pub name: String,
    /// What it is for.
    pub kind: ModelKind,
    /// Bytes of its file; none of a folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
    /// Digest of its file; of a folder, of a line for each file with digest and path.
    pub weights: Sha256,
    /// Digest of its tokenizer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<Sha256>,
    /// Digest of its chat template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<Sha256>,
    /// The family of models that it is of.
    pub architecture: String,
    /// Tokens of context that it was trained with.
    pub trained_context: u64,
    /// Its licence.
    pub licence: String,
    /// Its disk.
    pub disk: Disk,
}

/// A card of either sort.
pub trait Card: Serialize + DeserializeOwned {
    /// What it is a card of.
    const OF: &'static str;
    /// The name on it.
    fn name(&self) -> &str;
    /// The disk on it.
    fn disk(&self) -> &Disk;
}

impl Card for EngineCard {
    const OF: &'static str = "engine";
    fn name(&self) -> &str {
        &self.engine.name
    }
    fn disk(&self) -> &Disk {
        &self.engine.disk
    }
}

impl Card for ModelCard {
    const OF: &'static str = "model";
    fn name(&self) -> &str {
        &self.model.name
    }
    fn disk(&self) -> &Disk {
        &self.model.disk
    }
}

/// Refuses a name that a card of the other sort has already.
pub(super) fn check_free<T: Card>(shelf: &Shelf, name: &str) -> Result<(), Error> {
    let path = shelf.card(name);
    let other = read_toml::<toml::Table>(&path).is_ok_and(|table| !table.contains_key(T::OF));
    if other {
        let problem = format!(
            "must be of {} {name}, but is of something else: rename one of the two",
            T::OF
        );
        return Err(Error::value(path, "the card", problem));
    }
    Ok(())
}

/// Writes a card.
pub(super) fn put<T: Card>(shelf: &Shelf, card: &T) -> Result<PathBuf, Error> {
    let text = toml::to_string(card).expect("strings and numbers always serialise");
    shelf.put_card(card.name(), &text)
}

/// Reads a card, whose disk must be there.
pub(super) fn get<T: Card>(shelf: &Shelf, name: &str, recipe: &Path) -> Result<T, Error> {
    let there = |path: PathBuf| {
        if path.exists() {
            return Ok(path);
        }
        Err(Error::NoCard {
            recipe: recipe.to_owned(),
            what: T::OF,
            name: name.into(),
            path,
        })
    };
    let card: T = read_toml(&there(shelf.card(name))?)?;
    there(shelf.disk(&card.disk().root))?;
    Ok(card)
}
