//! The configuration: what the host brings and the hardware measures. Its SHA-256 is HOST_DATA (SNP); the enclave
//! refuses any other. TOML, strict: an unknown key is an error.

use serde::{Deserialize, Serialize};

use crate::host::MAX_CONFIGURATION;

/// Version of the format that this code reads.
pub const VERSION: u32 = 1;

/// What one machine serves. Every field is bound: hashed into what the hardware signs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Configuration {
    /// [`VERSION`].
    pub version: u32,
    /// The model, as the API names it.
    pub model: Model,
    /// How the engine runs.
    pub engine: Engine,
    /// A question whose answer is known.
    pub known_answer: KnownAnswer,
    /// How requests are met.
    pub serving: Serving,
    /// Which GPUs must be there, in the words of a policy's `[gpu]` section; without it the enclave has none. Read by the
    /// library that verifies them.
    pub gpu: Option<toml::Table>,
}

/// A model and its weights.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The name in the API, such as `smollm2-135m-instruct`.
    pub name: String,
    /// Bytes of the weights file.
    pub size: u64,
    /// Hexadecimal SHA-256 of the weights file.
    pub sha256: String,
    /// Hexadecimal root of the dm-verity tree (SHA-256, 4096-byte blocks, salt below).
    pub verity_root: String,
    /// Hexadecimal salt of the dm-verity tree.
    pub verity_salt: String,
}

impl Model {
    /// Bytes of a block of the disk and of its hash tree.
    pub const BLOCK: u64 = 4096;

    /// Blocks of weights; the hash tree starts at the block after them.
    pub fn data_blocks(&self) -> u64 {
        self.size.div_ceil(Self::BLOCK)
    }
}

/// How the engine runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Tokens of context for one conversation.
    pub context: u32,
    /// Threads that compute.
    pub threads: u32,
}

/// A text that the model continues before the first client, greedily; any other tokens stop the boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KnownAnswer {
    /// The text, without the model's chat template: every token of it costs boot time.
    pub text: String,
    /// The first tokens that come after it.
    pub tokens: Vec<i32>,
}

/// How requests are met.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Serving {
    /// Requests that may wait for the engine; one more is answered 429.
    pub queue: u32,
    /// `max_tokens` where a request names none.
    pub default_max_tokens: u32,
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
        /// Which, as `table.key`.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl Configuration {
    /// Parses and checks a configuration.
    pub fn parse(bytes: &[u8]) -> Result<Self, ConfigurationError> {
        if bytes.len() > MAX_CONFIGURATION {
            return Err(ConfigurationError::TooLong(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| ConfigurationError::NotText)?;
        let configuration: Self = toml::from_str(text)?;
        configuration.check()?;
        Ok(configuration)
    }

    fn check(&self) -> Result<(), ConfigurationError> {
        if self.version != VERSION {
            return Err(ConfigurationError::Version(self.version));
        }
        let digest = |text: &str| matches!(hex::decode(text), Ok(bytes) if bytes.len() == 32);
        let rules = [
            (!self.model.name.is_empty(), "model.name", "is empty"),
            (self.model.size > 0, "model.size", "is 0"),
            (self.model.size <= 1 << 42, "model.size", "is over 4 TiB"),
            (
                digest(&self.model.sha256),
                "model.sha256",
                "is not 64 hexadecimal digits",
            ),
            (
                digest(&self.model.verity_root),
                "model.verity_root",
                "is not 64 hexadecimal digits",
            ),
            (
                digest(&self.model.verity_salt),
                "model.verity_salt",
                "is not 64 hexadecimal digits",
            ),
            (
                (64..=1 << 20).contains(&self.engine.context),
                "engine.context",
                "is not 64 to 1048576",
            ),
            (
                (1..=256).contains(&self.engine.threads),
                "engine.threads",
                "is not 1 to 256",
            ),
            (
                !self.known_answer.tokens.is_empty(),
                "known_answer.tokens",
                "is empty",
            ),
            (
                (1..=4096).contains(&self.serving.queue),
                "serving.queue",
                "is not 1 to 4096",
            ),
            (
                self.serving.default_max_tokens > 0,
                "serving.default_max_tokens",
                "is 0",
            ),
        ];
        match rules.into_iter().find(|(holds, ..)| !holds) {
            Some((_, field, problem)) => Err(ConfigurationError::Field { field, problem }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> String {
        format!(
            "version = 1\n[model]\nname = \"m\"\nsize = 8193\nsha256 = \"{0}\"\nverity_root = \"{0}\"\nverity_salt = \"{0}\"\n\
             [engine]\ncontext = 2048\nthreads = 1\n[known_answer]\ntext = \"?\"\ntokens = [1]\n\
             [serving]\nqueue = 8\ndefault_max_tokens = 256\n",
            "ab".repeat(32)
        )
    }

    #[test]
    fn reads_a_good_configuration() {
        let configuration = Configuration::parse(sample().as_bytes()).unwrap();
        assert_eq!(configuration.model.data_blocks(), 3);
    }

    #[test]
    fn names_an_unknown_key() {
        let error = Configuration::parse(sample().replace("queue", "qeue").as_bytes()).unwrap_err();
        assert!(error.to_string().contains("qeue"), "{error}");
    }

    #[test]
    fn names_the_field_out_of_range() {
        let error =
            Configuration::parse(sample().replace("context = 2048", "context = 1").as_bytes())
                .unwrap_err();
        assert_eq!(error.to_string(), "engine.context is not 64 to 1048576");
    }

    #[test]
    fn refuses_another_version() {
        let error = Configuration::parse(sample().replace("version = 1", "version = 2").as_bytes())
            .unwrap_err();
        assert!(matches!(error, ConfigurationError::Version(2)));
    }
}
