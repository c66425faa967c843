//! What an answer is receipted with, and what a client shows to be served.

use chrysalis_chain::{Transaction, purse::State};
use chrysalis_settle::{
    Attested, Content, Credential, Expected, Job, Kept, Receipt, SignedReport, Standing, Statement,
    Tab, TabId, Terms, money::Quote,
};
use tycho_types::boc::Boc;

/// A key that signed no seed.
const KEY: [u8; 32] = [0x4B; 32];

const fn attested() -> Attested {
    Attested {
        receipt_key: KEY,
        claims: [2; 32],
        epoch: 4,
        evidence: [3; 32],
    }
}

/// A job is read only from its one encoding, and so is a quote.
pub(super) fn job(bytes: &[u8]) {
    if let Ok(job) = Job::decode(bytes) {
        assert_eq!(job.encode(), bytes, "one job has two encodings");
    }
    if let Some(quote) = Quote::decode(bytes) {
        assert_eq!(quote.encode(), bytes, "one quote has two encodings");
    }
}

/// A receipt is read only from its one encoding, and no tab takes one that its enclave did not sign.
pub(super) fn receipt(bytes: &[u8]) {
    let Ok((receipt, job)) = Receipt::decode(bytes) else {
        return;
    };
    assert_eq!(receipt.encode(), bytes, "one receipt has two encodings");
    let text = receipt.to_text();
    assert_eq!(
        Receipt::from_text(&text),
        Ok((receipt.clone(), job.clone()))
    );
    let standing = Standing {
        seq: job.seq.saturating_sub(1),
        cumulative: job.cumulative.saturating_sub(job.amount),
        head: [9; 32],
    };
    let mut tab = Tab::resumed(TabId::unpaid(&[7; 32]), KEY, standing);
    let accepted = tab.accept(
        &receipt,
        &Expected {
            job: job.job,
            request: [0; 32],
            answer: None,
            attested: &attested(),
            quote: None,
        },
    );
    assert!(
        accepted.is_err(),
        "accepted under a key that signed nothing"
    );
}

/// The same for one that was kept.
pub(super) fn kept(bytes: &[u8]) {
    let Ok(kept) = Kept::decode(bytes) else {
        return;
    };
    assert_eq!(kept.encode(), bytes, "one kept receipt has two encodings");
    assert!(Kept::is_one(bytes), "a kept receipt does not look like one");
    let verified = kept.verify(&attested(), &Content::default());
    assert!(
        verified.is_err(),
        "verified under a key that signed nothing"
    );
}

/// Every credential has one encoding, and no cap counts that nobody signed.
pub(super) fn credential(bytes: &[u8]) {
    if let Ok(credential) = Credential::decode(bytes) {
        assert_eq!(credential.encode(), bytes);
        assert!(credential.verify(&KEY, &KEY).is_err(), "a cap of nobody's");
    }
    if let Ok(statement) = Statement::decode(bytes) {
        assert_eq!(statement.encode(), bytes);
    }
}

/// A report that is signed has one encoding, and whatever it says, a price follows from it or is refused.
pub(super) fn report(bytes: &[u8]) {
    if let Ok(report) = SignedReport::verify(bytes) {
        let inside = report.encode();
        let mut places = bytes.windows(inside.len());
        assert!(
            places.any(|part| part == inside),
            "one report has two encodings"
        );
        let _ = report.follows(None);
        let _ = report.price.after(report.load, report.price.x).base();
    }
}

/// What an enclave says of a tab is read only from its one encoding, and no tab goes on from a receipt that nobody signed.
pub(super) fn terms(bytes: &[u8]) {
    let Some((terms, _)) = Terms::decode(bytes) else {
        return;
    };
    assert_eq!(terms.encode(), bytes, "terms have two encodings");
    if let Some(last) = &terms.last {
        let found = Tab::found(TabId::unpaid(&[7; 32]), KEY, last, terms.head);
        assert!(found.is_err(), "goes on from what nobody signed");
    }
}

/// What a chain says that an account holds, or that happened to it: no more lanes and tabs than there are cells.
pub(super) fn purse(bytes: &[u8]) {
    let Ok(cell) = Boc::decode(bytes) else {
        return;
    };
    if let Ok(state) = State::read(&cell) {
        assert!(state.lanes.len() <= bytes.len(), "lanes out of nothing");
    }
    let _ = cell.parse::<Transaction>();
    let _ = chrysalis_chain::purse::body(&cell);
}
