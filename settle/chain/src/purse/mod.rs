//! One client's money, locked in lanes: what is written to the contract (docs/spec/settle.md), and what is read from it.

mod claim;
mod order;
mod state;

use tycho_types::{
    boc::Boc,
    cell::{Cell, CellBuilder, CellFamily, HashBytes, Store},
    error::Error,
    models::{ExtInMsgInfo, Message, MsgInfo, StateInit, StdAddr},
    num::Tokens,
};

pub use claim::Claim;
pub use order::{Action, Lock, Order};
pub use state::{Lane, NotGenuine, State};

/// The contract, compiled (settle/contracts, reproducible).
const CODE: &str = include_str!("purse.boc");

/// What a purse is made of, and its address with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    /// Ed25519: who may lock, close and take home.
    pub owner: [u8; 32],
    /// Where money goes that is taken home, and nowhere else.
    pub home: StdAddr,
    /// The chain's global id: orders count on no other.
    pub network: i32,
    /// Tells purses of one owner apart.
    pub salt: u64,
}

impl Keys {
    /// `ownerKey ‖ home ‖ network ‖ salt`.
    fn cell(&self) -> Result<Cell, Error> {
        let mut cell = CellBuilder::new();
        cell.store_u256(&HashBytes(self.owner))?;
        self.home.store_into(&mut cell, Cell::empty_context())?;
        cell.store_u32(u32::from_be_bytes(self.network.to_be_bytes()))?;
        cell.store_u64(self.salt)?;
        cell.build()
    }

    /// What the first order brings with it: the code, and an empty purse.
    pub fn state_init(&self) -> StateInit {
        let data = || {
            let mut data = CellBuilder::new();
            data.store_u32(0)?;
            data.store_u32(0)?;
            data.store_u16(0)?;
            data.store_u16(0)?;
            data.store_small_uint(0, 4)?;
            data.store_bit_zero()?;
            data.store_reference(self.cell()?)?;
            data.build()
        };
        StateInit {
            code: Some(code()),
            data: Some(data().expect("an empty purse fits into a cell")),
            ..StateInit::default()
        }
    }

    /// The purse's address: the hash of what it begins as.
    pub fn address(&self) -> StdAddr {
        let init = CellBuilder::build_from(self.state_init());
        StdAddr::new(
            0,
            *init
                .expect("a code and a purse fit into a cell")
                .repr_hash(),
        )
    }
}

/// The contract's code.
pub fn code() -> Cell {
    Boc::decode_base64(CODE.trim()).expect("the shipped contract is a cell; a test reads it")
}

/// What a message says.
pub fn body(message: &Cell) -> Option<Cell> {
    let message: Message<'_> = message.parse().ok()?;
    CellBuilder::build_from(message.body).ok()
}

/// A message from outside to this account, which brings the account's code if it is the first.
pub fn message(to: &StdAddr, init: Option<StateInit>, body: &Cell) -> Cell {
    let info = ExtInMsgInfo {
        src: None,
        dst: to.clone().into(),
        import_fee: Tokens::ZERO,
    };
    let message = Message {
        info: MsgInfo::ExtIn(info),
        init,
        body: body.as_slice_allow_exotic(),
        layout: None,
    };
    CellBuilder::build_from(message).expect("the body can stand in a cell of its own")
}
