//! What the owner says to a purse.

use tycho_types::{
    cell::{Cell, CellBuilder, CellFamily, HashBytes, Store},
    error::Error,
    models::StdAddr,
};

/// The first 32 bits of a signed order.
const OWNER: u32 = 0x4f57_4e31;

/// What is ordered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Locks money for a payee: in a new lane, or more of it in one that is open.
    Lock(Lock),
    /// Begins to close a lane: its payee can claim until the lane's delay has passed.
    StartClose {
        /// Which.
        lane: u32,
    },
    /// Frees what is left in a lane whose delay has passed.
    Free {
        /// Which.
        lane: u32,
    },
    /// Sends free money home.
    Withdraw {
        /// Nano.
        amount: u64,
    },
}

/// Money for a payee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lock {
    /// 0: a new lane. Otherwise the rest must be as the lane has it.
    pub lane: u32,
    /// Who is paid.
    pub payee: StdAddr,
    /// Nano.
    pub amount: u64,
    /// Seconds between the beginning of closing and its end.
    pub close_delay: u32,
    /// Ed25519: signs caps on the lane.
    pub spend_key: [u8; 32],
}

/// An action, for one purse, once, for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// The purse's account in workchain 0.
    pub purse: [u8; 32],
    /// The number that the purse expects next.
    pub seqno: u32,
    /// Unix seconds: afterwards it counts no more.
    pub valid_until: u32,
    /// What is ordered.
    pub action: Action,
}

impl Order {
    /// What is signed is this cell's hash.
    pub fn cell(&self) -> Cell {
        self.build().expect("an order fits into a cell")
    }

    /// The body of the message, with the owner's signature on [`Self::cell`]'s hash.
    pub fn signed(&self, signature: &[u8; 64]) -> Cell {
        let body = || {
            let mut body = CellBuilder::new();
            body.store_u32(OWNER)?;
            body.store_raw(signature, 512)?;
            body.store_reference(self.cell())?;
            body.build()
        };
        body().expect("a signature and a reference fit into a cell")
    }

    fn build(&self) -> Result<Cell, Error> {
        let mut cell = CellBuilder::new();
        cell.store_u256(&HashBytes(self.purse))?;
        cell.store_u32(self.seqno)?;
        cell.store_u32(self.valid_until)?;
        match &self.action {
            Action::Lock(lock) => {
                cell.store_u8(1)?;
                cell.store_u32(lock.lane)?;
                lock.payee.store_into(&mut cell, Cell::empty_context())?;
                cell.store_u64(lock.amount)?;
                cell.store_u32(lock.close_delay)?;
                cell.store_u256(&HashBytes(lock.spend_key))?;
            }
            Action::StartClose { lane } => {
                cell.store_u8(2)?;
                cell.store_u32(*lane)?;
            }
            Action::Free { lane } => {
                cell.store_u8(3)?;
                cell.store_u32(*lane)?;
            }
            Action::Withdraw { amount } => {
                cell.store_u8(4)?;
                cell.store_u64(*amount)?;
            }
        }
        cell.build()
    }
}
