//! Recipes of engines: which files of which inputs make the root folder that an engine runs in, and how it is started.

use std::{collections::BTreeMap, path::Path};

use serde::{Deserialize, Serialize};

use super::{
    names::{NAME_RULE, is_absolute, is_inside, is_name},
    python::Python,
    recipe::{Binary, Edit},
};
use crate::{Error, files::read_toml, models::ModelKind};

/// What the enclave fills in when it starts an engine.
const PLACEHOLDERS: [&str; 7] = [
    "model",
    "name",
    "socket",
    "context",
    "total_context",
    "parallel",
    "threads",
];

/// The recipe of an engine, such as images/engines/llama-cpu.toml.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineRecipe {
    /// What the engine is called.
    pub name: String,
    /// Empty directories, to mount on.
    #[serde(default)]
    pub directories: Vec<String>,
    /// How it is started; becomes /engine.toml.
    pub engine: Engine,
    /// Files of pinned inputs.
    #[serde(default)]
    pub file: Vec<EngineFile>,
    /// Pinned inputs of which everything is taken, or all below some folders.
    #[serde(default)]
    pub package: Vec<Package>,
    /// Symbolic links.
    #[serde(default)]
    pub link: Vec<Link>,
    /// Programs of this workspace.
    #[serde(default)]
    pub binary: Vec<Binary>,
    /// Programs of pinned sources.
    #[serde(default)]
    pub compile: Vec<Compile>,
    /// An interpreter, and wheels for it.
    pub python: Option<Python>,
}

/// A program that `CMake` builds from pinned sources.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Compile {
    /// The input's name in the lock: an sdist.
    pub input: String,
    /// The folder in it that has CMakeLists.txt, below the archive's own.
    pub folder: String,
    /// `CMake`'s options, such as `"GGML_OPENMP=OFF"`.
    #[serde(default)]
    pub options: Vec<String>,
    /// Corrections of it; a file's path is below that folder.
    #[serde(default)]
    pub edit: Vec<Edit>,
    /// What to build.
    pub target: String,
    /// Where `CMake` puts the program, in its own folder.
    pub from: String,
    /// The program's path on the disk.
    pub to: String,
}

/// How an engine is started, as /engine.toml says it after the name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Engine {
    /// Its own version. In a recipe, `{input}` stands for the version of that input's pin.
    pub version: String,
    /// The dialect that it speaks.
    pub api: Api,
    /// The program.
    pub program: String,
    /// Its arguments, with placeholders.
    pub arguments: Vec<String>,
    /// The working directory.
    pub directory: String,
    /// Which system calls it may make.
    pub walls: Walls,
    /// The path that answers 200 once it is ready.
    pub ready: String,
    /// Its port, where it speaks TCP alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The program that turns audio into what it reads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prepare: Option<String>,
    /// Its environment.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// Further arguments by kind of model; a kind that is missing is not served.
    pub kinds: BTreeMap<ModelKind, Vec<String>>,
}

/// Dialects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Api {
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

/// Lists of system calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Walls {
    /// Of a program in C++.
    Native,
    /// Of a Python interpreter.
    Python,
}

/// A file of a pinned package, and its place.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EngineFile {
    /// The input's name in the lock.
    pub input: String,
    /// The file in it. One `*` stands for a part that changes with the version.
    pub from: String,
    /// Its path on the disk.
    pub to: String,
    /// Permissions, such as `0o755`; by default 755 for a program, and 644 for anything else.
    pub mode: Option<u32>,
}

/// A pinned package.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    /// The input's name in the lock.
    pub input: String,
    /// What to take: paths that begin like one of these. By default all.
    #[serde(default)]
    pub include: Vec<String>,
    /// What to leave out of it: paths that begin like one of these.
    #[serde(default)]
    pub exclude: Vec<String>,
}

/// A symbolic link.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Its path on the disk.
    pub path: String,
    /// Where it points.
    pub to: String,
}

impl Package {
    /// Whether the path is wanted.
    pub fn takes(&self, path: &str) -> bool {
        let among = |prefixes: &[String]| prefixes.iter().any(|prefix| path.starts_with(prefix));
        (self.include.is_empty() || among(&self.include)) && !among(&self.exclude)
    }
}

impl EngineRecipe {
    /// Reads and checks a recipe.
    pub fn read(path: &Path) -> Result<Self, Error> {
        let recipe = Self::whole(path)?;
        match recipe.problem() {
            None => Ok(recipe),
            Some((key, problem)) => Err(Error::value(path, key, problem)),
        }
    }

    /// A recipe with `like` says only what differs: each key that it leaves out is that of the recipe which it names.
    fn whole(path: &Path) -> Result<Self, Error> {
        let wrong = |problem| Error::value(path, "like", problem);
        let mut own: toml::Table = read_toml(path)?;
        let Some(like) = own.remove("like") else {
            return read_toml(path);
        };
        let name = like.as_str().unwrap_or_default();
        if Path::new(name).file_name() != Some(name.as_ref()) {
            return Err(wrong(
                "must be the file name of a recipe in the same folder",
            ));
        }
        let mut whole: toml::Table = read_toml(&path.with_file_name(name))?;
        if whole.contains_key("like") {
            return Err(wrong("must name a recipe that has no `like` itself"));
        }
        whole.extend(own);
        whole.try_into().map_err(|problem| Error::Malformed {
            path: path.to_owned(),
            problem: Box::new(problem),
        })
    }

    fn problem(&self) -> Option<(&'static str, String)> {
        let engine = &self.engine;
        let places = self.file.iter().map(|file| &file.to);
        let places = places.chain(self.binary.iter().map(|binary| &binary.path));
        let places = places.chain(self.link.iter().map(|link| &link.path));
        let sources = self.compile.iter();
        let sources = sources.flat_map(|it| {
            let edits = it.edit.iter().map(|edit| &edit.file);
            edits.chain([&it.folder, &it.from, &it.to])
        });
        let places = places.chain(sources);
        let mut places = places.chain(&self.directories);
        let rules = [
            (is_name(&self.name), "name", NAME_RULE),
            (
                places.all(|path| is_inside(path)),
                "a path",
                "must not have `.`, `..` or a leading `/`",
            ),
            (
                self.file
                    .iter()
                    .all(|file| file.mode.unwrap_or(0o644) <= 0o777),
                "file.mode",
                "must be permissions, such as 0o755",
            ),
            (
                is_absolute(&engine.program),
                "engine.program",
                "must be a path that begins with `/`, such as \"/usr/bin/llama-server\"",
            ),
            (
                engine.directory == "/" || is_absolute(&engine.directory),
                "engine.directory",
                "must be a path that begins with `/`",
            ),
            (
                engine.prepare.as_deref().is_none_or(is_absolute),
                "engine.prepare",
                "must be a path that begins with `/`",
            ),
            (
                engine.ready.starts_with('/'),
                "engine.ready",
                "must be a path of its API, such as \"/health\"",
            ),
            (engine.port != Some(0), "engine.port", "must not be 0"),
            (
                !engine.kinds.is_empty(),
                "engine.kinds",
                "must name a kind of model that it serves, such as chat = []",
            ),
        ];
        let broken = rules.into_iter().find(|(holds, ..)| !holds);
        let broken = broken.map(|(_, key, problem)| (key, problem.to_owned()));
        broken
            .or_else(|| self.python.as_ref()?.problem())
            .or_else(|| self.unknown_placeholder())
    }

    fn unknown_placeholder(&self) -> Option<(&'static str, String)> {
        let by_kind = self.engine.kinds.values().flatten();
        let mut words = self.engine.arguments.iter().chain(by_kind);
        let unknown = |word: &String| {
            let found = placeholders(word).find(|name| !PLACEHOLDERS.contains(name));
            found.map(str::to_owned)
        };
        let known = PLACEHOLDERS.map(|name| format!("{{{name}}}")).join(" ");
        let word = words.find_map(unknown)?;
        Some((
            "engine.arguments",
            format!("must not have {{{word}}}: the enclave fills in {known}, and nothing else"),
        ))
    }
}

/// `--threads={threads}` → `threads`. What has anything but lower-case letters, digits, `-` and `_` between its braces, such as
/// JSON, is none.
pub(crate) fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    text.split('{').skip(1).filter_map(move |rest| {
        let (name, _) = rest.split_once('}')?;
        (!name.is_empty() && name.bytes().all(plain)).then_some(name)
    })
}
