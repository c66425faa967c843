//! What a payee, or anyone for it, shows to a purse to be paid.

use chrysalis_settle::Credential;
use tycho_types::{
    cell::{Cell, CellBuilder, HashBytes},
    error::Error,
};

/// The first 32 bits of a claim.
const CLAIM: u32 = 0x434c_4d31;

/// A cap and a receipt on the same tab. Nothing in it is secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// The client's cap, signed by the lane's spend key.
    pub credential: Credential,
    /// The enclave's receipt key.
    pub receipt_key: [u8; 32],
    /// Nano that are owed on the tab.
    pub cumulative: u64,
    /// The head of the tab's chain of jobs.
    pub head: [u8; 32],
    /// Ed25519 by the receipt key.
    pub signature: [u8; 64],
}

impl Claim {
    /// The body of the message.
    pub fn cell(&self) -> Cell {
        self.build()
            .expect("a claim fits into a cell and two below it")
    }

    fn build(&self) -> Result<Cell, Error> {
        let Credential {
            tab,
            cap,
            signature,
        } = &self.credential;
        let mut cell = CellBuilder::new();
        cell.store_u32(CLAIM)?;
        cell.store_u32(tab.lane)?;
        cell.store_u16(tab.branch)?;
        cell.store_u256(&HashBytes(self.receipt_key))?;
        cell.store_u64(*cap)?;
        cell.store_u64(self.cumulative)?;
        cell.store_u256(&HashBytes(self.head))?;
        cell.store_reference(of(signature)?)?;
        cell.store_reference(of(&self.signature)?)?;
        cell.build()
    }
}

fn of(signature: &[u8; 64]) -> Result<Cell, Error> {
    let mut cell = CellBuilder::new();
    cell.store_raw(signature, 512)?;
    cell.build()
}
