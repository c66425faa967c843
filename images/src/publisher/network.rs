//! The descriptor of a network, signed and shown.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use chrysalis_image::publish::{self, Signatures, read_public};
use chrysalis_network::Signers;
use clap::{Args, Subcommand};

use super::signing::{Naming, now};

#[derive(Subcommand)]
pub(crate) enum NetworkCommand {
    /// Sign a network's descriptor: its directories, its models, its policy, and the chain that it is paid on
    #[command(
        after_help = "Examples:\n  chrysalis-image network sign network.toml --key alice.pem --out network.json\n  chrysalis-image network sign network.toml --key bob.pem --add --out network.json"
    )]
    Sign(SignArguments),
    /// Show a descriptor that enough of the named keys have signed
    #[command(
        after_help = "Example:\n  chrysalis-image network show network.json --key alice.pub --key bob.pub"
    )]
    Show(ShowArguments),
}

#[derive(Args)]
pub(crate) struct SignArguments {
    /// The descriptor, as a person wrote it
    #[arg(value_name = "TOML")]
    descriptor: PathBuf,
    /// A key that signs it, as `chrysalis-image key release` makes one; may be repeated
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    /// A file whose first line is the passphrase of a key, in the order of the keys; without them, the terminal is asked
    #[arg(long = "passphrase-file", value_name = "FILE")]
    passphrase_files: Vec<PathBuf>,
    /// The file to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Add to the signatures that the file has: it must hold the same descriptor
    #[arg(long)]
    add: bool,
    #[command(flatten)]
    naming: Naming,
}

#[derive(Args)]
pub(crate) struct ShowArguments {
    /// The descriptor, as it is published
    #[arg(value_name = "FILE")]
    descriptor: PathBuf,
    /// The public half of a key that signs the network's descriptor; may be repeated
    #[arg(long = "key", value_name = "FILE", required = true)]
    keys: Vec<PathBuf>,
    /// How many of the keys must have signed it [default: all that are named]
    #[arg(long, value_name = "N")]
    at_least: Option<usize>,
    #[command(flatten)]
    naming: Naming,
}

pub(crate) fn run(command: &NetworkCommand) -> Result<()> {
    match command {
        NetworkCommand::Sign(arguments) => sign(arguments),
        NetworkCommand::Show(arguments) => show(arguments),
    }
}

fn sign(arguments: &SignArguments) -> Result<()> {
    if arguments.passphrase_files.len() > arguments.keys.len() {
        bail!(
            "there are more passphrases than keys\nhint: give --passphrase-file once for each --key"
        );
    }
    let mut passphrases = arguments.passphrase_files.iter();
    let mut keys = Vec::new();
    for path in &arguments.keys {
        let passphrase = passphrases.next().map(PathBuf::as_path);
        keys.push(arguments.naming.key(path, passphrase)?);
    }
    let signatures = if arguments.add {
        Signatures::Added
    } else {
        Signatures::First
    };
    let (network, count) = publish::sign_network(
        &arguments.descriptor,
        &keys,
        signatures,
        &arguments.out,
        now()?,
    )?;
    println!(
        "network {}, version {}, until {}",
        network.name, network.version, network.expires
    );
    for key in &keys {
        println!("signed  {}", key.public().id());
    }
    let signatures = if count == 1 {
        "signature"
    } else {
        "signatures"
    };
    println!("wrote   {}, {count} {signatures}", arguments.out.display());
    Ok(())
}

fn show(arguments: &ShowArguments) -> Result<()> {
    let named = arguments.naming.development();
    let keys = arguments.keys.iter().map(|path| read_public(path, named));
    let keys = keys.collect::<Result<Vec<_>, _>>()?;
    let count = keys.len();
    let signers = Signers::of(keys, arguments.at_least).with_context(|| {
        format!(
            "--at-least {} is not 1 to {count}, the number of keys that are named\nhint: name more keys with --key",
            arguments.at_least.unwrap_or_default()
        )
    })?;
    let (network, sha256, signed) = publish::show_network(&arguments.descriptor, &signers, now()?)?;
    println!(
        "network    {}, version {}, until {}",
        network.name, network.version, network.expires
    );
    println!("sha256     {sha256}");
    println!("policy     {}", network.policy);
    let chain = &network.chain;
    println!(
        "chain      {}, global id {}, purse {}",
        chain.symbol, chain.global_id, chain.purse
    );
    for directory in &network.directories {
        println!("directory  {} {}", directory.url, directory.key);
    }
    for class in &network.classes {
        println!("class      {} {}", class.name, class.weights);
    }
    for key in signed {
        println!("signed     {}", key.id());
    }
    Ok(())
}
