//! Claims what is worth it, sends again what is not seen as paid, and follows what the chain says. One round at a time, and each is whole:
//! what a round leaves undone, the next one finds.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use chrysalis_chain::{ChainError, purse};

use super::{
    book::{self, Book, claims::Sent, explained, lanes::Lane, tabs::Tab},
    lane::{LaneId, Sight, TabKey},
    ledger::{Ledger, Purse, Sums, due, dues},
    lookout::{Lookout, Unseen},
    payments::{News, Payments},
    rule::{Fees, Haste, pause},
};
use crate::{metrics::takings::Takings, mutex::held};

/// How long one of several cashiers has a lane to itself, in seconds: less than from one round to the next.
const TENDED: i64 = 10;

/// The database, the chain, and what is between them.
pub(crate) struct Till {
    pub(crate) book: Mutex<Book>,
    pub(crate) lookout: Lookout,
    pub(crate) takings: Arc<Takings>,
    payments: Payments,
    /// Whether other cashiers tend the same lanes.
    shared: bool,
    /// Rounds are made by the program and by a person at once.
    round: Mutex<()>,
}

/// What a round did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Round {
    /// Claims that were sent.
    pub(crate) sent: Vec<Sent>,
    /// Claims that the chain shows as paid now.
    pub(crate) paid: Vec<Sent>,
    /// What went wrong, and what to do.
    pub(crate) trouble: Vec<String>,
    /// Whether claims are under way.
    pub(crate) open: bool,
}

impl Round {
    /// That something could not be written stops no claim, and is told once.
    fn wrote(&mut self, written: book::Result<()>) {
        if let Err(error) = written {
            let why = format!("the cashier's database: {}", explained(&error));
            if !self.trouble.contains(&why) {
                self.trouble.push(why);
            }
        }
    }
}

impl Till {
    pub(crate) fn new(book: Book, lookout: Lookout, takings: Arc<Takings>) -> Self {
        let till = Self {
            book: Mutex::new(book),
            lookout,
            takings,
            payments: Payments::default(),
            shared: false,
            round: Mutex::default(),
        };
        // What cannot be read now is told by the first round.
        let _ = till.count();
        till
    }

    /// The same, beside other cashiers with the same database.
    pub(crate) fn shared(self) -> Self {
        Self {
            shared: true,
            ..self
        }
    }

    /// One round at this time. `asked`: the provider wants all that can be claimed, now. Blocks for as long as the chain takes.
    pub(crate) fn round(&self, now: i64, asked: bool) -> Round {
        let _alone = held(&self.round);
        let mut round = Round::default();
        if let Err(error) = self.try_round(now, asked, &mut round) {
            round.wrote(Err(error));
        }
        if !round.trouble.is_empty() {
            self.takings.troubled.add(1);
        }
        self.takings.sent.add(round.sent.len() as u64);
        round
    }

    fn try_round(&self, now: i64, asked: bool, round: &mut Round) -> book::Result<()> {
        let fees = self.fees();
        let ledger = Ledger::read(&held(&self.book), fees)?;
        self.know_the_chain(round)?;
        if ledger.purses.is_empty() {
            return Ok(());
        }
        let is_known = |purse: &[u8; 32]| ledger.purses.contains_key(purse);
        let news = self.payments.read(&self.lookout, is_known);
        let news = news.unwrap_or_else(|unseen| {
            round.trouble.extend(told(unseen));
            News::default()
        });
        let mut wanted: Vec<_> = ledger.purses.iter().collect();
        wanted.retain(|(id, purse)| {
            asked || news.gap || news.closing.contains(*id) || ledger.is_due(purse, fees, now)
        });
        let closes = |purse: &Purse| purse.lanes.iter().any(|(lane, _)| lane.closes_at != 0);
        wanted.sort_by_key(|(id, purse)| !(news.closing.contains(*id) || closes(purse)));
        for (id, purse) in wanted {
            match self.lookout.look_now(id) {
                Ok(sight) => {
                    for (lane, _) in &purse.lanes {
                        self.tend(lane, &sight, now, asked, round)?;
                    }
                }
                Err(Unseen::NoPurse) => {
                    for (lane, _) in &purse.lanes {
                        let written = held(&self.book).seen(lane.id, None, now);
                        round.wrote(written);
                    }
                }
                // The others could not be asked either; the next round will.
                Err(unseen) => {
                    round.trouble.extend(told(unseen));
                    break;
                }
            }
        }
        round.open = !held(&self.book).open_claims()?.is_empty();
        self.count().map(drop)
    }

    /// A run that began while the chain could not be asked writes down later whose database it is.
    fn know_the_chain(&self, round: &mut Round) -> book::Result<()> {
        let owner = held(&self.book).owner()?;
        let Some(mut owner) = owner.filter(|owner| owner.network.is_none()) else {
            return Ok(());
        };
        match self.lookout.network() {
            Ok(network) => {
                owner.network = Some(network);
                let written = held(&self.book).set_owner(&owner);
                round.wrote(written);
            }
            Err(unseen) => round.trouble.extend(told(unseen)),
        }
        Ok(())
    }

    fn fees(&self) -> Fees {
        Fees::of(self.lookout.payee())
    }

    /// Writes down what the chain shows of a lane, and claims on it.
    fn tend(
        &self,
        lane: &Lane,
        sight: &Sight,
        now: i64,
        asked: bool,
        round: &mut Round,
    ) -> book::Result<()> {
        let id = lane.id;
        if self.shared && !held(&self.book).take(id, now, now.saturating_add(TENDED))? {
            return Ok(());
        }
        let seen = sight.lanes.get(&id.lane);
        if seen.is_some_and(|seen| !lane.can_be(seen)) {
            round.trouble.push(format!(
                "the chain says of lane {id} what cannot be: another key or delay\nhint: ask another server with --chain"
            ));
            return Ok(());
        }
        let written = held(&self.book).seen(id, seen, now);
        round.wrote(written);
        let Some(seen) = seen else { return Ok(()) };
        self.settle(id, seen, now, round)?;
        self.claim(id, seen, sight, now, asked, round)
    }

    /// A claim has happened once the account shows it, and not before.
    fn settle(
        &self,
        id: LaneId,
        seen: &purse::Lane,
        now: i64,
        round: &mut Round,
    ) -> book::Result<()> {
        let mut book = held(&self.book);
        for mut sent in book.open_claims()? {
            let paid = seen.tabs.get(&sent.key).copied().unwrap_or_default();
            if sent.lane != id || paid <= sent.paid_before {
                continue;
            }
            let paid = paid.saturating_sub(sent.paid_before);
            sent.paid = Some(paid);
            sent.paid_at = Some(now);
            sent.cost = self.payments.cost(&id.purse, paid, sent.lt);
            round.wrote(book.settled(sent.id, paid, sent.cost, now));
            round.paid.push(sent);
        }
        Ok(())
    }

    /// Claims go by what the chain shows now: they are sent even where nothing can be written, because one too many does no harm.
    fn claim(
        &self,
        id: LaneId,
        seen: &purse::Lane,
        sight: &Sight,
        now: i64,
        asked: bool,
        round: &mut Round,
    ) -> book::Result<()> {
        let fees = self.fees();
        let haste = match (seen.closes_at, sight.short, asked) {
            (_, _, true) => Haste::Asked,
            (0, 0, false) => Haste::None,
            _ => Haste::Pressing,
        };
        let (lane, mut tabs, open, cost) = {
            let book = held(&self.book);
            let open = book
                .open_claims()?
                .into_iter()
                .filter(|sent| sent.lane == id);
            let open: BTreeMap<TabKey, Sent> = open.map(|sent| (sent.key, sent)).collect();
            let lane = book.lane(id)?;
            (lane, book.tabs(Some(id))?, open, book.last_cost(&id.purse)?)
        };
        let Some(mut lane) = lane else { return Ok(()) };
        lane.paid = seen.paid;
        for tab in &mut tabs {
            tab.paid = seen.tabs.get(&tab.entry.key).copied().unwrap_or_default();
        }
        let cost = cost.unwrap_or(fees.cost);
        let locked = seen.locked.saturating_sub(sight.short);
        for (tab, nano) in dues(&lane, locked, &tabs) {
            let due = due(tab, nano, now);
            let before = open.get(&tab.entry.key);
            let times = match before {
                Some(before) if nano < fees.floor => {
                    let written = held(&self.book).dropped(before, false, now);
                    round.wrote(written);
                    continue;
                }
                Some(before) if before.again_at > now && before.at <= now => continue,
                Some(before) => before.times.saturating_add(1),
                None if due.is_worth_it(fees, cost, haste) => 1,
                None => continue,
            };
            let sent = Sent {
                id: before.map_or(0, |it| it.id),
                lane: id,
                key: tab.entry.key,
                paid_before: before.map_or(tab.paid, |it| it.paid_before),
                due: nano,
                lt: before.map_or(sight.lt, |it| it.lt),
                times,
                at: now,
                again_at: now.saturating_add(pause(times, haste)),
                paid: None,
                paid_at: None,
                cost: None,
            };
            if !self.send(tab, sent, now, round) {
                break;
            }
        }
        Ok(())
    }

    /// Sends a claim. Whether to go on: not if the chain cannot be reached.
    fn send(&self, tab: &Tab, sent: Sent, now: i64, round: &mut Round) -> bool {
        let written = held(&self.book).sending(&sent);
        round.wrote(written);
        let body = tab.entry.claim().cell();
        let message = purse::message(&sent.lane.address(), None, &body);
        match self.lookout.send(&message) {
            Ok(()) => {
                round.sent.push(sent);
                true
            }
            Err(ChainError::Refused { exit_code }) => {
                // Once, that may be because it was paid a moment ago: the next round finds out.
                if sent.times > 1 {
                    round.trouble.extend(refusal(&sent, exit_code));
                    let written = held(&self.book).dropped(&sent, true, now);
                    round.wrote(written);
                }
                true
            }
            Err(error) => {
                round.trouble.extend(told(error.into()));
                false
            }
        }
    }

    /// Sums what all lanes owe, for the metrics and for people.
    pub(crate) fn count(&self) -> book::Result<Sums> {
        let sums = Ledger::read(&held(&self.book), self.fees())?.sums();
        self.takings.lanes.set(sums.lanes);
        self.takings.owed.set(sums.owed);
        self.takings.due.set(sums.due);
        self.takings.claimed.set(sums.claimed);
        self.takings.paid.set(sums.paid);
        Ok(sums)
    }
}

/// The contract's exit code for a claim that brings too little.
const TOO_LITTLE: i32 = 402;

fn told(unseen: Unseen) -> Option<String> {
    match unseen {
        Unseen::NoPurse => None,
        Unseen::Unreachable(why) => Some(why),
    }
}

/// That too little is due is no trouble: there will be more.
fn refusal(sent: &Sent, exit_code: Option<i32>) -> Option<String> {
    let code = exit_code.map_or(String::new(), |code| format!(" with exit code {code}"));
    let line = format!(
        "a claim on lane {} is refused{code}; it is tried again later\nhint: docs/spec/settle.md says what each code means",
        sent.lane
    );
    (exit_code != Some(TOO_LITTLE)).then_some(line)
}
