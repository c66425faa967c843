//! `pay lock`, `close`, `free` and `withdraw`.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail};
use chrysalis_chain::{
    Address, address,
    purse::{Action, Lock},
};
use chrysalis_client::proxy::{Network, NetworkProxy};
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
use crate::{
    network,
    options::{Judging, duration},
    outcome::Outcome,
    printable::print,
    progress::during,
};

/// How many providers are verified to find the best.
const CONSIDERED: usize = 5;

#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  chrysalis pay lock UQCyu7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7u7uwAl 0.5\n  chrysalis pay lock UQBw… 0.5 --lane 1795996800\n\n\
                  For the cheapest provider of a model that is listed and passes verification:\n  chrysalis pay lock best 0.5 --model smollm2-135m-instruct \
                  --network network.json --network-key network.pub"
)]
pub(crate) struct LockArguments {
    #[command(flatten)]
    pub(crate) ordering: Ordering,
    /// The provider's address; or `best`: the cheapest of a network that passes verification
    #[arg(value_name = "PAYEE", value_parser = payee_of)]
    pub(crate) payee: Payee,
    /// How much, in GRAM
    #[arg(value_name = "GRAM", value_parser = nano)]
    pub(crate) amount: u64,
    /// Add to this lane instead of opening one
    #[arg(long, value_name = "LANE")]
    pub(crate) lane: Option<u32>,
    /// How long the provider can claim once you begin to close the lane: 1h to 168h
    #[arg(long, value_name = "TIME", default_value = "6h", value_parser = duration, conflicts_with = "lane")]
    pub(crate) close_delay: Duration,
    /// With `best`: for which model
    #[arg(long, value_name = "NAME")]
    pub(crate) model: Option<String>,
    /// With `best`: what you require of the enclave, instead of the network's own policy
    #[arg(long, value_name = "FILE", requires = "network")]
    pub(crate) policy: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) network: network::Named,
}

/// Who is to be paid.
#[derive(Debug, Clone)]
pub(crate) enum Payee {
    /// This account.
    Named(Address),
    /// Whoever of a network is verified and cheapest.
    Best,
}

fn payee_of(text: &str) -> Result<Payee, String> {
    match text {
        "best" => Ok(Payee::Best),
        _ => address_of(text).map(Payee::Named),
    }
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
    let (payee, delay) = match &arguments.payee {
        Payee::Named(payee) => (payee.clone(), arguments.close_delay.as_secs()),
        Payee::Best => match Box::pin(best(&arguments)).await {
            Ok(found) => found,
            Err(error) => return network::told(Err(error)),
        },
    };
    let Some(number) = arguments.lane else {
        return lock_new(&arguments, &folder, payee, delay).await;
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
        payee,
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

/// The account of the cheapest provider that is verified now, and how long closing a lane of its takes.
async fn best(arguments: &LockArguments) -> anyhow::Result<(Address, u64)> {
    let model = arguments.model.as_ref();
    let model = model.context(
        "best of what\nhint: name the model with --model, and the network with --network",
    )?;
    let opened = network::Opened::of(&arguments.network).await?;
    let models = opened.models(std::slice::from_ref(model))?;
    let judging = Judging::default();
    let policy = arguments.policy.as_deref();
    let party = opened.relying_party(policy, &judging, &arguments.network);
    let network = Network {
        relying_party: party.await?,
        directories: opened.directories(&models).await?,
        models,
        receipts: None,
        lanes: None,
        max_price: None,
        warm: CONSIDERED,
        hedge: false,
        allow_private: arguments.network.allow_private,
        reverify: Duration::from_hours(1),
    };
    let starting = NetworkProxy::start(network);
    let verified = during("verifying providers", starting).await?.verified();
    let fits = verified.iter().filter(|it| it.lane_min <= arguments.amount);
    let best = fits.min_by_key(|it| it.price).with_context(|| {
        let least = verified
            .iter()
            .map(|it| it.lane_min)
            .min()
            .unwrap_or_default();
        format!(
            "no verified provider takes so small a lane\nhint: lock at least {}",
            gram(least)
        )
    })?;
    eprintln!("{} asks {} for a million units", best.id, gram(best.price));
    let payee = address::parse(&format!("0:{}", hex::encode(best.payee)));
    let delay = arguments.close_delay.as_secs().max(best.delay_min);
    Ok((payee.context("the payee has no address")?, delay))
}

async fn lock_new(
    arguments: &LockArguments,
    folder: &Folder,
    payee: Address,
    delay: u64,
) -> anyhow::Result<Outcome> {
    let (path, spend_key) = folder.new_lane()?;
    let delay = u32::try_from(delay);
    let action = Action::Lock(Lock {
        lane: 0,
        payee: payee.clone(),
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
        address::friendly(&payee)
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
