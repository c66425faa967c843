//! The configuration: what the host brings and the hardware measures. Its SHA-256 is HOST_DATA (SNP); the enclave
//! refuses any other. TOML, strict: an unknown key is an error.

mod payment;
mod secrets;

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use crate::host::MAX_CONFIGURATION;
pub use payment::{Payment, Price};
pub use secrets::{MAX_SECRET, MAX_SECRETS, SECRET_NAME, is_secret_name};

/// Version of the format that this code reads.
pub const VERSION: u32 = 2;
/// The most engines, and the most models.
pub const MAX_DISKS: usize = 16;
const _: () = assert!(MAX_DISKS <= crate::host::MAX_OFFERS);
/// The most bytes of a name.
pub const MAX_NAME: usize = 128;

/// What one machine serves. Every field is bound: hashed into what the hardware signs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// [`VERSION`].
    pub version: u32,
    /// The engines, each on a disk of its own.
    #[serde(rename = "engine")]
    pub engines: Vec<Engine>,
    /// The models, in the order in which they start. Each runs in an engine process of its own.
    #[serde(rename = "model")]
    pub models: Vec<Model>,
    /// How requests are met.
    pub serving: Serving,
    /// What answers cost: there exactly if [`Serving::payment`] is not none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub price: Option<Price>,
    /// Who has the keys of sealed models and the secrets of engines: there exactly if there is one of either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<KeyServer>,
    /// How often the enclave attests again.
    #[serde(default)]
    pub epoch: Epoch,
    /// Who is told apart by an API key; all others are told apart by their connections.
    #[serde(default, rename = "tenant", skip_serializing_if = "Vec::is_empty")]
    pub tenants: Vec<Tenant>,
    /// Which GPUs must be there, in the words of a policy's `[gpu]` section; without it the enclave has none. Read by the
    /// library that verifies them.
    pub gpu: Option<toml::Table>,
}

/// A read-only disk: blocks of data, then their dm-verity tree (SHA-256, blocks of [`Disk::BLOCK`] bytes, no salt).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// Root of the tree: 64 hexadecimal digits, in lower case.
    pub root: String,
    /// Blocks of data; the tree starts at the block after them.
    pub blocks: u64,
}

impl Disk {
    /// Bytes of a block of the disk and of its tree.
    pub const BLOCK: u64 = 4096;
    /// Hashes in a block of the tree.
    const HASHES: u64 = Self::BLOCK / 32;
    /// What virtio calls a serial number has 20 bytes.
    const SERIAL: usize = 20;

    /// How the guest finds the disk among those of the machine. Only the tree decides whether it is the right one.
    pub fn serial(&self) -> &str {
        self.root.get(..Self::SERIAL).unwrap_or(&self.root)
    }

    /// The name of its file in a folder of disks.
    pub fn file(&self) -> String {
        format!("{}.img", self.root)
    }

    /// The name of the file that has it encrypted.
    pub fn sealed_file(&self) -> String {
        format!("{}.sealed", self.root)
    }

    /// Bytes of data.
    pub fn data(&self) -> u64 {
        self.blocks.saturating_mul(Self::BLOCK)
    }

    /// Bytes of data and tree.
    pub fn size(&self) -> u64 {
        let mut level = self.blocks;
        let mut blocks = level;
        while level > 1 {
            level = level.div_ceil(Self::HASHES);
            blocks = blocks.saturating_add(level);
        }
        blocks.saturating_mul(Self::BLOCK)
    }
}

/// An engine: a program that serves models, with all that it needs to run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// What models call it here.
    pub name: String,
    /// Its disk, with an `engine.toml` that says how to start it.
    pub disk: Disk,
    /// Threads that compute, in each of its processes.
    pub threads: u32,
    /// What each of its processes may have in memory.
    pub memory_mib: u32,
    /// What it may use besides: `nvidia`, the GPUs that passed appraisal, and their driver's libraries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub devices: Vec<Device>,
}

/// What an engine may use besides CPU and memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Device {
    /// The GPUs.
    Nvidia,
}

/// What a model is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Goes on from a conversation or a text.
    Chat,
    /// Turns texts into vectors.
    Embedding,
    /// Orders documents by how well they answer a query.
    Rerank,
    /// Turns speech into text.
    Speech,
}

impl Kind {
    /// As the configuration and the API call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embedding => "embedding",
            Self::Rerank => "rerank",
            Self::Speech => "speech",
        }
    }
}

/// A model and its weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The name in the API, such as `smollm2-135m-instruct`.
    pub name: String,
    /// What it is for.
    pub kind: Kind,
    /// The name of the engine that runs it.
    pub engine: String,
    /// Its disk.
    pub disk: Disk,
    /// Whether the disk is encrypted, and its key with the key server. The disk's root is that of the disk inside.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sealed: bool,
    /// What its engine gets from the key server besides, by name: files in memory that it alone reads ([`is_secret_name`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub secrets: Vec<String>,
    /// Bytes of the one file that the disk is; a disk without it holds a folder.
    pub size: Option<u64>,
    /// Hexadecimal SHA-256 of the file; of a folder: of a text with a line `DIGEST  PATH` for each file, sorted by path.
    pub weights: String,
    /// Hexadecimal SHA-256 of the tokenizer, as the model's card has it.
    pub tokenizer: Option<String>,
    /// Hexadecimal SHA-256 of the chat template, as the model's card has it.
    pub template: Option<String>,
    /// Tokens of context for one conversation.
    pub context: u32,
    /// Requests that are computed at once.
    pub parallel: u32,
    /// Texts, and how the model must go on from one of them before anything is served; any other answer stops the boot.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known_answer: Vec<KnownAnswer>,
}

/// A text, and how a model goes on from it greedily. Numbers drift between machines; a model may have several.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownAnswer {
    /// The text, without the model's chat template: every token of it costs boot time.
    pub prompt: String,
    /// What comes after it.
    pub text: String,
    /// The kind of machine on which it was seen: a note for people.
    pub seen_on: Option<String>,
}

/// How requests are met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serving {
    /// Requests that may wait for each model; one more is answered 429.
    pub queue: u32,
    /// `max_tokens` where a request names none.
    pub default_max_tokens: u32,
    /// Seconds after its last answer until an engine is replaced by a fresh process.
    #[serde(default = "recycle_idle")]
    pub recycle_idle_s: u32,
    /// Seconds until it is replaced even if it is never idle.
    #[serde(default = "recycle_after")]
    pub recycle_after_s: u32,
    /// What an answer's ciphertext shows of its length and rhythm.
    #[serde(default)]
    pub padding: Padding,
    /// Whether answers are paid for.
    #[serde(default, skip_serializing_if = "Payment::is_none")]
    pub payment: Payment,
}

/// How answers are filled, so that the sizes of their TLS records say little about the words in them. There is no way to turn
/// it off: people have read answers from sizes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Padding {
    /// Events and whole answers are filled to powers of two, from 512 bytes on.
    #[default]
    Bucket,
    /// Besides: a stream has one event of one size every 50 ms, empty ones too, until a full second after its request; a whole
    /// answer leaves on a full second.
    Paced,
}

impl Serving {
    /// [`Self::recycle_idle_s`] as a duration.
    pub const fn recycle_idle(&self) -> Duration {
        Duration::from_secs(self.recycle_idle_s as u64)
    }

    /// [`Self::recycle_after_s`] as a duration.
    pub const fn recycle_after(&self) -> Duration {
        Duration::from_secs(self.recycle_after_s as u64)
    }
}

const fn recycle_idle() -> u32 {
    60
}

const fn recycle_after() -> u32 {
    3600
}

/// How often everything is asked again that was asked before the enclave first listened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// Seconds that an epoch lasts: 60 to 86,400.
    #[serde(default = "epoch_seconds")]
    pub seconds: u32,
}

impl Epoch {
    /// [`Self::seconds`] as a duration.
    pub const fn length(&self) -> Duration {
        Duration::from_secs(self.seconds as u64)
    }
}

impl Default for Epoch {
    fn default() -> Self {
        Self {
            seconds: epoch_seconds(),
        }
    }
}

const fn epoch_seconds() -> u32 {
    600
}

/// Who has the keys of sealed models and the secrets of engines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyServer {
    /// `HOST:PORT`, as the host reaches it.
    pub address: String,
    /// Hexadecimal SHA-256 of the certificate that it shows, DER.
    pub certificate_sha256: String,
}

/// A client with a key of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenant {
    /// Who it is: a note for people.
    pub name: String,
    /// Hexadecimal SHA-256 of its API key.
    pub key_sha256: String,
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigurationError {
    /// Over [`MAX_CONFIGURATION`].
    #[error("the configuration has {0} bytes; the limit is {MAX_CONFIGURATION}")]
    TooLong(usize),
    /// Not UTF-8 text.
    #[error("the configuration is not UTF-8 text")]
    NotText,
    /// Not the TOML expected.
    #[error("the configuration does not parse: {0}")]
    Malformed(#[from] toml::de::Error),
    /// Another version.
    #[error("the configuration has version {0}; this program reads version {VERSION}")]
    Version(u32),
    /// A field out of range.
    #[error("{field} {problem}")]
    Field {
        /// Which, as `table.key`, with the name of the engine, model or tenant where there is one.
        field: String,
        /// What is wrong with it.
        problem: String,
    },
}

impl Configuration {
    /// Parses and checks a configuration.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigurationError> {
        if bytes.len() > MAX_CONFIGURATION {
            return Err(ConfigurationError::TooLong(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ConfigurationError::NotText)?;
        require_version(text)?;
        let configuration: Self = toml::from_str(text)?;
        configuration.check()?;
        Ok(configuration)
    }

    /// The engine that runs a model.
    pub fn engine_of(&self, model: &Model) -> Option<&Engine> {
        self.engines
            .iter()
            .find(|engine| engine.name == model.engine)
    }

    /// Every disk that anyone can read, once.
    pub fn open_disks(&self) -> Vec<&Disk> {
        let engines = self.engines.iter().map(|engine| &engine.disk);
        let models = self.models.iter().filter(|model| !model.sealed);
        let mut seen = BTreeSet::new();
        engines
            .chain(models.map(|model| &model.disk))
            .filter(|disk| seen.insert(&disk.root))
            .collect()
    }

    /// Every disk that is encrypted, once.
    pub fn sealed_disks(&self) -> Vec<&Disk> {
        let sealed = self.models.iter().filter(|model| model.sealed);
        let mut seen = BTreeSet::new();
        sealed
            .map(|model| &model.disk)
            .filter(|disk| seen.insert(&disk.root))
            .collect()
    }

    fn check(&self) -> Result<(), ConfigurationError> {
        count("engine", self.engines.len())?;
        count("model", self.models.len())?;
        distinct("engine", self.engines.iter().map(|engine| &engine.name))?;
        distinct("model", self.models.iter().map(|model| &model.name))?;
        distinct("tenant", self.tenants.iter().map(|tenant| &tenant.name))?;
        self.engines.iter().try_for_each(Engine::check)?;
        let unchecked = |engine: &&Engine| self.gpu.is_none() && !engine.devices.is_empty();
        if let Some(engine) = self.engines.iter().find(unchecked) {
            let problem = "names GPUs, and there is no [gpu] that says which ones to trust";
            return Err(field("engine", &engine.name, "devices", problem));
        }
        for model in &self.models {
            model.check()?;
            if self.engine_of(model).is_none() {
                let problem = format!("names {}, which is no [[engine]]", model.engine);
                return Err(field("model", &model.name, "engine", &problem));
            }
        }
        for tenant in &self.tenants {
            digest("tenant", &tenant.name, "key_sha256", &tenant.key_sha256)?;
        }
        within("serving", "", "queue", self.serving.queue, 1, 4096)?;
        let most = self.serving.default_max_tokens;
        within("serving", "", "default_max_tokens", most, 1, 1 << 20)?;
        let (idle, after) = (self.serving.recycle_idle_s, self.serving.recycle_after_s);
        within("serving", "", "recycle_idle_s", idle, 1, 86_400)?;
        within("serving", "", "recycle_after_s", after, 60, 604_800)?;
        within("epoch", "", "seconds", self.epoch.seconds, 60, 86_400)?;
        self.check_secrets()?;
        self.check_keys()?;
        self.check_price()
    }

    fn check_keys(&self) -> Result<(), ConfigurationError> {
        let wrong = |problem: &str| {
            Err(ConfigurationError::Field {
                field: "[keys]".to_owned(),
                problem: problem.to_owned(),
            })
        };
        // One disk is either open or sealed.
        let open: BTreeSet<_> = self.open_disks().iter().map(|disk| &disk.root).collect();
        let mut sealed = self.models.iter().filter(|it| it.sealed);
        match (&self.keys, self.needs_keys()) {
            (None, false) => return Ok(()),
            (None, true) => return wrong("is missing: a model is sealed or has secrets"),
            (Some(_), false) => return wrong("is there, and no model is sealed or has secrets"),
            (Some(_), true) => {}
        }
        if let Some(model) = sealed.find(|model| open.contains(&model.disk.root)) {
            let problem = "is true, and the same disk is named without it";
            return Err(field("model", &model.name, "sealed", problem));
        }
        let Some(server) = &self.keys else {
            return Ok(());
        };
        if !is_address(&server.address) {
            return Err(field("keys", "", "address", "is not HOST:PORT"));
        }
        digest("keys", "", "certificate_sha256", &server.certificate_sha256)
    }

    fn check_price(&self) -> Result<(), ConfigurationError> {
        let wrong = |problem: &str| {
            Err(ConfigurationError::Field {
                field: "[price]".to_owned(),
                problem: problem.to_owned(),
            })
        };
        match (&self.price, self.serving.payment.is_none()) {
            (None, true) => Ok(()),
            (Some(price), false) => match price.problem() {
                Some((key, problem)) => Err(field("price", "", key, problem)),
                None => Ok(()),
            },
            (None, false) => wrong("is missing: serving.payment is not \"none\""),
            (Some(_), true) => wrong("is there, and nobody pays: serving.payment is \"none\""),
        }
    }
}

impl Engine {
    fn check(&self) -> Result<(), ConfigurationError> {
        self.disk.check("engine", &self.name)?;
        within("engine", &self.name, "threads", self.threads, 1, 256)?;
        let memory = self.memory_mib;
        within("engine", &self.name, "memory_mib", memory, 64, 1 << 22)
    }
}

impl Model {
    fn check(&self) -> Result<(), ConfigurationError> {
        let wrong = |key, problem| Err(field("model", &self.name, key, problem));
        self.disk.check("model", &self.name)?;
        match self.size {
            Some(0) => return wrong("size", "is 0"),
            Some(size) if size.div_ceil(Disk::BLOCK) != self.disk.blocks => {
                return wrong("size", "does not fill the disk's blocks");
            }
            _ => {}
        }
        digest("model", &self.name, "weights", &self.weights)?;
        for (key, value) in [("tokenizer", &self.tokenizer), ("template", &self.template)] {
            if let Some(value) = value {
                digest("model", &self.name, key, value)?;
            }
        }
        within("model", &self.name, "context", self.context, 64, 1 << 24)?;
        within("model", &self.name, "parallel", self.parallel, 1, 1024)?;
        if self.kind == Kind::Chat && self.known_answer.is_empty() {
            return wrong("known_answer", "is missing: a chat model has at least one");
        }
        if self.known_answer.iter().any(|known| known.text.is_empty()) {
            return wrong("known_answer", "has an empty text");
        }
        Ok(())
    }
}

impl Disk {
    fn check(&self, table: &str, name: &str) -> Result<(), ConfigurationError> {
        digest(table, name, "disk.root", &self.root)?;
        match self.blocks {
            1..=0x4000_0000 => Ok(()),
            _ => Err(field(table, name, "disk.blocks", "is not 1 to 1073741824")),
        }
    }
}

/// `HOST:PORT`, with a name, an IPv4 address, or an IPv6 address in brackets.
fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let inside = host.strip_prefix('[').and_then(|it| it.strip_suffix(']'));
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
    let is_host = inside.map_or_else(
        || (1..=253).contains(&host.len()) && host.bytes().all(is_name),
        |inside| inside.parse::<std::net::Ipv6Addr>().is_ok(),
    );
    is_host && port.parse::<u16>().is_ok_and(|port| port != 0)
}

/// First, since another version may have entirely different fields.
fn require_version(text: &str) -> Result<(), ConfigurationError> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    match toml::from_str::<Versioned>(text)?.version {
        VERSION => Ok(()),
        other => Err(ConfigurationError::Version(other)),
    }
}

fn field(table: &str, name: &str, key: &str, problem: &str) -> ConfigurationError {
    let field = if name.is_empty() {
        format!("{table}.{key}")
    } else {
        format!("{table}.{key} of {name}")
    };
    ConfigurationError::Field {
        field,
        problem: problem.to_owned(),
    }
}

fn count(table: &str, found: usize) -> Result<(), ConfigurationError> {
    if (1..=MAX_DISKS).contains(&found) {
        return Ok(());
    }
    Err(ConfigurationError::Field {
        field: format!("[[{table}]]"),
        problem: format!("is there {found} times, not 1 to {MAX_DISKS}"),
    })
}

fn distinct<'a>(
    table: &str,
    names: impl Iterator<Item = &'a String>,
) -> Result<(), ConfigurationError> {
    let mut seen = BTreeSet::new();
    for name in names {
        let printable = name.bytes().all(|byte| byte.is_ascii_graphic());
        if name.is_empty() || name.len() > MAX_NAME || !printable {
            let problem = format!("is not a word of 1 to {MAX_NAME} printable characters");
            return Err(field(table, "", "name", &problem));
        }
        if !seen.insert(name) {
            return Err(field(table, "", "name", &format!("is {name} twice")));
        }
    }
    Ok(())
}

/// Whether this is a SHA-256 digest as the project writes it: 64 hexadecimal digits in lower case.
pub fn is_digest(text: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == 64 && text.bytes().all(digit)
}

fn digest(table: &str, name: &str, key: &str, value: &str) -> Result<(), ConfigurationError> {
    if is_digest(value) {
        return Ok(());
    }
    let problem = "is not 64 hexadecimal digits in lower case";
    Err(field(table, name, key, problem))
}

fn within(
    table: &str,
    name: &str,
    key: &str,
    value: u32,
    least: u32,
    most: u32,
) -> Result<(), ConfigurationError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    let problem = format!("is not {least} to {most}");
    Err(field(table, name, key, &problem))
}

#[cfg(test)]
mod tests;
