//! What a provider may say about being paid.

use std::path::PathBuf;

use chrysalis_chain::{address, amount};
use clap::Args;
use tycho_types::models::StdAddr;

use super::answers::Conditions;
use crate::state;

/// The database's name in the state folder.
const DATABASE: &str = "cashier.db";

/// Options of a run that is paid for.
#[derive(Debug, Args)]
pub(crate) struct PaymentOptions {
    /// Who is paid: the address of your account. Its key stays in your wallet
    #[arg(long, value_name = "ADDRESS", requires_all = ["till", "floor"], value_parser = payee)]
    pub(crate) payee: Option<StdAddr>,
    /// Where the chain is asked about purses, and claims are sent: toncenter's HTTP interface, version 2, such as
    /// `https://chain.example/api/v2`. May be repeated: of several servers, what two say counts
    #[arg(long, value_name = "URL", requires = "payee", group = "till")]
    pub(crate) chain: Vec<String>,
    /// A file with the key that the chain's server gave you; repeated, in the order of --chain
    #[arg(long, value_name = "FILE", requires = "chain")]
    pub(crate) chain_key_file: Vec<PathBuf>,
    /// The least price that you work for: nano for 1,000,000 units of weight 1
    #[arg(long, value_name = "NANO")]
    pub(crate) floor: Option<u64>,
    #[command(flatten)]
    pub(crate) lanes: LaneOptions,
    /// The cashier's database [default: cashier.db in the state folder]
    #[arg(
        long,
        value_name = "FILE",
        requires = "payee",
        conflicts_with = "fleet_cashier"
    )]
    pub(crate) cashier: Option<PathBuf>,
    /// Where the cashier of the fleet is that this host belongs to, `chrysalis-host cashier serve`: it asks the chain and claims
    #[arg(long, value_name = "HOST:PORT", requires_all = ["payee", "fleet_secret_file"], group = "till")]
    pub(crate) fleet_cashier: Option<String>,
    /// A file with the secret that the fleet shares
    #[arg(long, value_name = "FILE", requires = "fleet_cashier")]
    pub(crate) fleet_secret_file: Option<PathBuf>,
}

/// Options of a fleet's cashier.
#[derive(Debug, Args)]
pub(crate) struct FleetOptions {
    /// Who is paid: the address of your account. Its key stays in your wallet
    #[arg(long, value_name = "ADDRESS", value_parser = payee)]
    pub(crate) payee: StdAddr,
    #[command(flatten)]
    pub(crate) lanes: LaneOptions,
    #[command(flatten)]
    pub(crate) chain: ChainOptions,
    /// The cashier's database [default: cashier.db in the state folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) cashier: Option<PathBuf>,
    /// Keep everything in a PostgreSQL database instead, such as "host=/run/postgresql dbname=cashier": several cashiers may share it
    #[cfg(feature = "postgres")]
    #[arg(long, value_name = "WORDS", conflicts_with = "cashier")]
    pub(crate) postgres: Option<String>,
}

/// Which lanes are served.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct LaneOptions {
    /// The smallest lane that you serve, in coins
    #[arg(long, value_name = "COINS", requires = "payee", default_value = "0.1", value_parser = coins)]
    pub(crate) lane_min: u64,
    /// The shortest delay of a lane's closing that you serve, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        requires = "payee",
        default_value_t = 3600
    )]
    pub(crate) delay_min: u64,
}

/// How a command asks the chain.
#[derive(Debug, Args)]
pub(crate) struct ChainOptions {
    /// Where the chain is asked about purses, and claims are sent: toncenter's HTTP interface, version 2, such as
    /// `https://chain.example/api/v2`. May be repeated: of several servers, what two say counts
    #[arg(long, value_name = "URL", required = true)]
    pub(crate) chain: Vec<String>,
    /// A file with the key that the chain's server gave you; repeated, in the order of --chain
    #[arg(long, value_name = "FILE")]
    pub(crate) chain_key_file: Vec<PathBuf>,
}

/// Which database a command reads.
#[derive(Debug, Args)]
pub(crate) struct DatabaseOptions {
    /// The cashier's database, or a copy of it [default: cashier.db in the state folder]
    #[arg(long, value_name = "FILE", conflicts_with = "state")]
    pub(crate) cashier: Option<PathBuf>,
    /// The state folder [default: as `run`]
    #[arg(long, value_name = "DIR")]
    pub(crate) state: Option<PathBuf>,
}

impl DatabaseOptions {
    /// The database's path.
    pub(crate) fn path(&self) -> anyhow::Result<PathBuf> {
        match (&self.cashier, &self.state) {
            (Some(file), _) => Ok(file.clone()),
            (None, Some(folder)) => Ok(folder.join(DATABASE)),
            (None, None) => Ok(state::default_path()?.join(DATABASE)),
        }
    }
}

/// The database of a run with this state folder.
pub(super) fn database(named: Option<&PathBuf>, state: &state::StateFolder) -> PathBuf {
    named.cloned().unwrap_or_else(|| state.join(DATABASE))
}

impl PaymentOptions {
    /// For whom is worked.
    pub(crate) fn conditions(&self) -> Conditions {
        self.lanes.conditions(self.floor.unwrap_or_default())
    }
}

impl LaneOptions {
    /// For whom is worked, at this price or more.
    pub(crate) fn conditions(self, floor: u64) -> Conditions {
        Conditions {
            floor,
            lane_min: self.lane_min,
            delay_min: self.delay_min,
        }
    }
}

fn coins(text: &str) -> Result<u64, String> {
    amount::read(text).ok_or_else(|| "give an amount in coins, such as 0.1".to_owned())
}

fn payee(text: &str) -> Result<StdAddr, String> {
    let wrong =
        || "give an account's address, as a wallet shows it, or as 0:… with 64 hexadecimal digits";
    let address = address::parse(text).ok_or_else(wrong)?;
    let is_there = matches!(address.workchain, 0 | -1) && address.anycast.is_none();
    is_there
        .then_some(address)
        .ok_or_else(|| "the account must be in workchain 0 or -1: a purse pays no other".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_smallest_lane() {
        assert_eq!(coins("0.1"), Ok(100_000_000));
        for wrong in ["", "-1", "0.0000000001", "many"] {
            assert!(coins(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn reads_an_address_as_wallets_show_it() {
        let raw = format!("0:{}", "ab".repeat(32));
        let address = payee(&raw).unwrap();
        for text in [
            address.display_base64_url(true).to_string(),
            address.display_base64(false).to_string(),
        ] {
            assert_eq!(payee(&text), Ok(address.clone()), "{text}");
        }
        for wrong in ["", "0:ab", &format!("1:{}", "ab".repeat(32))] {
            assert!(payee(wrong).is_err(), "{wrong}");
        }
    }
}
