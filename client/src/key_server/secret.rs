//! A secret's file, `NAME.secret`: whose engine it is for, and its bytes. They are one file, so that no value is ever with another's
//! addressees: it is replaced whole.
//!
//! ```text
//! chrysalis secret 1
//! model ROOT engine ROOT
//!
//! the value, to the last byte
//! ```

use chrysalis_wire::{
    configuration::{Configuration, ConfigurationError, is_digest},
    keys::{MAX_SECRET, Wiped},
};

/// The first line.
const HEAD: &str = "chrysalis secret 1";
/// The most engines that one secret is for.
pub const MAX_ADDRESSEES: usize = 64;
/// The most bytes of such a file: a line of an addressee has 144.
pub(super) const MAX_FILE: usize = MAX_SECRET + HEAD.len() + 2 + 144 * MAX_ADDRESSEES;

/// Whom a secret is for: an engine that runs a model, each by the dm-verity root of its disk, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee {
    /// The model's.
    pub model: String,
    /// The engine's.
    pub engine: String,
}

/// A configuration's model gets no such secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoAddressee {
    /// It is no configuration.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// It has no such model.
    #[error("the configuration has no model {0}")]
    Model(String),
    /// It does not name the secret there.
    #[error(
        "the configuration does not name the secret {secret} under secrets of the model {model}"
    )]
    Unnamed {
        /// The model.
        model: String,
        /// The secret.
        secret: String,
    },
}

impl Addressee {
    /// The model of this name in a configuration, which names the secret, and its engine.
    pub fn of(configuration: &[u8], model: &str, secret: &str) -> Result<Self, NoAddressee> {
        let configuration = Configuration::parse(configuration)?;
        let mut models = configuration.models.iter();
        let found = models.find(|it| it.name == model);
        let found = found.and_then(|it| Some((it, configuration.engine_of(it)?)));
        let (found, engine) = found.ok_or_else(|| NoAddressee::Model(model.to_owned()))?;
        if !found.secrets.iter().any(|name| name == secret) {
            return Err(NoAddressee::Unnamed {
                model: model.to_owned(),
                secret: secret.to_owned(),
            });
        }
        Ok(Self {
            model: found.disk.root.clone(),
            engine: engine.disk.root.clone(),
        })
    }
}

/// What such a file says. No `Debug`: it is not shown.
pub(super) struct Secret {
    pub(super) addressees: Vec<Addressee>,
    pub(super) value: Wiped,
}

impl Secret {
    /// Reads a file; what is wrong with it, if something is.
    pub(super) fn parse(file: &[u8]) -> Result<Self, &'static str> {
        const NONE: &str = "does not say whom it is for: make it with `chrysalis keys add`";
        let end = file.windows(2).position(|it| it == b"\n\n").ok_or(NONE)?;
        let (head, value) = file.split_at(end);
        let head = str::from_utf8(head).map_err(|_| NONE)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEAD) {
            return Err(NONE);
        }
        let addressees = lines.map(addressee).collect::<Option<Vec<_>>>();
        let addressees = addressees.filter(|it| (1..=MAX_ADDRESSEES).contains(&it.len()));
        let value = Wiped::new(value.get(2..).unwrap_or_default().to_vec());
        Ok(Self {
            addressees: addressees.ok_or(NONE)?,
            value: bounded(value)?,
        })
    }

    /// The file that says this.
    pub(super) fn file(addressees: &[Addressee], value: &[u8]) -> Wiped {
        let mut file = Wiped::new(Vec::with_capacity(MAX_FILE));
        file.extend_from_slice(HEAD.as_bytes());
        for Addressee { model, engine } in addressees {
            file.extend_from_slice(format!("\nmodel {model} engine {engine}").as_bytes());
        }
        file.extend_from_slice(b"\n\n");
        file.extend_from_slice(value);
        file
    }
}

fn addressee(line: &str) -> Option<Addressee> {
    let rest = line.strip_prefix("model ")?;
    let (model, engine) = rest.split_once(" engine ")?;
    (is_digest(model) && is_digest(engine)).then(|| Addressee {
        model: model.to_owned(),
        engine: engine.to_owned(),
    })
}

/// A value that may be given.
pub(super) fn bounded(value: Wiped) -> Result<Wiped, &'static str> {
    match value.len() {
        0 => Err("has no value"),
        length if length > MAX_SECRET => Err("has more than 64 KiB"),
        _ => Ok(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one() -> Addressee {
        Addressee {
            model: "ab".repeat(32),
            engine: "cd".repeat(32),
        }
    }

    #[test]
    fn a_value_is_kept_to_the_last_byte() {
        let longest = vec![0xFF; MAX_SECRET];
        for value in [b"a".as_slice(), b"\n\na\n\n", &longest] {
            let file = Secret::file(&vec![one(); MAX_ADDRESSEES], value);
            assert!(file.len() <= MAX_FILE);
            let read = Secret::parse(&file).ok().unwrap();
            assert_eq!(*read.value, value);
            assert_eq!(read.addressees, vec![one(); MAX_ADDRESSEES]);
        }
    }

    #[test]
    fn a_file_that_says_nobody_is_for_nobody() {
        let (model, engine) = ("ab".repeat(32), "cd".repeat(32));
        let good = format!("{HEAD}\nmodel {model} engine {engine}\n\nvalue");
        assert!(Secret::parse(good.as_bytes()).is_ok());
        for (from, to) in [
            (good.as_str(), "value\n"),
            (good.as_str(), "value\n\nvalue"),
            ("secret 1", "secret 2"),
            ("\n\n", "\n"),
            (" engine ", " motor "),
            ("model ab", "model AB"),
            ("model ab", "model  ab"),
            ("model ab", "engine ab"),
            ("engine cd", "engine cdcd"),
            (&good[HEAD.len()..good.len() - 7], ""),
            ("\n\n", "\nother\n\n"),
        ] {
            let wrong = good.replacen(from, to, 1);
            assert_ne!(wrong, good);
            let problem = Secret::parse(wrong.as_bytes()).err();
            assert!(problem.unwrap().contains("whom it is for"), "{wrong}");
        }
        let file = Secret::file(&vec![one(); MAX_ADDRESSEES + 1], b"v");
        assert!(Secret::parse(&file).is_err());
    }

    #[test]
    fn a_value_is_neither_empty_nor_too_long() {
        let with = |value: &[u8]| Secret::parse(&Secret::file(&[one()], value)).err().unwrap();
        assert_eq!(with(b""), "has no value");
        assert_eq!(with(&vec![0; MAX_SECRET + 1]), "has more than 64 KiB");
    }

    #[test]
    fn an_addressee_is_a_configurations_model_that_names_the_secret() {
        let (model, engine) = ("ab".repeat(32), "cd".repeat(32));
        let text = format!(
            "version = 2\n[[engine]]\nname = \"e\"\ndisk = {{ root = \"{engine}\", blocks = 1 }}\nthreads = 1\nmemory_mib = 64\n\
             [[model]]\nname = \"m\"\nkind = \"embedding\"\nengine = \"e\"\ndisk = {{ root = \"{model}\", blocks = 1 }}\n\
             weights = \"{model}\"\nsecrets = [\"licence\"]\ncontext = 64\nparallel = 1\n\
             [serving]\nqueue = 1\ndefault_max_tokens = 1\n\
             [keys]\naddress = \"a:1\"\ncertificate_sha256 = \"{model}\"\n"
        );
        let of = |model: &str, secret: &str| Addressee::of(text.as_bytes(), model, secret);
        assert_eq!(of("m", "licence").unwrap(), one());
        let refused = |model: &str, secret: &str| of(model, secret).unwrap_err().to_string();
        assert!(refused("n", "licence").contains("no model n"));
        assert!(refused("m", "token").contains("does not name the secret token"));
        let none = Addressee::of(b"version = 1", "m", "licence").unwrap_err();
        assert!(matches!(none, NoAddressee::Configuration(_)));
    }
}
