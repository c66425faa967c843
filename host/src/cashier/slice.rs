//! How a fleet's enclaves share a lane: each may owe what it owes by now, and a tenth of what nobody was handed yet. All that was handed out
//! and all that is owed together is never more than the lane has.

use std::collections::{BTreeMap, BTreeSet};

use super::ceiling::Lane;

/// One guest of a fleet, by a number that its host drew.
pub(crate) type EnclaveId = [u8; 16];

/// Of what is left, an enclave is handed one part in so many.
const PART: u64 = 10;
/// But so many times what a claim must bring, where as much is left: less is of no use to anyone.
const LEAST: u64 = 4;
/// For how long a slice is kept for an enclave of which nothing is heard, in seconds: it may still owe all of it.
pub(crate) const KEPT: i64 = 3600;

/// What an enclave was handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Slice {
    pub(crate) enclave: EnclaveId,
    /// The most nano that all its tabs of the lane may owe together.
    pub(crate) ceiling: u64,
    /// Until when it is kept, in Unix seconds.
    pub(crate) until: i64,
}

/// How far the enclave may go from now on. `keys` says whose each receipt key is.
pub(crate) fn ceiling(
    lane: &Lane,
    keys: &BTreeMap<[u8; 32], EnclaveId>,
    slices: &[Slice],
    enclave: EnclaveId,
    now: i64,
) -> u64 {
    let own: BTreeSet<[u8; 32]> = keys
        .iter()
        .filter(|(_, whose)| **whose == enclave)
        .map(|(key, _)| *key)
        .collect();
    let owed_by = |whose: EnclaveId| {
        let owed = lane.owed.iter();
        let owed = owed.filter(|((key, _), _)| keys.get(key) == Some(&whose));
        owed.fold(0_u64, |sum, (_, owed)| sum.saturating_add(*owed))
    };
    let kept = slices.iter().filter(|slice| slice.until > now);
    // What others owe is counted by the lane; the rest of what they were handed is theirs to owe yet.
    let unused = kept.clone().filter(|slice| slice.enclave != enclave);
    let unused = unused.map(|slice| slice.ceiling.saturating_sub(owed_by(slice.enclave)));
    let unused = unused.fold(0, u64::saturating_add);
    let most = lane.ceiling(&own).saturating_sub(unused);
    let owed = owed_by(enclave);
    let left = most.saturating_sub(owed);
    let least = lane.floor.saturating_mul(LEAST).min(left);
    let next = owed.saturating_add((left / PART).max(least)).min(most);
    // It may have used what it was handed before: that does not fall while there is money.
    let before = kept.filter(|slice| slice.enclave == enclave);
    let before = before.map(|slice| slice.ceiling).max().unwrap_or_default();
    next.max(before.min(most))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCKED: u64 = 10_000;

    fn id(number: u8) -> EnclaveId {
        [number; 16]
    }

    fn key(number: u8) -> [u8; 32] {
        [number; 32]
    }

    /// A lane on which the enclaves owe so much, each with one key, by its number.
    fn lane(owed: &[(u8, u64)]) -> (Lane, BTreeMap<[u8; 32], EnclaveId>) {
        let lane = Lane {
            locked: LOCKED,
            floor: 10,
            purse_tabs: owed.len(),
            paid: BTreeMap::new(),
            owed: owed
                .iter()
                .map(|(number, owed)| ((key(*number), 0), *owed))
                .collect(),
        };
        let keys = owed.iter().map(|(number, _)| (key(*number), id(*number)));
        (lane, keys.collect())
    }

    fn slice(number: u8, ceiling: u64, until: i64) -> Slice {
        Slice {
            enclave: id(number),
            ceiling,
            until,
        }
    }

    #[test]
    fn each_gets_a_tenth_of_what_nobody_has() {
        let (empty, keys) = lane(&[]);
        assert_eq!(ceiling(&empty, &keys, &[], id(1), 0), 1000);
        let handed = [slice(1, 1000, 100)];
        assert_eq!(ceiling(&empty, &keys, &handed, id(2), 0), 900);
        // What the first owes is a part of what it was handed, not more.
        let (owing, keys) = lane(&[(1, 600)]);
        assert_eq!(ceiling(&owing, &keys, &handed, id(2), 0), 900);
        // Its own next slice begins where it is.
        assert_eq!(ceiling(&owing, &keys, &handed, id(1), 0), 600 + 940);
    }

    #[test]
    fn a_slice_does_not_fall_while_it_is_kept() {
        let (owing, keys) = lane(&[(1, 0), (2, 8000)]);
        let handed = [slice(1, 1000, 100), slice(2, 8000, 100)];
        assert_eq!(ceiling(&owing, &keys, &handed, id(1), 0), 1000);
        // Nor is it more than there is.
        let (full, keys) = lane(&[(1, 0), (2, 9700)]);
        assert_eq!(ceiling(&full, &keys, &[slice(1, 1000, 100)], id(1), 0), 300);
    }

    #[test]
    fn the_slice_of_one_that_is_gone_comes_back_when_its_time_is_over() {
        let (owing, keys) = lane(&[(1, 500)]);
        let handed = [slice(1, 9000, 100)];
        assert_eq!(ceiling(&owing, &keys, &handed, id(2), 99), 100);
        assert_eq!(ceiling(&owing, &keys, &handed, id(2), 100), 950);
    }

    #[test]
    fn the_last_money_is_handed_out_in_useful_pieces() {
        let (owing, keys) = lane(&[(1, 9900)]);
        assert_eq!(ceiling(&owing, &keys, &[], id(2), 0), 40);
        let (owing, keys) = lane(&[(1, 9985)]);
        assert_eq!(ceiling(&owing, &keys, &[], id(2), 0), 15);
    }

    /// Ten enclaves ask, owe, end and come back in an order that a generator draws, for thousands of steps.
    #[test]
    fn never_more_is_handed_out_than_there_is() {
        let mut seed = 7_u64;
        let mut draw = |most: u64| {
            // SplitMix64.
            seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut bits = seed;
            bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (bits ^ (bits >> 31)) % most
        };
        for _ in 0..200 {
            let mut owed: BTreeMap<u8, u64> = BTreeMap::new();
            let mut slices: BTreeMap<u8, Slice> = BTreeMap::new();
            let mut now = 0;
            for _ in 0..200 {
                let number = u8::try_from(draw(10)).unwrap();
                let all: Vec<_> = owed.iter().map(|(number, owed)| (*number, *owed)).collect();
                let (lane, keys) = lane(&all);
                match draw(10) {
                    0..=4 => {
                        let known: Vec<_> = slices.values().copied().collect();
                        let most = ceiling(&lane, &keys, &known, id(number), now);
                        slices.insert(number, slice(number, most, now + KEPT));
                    }
                    5..=8 => {
                        // It uses some of what it was handed, while it may.
                        let has = slices.get(&number).filter(|it| it.until > now);
                        let debt = owed.entry(number).or_default();
                        let room = has.map_or(0, |it| it.ceiling.saturating_sub(*debt));
                        *debt += draw(room + 1);
                    }
                    _ => {
                        slices.remove(&number);
                        now += i64::try_from(draw(600)).unwrap();
                    }
                }
                let all: BTreeSet<u8> = owed.keys().chain(slices.keys()).copied().collect();
                let sum: u64 = all
                    .iter()
                    .map(|number| {
                        let debt = owed.get(number).copied().unwrap_or_default();
                        let has = slices.get(number).filter(|it| it.until > now);
                        has.map_or(debt, |it| it.ceiling.max(debt))
                    })
                    .sum();
                // What is too little to be claimed holds nothing back, by the rule of the lane.
                let dust = 10 * 10;
                assert!(sum <= LOCKED + dust, "{sum}: {owed:?} {slices:?}");
            }
        }
    }
}
