//! Random scripts of honest and forged messages to a purse, each of which must leave what docs/spec/settle.md calls its invariants.
//! `CHRYSALIS_SCRIPTS` says how many; `make test-chain` runs 100,000.

use std::{collections::BTreeMap, env, thread};

use crate::world::{GRAM, Purse, SIX_HOURS, account, balance, key, public};
use chrysalis_chain::{
    Address,
    purse::{Action, Lock, State},
};
use chrysalis_localnet::Local;
use tycho_types::models::{IntAddr, MsgInfo};

/// Messages in a script.
const STEPS: usize = 12;
const BEGAN: u32 = 1_800_000_000;
/// What rent may eat of what is owed (docs/spec/settle.md).
const RENT: u64 = GRAM / 20;

/// `SplitMix64`: scripts are the same everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        word ^ (word >> 31)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }

    fn amount(&mut self) -> u64 {
        let large = [0, 1, u64::MAX, u64::MAX / 2];
        match self.below(8) {
            0 => self.one(&large),
            _ => self.below(GRAM),
        }
    }
}

/// A purse, what was signed for it, and what was seen of it before.
struct Script {
    chain: Local,
    purse: Purse,
    random: Random,
    /// The largest honest cap by lane, spend key and tab.
    caps: BTreeMap<(u32, u8, u16), u64>,
    before: Option<State>,
    seen: usize,
}

impl Script {
    fn new(seed: u64) -> Self {
        let mut chain = Local::new(BEGAN);
        let purse = Purse::new(seed);
        let mut random = Random(seed);
        chain.give(&purse.address, random.below(3 * GRAM));
        Self {
            chain,
            purse,
            random,
            caps: BTreeMap::new(),
            before: None,
            seen: 0,
        }
    }

    fn lane(&mut self) -> u32 {
        let lanes = self
            .before
            .as_ref()
            .map(|state| state.lanes.keys().copied());
        let mut lanes: Vec<u32> = lanes.into_iter().flatten().collect();
        lanes.push(0);
        lanes.push(BEGAN);
        self.random.one(&lanes)
    }

    fn step(&mut self) {
        let lane = self.lane();
        let amount = self.random.amount();
        match self.random.below(12) {
            0 => {
                let to = self.purse.address.clone();
                self.chain.give(&to, amount % GRAM);
            }
            1..=3 => {
                let lock = Lock {
                    lane: if self.random.below(3) == 0 { lane } else { 0 },
                    payee: account(self.random.one(&[0x55, 0x56])),
                    amount,
                    close_delay: self.random.one(&[SIX_HOURS, SIX_HOURS, 10, 604_801]),
                    spend_key: public(&key(self.random.one(&[2, 3]))),
                };
                self.order(Action::Lock(lock));
            }
            4 => self.order(Action::StartClose { lane }),
            5 => self.order(Action::Free { lane }),
            6 => self.order(Action::Withdraw { amount }),
            7 => {
                let by = self.random.one(&[1, 60, SIX_HOURS, 30 * 86_400]);
                let clock = self.chain.clock();
                self.chain.set_clock(clock + by);
            }
            _ => self.claim(lane, amount),
        }
    }

    fn order(&mut self, action: Action) {
        if self.random.below(8) == 0 {
            // Another number than the next.
            let seqno = self.purse.seqno.get();
            self.purse.seqno.set(seqno.wrapping_add(1));
            let message = self.purse.order(&self.chain, action);
            self.purse.seqno.set(seqno);
            assert!(self.chain.send(message).is_err());
            return;
        }
        // Refused, or taken.
        let _ = self.purse.orders(&mut self.chain, action);
    }

    fn claim(&mut self, lane: u32, amount: u64) {
        let (spend, enclave) = (self.random.one(&[2, 3, 9]), self.random.one(&[4, 5]));
        let branch = self.random.one(&[0, 1]);
        let cap = self.random.one(&[amount, amount / 2, u64::MAX]);
        let tab = (lane, spend, u16::from(enclave) << 8 | branch);
        let most = self.caps.entry(tab).or_default();
        *most = cap.max(*most);
        let message = self
            .purse
            .claim((lane, branch), cap, amount, spend, enclave);
        let _ = self.chain.send(message.clone());
        // Twice is once.
        let paid = self.paid();
        let _ = self.chain.send(message);
        assert_eq!(self.paid(), paid);
    }

    fn paid(&self) -> Option<u64> {
        let lanes = self.purse.state(&self.chain)?.lanes;
        Some(lanes.values().map(|lane| lane.paid).sum())
    }

    fn check(&mut self) {
        self.check_messages();
        let Some(state) = self.purse.state(&self.chain) else {
            assert_eq!(self.before, None);
            return;
        };
        let owed: u64 = state.lanes.values().map(|it| it.locked - it.paid).sum();
        assert_eq!(state.owed, owed);
        let balance = self.purse.balance(&self.chain);
        assert!(balance.saturating_add(RENT) >= owed, "{balance} for {owed}");
        for (number, lane) in &state.lanes {
            let tabs: u64 = lane.tabs.values().sum();
            assert_eq!(lane.paid, tabs);
            let spend = if lane.spend_key == public(&key(2)) {
                2
            } else {
                3
            };
            for ((receipt_key, branch), paid) in &lane.tabs {
                let enclave = if *receipt_key == public(&key(4)) {
                    4
                } else {
                    5
                };
                let cap = self.caps.get(&(*number, spend, enclave << 8 | branch));
                assert!(cap.is_some_and(|cap| paid <= cap), "{paid} of {cap:?}");
            }
            let before = self.before.as_ref().and_then(|it| it.lanes.get(number));
            let Some(before) = before else { continue };
            assert!(before.paid <= lane.paid && before.locked <= lane.locked);
            assert_eq!(
                (&before.payee, before.spend_key, before.close_delay),
                (&lane.payee, lane.spend_key, lane.close_delay)
            );
            for (tab, paid) in &before.tabs {
                assert!(lane.tabs[tab] >= *paid);
            }
        }
        if let Some(before) = &self.before {
            assert!(before.next_lane <= state.next_lane);
            for (number, lane) in &before.lanes {
                let gone = !state.lanes.contains_key(number);
                let closed = lane.closes_at != 0 && lane.closes_at <= self.chain.clock();
                assert!(!gone || closed, "lane {number}");
            }
            for number in state.lanes.keys() {
                let known = before.lanes.contains_key(number);
                assert!(known || *number >= before.next_lane, "lane {number}");
            }
        }
        self.before = Some(state);
    }

    /// Nothing leaves but to payees and home.
    fn check_messages(&mut self) {
        let transactions = self.chain.transactions(&self.purse.address);
        for transaction in transactions.get(self.seen..).unwrap_or_default() {
            for message in transaction.load().unwrap().iter_out_msgs() {
                let MsgInfo::Int(info) = message.unwrap().info else {
                    panic!("a message to outside");
                };
                let IntAddr::Std(to) = info.dst else {
                    panic!("an odd address");
                };
                let known: [Address; 4] = [0x55, 0x56, 0x77, 0xFA].map(account);
                assert!(known.contains(&to), "{to}");
            }
        }
        self.seen = transactions.len();
    }
}

/// Runs a script: how many transactions it was, and nano paid to payees.
fn run(seed: u64) -> (u64, u64) {
    let mut script = Script::new(seed);
    for _ in 0..STEPS {
        script.step();
        script.check();
    }
    let payees = [0x55, 0x56].map(|payee| balance(&script.chain, &account(payee)));
    (script.seen as u64, payees.iter().sum())
}

#[test]
fn no_script_breaks_an_invariant() {
    let scripts: u64 = env::var("CHRYSALIS_SCRIPTS").map_or(200, |it| it.parse().unwrap());
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let sums = thread::scope(|scope| {
        let part = |first: usize| {
            let seeds = (first as u64..scripts).step_by(threads);
            seeds
                .map(run)
                .fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1))
        };
        let parts: Vec<_> = (0..threads)
            .map(|first| scope.spawn(move || part(first)))
            .collect();
        let sums = parts.into_iter().map(|part| part.join().unwrap());
        sums.fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1))
    });
    let (transactions, paid) = sums;
    println!("{scripts} scripts, {transactions} transactions, {paid} nano paid");
    // Otherwise they would show nothing.
    assert!(transactions > scripts * 2 && paid > 0);
}
