//! Who is asked: the providers that are listed, what is known of them, and those that are kept verified.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use chrysalis_network::{Candidate, Health, Outcome, ProviderId, choose};
use hyper::{Response, StatusCode};
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::json;
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep, timeout_at},
};

use super::{
    Network, Summary, Verified,
    meaning::of_error,
    provider::Provider,
    roster::{Roster, Row},
};
use crate::{
    Error, Payer,
    network::Wanted,
    pay::Limit,
    proxy::{
        reply::{self, Body},
        stream::Teller,
    },
};

/// How often it is looked whether enough are verified.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How often one more is verified, in case that it is better than those that are.
const ROTATE: Duration = Duration::from_secs(60);
/// How long a request waits for a lane or for a provider, where there is hope of one.
const HOPE: Duration = Duration::from_secs(60);
/// How long the others may take once one is verified.
const SLOW: Duration = Duration::from_secs(5);
/// How often a request that waits looks again, whatever it was told.
const WAIT: Duration = Duration::from_millis(500);
/// Rounds of verifying at the start, each with as many as are to be kept.
const ROUNDS: usize = 4;

/// A model that programs may ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    name: String,
    weights: [u8; 32],
}

/// A network, as one proxy uses it.
pub(in crate::proxy) struct Pool {
    network: Network,
    classes: Vec<Class>,
    began: Instant,
    /// Providers that were refused: their evidence, their listing, or a receipt.
    refused: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    rosters: BTreeMap<[u8; 32], Arc<Roster>>,
    known: HashMap<ProviderId, Known>,
}

/// What this proxy has seen of a provider.
#[derive(Default)]
struct Known {
    health: Health,
    /// Its evidence was verified: only then is money locked for its operator.
    verified: bool,
    /// It is under way.
    verifying: bool,
    /// What it asks, and what it may.
    limit: Option<Arc<Limit>>,
    provider: Option<Arc<Provider>>,
}

impl Known {
    fn asked(&self) -> Option<u64> {
        self.limit.as_ref()?.asked()
    }
}

/// Why somebody who is listed is not asked now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Why {
    Expired,
    Refused,
    TooDear,
    NoPrice,
    NoLane,
    /// There will be one.
    LaneToCome,
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
        let mut lanes = lanes.map(|lanes| lanes.changes());
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
                    wanted.push((self.price(roster, row, Some(known)), row.wanted));
                }
            }
        }
        wanted.sort_by_key(|(price, _)| *price);
        wanted.into_iter().map(|(_, wanted)| wanted).collect()
    }

    /// What the directories say now.
    fn refresh(&self) {
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
        let listed: std::collections::HashSet<_> = rows().map(|row| row.id).collect();
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
    fn ceiling(&self, roster: &Roster) -> Option<u64> {
        let usual = roster.index.map(|index| index.saturating_add(index / 2));
        self.network.max_price.or(usual)
    }

    fn payer(&self, row: &Row) -> Option<Arc<Payer>> {
        self.network.lanes.as_ref()?.payer(&row.wanted.payee)
    }

    /// What it asks: what it said itself, or else what directories say.
    fn price(&self, roster: &Roster, row: &Row, known: Option<&Known>) -> u64 {
        let asked = known.and_then(Known::asked);
        asked.or(row.hint).or(roster.index).unwrap_or(1)
    }

    /// Why this one is not to be asked now.
    fn why_not(&self, roster: &Roster, row: &Row, known: Option<&Known>) -> Option<Why> {
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
        let none = Health::default();
        for row in roster.rows.iter().filter(|row| !tried.contains(&row.id)) {
            let known = state.known.get(&row.id);
            let why = (row.until <= now).then_some(Why::Expired);
            match why.or_else(|| self.why_not(&roster, row, known)) {
                None => rows.push(row),
                Some(why) => out.push(why),
            }
        }
        let known = |row: &Row| state.known.get(&row.id);
        let healths: Vec<_> = rows
            .iter()
            .map(|row| known(row).map_or(&none, |it| &it.health))
            .collect();
        let weights = Health::weights(&healths, self.elapsed());
        let stands = |row: &Row| {
            let provider = known(row).and_then(|it| it.provider.as_ref());
            provider.is_some_and(|it| it.is(row, self.payer(row).as_ref()) && it.stands())
        };
        let candidates = rows.iter().zip(weights).map(|(row, health)| Candidate {
            price: self.price(&roster, row, known(row)),
            health,
        });
        let candidates: Vec<_> = candidates.collect();
        // To verify another takes longer than most answers.
        let warm = rows
            .iter()
            .zip(&candidates)
            .map(|(row, candidate)| Candidate {
                health: if stands(row) { candidate.health } else { 0 },
                ..*candidate
            });
        let warm: Vec<_> = warm.collect();
        let chosen = choose(&warm, lots()?).or(choose(&candidates, lots()?));
        let Some(row) = chosen.and_then(|choice| rows.get(choice.first)) else {
            return Err(self.nobody(&roster, &out));
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
        let mut lanes = self.network.lanes.as_ref().map(|it| it.changes());
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

    fn nobody(&self, roster: &Roster, out: &[Why]) -> Error {
        let count = |why: Why| out.iter().filter(|it| **it == why).count();
        let expired = count(Why::Expired).saturating_add(roster.expired);
        let reasons = [
            (count(Why::LaneToCome), "without a lane yet"),
            (count(Why::TooDear), "over the price limit"),
            (count(Why::NoPrice), "at a price that nobody knows"),
            (count(Why::NoLane), "without a lane, and none may be locked"),
            (count(Why::Refused), "refused"),
            (expired, "with listings that are over"),
            (
                roster.unusable,
                "at no usable address, or with another name for the model",
            ),
        ];
        let told = reasons.iter().filter(|(count, _)| *count > 0);
        let told: Vec<_> = told.map(|(count, why)| format!("{count} {why}")).collect();
        let code = match () {
            () if count(Why::LaneToCome) > 0 => "lane_to_come",
            () if out.is_empty() && roster.rows.is_empty() && expired > 0 => "listings_expired",
            () if !out.is_empty() && count(Why::Expired) == out.len() => "listings_expired",
            () if count(Why::NoPrice) > 0 => "price_unknown",
            () if count(Why::TooDear) > 0 => "price_over_ceiling",
            () if count(Why::NoLane) > 0 => "budget_spent",
            () => "no_provider",
        };
        let why = if told.is_empty() {
            "nobody else is listed".to_owned()
        } else {
            told.join(", ")
        };
        nobody(code, &why)
    }

    /// The provider of a row, as it is listed and paid now.
    fn provider(&self, state: &mut State, roster: &Roster, row: &Row) -> Arc<Provider> {
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
    fn standing(&self, class: &Class) -> usize {
        self.standing_of(class).len()
    }

    fn standing_of(&self, class: &Class) -> Vec<Arc<Provider>> {
        let state = self.lock();
        let rows = state.rosters.get(&class.weights).map(|it| &it.rows);
        let stands = |row: &Row| {
            let provider = state.known.get(&row.id)?.provider.as_ref()?;
            let stands = provider.is(row, self.payer(row).as_ref()) && provider.stands();
            stands.then(|| Arc::clone(provider))
        };
        rows.into_iter().flatten().filter_map(stands).collect()
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
        let mut until = Instant::now() + HOPE;
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

    /// So many that are not verified yet, by lot; those without a lane among them, if one could be locked.
    fn draw(&self, class: &Class, count: usize) -> Vec<Arc<Provider>> {
        let mut state = self.lock();
        let Some(roster) = state.rosters.get(&class.weights).cloned() else {
            return Vec::new();
        };
        let mut drawn: Vec<Arc<Provider>> = Vec::new();
        for _ in 0..count {
            let known = |row: &Row| state.known.get(&row.id);
            let rows = roster.rows.iter().filter(|row| {
                let provider = known(row).and_then(|it| it.provider.as_ref());
                let verified =
                    provider.is_some_and(|it| it.is(row, self.payer(row).as_ref()) && it.stands());
                let why = self.why_not(&roster, row, known(row));
                !verified
                    && !known(row).is_some_and(|it| it.verifying)
                    && matches!(why, None | Some(Why::LaneToCome))
                    && drawn.iter().all(|it| it.id != row.id)
            });
            let rows: Vec<_> = rows.collect();
            let none = Health::default();
            let healths = rows
                .iter()
                .map(|row| known(row).map_or(&none, |it| &it.health));
            let weights = Health::weights(&healths.collect::<Vec<_>>(), self.elapsed());
            let candidates = rows.iter().zip(weights).map(|(row, health)| Candidate {
                price: self.price(&roster, row, known(row)),
                health,
            });
            let candidates: Vec<_> = candidates.collect();
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
            row.map_or(u64::MAX, |row| {
                self.price(&roster, row, state.known.get(&id))
            })
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
        standing.sort_by_key(|it| std::cmp::Reverse(worths.get(&it.id).copied()));
        for provider in standing.iter().skip(self.network.warm) {
            if let Some(known) = state.known.get_mut(&provider.id) {
                known.provider = None;
            }
        }
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

    /// Hears how this provider's streams end.
    pub(super) fn teller(self: &Arc<Self>, id: ProviderId) -> Teller {
        let pool = Arc::downgrade(self);
        Arc::new(move |error| {
            if let (Some(pool), Some(outcome)) = (pool.upgrade(), of_error(error, true).note) {
                pool.note_failure(id, outcome, error.code());
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

    /// The class that a request asks; where there is one only, a request without a model asks that.
    pub(super) fn class(&self, model: Option<&str>) -> Option<&Class> {
        match (model, &self.classes[..]) {
            (Some(model), classes) => classes.iter().find(|class| class.name == model),
            (None, _) => None,
        }
    }

    /// `GET /v1/models`.
    pub(super) fn models(&self) -> Response<Body> {
        let owner = &self.network.directories.descriptor().name;
        let model = |class: &Class| json!({"id": class.name, "object": "model", "created": 0, "owned_by": owner});
        let models: Vec<_> = self.classes.iter().map(model).collect();
        reply::json_reply(StatusCode::OK, &json!({"object": "list", "data": models}))
    }

    /// Whether the next request would find somebody.
    pub(in crate::proxy) fn health(&self) -> Response<Body> {
        let summary = self.summary();
        let found = self.classes.iter().map(|class| self.pick(class, &[]));
        let code = found
            .filter_map(Result::err)
            .map(|error| error.code())
            .next();
        let code = if summary.verified > 0 {
            None
        } else {
            Some(code.unwrap_or("no_provider"))
        };
        let status = match code {
            None => StatusCode::OK,
            Some(_) => StatusCode::SERVICE_UNAVAILABLE,
        };
        let directories = self.network.directories.status();
        let directories = directories.iter().map(|it| {
            json!({"url": it.url, "code": it.trouble.as_ref().map(crate::network::Trouble::code)})
        });
        let lanes = self.network.lanes.as_ref();
        let body = json!({
            "status": if code.is_none() { "ok" } else { "no_provider" },
            "code": code,
            "network": self.network.directories.descriptor().name,
            "verdict": match (summary.verified, summary.simulated) {
                (0, _) => None,
                (_, true) => Some("trusted-simulated"),
                (_, false) => Some("trusted"),
            },
            "providers_verified": summary.verified,
            "providers_refused": self.refused.load(Relaxed),
            "cheapest": summary.cheapest,
            "lanes": summary.lanes.map(|(open, _)| open),
            "budget_used": lanes.map(|it| it.counted()),
            "directories": directories.collect::<Vec<_>>(),
        });
        reply::json_reply(status, &body)
    }

    /// Each that is verified.
    pub(super) fn verified(&self) -> Vec<Verified> {
        let standing: Vec<_> = self
            .classes
            .iter()
            .flat_map(|class| self.standing_of(class))
            .collect();
        let state = self.lock();
        let rows = state.rosters.values();
        let rows = rows.flat_map(|roster| roster.rows.iter().map(move |row| (roster, row)));
        let verified = rows.filter(|(_, row)| standing.iter().any(|it| it.id == row.id));
        let told = verified.map(|(roster, row)| Verified {
            id: row.id,
            payee: row.wanted.payee,
            lane_min: row.wanted.lane_min,
            delay_min: row.wanted.delay_min,
            price: self.price(roster, row, state.known.get(&row.id)),
        });
        told.collect()
    }

    /// Who is there now.
    pub(super) fn summary(&self) -> Summary {
        let standing: Vec<_> = self
            .classes
            .iter()
            .flat_map(|class| self.standing_of(class))
            .collect();
        let state = self.lock();
        let rows = state.rosters.values();
        let rows = rows.flat_map(|roster| roster.rows.iter().map(move |row| (roster, row)));
        let verified = rows.filter(|(_, row)| standing.iter().any(|it| it.id == row.id));
        let prices = verified.filter_map(|(_, row)| {
            let asked = state.known.get(&row.id).and_then(Known::asked);
            asked.or(row.hint)
        });
        Summary {
            verified: standing.len(),
            simulated: standing
                .iter()
                .any(|it| it.gate.standing().is_ok_and(|it| it.simulated)),
            cheapest: prices.min(),
            lanes: self.network.lanes.as_ref().map(|it| it.count()),
        }
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No holder of this lock can leave it half-changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nobody(code: &'static str, why: &str) -> Error {
    Error::NoProvider {
        code,
        why: why.to_owned(),
    }
}

/// Two lots.
fn lots() -> Result<[u64; 2], Error> {
    let mut bytes = [0; 16];
    let random = SystemRandom::new().fill(&mut bytes);
    random.map_err(|_| Error::Local("no random numbers".into()))?;
    let (first, second) = bytes.split_at(8);
    let number = |half: &[u8]| u64::from_le_bytes(half.try_into().unwrap_or_default());
    Ok([number(first), number(second)])
}

/// Waits for a change; for ever where there is nothing to change.
async fn changed(watched: &mut Option<watch::Receiver<u64>>) {
    match watched {
        Some(watched) => {
            if watched.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
        None => std::future::pending().await,
    }
}
