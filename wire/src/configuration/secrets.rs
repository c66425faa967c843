//! Secrets of a model's engine: which there are, by name. Their values are with the key server.

use std::collections::BTreeSet;

use super::{Configuration, ConfigurationError, Model, field};

/// The most secrets of all models together.
pub const MAX_SECRETS: usize = 16;
/// The most bytes of one.
pub const MAX_SECRET: usize = 64 << 10;
/// The most bytes of its name.
const MAX_NAME: usize = 64;

/// What [`is_secret_name`] wants, in words.
pub const SECRET_NAME: &str = "1 to 64 of a-z, 0-9, -, _ and ., a letter or a digit first";

/// Whether this may be a secret's name, which is also that of a file: [`SECRET_NAME`].
pub fn is_secret_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= MAX_NAME
        && text.bytes().next().is_some_and(plain)
        && text
            .bytes()
            .all(|byte| plain(byte) || b"-_.".contains(&byte))
}

impl Configuration {
    /// Whether anything is to be had from the key server.
    pub(super) fn needs_keys(&self) -> bool {
        let mut models = self.models.iter();
        models.any(|model| model.sealed || !model.secrets.is_empty())
    }

    pub(super) fn check_secrets(&self) -> Result<(), ConfigurationError> {
        self.models.iter().try_for_each(Model::check_secrets)?;
        let all = self.models.iter().map(|model| model.secrets.len());
        let all: usize = all.sum();
        if all <= MAX_SECRETS {
            return Ok(());
        }
        Err(ConfigurationError::Field {
            field: "model.secrets".to_owned(),
            problem: format!("are {all} in all, more than {MAX_SECRETS}"),
        })
    }
}

impl Model {
    fn check_secrets(&self) -> Result<(), ConfigurationError> {
        let wrong = |problem: &str| Err(field("model", &self.name, "secrets", problem));
        let mut seen = BTreeSet::new();
        for name in &self.secrets {
            if !is_secret_name(name) {
                return wrong(&format!("has a name that is not {SECRET_NAME}"));
            }
            if !seen.insert(name) {
                return wrong(&format!("has {name} twice"));
            }
        }
        Ok(())
    }
}
