//! What directories publish of a class: all of its listings, what changed since an earlier epoch, and what each asks now. Untrusted: every
//! listing in it is verified by itself, and a price holds once the enclave has quoted it.

use std::collections::{BTreeMap, BTreeSet};

use chrysalis_attestation::encoding::cbor::{self, Fields, Value};
use chrysalis_settle::fields::{self, number};

use crate::{MAX_LISTING, ProviderId, Rejection, SignedListing};

/// The most bytes of a class's listings.
pub const MAX_CLASS_FILE: usize = 16 * 1024 * 1024;
/// The most bytes of what changed.
pub const MAX_DELTA: usize = 4 * 1024 * 1024;
/// The most bytes of what each asks now.
pub const MAX_NOW: usize = 1024 * 1024;
/// The version that this library reads.
const VERSION: u64 = 1;
/// Bytes of an entry of [`Now`].
const ENTRY: usize = 16 + 8 + 2;

/// All listings of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClassFile {
    /// [`crate::Descriptor::id`].
    pub network: [u8; 32],
    /// Which class.
    pub weights: [u8; 32],
    /// Which of the directory's epochs it is.
    pub epoch: u64,
    /// Signed listings, encoded, by their ids.
    pub listings: BTreeMap<ProviderId, Vec<u8>>,
}

/// What changed between two epochs of a class.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delta {
    /// [`crate::Descriptor::id`].
    pub network: [u8; 32],
    /// Which class.
    pub weights: [u8; 32],
    /// The epoch that it starts from.
    pub from: u64,
    /// The epoch that it leads to.
    pub epoch: u64,
    /// What is new or was listed again.
    pub put: BTreeMap<ProviderId, Vec<u8>>,
    /// What is gone.
    pub gone: BTreeSet<ProviderId>,
}

/// What each provider of a class asks now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Now {
    /// [`crate::Descriptor::id`].
    pub network: [u8; 32],
    /// Which class.
    pub weights: [u8; 32],
    /// Unix seconds, by the directory's clock.
    pub at: i64,
    /// The epoch of the newest [`ClassFile`].
    pub epoch: u64,
    /// The oldest epoch from which a [`Delta`] leads to it.
    pub since: u64,
    /// The class's price, as [`crate::index()`] makes it of the reports; 0 without any.
    pub index: u64,
    /// By id.
    pub entries: BTreeMap<ProviderId, NowEntry>,
}

/// What one provider asks, by its last report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NowEntry {
    /// Nano for a million units, as [`crate::Asked`] counts.
    pub price: u64,
    /// The share of its capacity that was used, in thousandths.
    pub load: u16,
}

impl ClassFile {
    /// Deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        cbor::encode(&cbor::map([
            ("version", number(VERSION)),
            ("network", Value::Bytes(self.network.to_vec())),
            ("weights", Value::Bytes(self.weights.to_vec())),
            ("epoch", number(self.epoch)),
            ("listings", listings(&self.listings)),
        ]))
    }

    /// Reads the one encoding. The listings' signatures are checked.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        let (mut file, listings) = whole(bytes, MAX_CLASS_FILE, |fields| {
            let file = Self {
                network: fields.bytes("network")?,
                weights: fields.bytes("weights")?,
                epoch: fields.number("epoch")?,
                listings: BTreeMap::new(),
            };
            Some((file, fields.take("listings")))
        })?;
        file.listings = take_listings(listings, &file.weights)?;
        Ok(file)
    }

    /// What leads from an earlier file of the same class to this one.
    pub fn since(&self, before: &Self) -> Delta {
        let put = self.listings.iter();
        let put = put.filter(|(id, listing)| before.listings.get(id) != Some(listing));
        let gone = before.listings.keys();
        Delta {
            network: self.network,
            weights: self.weights,
            from: before.epoch,
            epoch: self.epoch,
            put: put.map(|(id, it)| (*id, it.clone())).collect(),
            gone: gone
                .filter(|id| !self.listings.contains_key(id))
                .copied()
                .collect(),
        }
    }

    /// Takes a delta that starts from here.
    pub fn apply(&mut self, delta: Delta) -> Result<(), Rejection> {
        let same =
            (self.network, self.weights, self.epoch) == (delta.network, delta.weights, delta.from);
        if !same || delta.epoch <= self.epoch {
            return Err(malformed("a delta of another class, or from another epoch"));
        }
        self.listings.retain(|id, _| !delta.gone.contains(id));
        self.listings.extend(delta.put);
        self.epoch = delta.epoch;
        Ok(())
    }
}

impl Delta {
    /// Deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        let gone = self.gone.iter().flat_map(|id| id.0).collect();
        cbor::encode(&cbor::map([
            ("version", number(VERSION)),
            ("network", Value::Bytes(self.network.to_vec())),
            ("weights", Value::Bytes(self.weights.to_vec())),
            ("from", number(self.from)),
            ("epoch", number(self.epoch)),
            ("put", listings(&self.put)),
            ("gone", Value::Bytes(gone)),
        ]))
    }

    /// Reads the one encoding. The listings' signatures are checked.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        let (mut delta, put) = whole(bytes, MAX_DELTA, |fields| {
            let gone = fields.take("gone").and_then(cbor::bytes)?;
            let (ids, rest) = gone.as_chunks::<16>();
            let ascending = ids.iter().is_sorted_by(|one, next| one < next);
            (rest.is_empty() && ascending).then_some(())?;
            let delta = Self {
                network: fields.bytes("network")?,
                weights: fields.bytes("weights")?,
                from: fields.number("from")?,
                epoch: fields.number("epoch")?,
                put: BTreeMap::new(),
                gone: ids.iter().copied().map(ProviderId).collect(),
            };
            Some((delta, fields.take("put")))
        })?;
        delta.put = take_listings(put, &delta.weights)?;
        Ok(delta)
    }
}

impl Now {
    /// Deterministic CBOR.
    pub fn encode(&self) -> Vec<u8> {
        let mut entries = Vec::with_capacity(self.entries.len() * ENTRY);
        for (id, entry) in &self.entries {
            entries.extend(id.0);
            entries.extend(entry.price.to_be_bytes());
            entries.extend(entry.load.to_be_bytes());
        }
        cbor::encode(&cbor::map([
            ("version", number(VERSION)),
            ("network", Value::Bytes(self.network.to_vec())),
            ("weights", Value::Bytes(self.weights.to_vec())),
            ("at", Value::Integer(self.at.into())),
            ("epoch", number(self.epoch)),
            ("since", number(self.since)),
            ("index", number(self.index)),
            ("entries", Value::Bytes(entries)),
        ]))
    }

    /// Reads the one encoding.
    pub fn decode(bytes: &[u8]) -> Result<Self, Rejection> {
        whole(bytes, MAX_NOW, |fields| {
            Some(Self {
                network: fields.bytes("network")?,
                weights: fields.bytes("weights")?,
                at: fields.number("at")?,
                epoch: fields.number("epoch")?,
                since: fields.number("since")?,
                index: fields.number("index")?,
                entries: entries(&fields.take("entries").and_then(cbor::bytes)?)?,
            })
        })
    }
}

fn entries(bytes: &[u8]) -> Option<BTreeMap<ProviderId, NowEntry>> {
    let (rows, rest) = bytes.as_chunks::<ENTRY>();
    let mut entries = BTreeMap::new();
    for row in rows {
        let (id, row) = row.split_first_chunk()?;
        let (price, load) = row.split_first_chunk()?;
        let entry = NowEntry {
            price: u64::from_be_bytes(*price),
            load: u16::from_be_bytes(load.try_into().ok()?),
        };
        let id = ProviderId(*id);
        let ascending = entries.last_key_value().is_none_or(|(last, _)| *last < id);
        ascending.then(|| entries.insert(id, entry))?;
    }
    rest.is_empty().then_some(entries)
}

fn malformed(what: &'static str) -> Rejection {
    Rejection::FileMalformed { what }
}

fn whole<T>(
    bytes: &[u8],
    most: usize,
    read: impl FnOnce(&mut Fields) -> Option<T>,
) -> Result<T, Rejection> {
    fields::whole(bytes, most, VERSION, read).map_err(malformed)
}

fn listings(listings: &BTreeMap<ProviderId, Vec<u8>>) -> Value {
    Value::Array(listings.values().cloned().map(Value::Bytes).collect())
}

/// Listings in the order of their ids, all of one class, each signed.
fn take_listings(
    value: Option<Value>,
    weights: &[u8; 32],
) -> Result<BTreeMap<ProviderId, Vec<u8>>, Rejection> {
    let wrong = malformed("no list of listings");
    let values = value.and_then(cbor::array).ok_or(wrong)?;
    let mut listings = BTreeMap::new();
    for value in values {
        let bytes = cbor::bytes(value).filter(|bytes| bytes.len() <= MAX_LISTING);
        let bytes = bytes.ok_or(malformed("a listing that is none"))?;
        let listing = SignedListing::verify(&bytes)?;
        let id = listing.id();
        if listing.offer().weights != *weights {
            return Err(malformed("a listing of another class"));
        }
        let ascending = listings.last_key_value().is_none_or(|(last, _)| *last < id);
        if !ascending {
            return Err(malformed("listings out of order, or one twice"));
        }
        listings.insert(id, bytes);
    }
    Ok(listings)
}
