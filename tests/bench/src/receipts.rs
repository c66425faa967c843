//! What receipts cost on one core: made as the enclave makes them, accepted as a client accepts them, kept as the proxy keeps them.

use std::{hint::black_box, time::Duration};

use anyhow::{Context, bail};
use chrysalis_settle::{
    Attested, Done, End, Expected, JobNumber, Kept, Receipt, Sign, Tab, TabId, Tabs, money,
};
use ring::signature::{Ed25519KeyPair, KeyPair};
use rustix::time::{ClockId, clock_gettime};

/// Jobs of each measurement.
const JOBS: u32 = 20_000;
/// Measurements; the fastest counts.
const ROUNDS: usize = 3;
/// Aims: receipts made in a second of a core, and bytes of a job, kept.
const LEAST_A_SECOND: f64 = 12_000.0;
const MOST_BYTES: usize = 1024;

struct Key(Ed25519KeyPair);

impl Sign for Key {
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        self.0.sign(digest).as_ref().try_into().ok()
    }
}

fn main() -> anyhow::Result<()> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[3; 32])
        .ok()
        .context("no key")?;
    let receipt_key = pair.public_key().as_ref().try_into()?;
    let key = Key(pair);
    let attested = Attested {
        receipt_key,
        claims: [0xC1; 32],
        epoch: 1000,
        evidence: [0xEB; 32],
    };
    let (mut made, mut accepted) = (Duration::MAX, Duration::MAX);
    let (mut sent, mut kept) = (0, 0);
    for _ in 0..ROUNDS {
        let began = cpu();
        let receipts = make(&attested, &key)?;
        made = made.min(cpu().saturating_sub(began));
        let began = cpu();
        let last = accept(&attested, &receipts)?;
        accepted = accepted.min(cpu().saturating_sub(began));
        sent = receipts.last().map_or(0, |receipt| receipt.encode().len());
        kept = last.encode().len();
    }
    let each = |of: Duration| of.as_secs_f64() / f64::from(JOBS);
    println!(
        "made      {:>7.0} a second and core, {:>5.1} us each",
        1.0 / each(made),
        each(made) * 1e6
    );
    println!(
        "accepted  {:>7.0} a second and core, {:>5.1} us each",
        1.0 / each(accepted),
        each(accepted) * 1e6
    );
    println!("bytes     {sent} sent, {kept} kept, of a job");
    if 1.0 / each(made) < LEAST_A_SECOND {
        bail!("fewer than {LEAST_A_SECOND} a second and core");
    }
    if kept > MOST_BYTES {
        bail!("more than {MOST_BYTES} bytes a job");
    }
    Ok(())
}

fn number(job: u32) -> JobNumber {
    let mut number = [0xA5; 16];
    number[..4].copy_from_slice(&job.to_be_bytes());
    number
}

/// Job, chain, statement and signature, under the tab's lock.
fn make(attested: &Attested, key: &Key) -> anyhow::Result<Vec<Receipt>> {
    let tabs = Tabs::new(attested.receipt_key, 1);
    let tab = tabs.open(TabId::unpaid(&[7; 32]))?;
    let done = Done {
        attested,
        units: [1031, 512, 256, 0],
        quote: money::unpaid_quote(),
        amount: 0,
        request: [0x51; 32],
        answer: [0x52; 32],
        end: End::Stop,
        began: 1_796_126_400,
        ended: 1_796_126_401,
    };
    let jobs = 0..JOBS;
    jobs.map(|job| Ok(tab.end(tab.begin(number(job))?, &done, key)?))
        .collect()
}

/// Every check that a client makes.
fn accept(attested: &Attested, receipts: &[Receipt]) -> anyhow::Result<Kept> {
    let mut tab = Tab::new(TabId::unpaid(&[7; 32]), attested.receipt_key);
    let mut last = None;
    for (job, receipt) in (0..JOBS).zip(receipts) {
        let expected = Expected {
            job: number(job),
            request: [0x51; 32],
            answer: Some([0x52; 32]),
            attested,
            quote: None,
        };
        last = Some(black_box(tab.accept(receipt, &expected)?));
    }
    last.context("no jobs")
}

/// CPU time of this process.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::from_secs(seconds) + Duration::from_nanos(time.tv_nsec.unsigned_abs())
}
