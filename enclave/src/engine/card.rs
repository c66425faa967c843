//! An engine's card: `/engine.toml` on its disk. The disk's root is measured, so the card says nothing that a relying party
//! cannot read itself; its form is checked all the same.

use std::{collections::BTreeMap, fs, io::Read, path::Path};

use chrysalis_wire::{
    configuration::{Disk, Engine, Kind, Model},
    room::{MODEL, SOCKET, Walls},
};
use serde::Deserialize;

use crate::{configuration::Measured, disks::Disks, failure::Failure};

/// The card's name, in the root of the disk.
const FILE: &str = "engine.toml";
/// The most bytes of a card.
const MAX_CARD: u64 = 64 * 1024;

/// What an engine is, and how to start it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Card {
    /// The engine's version in its own words, for claims and clients.
    pub(crate) version: String,
    /// What it is called in the configuration.
    pub(crate) name: String,
    /// Its disk.
    pub(crate) disk: Disk,
    /// The dialect that it speaks.
    pub(crate) api: Api,
    /// How to start it.
    pub(super) start: Start,
}

/// Which engine's dialect of the API is spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(crate) enum Api {
    /// llama.cpp's server.
    #[serde(rename = "llama.cpp")]
    LlamaCpp,
    /// vLLM.
    #[serde(rename = "vllm")]
    Vllm,
    /// whisper.cpp's server.
    #[serde(rename = "whisper.cpp")]
    WhisperCpp,
}

/// How to start an engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) program: String,
    arguments: Vec<String>,
    pub(super) directory: String,
    pub(super) environment: BTreeMap<String, String>,
    pub(super) walls: Walls,
    /// A path that answers 200 once the engine can answer.
    pub(super) ready: String,
    pub(super) port: Option<u16>,
    /// The program that turns audio into what it reads.
    pub(super) prepare: Option<String>,
    kinds: BTreeMap<Kind, Vec<String>>,
}

/// As it stands in the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(rename = "name")]
    _name: String,
    version: String,
    api: Api,
    program: String,
    arguments: Vec<String>,
    directory: String,
    walls: Walls,
    ready: String,
    port: Option<u16>,
    prepare: Option<String>,
    #[serde(default)]
    environment: BTreeMap<String, String>,
    kinds: BTreeMap<Kind, Vec<String>>,
}

impl Card {
    /// Each model, the engine that runs it, and that one's card, in the configuration's order.
    pub(crate) fn all<'a>(
        measured: &'a Measured,
        disks: &Disks,
    ) -> Result<Vec<(&'a Model, &'a Engine, Self)>, Failure> {
        let configuration = &measured.configuration;
        let models = configuration.models.iter();
        models
            .map(|model| {
                let failed = |why: String| Failure::Engine {
                    model: model.name.clone(),
                    why,
                };
                let engine = configuration
                    .engine_of(model)
                    .ok_or_else(|| failed("the configuration has no such engine".to_owned()))?;
                let card = Self::read(&disks.tree(&engine.disk), engine).map_err(failed)?;
                Ok((model, engine, card))
            })
            .collect()
    }

    /// Reads the card in an engine's tree.
    fn read(tree: &Path, engine: &Engine) -> Result<Self, String> {
        let file = tree.join(FILE);
        let mut text = String::new();
        fs::File::open(&file)
            .and_then(|from| from.take(MAX_CARD).read_to_string(&mut text))
            .map_err(|error| format!("its disk has no readable /{FILE}: {error}"))?;
        Self::parse(&text, engine)
    }

    fn parse(text: &str, engine: &Engine) -> Result<Self, String> {
        let written: Written = toml::from_str(text).map_err(|error| format!("/{FILE}: {error}"))?;
        let Written {
            version,
            api,
            program,
            arguments,
            directory,
            walls,
            ready,
            port,
            prepare,
            environment,
            kinds,
            ..
        } = written;
        let paths = [
            ("program", &program),
            ("directory", &directory),
            ("ready", &ready),
        ];
        for (key, path) in paths
            .into_iter()
            .chain(prepare.iter().map(|path| ("prepare", path)))
        {
            if !path.starts_with('/') {
                return Err(format!("/{FILE}: {key} does not begin with a slash"));
            }
        }
        let printable = version.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if version.is_empty() || version.len() > 128 || !printable {
            return Err(format!(
                "/{FILE}: version is not 1 to 128 printable characters"
            ));
        }
        Ok(Self {
            version,
            name: engine.name.clone(),
            disk: engine.disk.clone(),
            api,
            start: Start {
                program,
                arguments,
                directory,
                environment,
                walls,
                ready,
                port,
                prepare,
                kinds,
            },
        })
    }

    /// The arguments that start it with a model.
    pub(super) fn arguments(&self, engine: &Engine, model: &Model) -> Result<Vec<String>, String> {
        let of_kind = self.start.kinds.get(&model.kind).ok_or_else(|| {
            let kinds: Vec<_> = self.start.kinds.keys().map(|kind| kind.name()).collect();
            format!(
                "{} serves {}, not {}",
                engine.name,
                kinds.join(" and "),
                model.kind.name()
            )
        })?;
        let values = [
            ("{model}", MODEL.to_owned()),
            ("{name}", model.name.clone()),
            ("{socket}", SOCKET.to_owned()),
            ("{context}", model.context.to_string()),
            // llama.cpp shares its context between the requests that it computes at once.
            (
                "{total_context}",
                u64::from(model.context)
                    .saturating_mul(model.parallel.into())
                    .to_string(),
            ),
            ("{parallel}", model.parallel.to_string()),
            ("{threads}", engine.threads.to_string()),
        ];
        let fill = |argument: &String| {
            values.iter().fold(argument.clone(), |text, (name, value)| {
                text.replace(name, value)
            })
        };
        Ok(self
            .start
            .arguments
            .iter()
            .chain(of_kind)
            .map(fill)
            .collect())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) const CARD: &str = r#"
name = "fake"
version = "fake 1"
api = "llama.cpp"
program = "/bin/server"
arguments = ["-m", "{model}", "-c", "{total_context}", "--host={socket}", "-np", "{parallel}", "-t", "{threads}"]
directory = "/"
walls = "native"
ready = "/health"
[environment]
HOME = "/tmp"
[kinds]
chat = ["--jinja"]
"#;

    pub(crate) fn engine() -> Engine {
        Engine {
            name: "fake".into(),
            disk: Disk {
                root: "ab".repeat(32),
                blocks: 1,
            },
            threads: 3,
            memory_mib: 64,
            devices: Vec::new(),
        }
    }

    pub(crate) fn card() -> Card {
        Card::parse(CARD, &engine()).unwrap()
    }

    fn model(kind: Kind) -> Model {
        Model {
            name: "tiny".into(),
            kind,
            engine: "fake".into(),
            disk: engine().disk,
            sealed: false,
            secrets: Vec::new(),
            size: None,
            weights: "cd".repeat(32),
            tokenizer: None,
            template: None,
            context: 100,
            parallel: 4,
            known_answer: Vec::new(),
        }
    }

    #[test]
    fn fills_in_what_the_configuration_says() {
        let arguments = card().arguments(&engine(), &model(Kind::Chat)).unwrap();
        assert_eq!(
            arguments.join(" "),
            "-m /model -c 400 --host=/run/e.sock -np 4 -t 3 --jinja"
        );
    }

    #[test]
    fn a_model_of_a_kind_that_it_does_not_serve_is_named() {
        let refused = card().arguments(&engine(), &model(Kind::Speech));
        assert_eq!(refused.unwrap_err(), "fake serves chat, not speech");
    }

    #[test]
    fn names_what_is_wrong_with_a_card() {
        for (from, to, says) in [
            (
                "program = \"/bin",
                "program = \"bin",
                "program does not begin with a slash",
            ),
            (
                "version = \"fake 1\"",
                "version = \"\"",
                "version is not 1 to 128",
            ),
            ("walls = \"native\"", "walls = \"none\"", "none"),
            (
                "walls =",
                "prepare = \"bin/decoder\"\nwalls =",
                "prepare does not begin with a slash",
            ),
            ("ready =", "steady =", "steady"),
            ("chat =", "chatter =", "chatter"),
        ] {
            assert!(CARD.contains(from), "{from}");
            let refused = Card::parse(&CARD.replacen(from, to, 1), &engine()).unwrap_err();
            assert!(refused.contains(says), "{refused}");
        }
    }

    #[test]
    fn a_disk_without_a_card_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let refused = Card::read(folder.path(), &engine()).unwrap_err();
        assert!(
            refused.starts_with("its disk has no readable /engine.toml"),
            "{refused}"
        );
    }
}
