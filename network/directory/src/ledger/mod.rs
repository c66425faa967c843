//! The ledger: one page and its JSON about what the directory knows, as files like all others. The page checks in the reader's browser what
//! can be checked; without its script it is a table of what the directory says.
//!
//! ```text
//! index.html  ledger.js  ledger.css
//! v1/ledger/summary.json        docs/spec/ledger.schema.json
//! v1/ledger/table.html          all providers, as a plain table
//! ```

mod page;
mod payouts;
mod summary;
mod tally;

use chrysalis_attestation::Time;
use serde_json::Value;

pub(crate) use self::page::POLICY;
pub use self::payouts::{Payouts, Senders};
use self::{summary::Known, tally::Tally};
use crate::{
    Desk,
    publish::{Folder, PublishError},
    store::StoreError,
};

/// What is counted is kept under this name in the database.
const TALLY: &str = "ledger";
/// What was paid, likewise.
const PAID: &str = "ledger_paid";
/// The shortest and the longest time between two pages, in seconds.
const OFTEN: i64 = 2;
const SELDOM: i64 = 30;
/// So many providers make a page a second rarer.
const PER_SECOND: i64 = 200;

/// Writes the page and its JSON.
pub struct Ledger {
    payouts: Option<Payouts>,
    tally: Option<Tally>,
    known: Known,
    written: Option<(i64, Value)>,
}

impl Ledger {
    /// One that asks a chain what operators were paid, if it has any.
    pub fn new(payouts: Option<Payouts>) -> Self {
        Self {
            payouts,
            tally: None,
            known: Known::default(),
            written: None,
        }
    }

    /// Counts the minutes that are closed, and writes what is due. To be called after everything else is published. Blocks.
    pub(crate) fn tick(
        &mut self,
        desk: &Desk,
        folder: &Folder,
        key: &[u8; 32],
        now: Time,
    ) -> Result<(), PublishError> {
        let refresh = self.refresh();
        let due = |at: i64| !(0..refresh).contains(&now.0.saturating_sub(at));
        if !self.written.as_ref().is_none_or(|(at, _)| due(*at)) {
            return Ok(());
        }
        let tally = match &mut self.tally {
            Some(tally) => tally,
            none => none.insert(begin(desk, self.payouts.as_ref())?),
        };
        tally.count(desk)?;
        let mut read = self.known.read(desk, now)?;
        if tally.remember(&read.indexes(), now) {
            let bytes = tally.encode();
            desk.store()
                .change(|change| change.set_about(TALLY, &bytes))?;
        }
        let tally = tally.ahead(desk)?;
        if let Some(payouts) = &self.payouts {
            payouts.want(tally.payees());
            if let Some(bytes) = payouts.note() {
                desk.store()
                    .change(|change| change.set_about(PAID, &bytes))?;
            }
        }
        read.refresh = refresh;
        let head = folder.read("checkpoint")?;
        let summary = read.summary(desk, &tally, self.payouts.as_ref(), (&head, key), now);
        self.write(folder, summary, now)
    }

    fn refresh(&self) -> i64 {
        let providers = i64::try_from(self.known.providers()).unwrap_or(i64::MAX);
        (providers / PER_SECOND).clamp(OFTEN, SELDOM)
    }

    /// Writes what differs; a page that says the same as before only says so again once in a while.
    fn write(&mut self, folder: &Folder, summary: Value, now: Time) -> Result<(), PublishError> {
        let same = |before: &Value| {
            let without = |value: &Value| {
                let mut value = value.clone();
                value.as_object_mut().map(|it| it.remove("at"));
                value
            };
            without(before) == without(&summary)
        };
        if let Some((at, before)) = &self.written
            && now.0.saturating_sub(*at) < SELDOM
            && same(before)
        {
            return Ok(());
        }
        folder.write_if_other("ledger.js", page::SCRIPT.as_bytes())?;
        folder.write_if_other("ledger.css", page::STYLE.as_bytes())?;
        folder.write("v1/ledger/summary.json", summary.to_string().as_bytes())?;
        folder.write("v1/ledger/table.html", page::table(&summary).as_bytes())?;
        folder.write("index.html", page::page(&summary).as_bytes())?;
        self.written = Some((now.0, summary));
        Ok(())
    }
}

/// What was counted before.
fn begin(desk: &Desk, payouts: Option<&Payouts>) -> Result<Tally, StoreError> {
    let (counted, paid) = desk.store().change(|change| {
        let found = (change.about(TALLY)?, change.about(PAID)?);
        Ok::<_, StoreError>(found)
    })?;
    if let (Some(payouts), Some(paid)) = (payouts, paid) {
        payouts.remember(&paid);
    }
    let tally = counted.map(|bytes| Tally::decode(&bytes));
    tally.map_or_else(
        || Ok(Tally::default()),
        |read| read.ok_or(StoreError::unreadable("a ledger that is none")),
    )
}

/// The page of a summary: what [`Ledger`] writes as `index.html`.
pub fn page_of(summary: &Value) -> String {
    page::page(summary)
}
