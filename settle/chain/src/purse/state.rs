//! What a purse holds, read from its account.

use std::collections::BTreeMap;

use tycho_types::{
    cell::{Cell, CellSlice, Load},
    dict::Dict,
    error::Error,
    models::StdAddr,
    num::Tokens,
};

use super::Keys;
use crate::Contract;

/// A purse.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The number that the next order must have.
    pub seqno: u32,
    /// The least number that the next lane may get.
    pub next_lane: u32,
    /// Nano locked and not paid, over all lanes.
    pub owed: u64,
    /// By their numbers.
    pub lanes: BTreeMap<u32, Lane>,
    /// What it was made of.
    pub keys: Keys,
}

/// Money for one payee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    /// Who is paid.
    pub payee: StdAddr,
    /// Ed25519: signs caps.
    pub spend_key: [u8; 32],
    /// Nano put into it.
    pub locked: u64,
    /// Nano paid out of it.
    pub paid: u64,
    /// Seconds between the beginning of closing and its end.
    pub close_delay: u32,
    /// Unix seconds; 0: it is open.
    pub closes_at: u32,
    /// Nano paid on each tab, by receipt key and branch.
    pub tabs: BTreeMap<([u8; 32], u16), u64>,
}

/// Why an account is no purse that can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotGenuine {
    /// It runs another program.
    #[error("the account runs another program than a purse's")]
    Code,
    /// What it holds cannot be read.
    #[error("the account does not hold what a purse does")]
    Malformed,
    /// It did not begin as an empty purse with these keys: it can hold lanes that nobody paid for.
    #[error("the account did not begin as an empty purse")]
    Address,
}

impl State {
    /// What the purse at this address holds: it runs our code, and its address follows from that code and its keys.
    pub fn of(contract: &Contract, address: &StdAddr) -> Result<Self, NotGenuine> {
        if contract.code != super::code() {
            return Err(NotGenuine::Code);
        }
        let state = Self::read(&contract.data).map_err(|_| NotGenuine::Malformed)?;
        if state.keys.address() != *address {
            return Err(NotGenuine::Address);
        }
        Ok(state)
    }

    /// Reads the data of a purse's account. Anyone may deploy an account that holds anything: [`Self::of`] checks where it came from.
    pub fn read(data: &Cell) -> Result<Self, Error> {
        let mut from = data.as_slice()?;
        let seqno = from.load_u32()?;
        let next_lane = from.load_u32()?;
        let counts = [from.load_u16()?, from.load_u16()?].map(usize::from);
        let owed = nano(&mut from)?;
        let cells = Dict::<u32, Cell>::load_from(&mut from)?;
        let keys = read_keys(&mut from.load_reference_as_slice()?)?;
        end(&from)?;
        let mut lanes = BTreeMap::new();
        for entry in cells.iter() {
            let (number, cell) = entry?;
            lanes.insert(number, Lane::read(&mut cell.as_slice()?)?);
        }
        let tabs = lanes.values().map(|lane: &Lane| lane.tabs.len()).sum();
        if [lanes.len(), tabs] != counts {
            return Err(Error::InvalidData);
        }
        Ok(Self {
            seqno,
            next_lane,
            owed,
            lanes,
            keys,
        })
    }
}

impl Lane {
    fn read(from: &mut CellSlice<'_>) -> Result<Self, Error> {
        let payee = StdAddr::load_from(from)?;
        let spend_key = from.load_u256()?.0;
        let (locked, paid) = (nano(from)?, nano(from)?);
        let (close_delay, closes_at) = (from.load_u32()?, from.load_u32()?);
        let count = from.load_u16()?;
        let entries = Dict::<TabKey, u64>::load_from(from)?;
        end(from)?;
        let mut tabs = BTreeMap::new();
        for entry in entries.iter() {
            let (TabKey(key, branch), paid) = entry?;
            tabs.insert((key, branch), paid);
        }
        if tabs.len() != usize::from(count) {
            return Err(Error::InvalidData);
        }
        Ok(Self {
            payee,
            spend_key,
            locked,
            paid,
            close_delay,
            closes_at,
            tabs,
        })
    }
}

/// `receipt key ‖ branch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct TabKey([u8; 32], u16);

impl tycho_types::dict::DictKey for TabKey {
    const BITS: u16 = 272;
}

impl tycho_types::dict::LoadDictKey for TabKey {
    fn load_from_data(data: &tycho_types::cell::CellDataBuilder) -> Option<Self> {
        let bytes = data.raw_data().get(..34)?;
        let (key, branch) = bytes.split_first_chunk::<32>()?;
        Some(Self(*key, u16::from_be_bytes(branch.try_into().ok()?)))
    }
}

fn nano(from: &mut CellSlice<'_>) -> Result<u64, Error> {
    let tokens = Tokens::load_from(from)?.into_inner();
    u64::try_from(tokens).map_err(|_| Error::IntOverflow)
}

fn read_keys(from: &mut CellSlice<'_>) -> Result<Keys, Error> {
    let keys = Keys {
        owner: from.load_u256()?.0,
        home: StdAddr::load_from(from)?,
        network: i32::from_be_bytes(from.load_u32()?.to_be_bytes()),
        salt: from.load_u64()?,
    };
    end(from)?;
    Ok(keys)
}

fn end(from: &CellSlice<'_>) -> Result<(), Error> {
    if from.is_data_empty() && from.is_refs_empty() {
        Ok(())
    } else {
        Err(Error::InvalidData)
    }
}
