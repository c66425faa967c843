//! Recipes of configurations: which engines serve which models, by their cards, and with what limits.

use serde::Deserialize;

/// The recipe of a configuration, such as images/demo.toml.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServingRecipe {
    /// Engines, in the order in which they start.
    #[serde(default)]
    pub engine: Vec<ServedEngine>,
    /// Models.
    #[serde(default)]
    pub model: Vec<ServedModel>,
    /// Limits of the API; copied as it stands.
    pub serving: toml::Table,
    /// What answers cost; copied as it stands.
    pub price: Option<toml::Table>,
    /// Who has the keys of sealed models and the secrets of engines; copied as it stands.
    pub keys: Option<toml::Table>,
    /// How often the enclave attests again; copied as it stands.
    pub epoch: Option<toml::Table>,
    /// Who may ask; copied as it stands.
    #[serde(default)]
    pub tenant: Vec<toml::Table>,
    /// The GPUs that must be there; copied as it stands.
    pub gpu: Option<toml::Table>,
}

/// An engine that serves.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServedEngine {
    /// Its card.
    pub card: String,
    /// What it is called here; by default as its card says.
    pub name: Option<String>,
    /// Threads that compute.
    pub threads: u32,
    /// Memory of each of its processes.
    pub memory_mib: u64,
    /// Which devices it gets.
    #[serde(default)]
    pub devices: Vec<String>,
}

/// A model that is served.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ServedModel {
    /// Its card.
    pub card: String,
    /// What the API calls it; by default as its card says.
    pub name: Option<String>,
    /// The engine's name here.
    pub engine: String,
    /// Tokens of context of a request.
    pub context: u64,
    /// Requests at once.
    pub parallel: u32,
    /// Whether its disk is encrypted, and its key with the key server.
    #[serde(default)]
    pub sealed: bool,
    /// The secrets that its engine gets from the key server, by name.
    #[serde(default)]
    pub secrets: Vec<String>,
    /// What it must answer before it serves; any one of these will do.
    #[serde(default)]
    pub known_answer: Vec<toml::Table>,
}
