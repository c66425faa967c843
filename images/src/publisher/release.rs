//! Releases: what an image is, signed; and signed anew.

use std::path::{Path, PathBuf};

use anyhow::Result;
use chrysalis_attestation::release::{Development, PublicKey};
use chrysalis_image::publish::{
    self, Making, PROJECT, Passphrase, Renewal, Shapes, SigningKey, read_levels, read_public,
};
use chrysalis_measure::{CpuType, MAX_VCPUS};
use clap::{Args, Subcommand};

use super::signing::{Naming, Signing};

const MANIFEST: &str = "manifest.json";

#[derive(Subcommand)]
pub(crate) enum ReleaseCommand {
    /// Sign the manifest of an image: its files, and what hardware says about it
    Make(MakeArguments),
    /// Sign a release anew, under a higher epoch and a later end: the same image, without a rebuild
    #[command(
        after_help = "Example:\n  chrysalis-image release renew publication/v1/manifest.json --epoch 2 --expires 2027-12-01 --key release.pem --out publication/v1-2/manifest.json"
    )]
    Renew(RenewArguments),
    /// Endorse a release for at most 14 days more: the same manifest, for providers to staple and for policies that want to know
    /// that you still stand by it
    #[command(
        after_help = "Example:\n  chrysalis-image release endorse publication/v1/manifest.json --expires 2026-12-13 --key release.pem --out publication/v1/endorsement.json"
    )]
    Endorse(EndorseArguments),
}

#[derive(Args)]
#[command(
    after_help = "Example:\n  chrysalis-image release make build/cpu --project releases.example --epoch 1 --expires 2027-06-01 --key release.pem --out publication/v1"
)]
pub(crate) struct MakeArguments {
    /// An image folder, as `chrysalis-image build` makes it
    #[arg(value_name = "DIR")]
    image: PathBuf,
    /// Counts up from release to release: clients refuse to go back
    #[arg(long, value_name = "N")]
    epoch: u64,
    /// The release key, as `chrysalis-image key release` makes it: PKCS #8 PEM, Ed25519 or P-256
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The project that it is a release of, as in your root statement
    #[arg(long, value_name = "NAME", default_value = PROJECT)]
    project: String,
    /// The folder that manifest.json goes to
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The release's name; by default the image's version
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// The lowest firmware levels on which to trust it: TOML with a table for each product line
    #[arg(long, value_name = "FILE")]
    minimum_tcb: Option<PathBuf>,
    #[command(flatten)]
    machines: Machines,
    #[command(flatten)]
    signing: Signing,
}

/// The SNP machines that an image is measured for.
#[derive(Args)]
struct Machines {
    /// How many virtual CPUs, by commas
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1,2,4,8,16,32,64", value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_VCPUS)))]
    vcpus: Vec<u32>,
    /// Which CPU types, by commas
    #[arg(
        long,
        value_name = "TYPE",
        value_delimiter = ',',
        default_value = "EPYC-v4,EPYC-Milan,EPYC-Genoa,EPYC-Turin"
    )]
    cpu: Vec<CpuType>,
}

#[derive(Args)]
pub(crate) struct RenewArguments {
    /// The manifest so far
    #[arg(value_name = "FILE")]
    manifest: PathBuf,
    /// Higher than before: clients refuse to go back
    #[arg(long, value_name = "N")]
    epoch: u64,
    /// The release key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The public half of the key that signed it before; by default --key's
    #[arg(long, value_name = "FILE")]
    signed_by: Option<PathBuf>,
    /// The project, where the manifest names none (v0.1.3 and before)
    #[arg(long, value_name = "NAME", default_value = PROJECT)]
    project: String,
    /// The manifest to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    signing: Signing,
    #[command(flatten)]
    naming: Naming,
}

#[derive(Args)]
pub(crate) struct EndorseArguments {
    /// The release's manifest
    #[arg(value_name = "FILE")]
    manifest: PathBuf,
    /// A release key that your root vouches for
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The public half of the key that signed the manifest; by default --key's
    #[arg(long, value_name = "FILE")]
    signed_by: Option<PathBuf>,
    /// The project, where the manifest names none (v0.1.3 and before)
    #[arg(long, value_name = "NAME", default_value = PROJECT)]
    project: String,
    /// The endorsement to write, in place of the one before
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    signing: Signing,
}

pub(crate) fn run(command: ReleaseCommand) -> Result<()> {
    match command {
        ReleaseCommand::Make(arguments) => make(arguments),
        ReleaseCommand::Renew(arguments) => renew(&arguments),
        ReleaseCommand::Endorse(arguments) => endorse(&arguments),
    }
}

fn make(arguments: MakeArguments) -> Result<()> {
    let passphrase = Passphrase::from(arguments.signing.passphrase_file.as_deref());
    // A root signs no releases, the development root among them: there, too, it vouches for a key that does.
    let key = SigningKey::read(&arguments.key, &passphrase, Development::Refused)?;
    let minimum_tcb = arguments.minimum_tcb.as_deref().map(read_levels);
    let out = arguments.out.join(MANIFEST);
    let making = Making {
        shapes: Shapes {
            vcpus: arguments.machines.vcpus,
            cpu: arguments.machines.cpu,
        },
        project: arguments.project,
        name: arguments.name,
        epoch: arguments.epoch,
        span: arguments.signing.span()?,
        minimum_tcb: minimum_tcb.transpose()?.unwrap_or_default(),
        image: arguments.image,
    };
    eprintln!("measuring {} …", making.image.display());
    let (release, files) = publish::make(making, &key, &out)?;
    println!(
        "project {}\nrelease {}, epoch {}, until {}\n{files} files, {} launch digests, {} sets of TDX registers\nkey     {}\nwrote   {}",
        release.project.unwrap_or_default(),
        release.release,
        release.epoch,
        release.expires,
        release.measurements.snp.len(),
        release.measurements.tdx.len(),
        key.public().id(),
        out.display(),
    );
    Ok(())
}

/// The key that signed what is there: the one named, or this one.
fn public_half(named: Option<&Path>, key: &SigningKey) -> Result<PublicKey> {
    match named {
        Some(path) => Ok(read_public(path, Development::Refused)?),
        None => Ok(key.public().clone()),
    }
}

fn renew(arguments: &RenewArguments) -> Result<()> {
    let passphrase_file = arguments.signing.passphrase_file.as_deref();
    let key = arguments.naming.key(&arguments.key, passphrase_file)?;
    let signed_by = public_half(arguments.signed_by.as_deref(), &key)?;
    let renewal = Renewal {
        epoch: arguments.epoch,
        span: arguments.signing.span()?,
        project: &arguments.project,
    };
    let (release, before) = publish::renew(
        &arguments.manifest,
        &signed_by,
        &renewal,
        &key,
        &arguments.out,
    )?;
    println!(
        "release {}, epoch {} after {}, until {}\nkey     {}\nwrote   {}",
        release.release,
        release.epoch,
        before.epoch,
        release.expires,
        key.public().id(),
        arguments.out.display()
    );
    Ok(())
}

fn endorse(arguments: &EndorseArguments) -> Result<()> {
    let passphrase = Passphrase::from(arguments.signing.passphrase_file.as_deref());
    let key = SigningKey::read(&arguments.key, &passphrase, Development::Refused)?;
    let signed_by = public_half(arguments.signed_by.as_deref(), &key)?;
    let endorsement = publish::endorse(
        &arguments.manifest,
        &signed_by,
        (arguments.signing.span()?, &arguments.project),
        &key,
        &arguments.out,
    )?;
    println!(
        "release {}, epoch {}, endorsed until {}\nkey     {}\nwrote   {}",
        endorsement.release,
        endorsement.epoch,
        endorsement.until,
        key.public().id(),
        arguments.out.display()
    );
    Ok(())
}
