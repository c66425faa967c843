//! What the local chain carries: 10,000 purses, each opened, funded, locked in a lane, and claimed from. A measurement, for
//! `make bench-pay`.

use std::{fs, time::Instant};

use crate::world::{GRAM, Purse, account, balance};
use chrysalis_localnet::Local;
use tycho_types::models::{ComputePhase, TxInfo};

const PURSES: u32 = 10_000;

#[test]
#[ignore = "a measurement"]
fn ten_thousand_purses() {
    let mut chain = Local::new(1_800_000_000);
    let began = Instant::now();
    let mut claims = Vec::new();
    for salt in 0..PURSES {
        let purse = Purse::new(salt.into());
        chain.give(&purse.address, 2 * GRAM);
        let lane = purse.lock(&mut chain, GRAM, 0x55, 2).unwrap();
        claims.push(purse.claim((lane, 0), GRAM, GRAM / 2, 2, 4));
    }
    let locked = began.elapsed();
    let began = Instant::now();
    for message in claims {
        chain.send(message).unwrap();
    }
    let claimed = began.elapsed();
    let purse = Purse::new(0);
    let claim = chain.transactions(&purse.address).last().unwrap();
    let claim = claim.load().unwrap();
    let TxInfo::Ordinary(info) = claim.load_info().unwrap() else {
        panic!("not ordinary")
    };
    let ComputePhase::Executed(phase) = info.compute_phase else {
        panic!("skipped")
    };
    let paid = balance(&chain, &account(0x55));
    let purses = u64::from(PURSES);
    let cost = (purses * GRAM / 2 - paid) / purses;
    println!(
        "{PURSES} purses funded and locked in {:.1} s, claimed from in {:.1} s: {:.0} claims/s",
        locked.as_secs_f64(),
        claimed.as_secs_f64(),
        f64::from(PURSES) / claimed.as_secs_f64()
    );
    println!("at most {} MiB", peak() / 1024);
    println!(
        "a claim: {} gas, {cost} nano of what is due",
        phase.gas_used.into_inner()
    );
}

/// The most memory that this process had, in KiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse().unwrap()
}
