//! Keys, and what the root says about them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use chrysalis_attestation::{
    Time,
    encoding::digest::Hex,
    release::{Development, KeyId, PublicKey, Role, VouchedKey},
};
use chrysalis_image::publish::{Passphrase, Publication, SigningKey, public_pem, read_public};
use clap::{Args, Subcommand};

use super::signing::{Naming, Signing, day};

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a root key and its statement, or the statement of the root that follows
    #[command(
        after_help = "The root key stays offline: it signs root and key statements and nothing else.\n\nExample:\n  chrysalis-image key root --project releases.example --key root.pem --expires 2028-12-01 --out publication\n  chrysalis-image key root --after root.pem --key root-2.pem --expires 2029-12-01 --out publication"
    )]
    Root(RootArguments),
    /// Make a key that signs releases, and write its public half next to it
    #[command(after_help = "Example:\n  chrysalis-image key release --key release.pem")]
    Release(MakeArguments),
    /// Make a key that signs the heads of a log, and write its public half next to it
    #[command(after_help = "Example:\n  chrysalis-image key log --key log.pem")]
    Log(MakeArguments),
    /// Make the key with which a provider lists what they serve, and write its public half next to it
    #[command(
        after_help = "It has no passphrase, because nobody is there to type it when a host starts; it moves no money, and only the owner of the \
                      file can read it.\n\nExample:\n  chrysalis-image key operator --key operator.pem"
    )]
    Operator(OperatorArguments),
    /// Sign the next key statement: vouch for keys, or renew the statement as it is
    #[command(
        after_help = "Example:\n  chrysalis-image key vouch publication --root-key root.pem --release release.pub --log log.pub --expires 2027-06-01"
    )]
    Vouch(VouchArguments),
    /// Sign the next key statement: take a key back, and with it all that it signed
    #[command(
        after_help = "Example:\n  chrysalis-image key revoke publication release.pub --root-key root.pem --why \"the laptop was stolen\" --expires 2027-06-01"
    )]
    Revoke(RevokeArguments),
}

#[derive(Args)]
pub(crate) struct RootArguments {
    /// The project's name, for good: clients remember releases by it; an address without its scheme is unlikely to be another's
    #[arg(
        long,
        value_name = "NAME",
        required_unless_present = "after",
        conflicts_with = "after"
    )]
    project: Option<String>,
    /// The key of the root so far, which signs the new statement as well
    #[arg(long, value_name = "FILE")]
    after: Option<PathBuf>,
    /// The root key: made if the file is not there
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Begin at this version instead of 1: for a root that takes the place of one that was lost
    #[arg(long, value_name = "N", default_value_t = 1, conflicts_with = "after")]
    version: u64,
    /// The folder to publish
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// A file whose first line is the passphrase of the old root key; without it, the terminal is asked
    #[arg(long, value_name = "FILE", requires = "after")]
    after_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    signing: Signing,
    #[command(flatten)]
    naming: Naming,
}

#[derive(Args)]
pub(crate) struct MakeArguments {
    /// The file to make; FILE.pub, in the place of .pem, gets the public half
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// A file whose first line is the passphrase; without it, the terminal is asked
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

#[derive(Args)]
pub(crate) struct OperatorArguments {
    /// The file to make; FILE.pub, in the place of .pem, gets the public half
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
}

#[derive(Args)]
pub(crate) struct VouchArguments {
    /// The folder that is published
    #[arg(value_name = "DIR")]
    publication: PathBuf,
    /// The root key
    #[arg(long, value_name = "FILE")]
    root_key: PathBuf,
    /// The public half of a key that may sign releases
    #[arg(long = "release", value_name = "FILE")]
    releases: Vec<PathBuf>,
    /// The public half of a key that may sign the log's heads
    #[arg(long = "log", value_name = "FILE")]
    logs: Vec<PathBuf>,
    /// From when on these keys count; by default when the statement is issued
    #[arg(long, value_name = "DATE", value_parser = day)]
    not_before: Option<Time>,
    /// From when on these keys, and what they signed, count no more; by default when the statement ends
    #[arg(long, value_name = "DATE", value_parser = day)]
    key_expires: Option<Time>,
    #[command(flatten)]
    signing: Signing,
    #[command(flatten)]
    naming: Naming,
}

#[derive(Args)]
pub(crate) struct RevokeArguments {
    /// The folder that is published
    #[arg(value_name = "DIR")]
    publication: PathBuf,
    /// The key to take back: its public half, or its name, 64 hex digits
    #[arg(value_name = "FILE|ID")]
    key: String,
    /// The root key
    #[arg(long, value_name = "FILE")]
    root_key: PathBuf,
    /// Why; everyone can read it
    #[arg(long, value_name = "TEXT")]
    why: String,
    #[command(flatten)]
    signing: Signing,
    #[command(flatten)]
    naming: Naming,
}

pub(crate) fn run(command: &KeyCommand) -> Result<()> {
    match command {
        KeyCommand::Root(arguments) => root(arguments),
        KeyCommand::Release(arguments) => make("release key", arguments),
        KeyCommand::Log(arguments) => make("log key", arguments),
        KeyCommand::Operator(arguments) => operator(&arguments.key),
        KeyCommand::Vouch(arguments) => vouch(arguments),
        KeyCommand::Revoke(arguments) => revoke(arguments),
    }
}

fn root(arguments: &RootArguments) -> Result<()> {
    let signing = &arguments.signing;
    let span = signing.span()?;
    let publication = Publication::at(&arguments.out);
    let old = match &arguments.after {
        Some(path) => {
            let passphrase = Passphrase::from(arguments.after_passphrase_file.as_deref());
            Some(SigningKey::read(
                path,
                &passphrase,
                arguments.naming.development(),
            )?)
        }
        None => None,
    };
    let key = if arguments.key.exists() {
        arguments
            .naming
            .key(&arguments.key, signing.passphrase_file.as_deref())?
    } else {
        let passphrase = Passphrase::from(signing.passphrase_file.as_deref());
        let key = SigningKey::make(&arguments.key, &passphrase)?;
        publish_half(&arguments.key, key.public())?;
        key
    };
    let path = match (&old, &arguments.project) {
        (Some(old), _) => publication.next_root(span, old, &key)?,
        (None, Some(project)) => publication.first_root(project, arguments.version, span, &key)?,
        (None, None) => bail!("name the project with --project, or the root before with --after"),
    };
    println!("root    {}\nwrote   {}", key.public().id(), path.display());
    if !key.public().is_development() {
        eprintln!(
            "Publish the root's name in more than one place; keep {} offline, with a copy elsewhere.",
            arguments.key.display()
        );
    }
    Ok(())
}

fn make(what: &str, arguments: &MakeArguments) -> Result<()> {
    let passphrase = Passphrase::from(arguments.passphrase_file.as_deref());
    let key = SigningKey::make(&arguments.key, &passphrase)?;
    let public = publish_half(&arguments.key, key.public())?;
    println!("{what} {}\nwrote   {}", key.public().id(), public.display());
    Ok(())
}

fn operator(path: &Path) -> Result<()> {
    let key = SigningKey::make_open(path)?;
    let public = publish_half(path, key.public())?;
    println!(
        "operator key {}\nwrote   {}",
        key.public().id(),
        public.display()
    );
    Ok(())
}

/// Writes the public half next to the private one.
fn publish_half(path: &Path, key: &PublicKey) -> Result<PathBuf> {
    let public = path.with_extension("pub");
    std::fs::write(&public, public_pem(key))
        .with_context(|| format!("cannot write {}", public.display()))?;
    Ok(public)
}

fn vouch(arguments: &VouchArguments) -> Result<()> {
    let signing = &arguments.signing;
    let span = signing.span()?;
    let root = arguments
        .naming
        .key(&arguments.root_key, signing.passphrase_file.as_deref())?;
    let mut keys = Vec::new();
    for (role, files) in [
        (Role::Release, &arguments.releases),
        (Role::Log, &arguments.logs),
    ] {
        for file in files {
            keys.push(VouchedKey {
                role,
                key: read_public(file, arguments.naming.development())?,
                not_before: arguments.not_before.unwrap_or(span.issued),
                expires: arguments.key_expires.unwrap_or(span.expires),
            });
        }
    }
    let publication = Publication::at(&arguments.publication);
    let said = publication.vouch(span, &root, keys)?;
    for key in &said.keys {
        let role = match key.role {
            Role::Release => "release",
            Role::Log => "log",
        };
        println!("{role:<7} {} until {}", key.key.id(), key.expires);
    }
    let revoked = said.revoked.iter();
    revoked.for_each(|it| println!("revoked {}", it.key));
    told(said.version, &publication);
    Ok(())
}

fn revoke(arguments: &RevokeArguments) -> Result<()> {
    let signing = &arguments.signing;
    let span = signing.span()?;
    let root = arguments
        .naming
        .key(&arguments.root_key, signing.passphrase_file.as_deref())?;
    let mut id = [0; 32];
    let id: KeyId = match hex::decode_to_slice(&arguments.key, &mut id) {
        Ok(()) => Hex(id),
        Err(_) => read_public(Path::new(&arguments.key), Development::Refused)?.id(),
    };
    let publication = Publication::at(&arguments.publication);
    let said = publication.revoke(span, &root, id, &arguments.why)?;
    println!("revoked {id}");
    told(said.version, &publication);
    Ok(())
}

fn told(version: u64, publication: &Publication) {
    println!(
        "keys    version {version}\nwrote   {}",
        publication.keys_path().display()
    );
    eprintln!("It counts once the log has it: `chrysalis-image log append`.");
}
