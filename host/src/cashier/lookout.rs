//! Asks the chain about purses: not too often, and never taking an older answer for a newer one.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use chrysalis_chain::{Chain, ChainError, LOCAL_ID};
use tycho_types::{
    cell::Cell,
    models::{StdAddr, Transaction},
};

use super::lane::{Sight, address};
use crate::mutex::held;

/// The least time between two questions: 5 a second.
const GAP: Duration = Duration::from_millis(200);
/// The longest that a question of the enclave waits for its turn. One of a round waits for as long as it takes, which is hardly longer: so
/// many questions about lanes that do not exist keep no claim back.
const MAX_WAIT: Duration = Duration::from_secs(5);
/// How long an answer older than the newest is refused. Not forever: the newest may have been a lie.
const STALE: Duration = Duration::from_mins(10);
/// The most purses whose last answer is kept.
const MAX_KEPT: usize = 256;
/// The most transactions of one answer.
pub(crate) const MAX_TRANSACTIONS: u16 = 100;

/// The chain, as one payee asks it.
pub(crate) struct Lookout {
    chain: Box<dyn Chain + Send + Sync>,
    payee: StdAddr,
    /// The chain's global id, once it is known.
    network: Mutex<Option<i32>>,
    /// When the next question may be asked.
    next: Mutex<Instant>,
    seen: Mutex<BTreeMap<[u8; 32], Seen>>,
}

struct Seen {
    sight: Arc<Sight>,
    at: Instant,
}

/// Why nothing is known of a purse now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Unseen {
    /// The chain says that there is none, or none of ours.
    NoPurse,
    /// The chain gives no answer that counts.
    Unreachable(String),
}

impl From<ChainError> for Unseen {
    fn from(error: ChainError) -> Self {
        Self::Unreachable(format!("{error}\nhint: {}", error.hint()))
    }
}

impl Lookout {
    /// `network` is the global id that the chain must have, where it is known already.
    pub(crate) fn new(
        chain: Box<dyn Chain + Send + Sync>,
        payee: StdAddr,
        network: Option<i32>,
    ) -> Self {
        Self {
            chain,
            payee,
            network: Mutex::new(network),
            next: Mutex::new(Instant::now()),
            seen: Mutex::default(),
        }
    }

    /// Who is paid.
    pub(crate) fn payee(&self) -> &StdAddr {
        &self.payee
    }

    /// The chain's global id: asked once, unless it is known.
    pub(crate) fn network(&self) -> Result<i32, Unseen> {
        if let Some(network) = *held(&self.network) {
            return Ok(network);
        }
        let found = self.chain.global_id()?;
        *held(&self.network) = Some(found);
        Ok(found)
    }

    /// The chain's global id, where it is known by now.
    pub(crate) fn known_network(&self) -> Option<i32> {
        *held(&self.network)
    }

    /// Whether it is the local chain, where one answer is enough: nothing there is worth anything.
    pub(crate) fn is_local(&self) -> bool {
        *held(&self.network) == Some(LOCAL_ID)
    }

    /// The purse as it was at most so long ago. Blocks.
    pub(crate) fn look(&self, purse: &[u8; 32], age: Duration) -> Result<Arc<Sight>, Unseen> {
        if let Some(kept) = self.kept(purse, age) {
            return Ok(kept);
        }
        self.ask(purse, MAX_WAIT)
    }

    /// The purse as it is now, for a round. Blocks.
    pub(crate) fn look_now(&self, purse: &[u8; 32]) -> Result<Arc<Sight>, Unseen> {
        self.ask(purse, Duration::MAX)
    }

    fn ask(&self, purse: &[u8; 32], most: Duration) -> Result<Arc<Sight>, Unseen> {
        let network = self.network()?;
        self.turn(most)?;
        let account = self.chain.account(&address(purse))?;
        let sight = Sight::of(&account, purse, &self.payee, network).ok_or(Unseen::NoPurse)?;
        self.keep(purse, sight)
    }

    /// The last answer, if it came at most so long ago.
    pub(crate) fn kept(&self, purse: &[u8; 32], age: Duration) -> Option<Arc<Sight>> {
        let seen = held(&self.seen);
        let seen = seen.get(purse).filter(|seen| seen.at.elapsed() < age)?;
        Some(Arc::clone(&seen.sight))
    }

    fn keep(&self, purse: &[u8; 32], sight: Sight) -> Result<Arc<Sight>, Unseen> {
        let mut seen = held(&self.seen);
        let newest = seen.get(purse).filter(|newest| newest.at.elapsed() < STALE);
        if newest.is_some_and(|newest| newest.sight.lt > sight.lt) {
            let why = "the chain's answer is older than the one before it";
            return Err(Unseen::Unreachable(why.to_owned()));
        }
        let sight = Arc::new(sight);
        let entry = Seen {
            sight: Arc::clone(&sight),
            at: Instant::now(),
        };
        seen.insert(*purse, entry);
        if seen.len() > MAX_KEPT {
            let oldest = seen.iter().min_by_key(|(_, seen)| seen.at);
            let oldest = oldest.map(|(purse, _)| *purse);
            if let Some(purse) = oldest {
                seen.remove(&purse);
            }
        }
        Ok(sight)
    }

    /// The payee's transactions after this logical time, the newest first. Blocks.
    pub(crate) fn payments(&self, after: u64) -> Result<Vec<Transaction>, Unseen> {
        self.turn(Duration::MAX)?;
        Ok(self
            .chain
            .transactions(&self.payee, after, MAX_TRANSACTIONS)?)
    }

    /// Sends a message. Blocks.
    pub(crate) fn send(&self, message: &Cell) -> Result<(), ChainError> {
        self.chain.send(message)
    }

    /// Waits for the next question's turn, for so long at most.
    fn turn(&self, most: Duration) -> Result<(), Unseen> {
        let wait = {
            let mut next = held(&self.next);
            let now = Instant::now();
            let wait = next.saturating_duration_since(now);
            if wait > most {
                let why = "too many questions wait for the chain";
                return Err(Unseen::Unreachable(why.to_owned()));
            }
            *next = (*next).max(now).checked_add(GAP).unwrap_or(now);
            wait
        };
        thread::sleep(wait);
        Ok(())
    }
}
