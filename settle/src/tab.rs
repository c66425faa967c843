//! The client's side of a tab: what it has accepted so far, and what the next receipt must be.

use crate::{
    Attested, End, Job, JobNumber, Kept, Receipt, Rejection, Statement, TabId, Tag, chain,
    money::{self, Quote},
};

/// How far a tab has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// Jobs so far.
    pub seq: u64,
    /// Nano owed so far.
    pub cumulative: u64,
    /// The head of the chain.
    pub head: [u8; 32],
}

impl Standing {
    /// Before the first job.
    pub fn first(receipt_key: &[u8; 32], tab: &TabId) -> Self {
        Self {
            seq: 0,
            cumulative: 0,
            head: chain::first_head(receipt_key, tab),
        }
    }

    /// What the receipt key signs when a tab has come so far.
    pub fn statement(&self, tab: TabId) -> Statement {
        Statement {
            tag: Tag::Receipt,
            tab,
            amount: self.cumulative,
            last: self.head,
        }
    }
}

/// A client's tab.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tab {
    id: TabId,
    receipt_key: [u8; 32],
    standing: Standing,
}

/// What a client knows of the job that a receipt must be about.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// The number that it drew.
    pub job: JobNumber,
    /// SHA-256 of the request's body.
    pub request: [u8; 32],
    /// SHA-256 of the answer's body up to the receipt. `None` for a job that was cancelled: its client has not read all that was sent.
    pub answer: Option<[u8; 32]>,
    /// The evidence that was verified.
    pub attested: &'a Attested,
    /// The quote that it asked by; none where nobody pays.
    pub quote: Option<&'a Quote>,
}

impl Tab {
    /// A new tab with the enclave that has this receipt key.
    pub fn new(id: TabId, receipt_key: [u8; 32]) -> Self {
        Self::resumed(id, receipt_key, Standing::first(&receipt_key, &id))
    }

    /// One that was kept.
    pub fn resumed(id: TabId, receipt_key: [u8; 32], standing: Standing) -> Self {
        Self {
            id,
            receipt_key,
            standing,
        }
    }

    /// One whose last receipt the enclave shows, for a client that kept nothing: what the enclave signed is what it will claim. `head` is
    /// the head after that receipt's job.
    pub fn found(
        id: TabId,
        receipt_key: [u8; 32],
        last: &Receipt,
        head: [u8; 32],
    ) -> Result<Self, Rejection> {
        let job = Job::decode(&last.job)?;
        let standing = Standing {
            seq: job.seq,
            cumulative: job.cumulative,
            head,
        };
        let statement = standing.statement(id);
        if !statement.is_signed(&receipt_key, &last.signature) {
            return Err(Rejection::Signature);
        }
        Ok(Self::resumed(id, receipt_key, standing))
    }

    /// How far it has come.
    pub fn standing(&self) -> Standing {
        self.standing
    }

    /// Takes the next receipt, in this order: its number, its signature, its sums, what it is about, the evidence it names. What is wrong
    /// after the signature is therefore the enclave's own signed word. A tab that refuses stays as it is.
    pub fn accept(
        &mut self,
        receipt: &Receipt,
        expected: &Expected<'_>,
    ) -> Result<Kept, Rejection> {
        let job = Job::decode(&receipt.job)?;
        if self.standing.seq.checked_add(1) != Some(job.seq) {
            return Err(Rejection::Chain {
                what: "not the next number",
            });
        }
        let statement = Statement {
            tag: Tag::Receipt,
            tab: self.id,
            amount: job.cumulative,
            last: chain::next_head(&self.standing.head, &receipt.job),
        };
        if !statement.is_signed(&self.receipt_key, &receipt.signature) {
            return Err(Rejection::Signature);
        }
        sums(&job, self.standing.cumulative, expected.quote)?;
        content(&job, expected)?;
        expected.attested.check(&job)?;
        let before = self.standing.head;
        self.standing = Standing {
            seq: job.seq,
            cumulative: job.cumulative,
            head: statement.last,
        };
        Ok(Kept::new(receipt.clone(), job, statement, before))
    }
}

fn sums(job: &Job, last: u64, quote: Option<&Quote>) -> Result<(), Rejection> {
    let (digest, amount) = match quote {
        None => (money::unpaid_quote(), 0),
        Some(quote) => (quote.digest(), money::amount(&job.units, &quote.price)?),
    };
    if job.quote != digest {
        return Err(Rejection::Quote);
    }
    if job.amount != amount {
        return Err(Rejection::Sum {
            what: "the amount is not units by price",
        });
    }
    if last.checked_add(job.amount) != Some(job.cumulative) {
        return Err(Rejection::Sum {
            what: "the sum is not the last one with this amount",
        });
    }
    Ok(())
}

fn content(job: &Job, expected: &Expected<'_>) -> Result<(), Rejection> {
    let differs = |what| Err(Rejection::Content { what });
    if job.job != expected.job {
        return differs("job");
    }
    if job.request != chain::request_commitment(&job.job, &expected.request) {
        return differs("request");
    }
    match expected.answer {
        Some(answer) if job.response != chain::response_commitment(&job.job, &answer) => {
            differs("answer")
        }
        // Only what was cancelled may go unchecked.
        None if job.end != End::Cancelled => differs("answer"),
        _ => Ok(()),
    }
}
