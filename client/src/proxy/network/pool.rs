//! Who is asked: the providers that are listed, what is known of them, and the choice of one.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use chrysalis_network::{Candidate, Health, Outcome, ProviderId, choose};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::{
    sync::watch,
    time::{Instant, timeout_at},
};

use super::{
    known::{Known, price},
    meaning::of_error,
    provider::Provider,
    roster::{Roster, Row},
    settings::Network,
    why::{Why, nobody, nobody_of},
};
use crate::{Error, Payer, network::Lanes, pay::Limit, proxy::stream::Teller};

/// How long a request waits for a lane or for a provider, where there is hope of one.
const HOPE: Duration = Duration::from_secs(60);
/// How often a request that waits looks again, whatever it was told.
const WAIT: Duration = Duration::from_millis(500);

/// A model that programs may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    pub(super) name: String,
    pub(super) weights: [u8; 32],
}

/// A network, as one proxy uses it.
pub(in crate::proxy) struct Pool {
    pub(super) network: Network,
    pub(super) classes: Vec<Class>,
    pub(super) began: Instant,
    /// Providers that were refused: their evidence, their listing, or a receipt.
    pub(super) refused: AtomicU64,
    pub(super) state: Mutex<State>,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) rosters: BTreeMap<[u8; 32], Arc<Roster>>,
    pub(super) known: HashMap<ProviderId, Known>,
}

impl Pool {
    pub(super) fn new(network: Network) -> Result<Self, Error> {
        let descriptor = network.directories.descriptor();
        let class = |name: &String| {
            let class = descriptor.class(name);
            let class = class.ok_or_else(|| Error::NoProvider {
                code: "no_provider",
                why: format!("it has no model `{name}`"),
            })?;
            Ok(Class {
                name: name.clone(),
                weights: class.weights.0,
            })
        };
        Ok(Self {
            classes: network
                .models
                .iter()
                .map(class)
                .collect::<Result<_, Error>>()?,
            network,
            began: Instant::now(),
            refused: AtomicU64::new(0),
            state: Mutex::default(),
        })
    }

    /// What the directories say now.
    pub(super) fn refresh(&self) {
        let directories = &self.network.directories;
        let now = directories.now();
        let rosters = self.classes.iter().map(|class| {
            let view = directories.class(&class.weights);
            let allow_private = self.network.allow_private;
            let network = directories.descriptor();
            let roster = Roster::of(&view, network, &class.name, allow_private, now);
            (class.weights, Arc::new(roster))
        });
        let rosters: BTreeMap<_, _> = rosters.collect();
        let mut state = self.lock();
        let rows = || rosters.values().flat_map(|roster| &roster.rows);
        let listed: HashSet<_> = rows().map(|row| row.id).collect();
        // What is refused stays refused for as long as it is listed.
        state.known.retain(|id, _| listed.contains(id));
        for (roster, row) in rosters
            .values()
            .flat_map(|it| it.rows.iter().map(move |row| (it, row)))
        {
            let limit = self.ceiling(roster);
            if let Some(known) = state.known.get(&row.id).and_then(|it| it.limit.as_ref()) {
                known.set(limit);
            }
        }
        state.rosters = rosters;
        // What ended by itself is noted once, and verified anew if it is chosen again.
        let ended = state.known.iter().filter_map(|(id, known)| {
            let standing = known.provider.as_ref()?.gate.standing();
            Some((*id, standing.err().flatten()?))
        });
        let ended: Vec<_> = ended.collect();
        drop(state);
        for (id, error) in ended {
            if let Some(outcome) = of_error(&error, false).note {
                self.note_failure(id, outcome, error.code());
            }
            if let Some(known) = self.lock().known.get_mut(&id) {
                known.provider = None;
            }
        }
    }

    /// Nano for a million units that are too much in a class.
    pub(super) fn ceiling(&self, roster: &Roster) -> Option<u64> {
        let usual = roster.index.map(|index| index.saturating_add(index / 2));
        self.network.max_price.or(usual)
    }

    pub(super) fn payer(&self, row: &Row) -> Option<Arc<Payer>> {
        self.network.lanes.as_ref()?.payer(&row.wanted.payee)
    }

    /// Why this one is not to be asked now.
    pub(super) fn why_not(&self, roster: &Roster, row: &Row, known: Option<&Known>) -> Option<Why> {
        if known.is_some_and(|it| it.health.is_refused()) {
            return Some(Why::Refused);
        }
        let ceiling = self.ceiling(roster);
        let asked = known.and_then(Known::asked).or(row.hint);
        match (asked, ceiling) {
            (Some(asked), Some(ceiling)) if asked > ceiling => return Some(Why::TooDear),
            // A price without a limit is one that the provider chooses.
            (_, None) if self.network.lanes.is_some() => return Some(Why::NoPrice),
            _ => {}
        }
        let lanes = self.network.lanes.as_ref()?;
        if lanes.payer(&row.wanted.payee).is_some() {
            None
        } else if lanes.is_possible(&row.wanted) {
            Some(Why::LaneToCome)
        } else {
            Some(Why::NoLane)
        }
    }

    /// Somebody to ask, but not these: one that is verified, if there is one.
    pub(super) fn pick(&self, class: &Class, tried: &[ProviderId]) -> Result<Arc<Provider>, Error> {
        let now = self.network.directories.now();
        if now >= self.network.directories.descriptor().expires {
            return Err(nobody(
                "network_expired",
                "the network's descriptor expired",
            ));
        }
        let mut state = self.lock();
        let Some(roster) = state.rosters.get(&class.weights).cloned() else {
            return Err(nobody("no_provider", "no directory was heard"));
        };
        let mut out = Vec::new();
        let mut rows = Vec::with_capacity(roster.rows.len());
        for row in roster.rows.iter().filter(|row| !tried.contains(&row.id)) {
            let known = state.known.get(&row.id);
            let why = (row.until <= now).then_some(Why::Expired);
            match why.or_else(|| self.why_not(&roster, row, known)) {
                None => rows.push(row),
                Some(why) => out.push(why),
            }
        }
        let candidates = self.candidates(&state, &roster, &rows);
        // To verify another takes longer than most answers.
        let mut warm = candidates.clone();
        for (row, candidate) in rows.iter().zip(&mut warm) {
            if self.verified_for(&state, row).is_none() {
                candidate.health = 0;
            }
        }
        let chosen = choose(&warm, lots()?).or(choose(&candidates, lots()?));
        let Some(row) = chosen.and_then(|choice| rows.get(choice.first)) else {
            return Err(nobody_of(&roster, &out));
        };
        Ok(self.provider(&mut state, &roster, row))
    }

    /// The same; waits where a lane is under way.
    pub(super) async fn pick_in_time(
        &self,
        class: &Class,
        tried: &[ProviderId],
        deadline: Instant,
    ) -> Result<Arc<Provider>, Error> {
        let until = deadline.min(Instant::now() + HOPE);
        let mut lanes = self.network.lanes.as_ref().map(Lanes::changes);
        loop {
            match self.pick(class, tried) {
                Err(Error::NoProvider {
                    code: "lane_to_come",
                    ..
                }) if Instant::now() < until => {}
                picked => return picked,
            }
            let look = until.min(Instant::now() + WAIT);
            let _ = timeout_at(look, changed(&mut lanes)).await;
        }
    }

    /// The provider of a row, as it is listed and paid now.
    pub(super) fn provider(&self, state: &mut State, roster: &Roster, row: &Row) -> Arc<Provider> {
        let payer = self.payer(row);
        let offer = row.listing.offer();
        let known = state.known.entry(row.id).or_default();
        let new = || Arc::new(Limit::new(&offer.model, &offer.kind));
        let limit = Arc::clone(known.limit.get_or_insert_with(new));
        limit.set(self.ceiling(roster));
        if let Some(provider) = known
            .provider
            .as_ref()
            .filter(|it| it.is(row, payer.as_ref()))
        {
            return Arc::clone(provider);
        }
        let network = &self.network;
        let party = &network.relying_party;
        let how = (network.lanes.is_some(), network.receipts.clone());
        let provider = Arc::new(Provider::new(row, party, payer, &limit, how));
        known.provider = Some(Arc::clone(&provider));
        provider
    }

    /// How many of a class are verified, and paid if anybody pays.
    pub(super) fn standing(&self, class: &Class) -> usize {
        self.standing_of(class).len()
    }

    pub(super) fn standing_of(&self, class: &Class) -> Vec<Arc<Provider>> {
        let state = self.lock();
        let rows = state.rosters.get(&class.weights).map(|it| &it.rows);
        let verified = rows.into_iter().flatten();
        let verified = verified.filter_map(|row| self.verified_for(&state, row));
        verified.cloned().collect()
    }

    /// The provider of a row, if it is verified, and paid as it is to be now.
    pub(super) fn verified_for<'a>(
        &self,
        state: &'a State,
        row: &Row,
    ) -> Option<&'a Arc<Provider>> {
        let provider = state.known.get(&row.id)?.provider.as_ref()?;
        let stands = provider.is(row, self.payer(row).as_ref()) && provider.stands();
        stands.then_some(provider)
    }

    /// What each of these asks, and how well it has done.
    pub(super) fn candidates(
        &self,
        state: &State,
        roster: &Roster,
        rows: &[&Row],
    ) -> Vec<Candidate> {
        let none = Health::default();
        let known = |row: &Row| state.known.get(&row.id);
        let healths = rows.iter();
        let healths = healths.map(|row| known(row).map_or(&none, |it| &it.health));
        let weights = Health::weights(&healths.collect::<Vec<_>>(), self.elapsed());
        let candidate = |(row, health): (&&Row, u64)| Candidate {
            price: price(roster, row, known(row)),
            health,
        };
        rows.iter().zip(weights).map(candidate).collect()
    }

    /// Notes how a request ended at a provider.
    pub(super) fn note(&self, id: ProviderId, outcome: Outcome) {
        let now = self.elapsed();
        let mut state = self.lock();
        let known = state.known.entry(id).or_default();
        known.health.note(outcome, now);
        known.verified |= matches!(outcome, Outcome::Answered { .. });
    }

    /// Notes a failure; loudly, if there is no way back.
    pub(super) fn note_failure(&self, id: ProviderId, outcome: Outcome, code: &str) {
        let before = self
            .lock()
            .known
            .get(&id)
            .is_some_and(|it| it.health.is_refused());
        self.note(id, outcome);
        if outcome == Outcome::Refused && !before {
            self.refused.fetch_add(1, Relaxed);
            tracing::error!(event = "provider_refused", provider = %id, code);
            if let Some(known) = self.lock().known.get_mut(&id) {
                known.provider = None;
                known.verified = false;
            }
        }
    }

    /// Hears how a stream of this provider ends, and has it verified again and again until then.
    pub(super) fn teller(self: &Arc<Self>, provider: &Arc<Provider>) -> Teller {
        let (pool, provider) = (Arc::downgrade(self), Arc::clone(provider));
        Arc::new(move |error| {
            if let (Some(pool), Some(outcome)) = (pool.upgrade(), of_error(error, true).note) {
                pool.note_failure(provider.id, outcome, error.code());
            }
        })
    }

    /// A provider says that its operator's lane has too little left.
    pub(super) fn is_low(&self, payee: &[u8; 32]) {
        if let Some(lanes) = &self.network.lanes {
            lanes.is_low(payee);
        }
    }

    /// When a second one is asked, where the first has not begun by then.
    pub(super) fn hedge_after(&self, provider: &Provider, least: Duration) -> Option<Instant> {
        let usual = self.lock().known.get(&provider.id)?.health.first_ms(95);
        let usual = usual.map_or(least, Duration::from_millis);
        self.network
            .hedge
            .then(|| Instant::now() + usual.max(least))
    }

    /// How long a request may take until its answer begins.
    pub(super) fn patience(&self) -> Duration {
        self.network.relying_party.deadlines().first_byte
    }

    /// The class that a request asks; none without a model.
    pub(super) fn class(&self, model: Option<&str>) -> Option<&Class> {
        let model = model?;
        self.classes.iter().find(|class| class.name == model)
    }

    pub(super) fn elapsed(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        // No holder of this lock can leave it half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Two lots.
pub(super) fn lots() -> Result<[u64; 2], Error> {
    let mut bytes = [0; 16];
    let random = SystemRandom::new().fill(&mut bytes);
    random.map_err(|_| Error::Local("no random numbers".into()))?;
    let (first, second) = bytes.split_at(8);
    let number = |half: &[u8]| u64::from_le_bytes(half.try_into().unwrap_or_default());
    Ok([number(first), number(second)])
}

/// Waits for a change; for ever where there is nothing to change.
pub(super) async fn changed(watched: &mut Option<watch::Receiver<u64>>) {
    match watched {
        Some(watched) => {
            if watched.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        None => std::future::pending().await,
    }
}
