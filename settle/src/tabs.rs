//! All tabs of an enclave.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    Credential, JobNumber, NotAdmitted, OpenTab, Running, TabId, TabsFull,
    allowance::{Allowance, Lane},
};

/// The most tabs at once.
pub const MAX_TABS: usize = 65_536;
/// The most tabs of one lane, so that one lane does not fill all places: as many as a purse has room for.
pub const MAX_BRANCHES: usize = 1024;

/// All tabs of an enclave. Paid ones stay for as long as this does: their receipts are worth money, and a second beginning of one would be
/// another tab in the place of the first.
#[derive(Debug)]
pub struct Tabs {
    receipt_key: [u8; 32],
    most: usize,
    table: Mutex<Table>,
}

#[derive(Debug, Default)]
struct Table {
    open: BTreeMap<TabId, Arc<OpenTab>>,
    /// Those that are not used any more, in the order in which they are forgotten.
    left: VecDeque<TabId>,
}

impl Tabs {
    /// No tabs yet, and room for `most`, of [`MAX_TABS`] at most.
    pub fn new(receipt_key: [u8; 32], most: usize) -> Self {
        Self {
            receipt_key,
            most: most.min(MAX_TABS),
            table: Mutex::default(),
        }
    }

    /// The unpaid tab of this name, or a new one. Where there is no room, one that was left goes.
    pub fn open(&self, id: TabId) -> Result<Arc<OpenTab>, TabsFull> {
        let mut table = self.lock();
        if let Some(tab) = table.open.get(&id) {
            return Ok(Arc::clone(tab));
        }
        table.make_room(self.most)?;
        let tab = Arc::new(OpenTab::new(id, &self.receipt_key, None));
        table.open.insert(id, Arc::clone(&tab));
        Ok(tab)
    }

    /// Begins a job on a paid tab, which its first job opens, if what may then be owed is within the cap and, for all tabs of the lane
    /// together, within `ceiling`. The credential's signature was verified. `now` is in milliseconds of a clock that never goes back.
    pub fn admit(
        &self,
        credential: &Credential,
        job: JobNumber,
        bound: u64,
        ceiling: u64,
        now: u64,
    ) -> Result<(Arc<OpenTab>, Running), NotAdmitted> {
        let mut table = self.lock();
        let id = credential.tab;
        if let Some(tab) = table.open.get(&id) {
            tab.raise(credential);
            let running = tab.admit(job, bound, ceiling, now)?;
            return Ok((Arc::clone(tab), running));
        }
        let lane = table.lane(&id)?;
        let allowance = Allowance::new(lane, *credential);
        let tab = OpenTab::new(id, &self.receipt_key, Some(allowance));
        table.require_room(self.most)?;
        let running = tab.admit(job, bound, ceiling, now)?;
        table.make_room(self.most)?;
        let tab = Arc::new(tab);
        table.open.insert(id, Arc::clone(&tab));
        Ok((tab, running))
    }

    /// Whether there is this tab, or room for it.
    pub fn has_room(&self, id: &TabId) -> Result<(), TabsFull> {
        let table = self.lock();
        if table.open.contains_key(id) {
            return Ok(());
        }
        table.lane(id)?;
        table.require_room(self.most)
    }

    /// The tab of this name, if there is one.
    pub fn find(&self, id: &TabId) -> Option<Arc<OpenTab>> {
        self.lock().open.get(id).cloned()
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.lock().open.len()
    }

    /// What all tabs of a lane have taken: what they owe, and the bounds of their running jobs.
    pub fn taken(&self, id: &TabId) -> u64 {
        let table = self.lock();
        let lane = table.siblings(id).next().and_then(OpenTab::lane);
        lane.map_or(0, |lane| lane.taken())
    }

    /// This tab is not used any more, but its last receipt may still be fetched: it is kept until its room is needed.
    pub fn leave(&self, id: &TabId) {
        let mut table = self.lock();
        let Some(tab) = table.open.get(id) else {
            return;
        };
        tab.forget_numbers();
        table.left.push_back(*id);
    }

    /// Forgets a tab.
    pub fn forget(&self, id: &TabId) {
        let mut table = self.lock();
        table.open.remove(id);
        table.left.retain(|left| left != id);
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    /// The tabs of the same lane.
    fn siblings(&self, id: &TabId) -> impl Iterator<Item = &OpenTab> {
        let branch = |branch| TabId { branch, ..*id };
        let tabs = self.open.range(branch(0)..=branch(u16::MAX));
        tabs.map(|(_, tab)| &**tab)
    }

    /// The lane of a new tab.
    fn lane(&self, id: &TabId) -> Result<Arc<Lane>, TabsFull> {
        if self.siblings(id).count() >= MAX_BRANCHES {
            return Err(TabsFull);
        }
        let lane = self.siblings(id).next().and_then(OpenTab::lane);
        Ok(lane.unwrap_or_default())
    }

    fn require_room(&self, most: usize) -> Result<(), TabsFull> {
        if self.open.len() >= most && self.left.is_empty() {
            return Err(TabsFull);
        }
        Ok(())
    }

    /// Forgets the oldest that was left, if need be.
    fn make_room(&mut self, most: usize) -> Result<(), TabsFull> {
        if self.open.len() >= most {
            let oldest = self.left.pop_front().ok_or(TabsFull)?;
            self.open.remove(&oldest);
        }
        Ok(())
    }
}
