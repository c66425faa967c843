//! `pay lock`, `close`, `free` and `withdraw`.

use std::time::Duration;

use anyhow::{Context, bail};
use chrysalis_chain::{
    Address, address,
    purse::{Action, Lock},
};
use clap::Args;
use tokio::task::spawn_blocking;

use super::{
    amount::{gram, nano},
    folder::Folder,
    init::address_of,
    options::Ordering,
    order::{Seen, carry_out, look},
    status::adopt,
};
use crate::{options::duration, outcome::Outcome, printable::print, progress::during};

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis pay lock UQCyu7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7uwAl 0.5\n  chrysalis pay lock UQBw… 0.5 --lane 1795996800"
)]
pub(crate) struct LockArguments {
    #[command(flatten)]
    pub(crate) ordering: Ordering,
    /// The provider's address
    #[arg(value_name = "PAYEE", value_parser = address_of)]
    pub(crate) payee: Address,
    /// How much, in GRAM
    #[arg(value_name = "GRAM", value_parser = nano)]
    pub(crate) amount: u64,
    /// Add to this lane instead of opening one
    #[arg(long, value_name = "LANE")]
    pub(crate) lane: Option<u32>,
    /// How long the provider can claim once you begin to close the lane: 1h to 168h
    #[arg(long, value_name = "TIME", default_value = "6h", value_parser = duration, conflicts_with = "lane")]
    pub(crate) close_delay: Duration,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis pay close 1795996800\n  chrysalis pay free 1795996800"
)]
pub(crate) struct LaneArguments {
    #[command(flatten)]
    pub(crate) ordering: Ordering,
    /// The lane's number
    #[arg(value_name = "LANE")]
    pub(crate) lane: u32,
}

#[derive(Debug, Args)]
#[command(after_help = "Example:\n  chrysalis pay withdraw 1.5")]
pub(crate) struct WithdrawArguments {
    #[command(flatten)]
    pub(crate) ordering: Ordering,
    /// How much, in GRAM
    #[arg(value_name = "GRAM", value_parser = nano)]
    pub(crate) amount: u64,
}

/// Has the purse do it, and shows that something is under way.
async fn order(ordering: &Ordering, folder: &Folder, action: Action) -> anyhow::Result<Seen> {
    let chain = folder.chain(ordering.asking.chain_key_file.as_deref())?;
    let owner = folder.owner(ordering.passphrase_file.as_deref())?;
    let keys = folder.keys().clone();
    let ordered = spawn_blocking(move || carry_out(&chain, &keys, &owner, action));
    during("waiting for the chain to take the order", ordered).await?
}

async fn seen(ordering: &Ordering, folder: &Folder) -> anyhow::Result<Seen> {
    let chain = folder.chain(ordering.asking.chain_key_file.as_deref())?;
    let keys = folder.keys().clone();
    let looked = spawn_blocking(move || look(&chain, &keys));
    during("asking the chain", looked).await?
}

pub(super) async fn lock(arguments: LockArguments) -> anyhow::Result<Outcome> {
    let folder = arguments.ordering.asking.which.open()?;
    let before = seen(&arguments.ordering, &folder).await?;
    adopt(&folder, &before)?;
    let Some(number) = arguments.lane else {
        return lock_new(&arguments, &folder).await;
    };
    let lane = before
        .state
        .as_ref()
        .and_then(|state| state.lanes.get(&number));
    let lane = lane.with_context(|| {
        format!("there is no lane {number}\nhint: `chrysalis pay status` shows those there are")
    })?;
    let action = Action::Lock(Lock {
        lane: number,
        payee: arguments.payee,
        amount: arguments.amount,
        close_delay: lane.close_delay,
        spend_key: lane.spend_key,
    });
    order(&arguments.ordering, &folder, action).await?;
    print(&format!(
        "locked {} more in lane {number}\n",
        gram(arguments.amount)
    ))?;
    Ok(Outcome::Yes)
}

async fn lock_new(arguments: &LockArguments, folder: &Folder) -> anyhow::Result<Outcome> {
    let (path, spend_key) = folder.new_lane()?;
    let delay = u32::try_from(arguments.close_delay.as_secs());
    let action = Action::Lock(Lock {
        lane: 0,
        payee: arguments.payee.clone(),
        amount: arguments.amount,
        close_delay: delay.unwrap_or(u32::MAX),
        spend_key,
    });
    let after = order(&arguments.ordering, folder, action).await?;
    let state = after
        .state
        .context("the order was taken, and there is no purse")?;
    let mut lanes = state.lanes.iter();
    let Some((number, _)) = lanes.find(|(_, lane)| lane.spend_key == spend_key) else {
        bail!(
            "the order was taken, and there is no lane with its key; look with `chrysalis pay status`"
        );
    };
    folder.number_lane(&path, *number)?;
    eprintln!(
        "locked {} for {}; pay from it with `chrysalis proxy … --pay {number}`",
        gram(arguments.amount),
        address::friendly(&arguments.payee)
    );
    print(&format!("{number}\n"))?;
    Ok(Outcome::Yes)
}

pub(super) async fn close(arguments: LaneArguments) -> anyhow::Result<Outcome> {
    let folder = arguments.ordering.asking.which.open()?;
    let lane = arguments.lane;
    let after = order(&arguments.ordering, &folder, Action::StartClose { lane }).await?;
    let closes = after
        .state
        .and_then(|state| Some(state.lanes.get(&lane)?.closes_at))
        .unwrap_or_default();
    let left = closes.saturating_sub(after.at);
    print(&format!(
        "lane {lane} closes in {left} s; then free it with `chrysalis pay free {lane}`\n"
    ))?;
    Ok(Outcome::Yes)
}

pub(super) async fn free(arguments: LaneArguments) -> anyhow::Result<Outcome> {
    let folder = arguments.ordering.asking.which.open()?;
    let lane = arguments.lane;
    let after = order(&arguments.ordering, &folder, Action::Free { lane }).await?;
    print(&format!(
        "lane {lane} is gone; {} are not locked\n",
        gram(after.unlocked())
    ))?;
    Ok(Outcome::Yes)
}

pub(super) async fn withdraw(arguments: WithdrawArguments) -> anyhow::Result<Outcome> {
    let folder = arguments.ordering.asking.which.open()?;
    let amount = arguments.amount;
    let home = address::friendly(&folder.keys().home);
    order(&arguments.ordering, &folder, Action::Withdraw { amount }).await?;
    print(&format!("sent {} to {home}\n", gram(amount)))?;
    Ok(Outcome::Yes)
}
