//! What the ledger counts that no single report says: since when an enclave reports and how long it was silent, what each operator's
//! enclaves signed as revenue, and what a class cost over the last day.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrysalis_attestation::{
    Time,
    encoding::cbor::{self, Fields, Value},
};
use chrysalis_network::SignedListing;
use chrysalis_settle::SignedReport;

use crate::{
    Desk,
    desk::{CLOSED, minute_of},
    store::{Listed, StoreError},
};

/// How far back prices are shown, in seconds.
const DAY: i64 = 24 * 3600;
/// The least time between two points of a price that stays, and of one that moves, in seconds.
const STAYS: i64 = 60;
const MOVES: i64 = 5;
/// The most points of a class.
const MAX_POINTS: usize = 1500;
/// Minutes without a report that are no silence: epochs of the price may be longer than a minute.
const PATIENCE: i64 = 3;
/// How long an enclave that fell silent is remembered, in minutes.
const KEPT: i64 = 24 * 60;
/// The most minutes that are counted at a time.
const MAX_MINUTES: usize = 60;
const ENCLAVE: usize = 4 * 32 + 3 * 8;
const SIGNED: usize = 2 * 32 + 8;
const POINT: usize = 8 + 8;

/// An operator, and the account that is paid for its enclaves.
pub(super) type Owner = ([u8; 32], [u8; 32]);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// The last minute that is counted.
    minute: i64,
    /// By receipt key and weights.
    enclaves: BTreeMap<([u8; 32], [u8; 32]), Enclave>,
    /// Nano.
    signed: BTreeMap<Owner, u64>,
    /// Of each class: Unix seconds, and its index.
    history: BTreeMap<[u8; 32], VecDeque<(i64, u64)>>,
    changed: bool,
}

/// Minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Enclave {
    owner: Owner,
    first: i64,
    last: i64,
    silent: i64,
}

impl Tally {
    /// Counts the minutes that were closed since.
    pub(super) fn count(&mut self, desk: &Desk) -> Result<(), StoreError> {
        self.read_on(desk, false)
    }

    /// With the minutes that are still open, to be shown.
    pub(super) fn ahead(&self, desk: &Desk) -> Result<Self, StoreError> {
        let mut ahead = self.clone();
        ahead.read_on(desk, true)?;
        Ok(ahead)
    }

    fn read_on(&mut self, desk: &Desk, open: bool) -> Result<(), StoreError> {
        for _ in 0..MAX_MINUTES {
            let next = desk.store().change(|change| {
                let closed = change.about(CLOSED)?.map_or(i64::MIN, |it| minute_of(&it));
                let before = if open {
                    i64::MAX
                } else {
                    closed.saturating_add(1)
                };
                let Some(minute) = change.next_minute(self.minute, before)? else {
                    return Ok(None);
                };
                let reports = change.reports_of(minute)?;
                let mut listed = Vec::new();
                for class in &desk.directory().network.classes {
                    listed.extend(change.listed(&class.weights.0, minute.saturating_mul(60))?);
                }
                Ok::<_, StoreError>(Some((minute, reports, listed)))
            })?;
            let Some((minute, reports, listed)) = next else {
                return Ok(());
            };
            self.add(minute, &reports, &listed);
        }
        Ok(())
    }

    fn add(&mut self, minute: i64, reports: &[Vec<u8>], listed: &[Listed]) {
        // The first of several operators that list one enclave.
        let mut owners = BTreeMap::new();
        for it in listed {
            owners
                .entry((it.receipt_key, it.weights))
                .or_insert(&it.bytes);
        }
        for bytes in reports {
            // What was accepted was verified.
            let Ok(report) = SignedReport::verify(bytes) else {
                continue;
            };
            let key = (report.receipt_key, report.weights);
            let known = self.enclaves.get(&key).map(|it| it.owner);
            let owner = known.or_else(|| owner(owners.get(&key)?));
            let Some(owner) = owner else { continue };
            let enclave = self.enclaves.entry(key).or_insert(Enclave {
                owner,
                first: minute,
                last: minute,
                silent: 0,
            });
            let gap = minute.saturating_sub(enclave.last);
            if gap > PATIENCE {
                enclave.silent = enclave.silent.saturating_add(gap.saturating_sub(1));
            }
            enclave.last = minute;
            let signed = self.signed.entry(owner).or_default();
            *signed = signed.saturating_add(report.revenue);
        }
        self.enclaves
            .retain(|_, it| minute.saturating_sub(it.last) <= KEPT);
        self.minute = minute;
        self.changed = true;
    }

    /// Notes what classes cost now. Whether there is something to be kept.
    pub(super) fn remember(&mut self, indexes: &BTreeMap<[u8; 32], u64>, now: Time) -> bool {
        for (weights, index) in indexes {
            let points = self.history.entry(*weights).or_default();
            let old = |point: &(i64, u64)| point.0 < now.0.saturating_sub(DAY);
            while points.front().is_some_and(old) {
                points.pop_front();
            }
            let due = points.back().is_none_or(|(at, before)| {
                let wait = if before == index { STAYS } else { MOVES };
                !(0..wait).contains(&now.0.saturating_sub(*at))
            });
            if due {
                points.push_back((now.0, *index));
                self.changed = true;
            }
            if points.len() > MAX_POINTS {
                // The older half gets coarser.
                let mut at = 0;
                points.retain(|_| {
                    at += 1;
                    at > MAX_POINTS / 2 || at % 2 == 0
                });
            }
        }
        std::mem::take(&mut self.changed)
    }

    pub(super) fn payees(&self) -> BTreeSet<[u8; 32]> {
        self.signed.keys().map(|(_, payee)| *payee).collect()
    }

    pub(super) fn signed(&self) -> &BTreeMap<Owner, u64> {
        &self.signed
    }

    pub(super) fn history(&self, weights: &[u8; 32]) -> impl Iterator<Item = (i64, u64)> {
        self.history.get(weights).into_iter().flatten().copied()
    }

    /// Since when an enclave reports, in Unix seconds, and in how many of a thousand minutes since then it did.
    pub(super) fn uptime(&self, enclave: &([u8; 32], [u8; 32]), now: Time) -> Option<(i64, i64)> {
        let it = self.enclaves.get(enclave)?;
        let gap = now.0.div_euclid(60).saturating_sub(it.last);
        let open = if gap > PATIENCE { gap } else { 0 };
        let all = it.last.saturating_add(gap).saturating_sub(it.first).max(1);
        let up = all.saturating_sub(it.silent.saturating_add(open)).max(0);
        let thousandths = up.saturating_mul(1000).checked_div(all).unwrap_or(1000);
        Some((it.first.saturating_mul(60), thousandths.clamp(0, 1000)))
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut enclaves = Vec::with_capacity(self.enclaves.len() * ENCLAVE);
        for ((key, weights), it) in &self.enclaves {
            for part in [key, weights, &it.owner.0, &it.owner.1] {
                enclaves.extend(part);
            }
            for number in [it.first, it.last, it.silent] {
                enclaves.extend(number.to_be_bytes());
            }
        }
        let mut signed = Vec::with_capacity(self.signed.len() * SIGNED);
        for ((operator, payee), nano) in &self.signed {
            signed.extend(operator);
            signed.extend(payee);
            signed.extend(nano.to_be_bytes());
        }
        let history = self.history.iter().map(|(weights, points)| {
            let mut bytes = weights.to_vec();
            for (at, index) in points {
                bytes.extend(at.to_be_bytes());
                bytes.extend(index.to_be_bytes());
            }
            Value::Bytes(bytes)
        });
        cbor::encode(&cbor::map([
            ("version", Value::Integer(1)),
            ("minute", Value::Integer(self.minute.into())),
            ("enclaves", Value::Bytes(enclaves)),
            ("signed", Value::Bytes(signed)),
            ("history", Value::Array(history.collect())),
        ]))
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields::of(cbor::decode(bytes)?)?;
        (fields.number::<u64>("version")? == 1).then_some(())?;
        let enclaves = fields.take("enclaves").and_then(cbor::bytes)?;
        let signed = fields.take("signed").and_then(cbor::bytes)?;
        let history = fields.take("history").and_then(cbor::array)?;
        let mut tally = Self {
            minute: fields.number("minute")?,
            ..Self::default()
        };
        for row in rows::<ENCLAVE>(&enclaves)? {
            let mut row = &row[..];
            let (key, weights) = (take(&mut row)?, take(&mut row)?);
            let enclave = Enclave {
                owner: (take(&mut row)?, take(&mut row)?),
                first: i64::from_be_bytes(take(&mut row)?),
                last: i64::from_be_bytes(take(&mut row)?),
                silent: i64::from_be_bytes(take(&mut row)?),
            };
            tally.enclaves.insert((key, weights), enclave);
        }
        for row in rows::<SIGNED>(&signed)? {
            let mut row = &row[..];
            let owner = (take(&mut row)?, take(&mut row)?);
            tally
                .signed
                .insert(owner, u64::from_be_bytes(take(&mut row)?));
        }
        for class in history {
            let class = cbor::bytes(class)?;
            let mut rest = &class[..];
            let weights = take(&mut rest)?;
            let mut points = VecDeque::new();
            for row in rows::<POINT>(rest)? {
                let mut row = &row[..];
                let at = i64::from_be_bytes(take(&mut row)?);
                points.push_back((at, u64::from_be_bytes(take(&mut row)?)));
            }
            tally.history.insert(weights, points);
        }
        fields.left_over().is_none().then_some(tally)
    }
}

fn owner(listing: &[u8]) -> Option<Owner> {
    let listing = SignedListing::verify(listing).ok()?;
    Some((listing.listing().operator, listing.listing().payee))
}

fn rows<const N: usize>(bytes: &[u8]) -> Option<&[[u8; N]]> {
    let (rows, rest) = bytes.as_chunks();
    rest.is_empty().then_some(rows)
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = from.split_first_chunk()?;
    *from = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn enclave(first: i64, last: i64, silent: i64) -> Tally {
        let owner = ([3; 32], [4; 32]);
        let enclave = Enclave {
            owner,
            first,
            last,
            silent,
        };
        Tally {
            minute: last,
            enclaves: BTreeMap::from([(([1; 32], [2; 32]), enclave)]),
            signed: BTreeMap::from([(owner, 5)]),
            ..Tally::default()
        }
    }

    #[test]
    fn silence_counts_against_an_enclave_and_a_long_epoch_does_not() {
        let up = |tally: &Tally, minute: i64| {
            let found = tally.uptime(&([1; 32], [2; 32]), Time(minute * 60));
            found.map(|(_, up)| up)
        };
        let tally = enclave(100, 200, 0);
        assert_eq!(up(&tally, 200), Some(1000));
        assert_eq!(up(&tally, 203), Some(1000));
        assert_eq!(up(&tally, 300), Some(500));
        assert_eq!(up(&enclave(100, 200, 50), 200), Some(500));
        assert_eq!(up(&enclave(100, 100, 0), 100), Some(1000));
        assert_eq!(tally.uptime(&([9; 32], [2; 32]), Time(0)), None);
    }

    #[test]
    fn a_price_is_remembered_for_a_day_and_no_finer_than_it_moves() {
        let mut tally = Tally::default();
        let index = |price| BTreeMap::from([([2; 32], price)]);
        assert!(tally.remember(&index(7), Time(1_000_000)));
        assert!(!tally.remember(&index(7), Time(1_000_030)));
        assert!(tally.remember(&index(8), Time(1_000_030)));
        assert!(!tally.remember(&index(9), Time(1_000_032)));
        assert!(tally.remember(&index(8), Time(1_000_090)));
        assert_eq!(tally.history(&[2; 32]).count(), 3);
        for at in 0..10_000 {
            tally.remember(
                &index(at % 7),
                Time(1_000_100 + i64::try_from(at).unwrap() * 5),
            );
        }
        assert!(tally.history(&[2; 32]).count() <= MAX_POINTS);
        tally.remember(&index(1), Time(1_000_000 + 3 * DAY));
        assert_eq!(tally.history(&[2; 32]).count(), 1);
    }

    #[test]
    fn what_is_counted_survives_a_restart() {
        let mut tally = enclave(100, 200, 3);
        tally.remember(&BTreeMap::from([([2; 32], 7)]), Time(1_000_000));
        let bytes = tally.encode();
        assert_eq!(Tally::decode(&bytes), Some(tally));
        for length in 0..bytes.len() {
            assert_eq!(Tally::decode(&bytes[..length]), None);
        }
    }
}
