//! `pay init` and `pay address`.

use std::path::PathBuf;

use anyhow::{Context, bail};
use chrysalis_chain::{Address, Chain, address, purse::Keys, server};
use chrysalis_image::publish::{Passphrase, SigningKey};
use clap::Args;
use tokio::task::spawn_blocking;

use super::{
    amount::nano,
    folder::{Folder, owner_path, private_folder, public},
    options::Which,
    order::told,
};
use crate::{outcome::Outcome, printable::print, progress::during};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis pay init --home UQB3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d3d0x0 --chain http://127.0.0.1:8081/api/v2"
)]
pub(crate) struct InitArguments {
    #[command(flatten)]
    pub(crate) which: Which,
    /// Where money goes that you take home: an address of your own wallet. It can never be changed, and money can go nowhere else
    #[arg(long, value_name = "ADDRESS", value_parser = address_of)]
    pub(crate) home: Address,
    /// The chain's interface (toncenter's, version 2): what to ask and where to send orders
    #[arg(long, value_name = "URL")]
    pub(crate) chain: String,
    /// A file with the key for that interface
    #[arg(long, value_name = "FILE")]
    pub(crate) chain_key_file: Option<PathBuf>,
    /// Tells purses of one key apart
    #[arg(long, value_name = "NUMBER", default_value_t = 0)]
    pub(crate) salt: u64,
    /// The passphrase of the owner's key is the first line of this file, instead of being asked for
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Leave the owner's key unencrypted: anyone who can read the file can close lanes and send money home
    #[arg(long, conflicts_with = "passphrase_file")]
    pub(crate) no_passphrase: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chrysalis pay address --amount 3")]
pub(crate) struct AddressArguments {
    #[command(flatten)]
    pub(crate) which: Which,
    /// How much a wallet is to suggest, in GRAM
    #[arg(long, value_name = "GRAM", value_parser = nano)]
    pub(crate) amount: Option<u64>,
}

/// An address on the command line.
pub(super) fn address_of(text: &str) -> Result<Address, String> {
    address::parse(text).ok_or_else(|| {
        format!("{text} is no address; it looks like UQ… with 48 letters, and one was perhaps lost")
    })
}

pub(super) async fn init(arguments: InitArguments) -> anyhow::Result<Outcome> {
    let folder = arguments.which.path()?;
    let key_path = owner_path(&folder);
    if key_path.exists() {
        bail!(
            "{} is there already\nhint: name another folder with --purse; a purse's key is never replaced",
            key_path.display()
        );
    }
    let chain_there = server::open(&arguments.chain, arguments.chain_key_file.as_deref())?;
    let asking = spawn_blocking(move || chain_there.global_id());
    let network = during("asking the chain which it is", asking).await?;
    let network = network.map_err(told)?;
    private_folder(&folder)?;
    let key = if arguments.no_passphrase {
        SigningKey::make_open(&key_path)?
    } else {
        let passphrase = Passphrase::from(arguments.passphrase_file.as_deref());
        SigningKey::make(&key_path, &passphrase)?
    };
    let keys = Keys {
        owner: public(&key)?,
        home: arguments.home,
        network,
        salt: arguments.salt,
    };
    let made = Folder::make(folder.clone(), keys, arguments.chain);
    let made = made.with_context(|| format!("the key is in {}", key_path.display()))?;
    eprintln!(
        "made a purse in {}; keep a copy of it: without owner.pem no lane can be closed and no money taken home",
        folder.display()
    );
    print(&format!("{}\n", address::friendly(&made.address())))?;
    Ok(Outcome::Yes)
}

pub(super) fn address(arguments: &AddressArguments) -> anyhow::Result<Outcome> {
    let folder = arguments.which.open()?;
    let to = address::friendly(&folder.address());
    let link = match arguments.amount {
        Some(amount) => format!("ton://transfer/{to}?amount={amount}"),
        None => format!("ton://transfer/{to}"),
    };
    print(&format!("{to}\n{link}\n"))?;
    Ok(Outcome::Yes)
}
