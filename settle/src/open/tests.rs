use std::sync::Arc;

use ring::signature::{Ed25519KeyPair, KeyPair};

use super::*;
use crate::{Expected, MAX_BRANCHES, Tab, Tabs, TabsFull, money::Quote};

struct Key(Ed25519KeyPair);

impl Sign for Key {
    fn sign(&self, digest: &[u8; 32]) -> Option<[u8; 64]> {
        self.0.sign(digest).as_ref().try_into().ok()
    }
}

/// One that is gone.
struct Gone;

impl Sign for Gone {
    fn sign(&self, _: &[u8; 32]) -> Option<[u8; 64]> {
        None
    }
}

fn key() -> Key {
    Key(Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap())
}

fn receipt_key() -> [u8; 32] {
    key().0.public_key().as_ref().try_into().unwrap()
}

const ATTESTED: Attested = Attested {
    receipt_key: [1; 32],
    claims: [2; 32],
    epoch: 4,
    evidence: [3; 32],
};

/// A cap; signatures are checked by the caller.
fn cap(branch: u16, cap: u64) -> Credential {
    Credential {
        tab: TabId {
            purse: [7; 32],
            lane: 8,
            branch,
        },
        cap,
        signature: [0; 64],
    }
}

fn done(amount: u64) -> Done<'static> {
    Done {
        attested: &ATTESTED,
        units: [amount, 0, 0, 0],
        quote: [5; 32],
        amount,
        request: [6; 32],
        answer: [7; 32],
        end: End::Stop,
        began: 1,
        ended: 2,
    }
}

fn tabs() -> Tabs {
    Tabs::new(receipt_key(), 4)
}

/// Begins the job with this number.
fn begin(
    tabs: &Tabs,
    credential: Credential,
    job: u8,
    bound: u64,
    ceiling: u64,
) -> Result<(Arc<OpenTab>, Running), NotAdmitted> {
    tabs.admit(&credential, [job; 16], bound, ceiling, 0)
}

fn too_low(wanted: u64, cap: u64, ceiling: u64) -> Result<(Arc<OpenTab>, Running), NotAdmitted> {
    Err(NotAdmitted::TooLow {
        wanted,
        cap,
        ceiling,
    })
}

#[test]
fn what_runs_is_counted_at_its_bound_and_what_ended_at_its_amount() {
    let tabs = tabs();
    let (tab, first) = begin(&tabs, cap(0, 100), 1, 60, 1000).unwrap();
    assert_eq!(first.bound(), 60);
    // 60 run already.
    let refused = begin(&tabs, cap(0, 100), 2, 41, 1000).unwrap_err();
    let wanted = NotAdmitted::TooLow {
        wanted: 101,
        cap: 100,
        ceiling: 1000,
    };
    assert_eq!(refused, wanted);
    let (_, second) = begin(&tabs, cap(0, 100), 2, 40, 1000).unwrap();
    tab.end(first, &done(5), &key()).unwrap();
    assert_eq!(tab.standing().cumulative, 5);
    // 5 are owed, 40 run.
    let (_, third) = begin(&tabs, cap(0, 100), 3, 55, 1000).unwrap();
    tab.end(second, &done(40), &key()).unwrap();
    tab.fail(third);
    assert_eq!(tab.standing().cumulative, 45);
    assert!(begin(&tabs, cap(0, 100), 4, 55, 1000).is_ok());
    assert_eq!(tabs.taken(&tab.id()), 100);
}

#[test]
fn no_more_is_owed_than_a_jobs_bound() {
    let tabs = tabs();
    let (tab, running) = begin(&tabs, cap(0, 100), 1, 10, 1000).unwrap();
    tab.end(running, &done(u64::MAX), &key()).unwrap();
    let debt = tab.debt().unwrap();
    assert_eq!((debt.statement.amount, debt.seq), (10, 1));
}

#[test]
fn a_higher_cap_counts_from_then_on_and_a_lower_one_never() {
    let tabs = tabs();
    let (tab, running) = begin(&tabs, cap(0, 10), 1, 10, 1000).unwrap();
    tab.end(running, &done(10), &key()).unwrap();
    let refused = begin(&tabs, cap(0, 10), 2, 1, 1000).map(drop);
    assert_eq!(refused, too_low(11, 10, 1000).map(drop));
    let (_, running) = begin(&tabs, cap(0, 20), 2, 5, 1000).unwrap();
    tab.fail(running);
    // An old credential works on, under the newest cap.
    let (_, running) = begin(&tabs, cap(0, 1), 3, 10, 1000).unwrap();
    tab.end(running, &done(1), &key()).unwrap();
    assert_eq!(tab.debt().unwrap().credential, cap(0, 20));
    tab.raise(&cap(0, 19));
    assert_eq!(tab.debt().unwrap().credential, cap(0, 20));
    // A cap that was refused with its job is a cap all the same.
    assert!(begin(&tabs, cap(0, 30), 4, 100, 1000).is_err());
    assert_eq!(tab.debt().unwrap().credential, cap(0, 30));
}

#[test]
fn all_tabs_of_a_lane_share_its_ceiling() {
    let tabs = tabs();
    let (one, running) = begin(&tabs, cap(0, 1000), 1, 60, 100).unwrap();
    let refused = begin(&tabs, cap(1, 1000), 1, 41, 100).map(drop);
    assert_eq!(refused, too_low(41, 1000, 40).map(drop));
    let (_, other) = begin(&tabs, cap(1, 1000), 1, 40, 100).unwrap();
    one.end(running, &done(20), &key()).unwrap();
    // What ended below its bound leaves room for the other tab.
    let (tab, third) = begin(&tabs, cap(1, 1000), 2, 40, 100).unwrap();
    let refused = begin(&tabs, cap(0, 1000), 2, 1, 100).map(drop);
    assert_eq!(refused, too_low(21, 1000, 20).map(drop));
    // A ceiling that fell below what is taken stops new jobs and no running one.
    let refused = begin(&tabs, cap(0, 1000), 2, 1, 5).map(drop);
    assert_eq!(refused, too_low(21, 1000, 20).map(drop));
    tab.end(other, &done(40), &key()).unwrap();
    tab.end(third, &done(40), &key()).unwrap();
    assert_eq!(tabs.taken(&tab.id()), 100);
    // Another lane has a ceiling of its own.
    let mut elsewhere = cap(0, 1000);
    elsewhere.tab.lane = 9;
    assert!(begin(&tabs, elsewhere, 1, 100, 100).is_ok());
}

#[test]
fn sums_that_do_not_fit_are_refused() {
    let tabs = tabs();
    let (tab, running) = begin(&tabs, cap(0, u64::MAX), 1, 10, u64::MAX).unwrap();
    let refused = begin(&tabs, cap(0, u64::MAX), 2, u64::MAX, u64::MAX).map(drop);
    assert_eq!(refused, too_low(u64::MAX, u64::MAX, u64::MAX).map(drop));
    tab.fail(running);
    assert!(begin(&tabs, cap(0, u64::MAX), 2, u64::MAX, u64::MAX).is_ok());
}

#[test]
fn a_number_counts_once_and_only_if_its_job_was_begun() {
    let tabs = tabs();
    assert!(begin(&tabs, cap(0, 5), 1, 6, 1000).is_err());
    // A tab whose first job was refused is none.
    assert_eq!(
        (tabs.count(), tabs.find(&cap(0, 5).tab).is_none()),
        (0, true)
    );
    let (tab, running) = begin(&tabs, cap(0, 5), 1, 5, 1000).unwrap();
    tab.fail(running);
    let refused = begin(&tabs, cap(0, 5), 1, 5, 1000).map(drop);
    assert_eq!(refused, Err(NotAdmitted::Repeated(JobRepeated)));
}

#[test]
fn three_jobs_given_up_in_a_minute_close_the_tab_for_a_minute() {
    let tabs = tabs();
    let ask = |job: u8, now| tabs.admit(&cap(0, 100), [job; 16], 1, 100, now);
    for (job, now) in [(1, 0), (2, 70_000), (3, 80_000)] {
        let (tab, running) = ask(job, now).unwrap();
        tab.give_up(running, now);
    }
    // The first was more than a minute before the third.
    let (tab, running) = ask(4, 90_000).unwrap();
    tab.give_up(running, 129_000);
    let closed = ask(5, 129_001).map(drop);
    assert_eq!(closed, Err(NotAdmitted::GivenUp { after: 59_999 }));
    let (tab, running) = ask(5, 189_000).unwrap();
    tab.end(running, &done(1), &key()).unwrap();
    assert_eq!(tab.standing().seq, 1);
    // What fails by itself is nobody's fault.
    for job in 6..20 {
        let (tab, running) = ask(job, 189_000).unwrap();
        tab.fail(running);
    }
    for _ in 0..3 {
        tab.blame(190_000);
    }
    assert!(ask(20, 190_000).is_err());
}

#[test]
fn a_job_without_a_receipt_owes_nothing() {
    let tabs = tabs();
    let (tab, running) = begin(&tabs, cap(0, 100), 1, 60, 100).unwrap();
    let refused = tab.end(running, &done(60), &Gone);
    assert_eq!(refused, Err(NoReceipt::NoKey));
    assert_eq!((tab.debt(), tabs.taken(&tab.id())), (None, 0));
    assert!(begin(&tabs, cap(0, 100), 2, 100, 100).is_ok());
}

#[test]
fn paid_tabs_stay_and_leave_room_for_no_more_than_there_is() {
    let tabs = tabs();
    let left = TabId::unpaid(&[1; 32]);
    tabs.open(left).unwrap();
    for branch in 0..3 {
        let (tab, running) = begin(&tabs, cap(branch, 9), 1, 1, 100).unwrap();
        tab.fail(running);
    }
    assert_eq!(tabs.has_room(&cap(3, 9).tab), Err(TabsFull));
    let full = begin(&tabs, cap(3, 9), 1, 1, 100).map(drop);
    assert_eq!(full, Err(NotAdmitted::Full(TabsFull)));
    // One that its connection left gives way, but not to a job that is refused.
    tabs.leave(&left);
    assert!(begin(&tabs, cap(3, 9), 1, 10, 100).is_err());
    assert!(tabs.find(&left).is_some());
    assert_eq!(tabs.has_room(&cap(3, 9).tab), Ok(()));
    assert!(begin(&tabs, cap(3, 9), 1, 1, 100).is_ok());
    assert!(tabs.find(&left).is_none());
    assert_eq!(tabs.has_room(&cap(0, 9).tab), Ok(()));
    assert!(tabs.open(left).is_err());
}

#[test]
fn one_lane_does_not_fill_all_places() {
    let tabs = Tabs::new(receipt_key(), 2000);
    let most = u16::try_from(MAX_BRANCHES).unwrap();
    for branch in 0..most {
        let (tab, running) = begin(&tabs, cap(branch, 9), 1, 1, 100).unwrap();
        tab.fail(running);
    }
    let full = begin(&tabs, cap(most, 9), 1, 1, 100).map(drop);
    assert_eq!(full, Err(NotAdmitted::Full(TabsFull)));
    let mut elsewhere = cap(most, 9);
    elsewhere.tab.lane = 9;
    assert!(begin(&tabs, elsewhere, 1, 1, 100).is_ok());
}

#[test]
fn nobody_begins_a_paid_job_on_a_tab_that_nobody_pays_for() {
    let tabs = tabs();
    let free = tabs.open(TabId::unpaid(&[1; 32])).unwrap();
    let mut credential = cap(0, 100);
    credential.tab = free.id();
    let refused = begin(&tabs, credential, 1, 0, 100).map(drop);
    assert_eq!(refused, too_low(0, 0, 0).map(drop));
    assert_eq!(free.debt(), None);
}

#[test]
fn a_client_continues_from_the_receipts_that_it_missed() {
    let tabs = tabs();
    let quote = Quote {
        model: "m".to_owned(),
        weights: [4; 32],
        price: [1_000_000, 0, 0, 0],
        floor: 1,
        epoch: 0,
        until: 0,
    };
    let done = |amount| Done {
        quote: quote.digest(),
        ..done(amount)
    };
    let id = cap(0, 0).tab;
    let mut client = Tab::new(id, receipt_key());
    for job in 1..=10 {
        let (tab, running) = begin(&tabs, cap(0, 100), job, 9, 1000).unwrap();
        let receipt = tab.end(running, &done(u64::from(job) % 3), &key()).unwrap();
        if job == 2 {
            // The first two arrived.
            let (recent, _) = tab.recent();
            for (at, receipt) in (1..).zip(&recent) {
                client.accept(receipt, &expected(at, &quote)).unwrap();
            }
        }
        assert_eq!(tab.last(), Some(receipt));
    }
    let tab = tabs.find(&id).unwrap();
    let (recent, head) = tab.recent();
    assert_eq!((recent.len(), head), (RECEIPTS_KEPT, tab.standing().head));
    for (at, receipt) in (3..).zip(&recent) {
        client.accept(receipt, &expected(at, &quote)).unwrap();
    }
    assert_eq!(client.standing(), tab.standing());
    // One that lost its state goes on from the head that the last receipt signs.
    let standing = tab.standing();
    let signed = standing.statement(id);
    assert!(signed.is_signed(&receipt_key(), &recent[7].signature));
}

fn expected(job: u8, quote: &Quote) -> Expected<'_> {
    Expected {
        job: [job; 16],
        request: [6; 32],
        answer: Some([7; 32]),
        attested: &ATTESTED,
        quote: Some(quote),
    }
}
