//! Has the chain take an order of the owner's, and waits until it shows.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use anyhow::{anyhow, bail};
use chrysalis_chain::{
    Cell, Chain, ChainError, address,
    purse::{self, Action, Keys, Order, State},
};
use chrysalis_settle::Sign;

/// For how long an order counts. The shorter, the sooner it is known that it was lost.
const VALID: u32 = 60;
/// How long after that to look, on a chain whose answers are behind.
const LATER: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many of those pass before a message is sent again, which changes nothing where it was taken.
const SEND_EVERY: u32 = 5;
/// The most transactions to look through for an order.
const RECENT: u16 = 20;

/// A purse as its chain shows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    /// Nano.
    pub(super) balance: u64,
    /// `None`: no order was taken yet.
    pub(super) state: Option<State>,
    /// Nano that the chain takes a year for what is there.
    pub(super) rent: u64,
    /// Unix seconds on the chain.
    pub(super) at: u32,
    /// The last transaction's logical time.
    last: u64,
}

impl Seen {
    /// Nano that are not locked; some of it pays fees.
    pub(super) fn unlocked(&self) -> u64 {
        let owed = self.state.as_ref().map_or(0, |state| state.owed);
        self.balance.saturating_sub(owed)
    }
}

/// Looks at the purse with these keys.
pub(super) fn look(chain: &dyn Chain, keys: &Keys) -> anyhow::Result<Seen> {
    let account = chain.account(&keys.address()).map_err(told)?;
    let contract = account.contract.as_ref();
    let rent = contract.and_then(chrysalis_chain::Contract::rent_a_year);
    // The address follows from the code and the keys, so a chain that shows something else there lies.
    let state = account.contract.map(|it| State::of(&it, &keys.address()));
    let state = state
        .transpose()
        .map_err(|error| anyhow!("{error}\nhint: ask another chain with chain in purse.toml"))?;
    Ok(Seen {
        balance: account.balance,
        state,
        rent: rent.unwrap_or_default(),
        at: account.at,
        last: account.last.0,
    })
}

/// Orders it, and returns the purse as it is afterwards.
pub(super) fn carry_out(
    chain: &dyn Chain,
    keys: &Keys,
    owner: &dyn Sign,
    action: Action,
) -> anyhow::Result<Seen> {
    let network = chain.global_id().map_err(told)?;
    if network != keys.network {
        bail!(
            "the purse is of network {}, and the chain is {network}; on it the purse can do nothing",
            keys.network
        );
    }
    let before = look(chain, keys)?;
    if before.balance == 0 {
        bail!(
            "there is nothing in the purse yet\nhint: send money to {} first; the first order makes the purse",
            address::friendly(&keys.address())
        );
    }
    let seqno = before.state.as_ref().map_or(0, |state| state.seqno);
    let order = Order {
        purse: keys.address().address.0,
        seqno,
        valid_until: before.at.saturating_add(VALID),
        action,
    };
    let digest = order.cell().repr_hash().0;
    let signature = owner.sign(&digest);
    let body = order.signed(&signature.ok_or_else(|| anyhow!("the owner's key does not sign"))?);
    let init = before.state.is_none().then(|| keys.state_init());
    let message = purse::message(&keys.address(), init, &body);
    chain.send(&message).map_err(told)?;
    let seen = wait(chain, keys, &message, &before, order.valid_until)?;
    let taken = chain
        .transactions(&keys.address(), before.last, RECENT)
        .map_err(told)?;
    let ours = taken.iter().any(|transaction| {
        let message = transaction.in_msg.as_ref();
        message.is_some_and(|it| has_body(it, &body))
    });
    if ours {
        Ok(seen)
    } else {
        Err(anyhow!(
            "another order came first\nhint: look with `chrysalis pay status`, and order again if you still want to"
        ))
    }
}

/// Whether a message from outside brought this.
fn has_body(message: &Cell, body: &Cell) -> bool {
    purse::body(message).is_some_and(|found| found == *body)
}

/// Until the purse has taken the order with its number, or never will.
fn wait(
    chain: &dyn Chain,
    keys: &Keys,
    message: &Cell,
    before: &Seen,
    valid_until: u32,
) -> anyhow::Result<Seen> {
    let seqno = before.state.as_ref().map_or(0, |state| state.seqno);
    let began = Instant::now();
    let patience = Duration::from_secs(VALID.into()) + LATER;
    for turn in 1.. {
        // What cannot be asked now may be later, and the order is on its way.
        let seen = look(chain, keys);
        if let Ok(seen) = &seen {
            if seen.state.as_ref().is_some_and(|state| state.seqno > seqno) {
                return Ok(seen.clone());
            }
            if seen.at > valid_until {
                break;
            }
        }
        if began.elapsed() > patience {
            break;
        }
        sleep(LOOK_EVERY);
        if turn % SEND_EVERY == 0 {
            // Refused, if it was taken in the meantime.
            let _ = chain.send(message);
        }
    }
    bail!(
        "the chain did not take the order in time, and will not any more; nothing changed\nhint: try again; if it stays so, ask another chain interface with chain in purse.toml"
    )
}

/// With what to do next.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it is what `map_err` hands over"
)]
pub(super) fn told(error: ChainError) -> anyhow::Error {
    let hint = match &error {
        ChainError::Refused {
            exit_code: Some(code),
        } => refusal(*code),
        _ => error.hint(),
    };
    anyhow!("{error} ({})\nhint: {hint}", error.code())
}

/// What a purse's exit code asks of its owner (docs/spec/settle.md).
fn refusal(code: i32) -> &'static str {
    match code {
        404 => "there is no such lane; `chrysalis pay status` shows those there are",
        406 | 412 => {
            "not that much is free: what is locked stays locked, and fees and rent need about 0.1 GRAM; send more money, or ask for less"
        }
        408 => "the order came too late; try again",
        409 => "another order came first; try again",
        407 => "the delay is between 1 hour and 7 days",
        410 => "the lane is closing; lock a new one",
        411 => "the lane is open, or still closing; `chrysalis pay status` says until when",
        413 => "the purse has 256 lanes; free one",
        416 => "that address is in no workchain that can be paid",
        417 => "the lane is for another provider, delay or key; lock a new one",
        _ => "docs/spec/settle.md says what each exit code means",
    }
}
