//! `engine`, `model` and `configuration`: disks, their cards, and what binds them.

use std::path::PathBuf;

use anyhow::Result;
use chrysalis_image::{
    assemble::{
        configuration, engine,
        model::{self, Said},
        seal,
    },
    compile::cmake,
    models::ModelKind,
};
use clap::Args;
use serde::{
    Deserialize,
    de::{IntoDeserializer, value::Error as Unknown},
};

use crate::options::{FetchOptions, programs};

#[derive(Args)]
pub(crate) struct EngineCommand {
    /// The recipe; lock.toml is in the same folder, or in the one above
    recipe: PathBuf,
    /// The folder of disks: gets ROOT.img, and NAME.toml, its card
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Lay its files out in DIR/ROOT as well, for an enclave that is a plain process
    #[arg(long)]
    unpacked: bool,
    /// Take the programs of this workspace from this folder instead of compiling them
    #[arg(long, value_name = "DIR")]
    binaries: Option<PathBuf>,
    #[command(flatten)]
    fetch: FetchOptions,
}

#[derive(Args)]
pub(crate) struct ModelCommand {
    /// A recipe (.toml), a file of weights, or a folder
    from: PathBuf,
    /// The folder of disks: gets ROOT.img, and NAME.toml, its card
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Lay a folder's files out in DIR/ROOT as well, for an enclave that is a plain process
    #[arg(long)]
    unpacked: bool,
    /// What to call it [default: as the recipe says, or like the file]
    #[arg(long)]
    name: Option<String>,
    /// What it is for [default: as the recipe or the file says]
    #[arg(long, value_parser = kind, value_name = "chat|embedding|rerank|speech")]
    kind: Option<ModelKind>,
    /// Its licence, as SPDX names it [default: as the recipe or the file says]
    #[arg(long)]
    licence: Option<String>,
    #[command(flatten)]
    fetch: FetchOptions,
}

#[derive(Args)]
pub(crate) struct SealCommand {
    /// The model's card, by its name
    card: String,
    /// The folder of disks and cards: gets ROOT.sealed, which is all that a provider needs
    #[arg(long, value_name = "DIR")]
    disks: PathBuf,
    /// The folder of keys: gets ROOT.key, which stays with you
    #[arg(long, value_name = "DIR")]
    keys: PathBuf,
}

#[derive(Args)]
pub(crate) struct ConfigurationCommand {
    /// The recipe: which cards, with which limits
    recipe: PathBuf,
    /// The folder of disks and cards
    #[arg(long, value_name = "DIR")]
    disks: PathBuf,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Makes an engine's disk; prints its root and the card's path.
pub(crate) fn engine(command: EngineCommand) -> Result<()> {
    let fetcher = command.fetch.fetcher()?;
    let (recipe, given) = (&command.recipe, command.binaries);
    let made = engine::build(
        recipe,
        &command.out,
        command.unpacked,
        &fetcher,
        |wanted| programs(given.as_deref(), recipe, wanted, &fetcher),
        |program, pin| cmake::program(program, pin, recipe, &fetcher),
        |order| order.make(&fetcher),
    )?;
    println!("{}  {}", made.card.engine.disk.root, made.path.display());
    Ok(())
}

/// Makes a model's disk; prints its root and the card's path.
pub(crate) fn model(command: ModelCommand) -> Result<()> {
    let said = Said {
        name: command.name,
        kind: command.kind,
        licence: command.licence,
    };
    let fetcher = command.fetch.fetcher()?;
    let made = model::build(
        &command.from,
        said,
        &command.out,
        command.unpacked,
        &fetcher,
    )?;
    println!("{}  {}", made.card.model.disk.root, made.path.display());
    Ok(())
}

/// Encrypts a model's disk; prints where it and its key are.
pub(crate) fn seal(command: &SealCommand) -> Result<()> {
    let sealed = seal::seal(&command.card, &command.disks, &command.keys)?;
    println!("{}", sealed.disk.display());
    println!("{}", sealed.key.display());
    Ok(())
}

/// Writes a configuration; prints its digest and its path.
pub(crate) fn configuration(command: &ConfigurationCommand) -> Result<()> {
    let digest = configuration::build(&command.recipe, &command.disks, &command.out)?;
    println!("{digest}  {}", command.out.display());
    Ok(())
}

/// A kind of model, as `--kind` names it.
fn kind(text: &str) -> Result<ModelKind, String> {
    let kind = ModelKind::deserialize(text.into_deserializer());
    kind.map_err(|_: Unknown| "must be chat, embedding, rerank or speech".into())
}
