//! What the host is told so that it is paid: what is owed on each tab, soon after it changed, and each epoch's report of each price.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use chrysalis_settle::Debt;
use chrysalis_wire::host::{MAX_OWED, Owed};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, timeout};

use super::{
    pay::{Prices, Till},
    receipt::Issuer,
};
use crate::host::{Host, HostError};

/// How often what is owed is looked at.
const EVERY: Duration = Duration::from_millis(250);
/// How many reports are kept for a host that does not take them.
const MAX_REPORTS: usize = 256;

/// Tells the host, for as long as the enclave serves. `till` is none without payment: then there is nothing to tell.
pub(super) async fn keep(till: Option<Arc<Till>>, issuer: Arc<Issuer>, host: Arc<Host>) {
    match till {
        None => std::future::pending().await,
        Some(till) => {
            tokio::join!(
                tell_debts(&issuer, &host),
                turn(&till.prices, &issuer, &host)
            );
        }
    }
}

/// Hands over all that is owed and was not noted.
pub(super) async fn settle(issuer: &Issuer, host: &Host) -> Result<(), HostError> {
    loop {
        let debts = debts(issuer);
        if debts.is_empty() {
            return Ok(());
        }
        let key = issuer.key();
        host.owed(debts.iter().map(|debt| owed(debt, key)).collect())
            .await?;
        let mut owing = issuer.owing();
        for debt in &debts {
            // One that grew meanwhile is told again.
            let tab = debt.statement.tab;
            if owing.get(&tab).is_some_and(|seq| *seq <= debt.seq) {
                owing.remove(&tab);
            }
        }
    }
}

async fn tell_debts(issuer: &Issuer, host: &Host) {
    let mut ticks = interval(EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut noted = true;
    loop {
        ticks.tick().await;
        let settled = settle(issuer, host).await;
        if noted && let Err(error) = &settled {
            tracing::warn!(code = error.code(), "the host did not note what is owed");
        }
        noted = settled.is_ok();
    }
}

/// Some of what the host has not noted.
fn debts(issuer: &Issuer) -> Vec<Debt> {
    let tabs: Vec<_> = issuer.owing().keys().take(MAX_OWED).copied().collect();
    let open = tabs.iter().filter_map(|id| issuer.tabs.find(id));
    open.filter_map(|tab| tab.debt()).collect()
}

fn owed(debt: &Debt, receipt_key: [u8; 32]) -> Owed {
    Owed {
        credential: debt.credential.encode().to_vec(),
        statement: debt.statement.encode().to_vec(),
        signature: debt.signature.to_vec(),
        receipt_key: receipt_key.to_vec(),
    }
}

/// Turns the epochs of all prices. What the operator asks for is asked in each epoch, for the next; without an answer the last one stands.
async fn turn(prices: &Prices, issuer: &Issuer, host: &Host) {
    let epoch = prices.epoch();
    let mut ticks = interval_at(Instant::now() + epoch, epoch);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut untold = VecDeque::new();
    let mut floor = prices.floor();
    loop {
        ticks.tick().await;
        let reports = prices.turn(floor, issuer.key(), issuer.tabs.count());
        let signed = reports.iter().filter_map(|report| report.sign(issuer));
        untold.extend(signed.map(|report| report.encode()));
        while untold.len() > MAX_REPORTS {
            untold.pop_front();
        }
        let asking = async {
            floor = host.terms().await?;
            while let Some(report) = untold.front() {
                host.report(Vec::clone(report)).await?;
                untold.pop_front();
            }
            Ok::<_, HostError>(())
        };
        match timeout(epoch / 2, asking).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(
                    code = error.code(),
                    "the host did not take a price's report"
                );
            }
            Err(_) => tracing::warn!("the host takes too long for a price's report"),
        }
    }
}
