//! The configuration that binds engines and models: what the cards of a folder of disks say, and what a recipe says of serving.
//! The hardware reports its digest, so it names every disk by root.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde::Serialize;

use super::{
    card::{self, EngineCard, EngineFacts, ModelCard, ModelFacts},
    disk::{Disk, Shelf},
};
use crate::{
    Error,
    digest::Sha256,
    files::{folder_of, read_toml},
    inputs::serving::{ServedEngine, ServedModel, ServingRecipe},
    models::ModelKind,
    publish::write_whole,
};

/// Version of the format that this code writes.
const VERSION: u32 = 2;
const HEADER: &str = "\
# Measured: its SHA-256 is HOST_DATA in the hardware's report. Made by `chrysalis-image configuration`.
";
/// Most threads of an engine.
const MAX_THREADS: u32 = 256;
/// What an engine may ask for: the GPUs.
const DEVICE: &str = "nvidia";

#[derive(Serialize)]
struct Configuration {
    version: u32,
    engine: Vec<Engine>,
    model: Vec<Model>,
    serving: toml::Table,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<toml::Table>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keys: Option<toml::Table>,
    #[serde(skip_serializing_if = "Option::is_none")]
    epoch: Option<toml::Table>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tenant: Vec<toml::Table>,
    #[serde(skip_serializing_if = "Option::is_none")]
    gpu: Option<toml::Table>,
}

#[derive(Serialize)]
struct Engine {
    name: String,
    threads: u32,
    memory_mib: u64,
    devices: Vec<String>,
    disk: Disk,
}

#[derive(Serialize)]
struct Model {
    name: String,
    kind: ModelKind,
    engine: String,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    sealed: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    size: Option<u64>,
    weights: Sha256,
    #[serde(skip_serializing_if = "Option::is_none")]
    tokenizer: Option<Sha256>,
    #[serde(skip_serializing_if = "Option::is_none")]
    template: Option<Sha256>,
    context: u64,
    parallel: u32,
    disk: Disk,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    known_answer: Vec<toml::Table>,
}

/// Writes the configuration of a recipe. Its digest is what the hardware reports.
pub fn build(recipe_path: &Path, disks: &Path, out: &Path) -> Result<Sha256, Error> {
    let text = text(recipe_path, disks)?;
    let folder = folder_of(out);
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    write_whole(out, text.as_bytes()).map_err(Error::io("write", out))?;
    Ok(Sha256::of(text.as_bytes()))
}

fn text(recipe_path: &Path, disks: &Path) -> Result<String, Error> {
    let recipe: ServingRecipe = read_toml(recipe_path)?;
    let maker = Maker {
        path: recipe_path.to_owned(),
        shelf: Shelf::at(disks),
    };
    maker.unique("engine.card", recipe.engine.iter().map(|one| &one.card))?;
    maker.unique("model.card", recipe.model.iter().map(|one| &one.card))?;
    let engines = recipe.engine.iter().map(|one| maker.engine(one));
    let engines = engines.collect::<Result<Vec<_>, _>>()?;
    let unchecked = |engine: &Engine| recipe.gpu.is_none() && !engine.devices.is_empty();
    if let Some((engine, _)) = engines.iter().find(|(engine, _)| unchecked(engine)) {
        let name = &engine.name;
        let problem = format!("of {name} needs a [gpu] that says which GPUs to trust: add one");
        return Err(maker.value("engine.devices", problem));
    }
    let models = recipe.model.iter().map(|one| maker.model(one, &engines));
    let models = models.collect::<Result<Vec<_>, _>>()?;
    maker.unique("engine.name", engines.iter().map(|(one, _)| &one.name))?;
    maker.unique("model.name", models.iter().map(|one| &one.name))?;
    let needs_keys = |model: &Model| model.sealed || !model.secrets.is_empty();
    if models.iter().any(needs_keys) != recipe.keys.is_some() {
        let problem = "must say who has the keys exactly if a model is sealed or has secrets: add it, or omit it";
        return Err(maker.value("keys", problem.into()));
    }
    if models.is_empty() {
        return Err(maker.value("model", "must name at least one model".into()));
    }
    for (engine, _) in &engines {
        if !models.iter().any(|model| model.engine == engine.name) {
            let name = &engine.name;
            let problem = format!("has {name}, which serves no model: give it one, or omit it");
            return Err(maker.value("engine", problem));
        }
    }
    let configuration = Configuration {
        version: VERSION,
        engine: engines.into_iter().map(|(engine, _)| engine).collect(),
        model: models,
        serving: recipe.serving,
        price: recipe.price,
        keys: recipe.keys,
        epoch: recipe.epoch,
        tenant: recipe.tenant,
        gpu: recipe.gpu,
    };
    let body = toml::to_string(&configuration).expect("a parsed table always serialises");
    Ok(format!("{HEADER}{body}"))
}

/// A recipe in the making, for errors and cards.
struct Maker {
    path: PathBuf,
    shelf: Shelf,
}

impl Maker {
    fn engine(&self, served: &ServedEngine) -> Result<(Engine, EngineFacts), Error> {
        let card: EngineCard = card::get(&self.shelf, &served.card, &self.path)?;
        let facts = card.engine;
        if !(1..=MAX_THREADS).contains(&served.threads) {
            let problem = format!("must be 1 to {MAX_THREADS}");
            return Err(self.value("engine.threads", problem));
        }
        if served.memory_mib == 0 {
            return Err(self.value("engine.memory_mib", "must not be 0".into()));
        }
        if served.devices.iter().any(|device| device != DEVICE) {
            let problem = format!("must be [] or [\"{DEVICE}\"]");
            return Err(self.value("engine.devices", problem));
        }
        let engine = Engine {
            name: served.name.clone().unwrap_or_else(|| facts.name.clone()),
            threads: served.threads,
            memory_mib: served.memory_mib,
            devices: served.devices.clone(),
            disk: facts.disk,
        };
        Ok((engine, facts))
    }

    fn model(
        &self,
        served: &ServedModel,
        engines: &[(Engine, EngineFacts)],
    ) -> Result<Model, Error> {
        let card: ModelCard = card::get(&self.shelf, &served.card, &self.path)?;
        let facts = card.model;
        let name = served.name.clone().unwrap_or_else(|| facts.name.clone());
        let engine = engines.iter().find(|(one, _)| one.name == served.engine);
        let Some((_, engine)) = engine else {
            let problem = format!("of {name} must be one of [[engine]], not {}", served.engine);
            return Err(self.value("model.engine", problem));
        };
        self.check(served, &name, &facts, engine)?;
        Ok(Model {
            name,
            kind: facts.kind,
            engine: served.engine.clone(),
            sealed: served.sealed,
            secrets: served.secrets.clone(),
            size: facts.size,
            weights: facts.weights,
            tokenizer: facts.tokenizer,
            template: facts.template,
            context: served.context,
            parallel: served.parallel,
            disk: facts.disk,
            known_answer: served.known_answer.clone(),
        })
    }

    fn check(
        &self,
        served: &ServedModel,
        name: &str,
        facts: &ModelFacts,
        engine: &EngineFacts,
    ) -> Result<(), Error> {
        let (kind, trained) = (facts.kind.name(), facts.trained_context);
        let able = engine.kinds.iter().map(|kind| kind.name());
        let problem = if !engine.kinds.contains(&facts.kind) {
            let problem = format!(
                "of {name} must serve {kind}, and {} serves {} alone",
                engine.name,
                able.collect::<Vec<_>>().join(" and ")
            );
            ("model.engine", problem)
        } else if !(1..=trained).contains(&served.context) {
            let problem = format!("of {name} must be 1 to {trained}, with which it was trained");
            ("model.context", problem)
        } else if served.parallel == 0 {
            ("model.parallel", format!("of {name} must be at least 1"))
        } else if facts.kind == ModelKind::Chat && served.known_answer.is_empty() {
            let problem = format!(
                "of {name} must be there: a prompt and the text that the model continues it with"
            );
            ("model.known_answer", problem)
        } else {
            return Ok(());
        };
        Err(self.value(problem.0, problem.1))
    }

    fn unique<'recipe>(
        &self,
        key: &str,
        mut names: impl Iterator<Item = &'recipe String>,
    ) -> Result<(), Error> {
        let mut seen = BTreeSet::new();
        match names.find(|name| !seen.insert(name.as_str())) {
            None => Ok(()),
            Some(name) => Err(self.value(key, format!("must not be {name} twice"))),
        }
    }

    fn value(&self, key: &str, problem: String) -> Error {
        Error::value(&self.path, key, problem)
    }
}
