//! Those that are kept verified, and the lanes that pay them.

use std::{cmp::Reverse, collections::HashMap, sync::Arc, time::Duration};

use chrysalis_network::{Health, ProviderId, choose};
use tokio::{
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

use super::{
    known::price,
    meaning::of_error,
    pool::{Class, Pool, changed, lots},
    provider::Provider,
    roster::Row,
    why::{Why, nobody},
};
use crate::{
    Error,
    network::{Lanes, Wanted},
};

/// How often it is looked whether enough are verified.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often one more is verified, in case that it is better than those that are.
const ROTATE: Duration = Duration::from_secs(60);
/// How long the first of them may take.
const FIRST: Duration = Duration::from_secs(60);
/// How long the others may take once one is verified.
const SLOW: Duration = Duration::from_secs(5);
/// Rounds of verifying at the start, each with as many as are to be kept.
const ROUNDS: usize = 4;

impl Pool {
    /// Verifies the first ones of each class and has lanes locked for them.
    pub(super) async fn start(self: &Arc<Self>) -> Result<(), Error> {
        self.refresh();
        let mut last = None;
        for class in &self.classes {
            for _ in 0..ROUNDS {
                last = self.fill(class, 0).await.or(last);
                if self.standing(class) >= self.network.warm {
                    break;
                }
            }
        }
        if self.network.lanes.is_some() {
            self.tend().await;
            for class in &self.classes {
                last = self.fill(class, 0).await.or(last);
            }
        }
        for class in &self.classes {
            match self.pick(class, &[]) {
                Ok(_) => return Ok(()),
                Err(error) => last = last.or(Some(error)),
            }
        }
        Err(last.unwrap_or_else(|| nobody("no_provider", "no model was named")))
    }

    /// Keeps providers of each class verified, for as long as it is polled.
    pub(super) async fn keep_warm(self: &Arc<Self>) {
        let mut changes = self.network.directories.changes();
        let lanes = self.network.lanes.as_ref();
        let mut lanes = lanes.map(Lanes::changes);
        let mut rotate_at = Instant::now() + ROTATE;
        for class in &self.classes {
            self.adopt(class);
        }
        loop {
            tokio::select! {
                _ = changes.changed() => {}
                () = changed(&mut lanes) => {}
                () = sleep(LOOK_EVERY) => {}
            }
            let more = usize::from(Instant::now() >= rotate_at);
            if more > 0 {
                rotate_at = Instant::now() + ROTATE;
            }
            self.refresh();
            for class in &self.classes {
                self.fill(class, more).await;
                self.prune(class);
            }
        }
    }

    /// Keeps lanes filled, for as long as it is polled.
    pub(super) async fn keep_lanes(&self) {
        let Some(lanes) = &self.network.lanes else {
            return std::future::pending().await;
        };
        let mut changes = lanes.changes();
        loop {
            tokio::select! {
                _ = changes.changed() => {}
                () = sleep(LOOK_EVERY) => {}
            }
            self.tend().await;
        }
    }

    /// Locks what is missing for operators whose enclaves were verified: for those that are asked, and for one more to go on with.
    async fn tend(&self) {
        if let Some(lanes) = &self.network.lanes {
            lanes.tend(&self.wanted()).await;
        }
    }

    /// Who is to have a lane, the cheapest first.
    fn wanted(&self) -> Vec<Wanted> {
        let mut wanted: Vec<(u64, Wanted)> = Vec::new();
        let state = self.lock();
        for roster in state.rosters.values() {
            for row in &roster.rows {
                let Some(known) = state.known.get(&row.id).filter(|known| known.verified) else {
                    continue;
                };
                let suits = self.why_not(roster, row, Some(known));
                if matches!(suits, None | Some(Why::LaneToCome)) {
                    wanted.push((price(roster, row, Some(known)), row.wanted));
                }
            }
        }
        wanted.sort_by_key(|(price, _)| *price);
        wanted.into_iter().map(|(_, wanted)| wanted).collect()
    }

    /// Verifies as many of a class as are missing, and so many more. Once one is verified the slow ones go on by themselves. The last
    /// error, if there was one.
    async fn fill(self: &Arc<Self>, class: &Class, more: usize) -> Option<Error> {
        let missing = self.network.warm.saturating_sub(self.standing(class));
        let mut verifying = JoinSet::new();
        for provider in self.draw(class, missing.saturating_add(more)) {
            let pool = Arc::clone(self);
            verifying.spawn(async move { pool.verify(&provider).await });
        }
        let mut until = Instant::now() + FIRST;
        let mut last = None;
        while let Ok(Some(outcome)) = timeout_at(until, verifying.join_next()).await {
            match outcome {
                Ok(Ok(())) => until = until.min(Instant::now() + SLOW),
                Ok(Err(error)) => last = Some(error),
                Err(_) => {}
            }
        }
        verifying.detach_all();
        last
    }

    async fn verify(&self, provider: &Provider) -> Result<(), Error> {
        let outcome = provider.verify(self.network.reverify).await;
        if let Some(known) = self.lock().known.get_mut(&provider.id) {
            known.verifying = false;
            known.verified |= outcome.is_ok();
        }
        match &outcome {
            Ok(()) => tracing::info!(event = "provider_verified", provider = %provider.id),
            Err(error) => {
                tracing::warn!(event = "provider_not_verified", provider = %provider.id, code = error.code());
                if let Some(outcome) = of_error(error, false).note {
                    self.note_failure(provider.id, outcome, error.code());
                }
            }
        }
        outcome
    }

    /// So many that are not verified yet, by lot; those without a lane among them, if one could be locked. First the directory is drawn and
    /// then who it lists: one that makes up thousands of providers, which anyone can, hides those of the others no better than by a few.
    fn draw(&self, class: &Class, count: usize) -> Vec<Arc<Provider>> {
        let mut state = self.lock();
        let Some(roster) = state.rosters.get(&class.weights).cloned() else {
            return Vec::new();
        };
        let mut drawn: Vec<Arc<Provider>> = Vec::new();
        for _ in 0..count {
            let known = |row: &Row| state.known.get(&row.id);
            let rows = roster.rows.iter().filter(|row| {
                let why = self.why_not(&roster, row, known(row));
                self.verified_for(&state, row).is_none()
                    && !known(row).is_some_and(|it| it.verifying)
                    && matches!(why, None | Some(Why::LaneToCome))
                    && drawn.iter().all(|it| it.id != row.id)
            });
            let rows = of_one_directory(rows.collect());
            let candidates = self.candidates(&state, &roster, &rows);
            let chosen = lots().ok().and_then(|lots| choose(&candidates, lots));
            let Some(row) = chosen.and_then(|choice| rows.get(choice.first)) else {
                break;
            };
            let (id, provider) = (row.id, self.provider(&mut state, &roster, row));
            if let Some(known) = state.known.get_mut(&id) {
                known.verifying = true;
            }
            drawn.push(provider);
        }
        drawn
    }

    /// Those that were verified before anything was served go on to be.
    fn adopt(&self, class: &Class) {
        for provider in self.standing_of(class) {
            provider.keep_verified(self.network.reverify);
        }
    }

    /// Lets go of the worst, where more are verified than are wanted. What is under way there goes on.
    fn prune(&self, class: &Class) {
        let mut standing = self.standing_of(class);
        if standing.len() <= self.network.warm {
            return;
        }
        let mut state = self.lock();
        let Some(roster) = state.rosters.get(&class.weights).cloned() else {
            return;
        };
        let none = Health::default();
        let healths: Vec<_> = standing
            .iter()
            .map(|it| state.known.get(&it.id).map_or(&none, |known| &known.health))
            .collect();
        let weights = Health::weights(&healths, self.elapsed());
        let price = |id: ProviderId| {
            let row = roster.rows.iter().find(|row| row.id == id);
            row.map_or(u64::MAX, |row| price(&roster, row, state.known.get(&id)))
        };
        let worth = |(id, weight): (ProviderId, u64)| {
            let price = u128::from(price(id).max(1));
            u128::from(weight) * u128::from(u64::MAX) / (price * price)
        };
        let worths = standing
            .iter()
            .zip(weights)
            .map(|(it, weight)| (it.id, worth((it.id, weight))));
        let worths: HashMap<_, _> = worths.collect();
        standing.sort_by_key(|it| Reverse(worths.get(&it.id).copied()));
        for provider in standing.iter().skip(self.network.warm) {
            if let Some(known) = state.known.get_mut(&provider.id) {
                known.provider = None;
            }
        }
    }
}

/// Of these, those that one directory lists, drawn by lot.
fn of_one_directory(rows: Vec<&Row>) -> Vec<&Row> {
    let all = rows.iter().fold(0, |all, row| all | row.by);
    let bits = (0..32).map(|number| 1_u32 << number);
    let bits: Vec<_> = bits.filter(|bit| all & bit != 0).collect();
    let count = u64::try_from(bits.len()).unwrap_or(0);
    let lot = lots().ok().and_then(|[lot, _]| lot.checked_rem(count));
    let lot = lot.and_then(|lot| usize::try_from(lot).ok());
    match lot.and_then(|lot| bits.get(lot)) {
        Some(bit) => rows.into_iter().filter(|row| row.by & bit != 0).collect(),
        None => rows,
    }
}
