//! What is owed, claimed and paid.

use std::{collections::BTreeMap, fmt::Write, process::ExitCode};

use chrysalis_chain::LOCAL_ID;
use chrysalis_chain::amount;
use clap::Args;
use serde::Serialize;

use super::open;
use crate::{
    cashier::{
        book::{self, Book, claims::Sent, explained, lanes::Lane, tabs::Tab},
        lane::LaneId,
        ledger::dues,
        options::DatabaseOptions,
    },
    format::{Format, print},
};

/// The most claims that are listed.
const MAX_CLAIMS: u32 = 100;

#[derive(Debug, Args)]
pub(crate) struct StatusOptions {
    #[command(flatten)]
    database: DatabaseOptions,
    /// How to print
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

/// All of it, in nano and Unix seconds.
#[derive(Debug, Serialize)]
pub(super) struct Status {
    payee: String,
    /// The chain's global id.
    network: Option<i32>,
    /// Nothing there is worth anything.
    local: bool,
    #[serde(flatten)]
    sums: Money,
    /// What all claims cost whose cost is known.
    fees: u64,
    /// Price reports that are kept.
    reports: u64,
    lanes: Vec<LaneStatus>,
    /// Those under way, and the last that were paid.
    claims: Vec<Claim>,
}

#[derive(Debug, Default, Serialize)]
struct Money {
    /// What caps and receipts prove, paid or not.
    owed: u64,
    /// What claims under way should bring.
    claimed: u64,
    /// What the chain shows as paid, fees included.
    paid: u64,
    /// What could be claimed and is not paid.
    due: u64,
}

#[derive(Debug, Serialize)]
struct LaneStatus {
    purse: String,
    lane: u32,
    state: &'static str,
    locked: u64,
    #[serde(flatten)]
    money: Money,
    tabs: usize,
    closes_at: u32,
    checked_at: i64,
    #[serde(skip)]
    id: LaneId,
}

#[derive(Debug, Serialize)]
struct Claim {
    purse: String,
    lane: u32,
    branch: u16,
    receipt_key: String,
    due: u64,
    times: u32,
    sent_at: i64,
    paid: Option<u64>,
    paid_at: Option<i64>,
    cost: Option<u64>,
}

pub(super) fn status(options: &StatusOptions) -> anyhow::Result<ExitCode> {
    let book = Book::read(&options.database.path()?)?;
    let status = Status::read(&book)?;
    match options.format {
        Format::Text => print(&status.text())?,
        Format::Json => print(&(serde_json::to_string_pretty(&status)? + "\n"))?,
    }
    Ok(ExitCode::SUCCESS)
}

impl Status {
    pub(super) fn read(book: &Book) -> anyhow::Result<Self> {
        let owner = open::owner(book)?;
        let read = || -> book::Result<_> {
            let mut tabs: BTreeMap<LaneId, Vec<Tab>> = BTreeMap::new();
            for tab in book.tabs(None)? {
                tabs.entry(tab.entry.lane).or_default().push(tab);
            }
            let (open, paid) = (book.open_claims()?, book.paid_claims(MAX_CLAIMS)?);
            Ok((
                book.lanes()?,
                tabs,
                open,
                paid,
                book.costs()?,
                book.reports()?,
            ))
        };
        let (lanes, mut tabs, open, paid, fees, reports) = read()
            .map_err(|error| anyhow::anyhow!("the cashier's database: {}", explained(&error)))?;
        let lanes: Vec<LaneStatus> = lanes
            .into_iter()
            .map(|lane| {
                let tabs = tabs.remove(&lane.id).unwrap_or_default();
                LaneStatus::of(&lane, &tabs, &open)
            })
            .collect();
        let mut sums = Money::default();
        for lane in &lanes {
            sums.add(&lane.money);
        }
        Ok(Self {
            payee: owner.payee.to_string(),
            network: owner.network,
            local: owner.network == Some(LOCAL_ID),
            sums,
            fees,
            reports,
            lanes,
            claims: open.iter().chain(&paid).map(Claim::of).collect(),
        })
    }

    pub(super) fn text(&self) -> String {
        let mut page = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(page, "payee  {}", self.payee);
        let chain = match self.network {
            Some(_) if self.local => "the local chain: nothing here is worth anything".to_owned(),
            Some(network) => format!("global id {network}"),
            None => "not asked yet".to_owned(),
        };
        let _ = writeln!(page, "chain  {chain}\n");
        let line = |page: &mut String, lane: &str, state: &str, columns: [&str; 5]| {
            let [locked, owed, claimed, paid, due] = columns;
            let _ = writeln!(
                page,
                "{lane:<26} {state:<8} {locked:>12} {owed:>12} {claimed:>12} {paid:>12} {due:>12}"
            );
        };
        let head = ["locked", "owed", "claimed", "paid", "due"];
        line(&mut page, "lane", "state", head);
        for lane in &self.lanes {
            let Money {
                owed,
                claimed,
                paid,
                due,
            } = lane.money;
            let columns = [lane.locked, owed, claimed, paid, due].map(amount::write);
            let columns = columns.each_ref().map(String::as_str);
            line(&mut page, &lane.id.to_string(), lane.state, columns);
        }
        let Money {
            owed,
            claimed,
            paid,
            due,
        } = self.sums;
        let columns = [owed, claimed, paid, due].map(amount::write);
        let [owed, claimed, paid, due] = columns.each_ref().map(String::as_str);
        line(&mut page, "all", "", ["", owed, claimed, paid, due]);
        let _ = writeln!(page, "\nfees   {}", amount::write(self.fees));
        page
    }
}

impl Money {
    fn add(&mut self, more: &Self) {
        let Self {
            owed,
            claimed,
            paid,
            due,
        } = self;
        for (sum, more) in [
            (owed, more.owed),
            (claimed, more.claimed),
            (paid, more.paid),
            (due, more.due),
        ] {
            *sum = sum.saturating_add(more);
        }
    }
}

impl LaneStatus {
    fn of(lane: &Lane, tabs: &[Tab], open: &[Sent]) -> Self {
        let mut money = Money::default();
        for (tab, due) in dues(lane, lane.locked, tabs) {
            money.add(&Money {
                owed: tab.entry.owed(),
                claimed: 0,
                paid: tab.paid,
                due: if lane.gone_at.is_none() { due } else { 0 },
            });
        }
        let open = open.iter().filter(|sent| sent.lane == lane.id);
        money.claimed = open.map(|sent| sent.due).fold(0, u64::saturating_add);
        let state = match (lane.gone_at, lane.closes_at) {
            (Some(_), _) => "gone",
            (None, 0) => "open",
            (None, _) => "closing",
        };
        Self {
            purse: lane.id.address().to_string(),
            lane: lane.id.lane,
            state,
            locked: lane.locked,
            money,
            tabs: tabs.len(),
            closes_at: lane.closes_at,
            checked_at: lane.checked_at,
            id: lane.id,
        }
    }
}

impl Claim {
    fn of(sent: &Sent) -> Self {
        Self {
            purse: sent.lane.address().to_string(),
            lane: sent.lane.lane,
            branch: sent.key.1,
            receipt_key: hex::encode(sent.key.0),
            due: sent.due,
            times: sent.times,
            sent_at: sent.at,
            paid: sent.paid,
            paid_at: sent.paid_at,
            cost: sent.cost,
        }
    }
}
