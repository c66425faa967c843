//! What the enclave asks about payment, answered: whether a lane may be used and how far, and that what is owed was noted.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use chrysalis_attestation::encoding::digest::sha256;
use chrysalis_chain::purse;
use chrysalis_settle::SignedReport;
use chrysalis_wire::host::{FromHost, MAX_OWED, NoLane, Owed};
use tokio::{
    task::{JoinSet, spawn_blocking},
    time::{sleep, timeout},
};

use super::{
    book::{self, Book, explained, lanes::Lane, tabs::Entry},
    ceiling,
    complaints::Complaints,
    lane::{LaneId, Sight},
    lookout::Unseen,
    rule::Fees,
    slice::EnclaveId,
    till::Till,
    verify,
};
use crate::{clock, mutex::held};

/// How long the enclave is kept waiting: it gives up after 30 seconds.
const PATIENCE: Duration = Duration::from_secs(25);
/// How long an answer of the chain about a known lane is used again.
const FRESH: Duration = Duration::from_secs(10);
/// How long it is used while the chain gives no other. A lane takes an hour to close at least.
const GRACE: Duration = Duration::from_mins(5);
/// How long a lane that was refused is refused again unasked, and the most such lanes.
const REFUSED: Duration = Duration::from_secs(10);
const MAX_REFUSED: usize = 1024;
/// The most lanes that one batch of what is owed may have looked up.
const MAX_LOOKUPS: usize = 16;

/// For whom a provider works.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Conditions {
    /// The least price, in nano for 1,000,000 units of weight 1.
    pub(crate) floor: u64,
    /// The smallest lane, in nano.
    pub(crate) lane_min: u64,
    /// The shortest closing delay, in seconds.
    pub(crate) delay_min: u64,
}

/// Answers for one run of one enclave, or for all of a fleet.
pub(crate) struct Answers {
    till: Arc<Till>,
    conditions: Conditions,
    /// How long after a lane's first answer the second is asked for; `None`: one is enough.
    pause: Option<Duration>,
    share: Share,
    refused: Mutex<BTreeMap<LaneId, (Instant, NoLane)>>,
    /// More than was locked when two answers agreed, and since when one says so.
    rising: Mutex<BTreeMap<LaneId, (u64, Instant)>>,
    complaints: Complaints,
}

/// Who else uses a lane.
enum Share {
    /// Nobody: these are the receipt keys that this run's enclave has used.
    Whole(Mutex<BTreeSet<[u8; 32]>>),
    /// The other enclaves of a fleet: the database knows what each was handed.
    Slices,
}

/// The one enclave of a run.
const ONLY: EnclaveId = [0; 16];

/// Why something is not noted.
type Refusal = String;

impl Answers {
    pub(crate) fn new(
        till: Arc<Till>,
        conditions: Conditions,
        pause: Option<Duration>,
    ) -> Arc<Self> {
        Self::sharing(till, conditions, pause, Share::Whole(Mutex::default()))
    }

    /// For a fleet, whose hosts each know their floor.
    pub(crate) fn of_fleet(
        till: Arc<Till>,
        conditions: Conditions,
        pause: Option<Duration>,
    ) -> Arc<Self> {
        Self::sharing(till, conditions, pause, Share::Slices)
    }

    fn sharing(
        till: Arc<Till>,
        conditions: Conditions,
        pause: Option<Duration>,
        share: Share,
    ) -> Arc<Self> {
        Arc::new(Self {
            till,
            conditions,
            pause,
            share,
            refused: Mutex::default(),
            rising: Mutex::default(),
            complaints: Complaints::default(),
        })
    }

    /// What is asked for.
    pub(crate) fn terms(&self) -> FromHost {
        FromHost::Terms {
            floor: self.conditions.floor,
        }
    }

    /// Who may sign caps on the lane, and how far it may go.
    pub(crate) async fn lane(self: &Arc<Self>, purse: &[u8], lane: u32) -> FromHost {
        self.lane_of(ONLY, purse, lane).await
    }

    /// The same for one enclave of a fleet.
    pub(crate) async fn lane_of(
        self: &Arc<Self>,
        enclave: EnclaveId,
        purse: &[u8],
        lane: u32,
    ) -> FromHost {
        let Some(id) = LaneId::read(purse, lane) else {
            return NoLane::Unknown.into();
        };
        if let Some(code) = self.refused_lately(id) {
            return code.into();
        }
        let found = timeout(PATIENCE, self.open_lane(enclave, id)).await;
        match found.unwrap_or(Err(NoLane::Unreachable)) {
            Ok((lane, ceiling)) => FromHost::Lane {
                spend_key: lane.spend_key.to_vec(),
                ceiling,
            },
            Err(code) => {
                self.refuse(id, code);
                code.into()
            }
        }
    }

    async fn open_lane(
        self: &Arc<Self>,
        enclave: EnclaveId,
        id: LaneId,
    ) -> Result<(Lane, u64), NoLane> {
        let (lane, sight) = self.known(id, true).await?;
        let seen = sight.lanes.get(&id.lane).ok_or(NoLane::Unknown)?;
        if seen.closes_at != 0 {
            return Err(NoLane::Closing);
        }
        if u64::from(lane.close_delay) < self.conditions.delay_min {
            return Err(NoLane::ClosesTooSoon);
        }
        let locked = self.locked(&lane, seen).await?;
        if locked < self.conditions.lane_min {
            return Err(NoLane::TooSmall);
        }
        let locked = locked.saturating_sub(sight.short);
        let tabs = self.on_book(move |book| book.tabs(Some(id))).await?;
        let money = ceiling::Lane {
            locked,
            floor: Fees::of(self.till.lookout.payee()).floor,
            purse_tabs: sight.tabs,
            paid: seen.tabs.clone(),
            owed: tabs
                .iter()
                .map(|tab| (tab.entry.key, tab.entry.owed()))
                .collect(),
        };
        let ceiling = match &self.share {
            Share::Whole(own) => money.ceiling(&held(own)),
            Share::Slices => {
                self.on_book(move |book| book.slice(id, enclave, &money, now()))
                    .await?
            }
        };
        Ok((lane, ceiling))
    }

    /// The lane as two answers agree on it, and as the chain shows it now. Where nothing is known of it yet, `open` asks that it be open.
    async fn known(self: &Arc<Self>, id: LaneId, open: bool) -> Result<(Lane, Arc<Sight>), NoLane> {
        let first = self.look(id, FRESH).await?;
        let seen = first.lanes.get(&id.lane).ok_or(NoLane::Unknown)?;
        if let Some(lane) = self.on_book(move |book| book.lane(id)).await? {
            return if lane.can_be(seen) {
                Ok((lane, first))
            } else {
                Err(NoLane::Unreachable)
            };
        }
        if open && seen.closes_at != 0 {
            return Err(NoLane::Closing);
        }
        let mut sight = Arc::clone(&first);
        if let Some(pause) = self.pause {
            sleep(pause).await;
            sight = self.look(id, Duration::ZERO).await?;
        }
        let again = sight.lanes.get(&id.lane).ok_or(NoLane::Unreachable)?;
        let terms = |lane: &purse::Lane| {
            (
                lane.spend_key,
                lane.close_delay,
                lane.locked,
                lane.closes_at,
            )
        };
        if terms(again) != terms(seen) {
            return Err(NoLane::Unreachable);
        }
        let lane = Lane {
            id,
            spend_key: again.spend_key,
            close_delay: again.close_delay,
            locked: again.locked,
            paid: again.paid,
            closes_at: again.closes_at,
            gone_at: None,
            checked_at: now(),
        };
        let kept = lane.clone();
        self.on_book(move |book| book.add_lane(&kept)).await?;
        Ok((lane, sight))
    }

    /// What two answers agree is locked: what is added to a lane counts as its first money does.
    async fn locked(self: &Arc<Self>, lane: &Lane, seen: &purse::Lane) -> Result<u64, NoLane> {
        if seen.locked <= lane.locked {
            return Ok(seen.locked);
        }
        let (id, locked) = (lane.id, seen.locked);
        if let Some(pause) = self.pause {
            if !self.has_waited(id, locked, pause) {
                return Ok(lane.locked);
            }
            let again = self.look(id, Duration::ZERO).await?;
            if again.lanes.get(&id.lane).map(|lane| lane.locked) != Some(locked) {
                return Ok(lane.locked);
            }
        }
        held(&self.rising).remove(&id);
        self.on_book(move |book| book.raise(id, locked)).await?;
        Ok(locked)
    }

    /// Whether an answer said so long ago that so much is locked.
    fn has_waited(&self, id: LaneId, locked: u64, pause: Duration) -> bool {
        let mut rising = held(&self.rising);
        let (before, since) = *rising.entry(id).or_insert((locked, Instant::now()));
        if before != locked {
            rising.insert(id, (locked, Instant::now()));
        }
        before == locked && since.elapsed() >= pause
    }

    async fn look(self: &Arc<Self>, id: LaneId, age: Duration) -> Result<Arc<Sight>, NoLane> {
        let this = Arc::clone(self);
        let looked = spawn_blocking(move || this.till.lookout.look(&id.purse, age)).await;
        match looked {
            Ok(Ok(sight)) => Ok(sight),
            Ok(Err(Unseen::NoPurse)) => Err(NoLane::Unknown),
            Ok(Err(Unseen::Unreachable(why))) => {
                self.complaints.say(&why);
                let kept = self.till.lookout.kept(&id.purse, GRACE);
                kept.filter(|_| !age.is_zero()).ok_or(NoLane::Unreachable)
            }
            Err(_) => Err(NoLane::Unreachable),
        }
    }

    fn refused_lately(&self, id: LaneId) -> Option<NoLane> {
        let refused = held(&self.refused);
        let (at, code) = refused.get(&id)?;
        (at.elapsed() < REFUSED).then_some(*code)
    }

    fn refuse(&self, id: LaneId, code: NoLane) {
        let mut refused = held(&self.refused);
        if refused.len() >= MAX_REFUSED {
            refused.retain(|_, (at, _)| at.elapsed() < REFUSED);
        }
        if refused.len() < MAX_REFUSED {
            refused.insert(id, (Instant::now(), code));
        }
    }

    /// Notes what is owed. It is noted once all of it is on the disk; what can be kept is kept in any case.
    pub(crate) async fn owed(self: &Arc<Self>, owed: Vec<Owed>) -> FromHost {
        self.owed_to(ONLY, owed).await
    }

    /// The enclave of a fleet is gone: what it owes stays, and the rest is for others.
    pub(crate) async fn release(self: &Arc<Self>, enclave: EnclaveId) -> FromHost {
        let released = self.on_book(move |book| book.release(enclave)).await;
        released.map_or_else(Into::into, |()| FromHost::Noted)
    }

    /// Notes what is owed to one enclave of a fleet.
    pub(crate) async fn owed_to(self: &Arc<Self>, enclave: EnclaveId, owed: Vec<Owed>) -> FromHost {
        if owed.len() > MAX_OWED {
            return FromHost::Refused(format!("at most {MAX_OWED} tabs at once"));
        }
        let noted = timeout(PATIENCE, self.note(enclave, owed)).await;
        match noted.unwrap_or_else(|_| Err(NoLane::Unreachable.into())) {
            Ok(()) => FromHost::Noted,
            Err(why) => FromHost::Refused(why),
        }
    }

    async fn note(self: &Arc<Self>, enclave: EnclaveId, owed: Vec<Owed>) -> Result<(), Refusal> {
        let read = spawn_blocking(move || owed.iter().map(verify::receipt).collect::<Vec<_>>());
        let mut refusal: Option<Refusal> = None;
        let mut entries: BTreeMap<LaneId, Vec<Entry>> = BTreeMap::new();
        for read in read.await.map_err(|_| NoLane::Unreachable)? {
            match read {
                Ok(entry) => entries.entry(entry.lane).or_default().push(entry),
                Err(rejection) => {
                    self.till.takings.refused.add(1);
                    refusal.get_or_insert_with(|| rejection.code().to_owned());
                }
            }
        }
        let ids: Vec<LaneId> = entries.keys().copied().collect();
        let known = self.on_book(move |book| {
            let lanes = ids.into_iter().filter_map(|id| book.lane(id).transpose());
            lanes.collect::<book::Result<Vec<Lane>>>()
        });
        let mut known_entries = Vec::new();
        for lane in known.await? {
            let entries = entries.remove(&lane.id).unwrap_or_default();
            known_entries.push((lane.spend_key, entries));
        }
        // These are on the disk before the chain is asked about others.
        let kept = self.keep(enclave, known_entries).await;
        let first = refusal.or(kept.err());
        let looked_up = self.look_up(enclave, entries).await;
        first.or(looked_up.err()).map_or(Ok(()), Err)
    }

    /// Keeps what is owed on lanes that the database does not know: it was lost, or rolled back.
    async fn look_up(
        self: &Arc<Self>,
        enclave: EnclaveId,
        mut entries: BTreeMap<LaneId, Vec<Entry>>,
    ) -> Result<(), Refusal> {
        let mut lookups = JoinSet::new();
        for id in entries.keys().copied().take(MAX_LOOKUPS) {
            let this = Arc::clone(self);
            lookups.spawn(async move { (id, this.known(id, false).await) });
        }
        let mut found = Vec::new();
        let mut refusal = None;
        while let Some(looked) = lookups.join_next().await {
            match looked {
                Ok((id, Ok((lane, _)))) => {
                    found.push((lane.spend_key, entries.remove(&id).unwrap_or_default()));
                }
                Ok((id, Err(code))) => {
                    let count = entries.remove(&id).map_or(0, |entries| entries.len());
                    if code != NoLane::Unreachable {
                        self.till.takings.refused.add(count as u64);
                    }
                    refusal.get_or_insert(code);
                }
                Err(_) => refusal = Some(NoLane::Unreachable),
            }
        }
        if !entries.is_empty() {
            // Their turn comes when they are sent again.
            refusal.get_or_insert(NoLane::Unreachable);
        }
        self.keep(enclave, found).await?;
        refusal.map_or(Ok(()), |code| Err(code.into()))
    }

    /// Checks the caps, and keeps what is right.
    async fn keep(
        self: &Arc<Self>,
        enclave: EnclaveId,
        lanes: Vec<([u8; 32], Vec<Entry>)>,
    ) -> Result<(), Refusal> {
        let this = Arc::clone(self);
        let kept = spawn_blocking(move || {
            let mut refusal = None;
            let mut right = Vec::new();
            for (spend_key, entries) in lanes {
                for entry in entries {
                    match verify::cap(&entry, &spend_key) {
                        Ok(()) => right.push(entry),
                        Err(rejection) => {
                            this.till.takings.refused.add(1);
                            refusal = Some(rejection.code().to_owned());
                        }
                    }
                }
            }
            if !right.is_empty() {
                let put = this.put(enclave, &right);
                let without_room = put.map_err(|error| this.database(&error))?;
                if without_room > 0 {
                    this.till.takings.refused.add(without_room as u64);
                    refusal = Some("tabs_full".to_owned());
                }
            }
            refusal.map_or(Ok(()), Err)
        });
        kept.await
            .unwrap_or_else(|_| Err(NoLane::Unreachable.into()))
    }

    /// Whose they are is written first: a slice that was handed out is never counted twice.
    fn put(&self, enclave: EnclaveId, entries: &[Entry]) -> book::Result<usize> {
        let keys: BTreeSet<[u8; 32]> = entries.iter().map(|entry| entry.key.0).collect();
        let mut book = held(&self.till.book);
        match &self.share {
            Share::Whole(own) => {
                let without_room = book.put(entries, now())?;
                held(own).extend(keys);
                Ok(without_room)
            }
            Share::Slices => {
                book.signs(enclave, &Vec::from_iter(keys))?;
                book.put(entries, now())
            }
        }
    }

    /// Keeps a signed report.
    pub(crate) async fn report(self: &Arc<Self>, report: Vec<u8>) -> FromHost {
        let this = Arc::clone(self);
        let kept = spawn_blocking(move || {
            SignedReport::verify(&report).map_err(|rejection| rejection.code().to_owned())?;
            let digest = sha256(&[&report]);
            let put = held(&this.till.book).put_report(&digest, &report, now());
            put.map_err(|error| this.database(&error))
        });
        match kept.await {
            Ok(Ok(())) => FromHost::Noted,
            Ok(Err(why)) => FromHost::Refused(why),
            Err(_) => FromHost::Refused("the report was not kept".to_owned()),
        }
    }

    async fn on_book<T: Send + 'static>(
        self: &Arc<Self>,
        ask: impl FnOnce(&mut Book) -> book::Result<T> + Send + 'static,
    ) -> Result<T, NoLane> {
        let this = Arc::clone(self);
        let asked = spawn_blocking(move || {
            let answer = ask(&mut held(&this.till.book));
            answer.map_err(|error| this.database(&error))
        });
        asked
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(NoLane::Unreachable)
    }

    /// Says what is wrong with the database, and the same in a word for the enclave.
    fn database(&self, error: &book::Error) -> Refusal {
        let why = explained(error);
        self.complaints
            .say(&format!("nothing is noted: the cashier's database: {why}"));
        "not_noted".to_owned()
    }
}

/// Seconds since 1970.
fn now() -> i64 {
    clock::now().map_or(0, |time| time.0)
}
