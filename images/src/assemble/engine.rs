//! The disk of an engine: the root folder that it runs in, with /engine.toml, which says how it is started.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::{
    card::{self, EngineCard, EngineFacts},
    disk::Shelf,
    packages::Packages,
    python,
    tree::{Node, Tree, mode_of},
};
use crate::{
    Error,
    compile::{binaries::Binaries, bytecode::Order},
    inputs::{
        engine::{Compile, Engine, EngineRecipe, placeholders},
        fetch::Fetcher,
        lock::{Input, Kind, LockFile},
        recipe::Binary,
    },
};

/// How an engine is started, on its disk.
const MANIFEST: &str = "engine.toml";

/// What was made.
#[derive(Debug)]
pub struct Made<C> {
    /// Its card.
    pub card: C,
    /// The card's file.
    pub path: PathBuf,
}

/// Makes the disk of a recipe, and its card, in a folder of disks. `binaries` compiles programs of this workspace, `compile` one of
/// a pinned source, and `bytecode` the modules of an interpreter.
pub fn build(
    recipe_path: &Path,
    out: &Path,
    unpacked: bool,
    fetcher: &Fetcher,
    binaries: impl FnOnce(&[Binary]) -> Result<Binaries, Error>,
    compile: impl Fn(&Compile, &Input) -> Result<Vec<u8>, Error>,
    bytecode: impl FnOnce(&Order<'_>) -> Result<PathBuf, Error>,
) -> Result<Made<EngineCard>, Error> {
    let recipe = EngineRecipe::read(recipe_path)?;
    let lock = LockFile::beside(recipe_path)?;
    let shelf = Shelf::open(out)?;
    card::check_free::<EngineCard>(&shelf, &recipe.name)?;

    let mut tree = Tree::default();
    // First, so that only what its own lock pins is compiled.
    let mut pins = match &recipe.python {
        Some(wanted) => python::add(&mut tree, wanted, recipe_path, fetcher, bytecode)?,
        None => Vec::new(),
    };
    pins.extend(gather(&mut tree, &recipe, &lock, fetcher)?);
    for program in &recipe.compile {
        let pin = lock.input(&program.input, Kind::Sdist)?;
        tree.file(&program.to, 0o755, compile(program, pin)?)?;
        pins.push(pin.clone());
    }
    if !recipe.binary.is_empty() {
        let binaries = binaries(&recipe.binary)?;
        for binary in &recipe.binary {
            let (bytes, _) = binaries.read(&binary.package)?;
            tree.file(&binary.path, 0o755, bytes)?;
        }
    }
    let value = |key: &str, problem: String| Error::value(recipe_path, key, problem);
    let engine = Engine {
        version: version(&recipe.engine.version, &pins)
            .map_err(|problem| value("engine.version", problem))?,
        ..recipe.engine.clone()
    };
    check(&engine, &tree).map_err(|(key, problem)| value(key, problem))?;
    let text = toml::to_string(&engine).expect("a parsed table always serialises");
    let text = format!("name = \"{}\"\n{text}", recipe.name);
    tree.file(MANIFEST, 0o644, text.into_bytes())?;

    let disk = shelf.put_tree(&recipe.name, &tree, unpacked)?;
    let card = EngineCard {
        engine: EngineFacts {
            name: recipe.name,
            version: engine.version,
            kinds: engine.kinds.into_keys().collect(),
            disk,
        },
    };
    let path = card::put(&shelf, &card)?;
    Ok(Made { card, path })
}

/// Adds everything but wheels and what is compiled, and returns the pins that it came from.
fn gather(
    tree: &mut Tree,
    recipe: &EngineRecipe,
    lock: &LockFile,
    fetcher: &Fetcher,
) -> Result<Vec<Input>, Error> {
    let mut packages = Packages::new(fetcher);
    for directory in &recipe.directories {
        tree.directory(directory)?;
    }
    for link in &recipe.link {
        tree.link(&link.path, link.to.as_str())?;
    }
    for package in &recipe.package {
        let deb = packages.deb(lock.input(&package.input, Kind::Deb)?)?;
        let found = tree.package(deb, |path| package.takes(path))?;
        if found == 0 {
            return Err(Error::NotOneFile {
                input: package.input.clone(),
                pattern: package.include.join(" "),
                found,
            });
        }
    }
    for file in &recipe.file {
        let deb = packages.deb(lock.input(&file.input, Kind::Deb)?)?;
        let (_, packed) = deb.only_packed(&file.from)?;
        let mode = file.mode.unwrap_or_else(|| mode_of(packed.executable));
        tree.file(&file.to, mode, packed.bytes.clone())?;
    }
    Ok(packages.pins())
}

/// Fills in the versions of inputs, without what Debian puts before and after.
fn version(template: &str, pins: &[Input]) -> Result<String, String> {
    let names: BTreeMap<&str, &Input> = pins.iter().map(|pin| (pin.name.as_str(), pin)).collect();
    let mut filled = template.to_owned();
    for name in placeholders(template) {
        let pin = names
            .get(name)
            .ok_or_else(|| format!("must not have {{{name}}}: the recipe takes no such input"))?;
        let version = pin.version.as_str();
        let upstream = version.split_once(':').map_or(version, |(_, rest)| rest);
        filled = filled.replace(&format!("{{{name}}}"), upstream);
    }
    Ok(filled)
}

/// What /engine.toml names must be on the disk.
fn check(engine: &Engine, tree: &Tree) -> Result<(), (&'static str, String)> {
    let runs =
        |path: &str| matches!(tree.at(path), Some(Node::File { mode, .. }) if mode & 0o111 != 0);
    let problem = "must be a program on the disk, with the mode of a program: add a [[file]], [[binary]] or [[compile]] for it";
    if !runs(&engine.program) {
        return Err(("engine.program", problem.into()));
    }
    if engine.prepare.as_deref().is_some_and(|path| !runs(path)) {
        return Err(("engine.prepare", problem.into()));
    }
    let is_folder = matches!(tree.at(&engine.directory), Some(Node::Directory));
    if engine.directory != "/" && !is_folder {
        let problem =
            "must be a folder on the disk: add it to `directories`, or name one that has files";
        return Err(("engine.directory", problem.into()));
    }
    Ok(())
}
