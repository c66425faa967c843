//! `[[model]]`: which models the enclave may serve, by name and by what its disks hold.
//!
//! ```toml
//! other_models = "why"          # at the top; default: a model that is not listed is refused
//! [[model]]
//! name = "smollm2-135m-instruct"  # required: the name in the API
//! kind = "chat"                 # default: any; chat, embedding, rerank or speech
//! weights = "<SHA-256>"         # default, as for all below: open
//! disk = "<dm-verity root>"
//! tokenizer = "<SHA-256>"
//! template = "<SHA-256>"
//! engine_disk = "<dm-verity root>"
//! ```

#[cfg(test)]
mod tests;

use super::{
    PolicyError,
    section::{Field, Section, sha256},
};
use crate::evidence::claims::{KINDS, MAX_SERVED, is_name};

/// The keys of one table.
const KEYS: [&str; 7] = [
    "name",
    "kind",
    "weights",
    "disk",
    "tokenizer",
    "template",
    "engine_disk",
];
const NAME: &str = "the model's name in the API: up to 128 printable characters without spaces";
const HOW: &str = "write the model's name in the API";

/// Which models may be served: all that are listed, and no others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelsPolicy {
    /// Each must be served. At least one, and no name twice.
    pub listed: Vec<ModelPolicy>,
    /// `other_models = "why"`: accepts models that are not listed. Default: no.
    pub others: Option<String>,
}

/// One model. `None`: whatever it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelPolicy {
    /// Its name in the API.
    pub name: String,
    /// What it is for: one of [`KINDS`].
    pub kind: Option<String>,
    /// SHA-256 of its weights.
    pub weights: Option<[u8; 32]>,
    /// The dm-verity root of its disk.
    pub disk: Option<[u8; 32]>,
    /// SHA-256 of its tokenizer.
    pub tokenizer: Option<[u8; 32]>,
    /// SHA-256 of its chat template.
    pub template: Option<[u8; 32]>,
    /// The dm-verity root of its engine's disk.
    pub engine_disk: Option<[u8; 32]>,
}

/// Reads all tables and the reason why others are accepted; `None` without a table.
pub(super) fn policy(root: &Section<'_>) -> Result<Option<ModelsPolicy>, PolicyError> {
    const WHY: &str = "the reason why you accept models that are not listed";
    const ALONE: &str =
        "left out unless [[model]] lists some: no other model can be told from them";
    let listed = root.read("model", tables)?;
    let others = root.read("other_models", |why| match why.text(WHY)?.trim() {
        "" => Err(why.wrong(WHY)),
        _ if listed.is_none() => Err(why.wrong(ALONE)),
        reason => Ok(reason.to_owned()),
    })?;
    Ok(listed.map(|listed| ModelsPolicy { listed, others }))
}

fn tables(field: &Field<'_>) -> Result<Vec<ModelPolicy>, PolicyError> {
    const TABLES: &str = "1 to 16 [[model]] tables, no two of one name";
    if field.is_table() {
        return Err(field.wrong(TABLES));
    }
    let listed = field.list(|table| model(&table.section(&KEYS)?))?;
    let twice = |(at, model): (usize, &ModelPolicy)| {
        listed.iter().take(at).any(|other| other.name == model.name)
    };
    if listed.len() > MAX_SERVED || listed.iter().enumerate().any(twice) {
        return Err(field.wrong(TABLES));
    }
    Ok(listed)
}

fn model(table: &Section<'_>) -> Result<ModelPolicy, PolicyError> {
    Ok(ModelPolicy {
        name: name(&table.require("name", HOW)?)?,
        kind: table.read("kind", kind)?,
        weights: table.read("weights", sha256)?,
        disk: table.read("disk", verity_root)?,
        tokenizer: table.read("tokenizer", sha256)?,
        template: table.read("template", sha256)?,
        engine_disk: table.read("engine_disk", verity_root)?,
    })
}

/// Reads the models of an enclave's configuration, each pinned by all that the configuration says about it; none where it has
/// no `[[model]]`. Whatever else it says belongs to another reader.
pub(super) fn of_configuration(document: &Section<'_>) -> Result<Vec<ModelPolicy>, PolicyError> {
    const ENGINE: &str = "the name of an [[engine]]";
    let mut engines = Vec::new();
    for engine in of_document(document, "engine")? {
        let name = engine.require("name", HOW)?.text(NAME)?;
        engines.push((name, disk(&engine)?));
    }
    let of_table = |table: Section<'_>| {
        let engine_disk = table.read("engine", |field| {
            let name = field.text(ENGINE)?;
            let found = engines.iter().find(|(engine, _)| *engine == name);
            found
                .map(|(_, disk)| *disk)
                .ok_or_else(|| field.wrong(ENGINE))
        })?;
        Ok(ModelPolicy {
            name: name(&table.require("name", HOW)?)?,
            kind: table.read("kind", kind)?,
            weights: table.read("weights", sha256)?,
            disk: disk(&table)?,
            tokenizer: table.read("tokenizer", sha256)?,
            template: table.read("template", sha256)?,
            engine_disk: engine_disk.flatten(),
        })
    };
    let models = of_document(document, "model")?;
    models.into_iter().map(of_table).collect()
}

/// The tables of a list; none where there is no list.
fn of_document<'a>(document: &Section<'a>, key: &str) -> Result<Vec<Section<'a>>, PolicyError> {
    let field = document.get(key).filter(|field| !field.is_table());
    field.map_or(Ok(Vec::new()), |field| field.list(Field::table))
}

/// The root in a configuration's `disk = { root = "…", … }`.
fn disk(table: &Section<'_>) -> Result<Option<[u8; 32]>, PolicyError> {
    let disk = table.read("disk", Field::table)?;
    let root = disk
        .map(|disk| disk.read("root", verity_root))
        .transpose()?;
    Ok(root.flatten())
}

fn name(field: &Field<'_>) -> Result<String, PolicyError> {
    let name = field.text(NAME)?;
    if is_name(name) {
        Ok(name.to_owned())
    } else {
        Err(field.wrong(NAME))
    }
}

fn kind(field: &Field<'_>) -> Result<String, PolicyError> {
    const EXPECTED: &str = "chat, embedding, rerank or speech";
    match field.text(EXPECTED)? {
        kind if KINDS.contains(&kind) => Ok(kind.to_owned()),
        _ => Err(field.wrong(EXPECTED)),
    }
}

fn verity_root(field: &Field<'_>) -> Result<[u8; 32], PolicyError> {
    field.hex("a dm-verity root: 64 digits in hex")
}
