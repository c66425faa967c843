//! What a directory shows the world, as files: everything comes from the database, and is there whole or as it was before.
//!
//! ```text
//! network  policies/<sha256>                 what a person chose, and the policy that it names
//! checkpoint  now/<class>                    change
//! listings/<class>/full-<epoch>  delta-<epoch>
//! reports/<minute>  evidence/<digest>
//! index.html  ledger.js  ledger.css  v1/ledger/   change, where the ledger is wanted
//! entries/<n>  proofs/<leaf hash>.tlog-proof  consistency/<size>
//! ```

pub(crate) mod class;
mod folder;
mod log;
mod now;
mod origin;

use std::{collections::BTreeMap, path::Path, sync::Arc};

use chrysalis_attestation::{
    Time,
    encoding::{
        cbor::{self, Value},
        digest::Hex,
    },
};

pub use self::origin::{Origin, PublishError};
use self::{
    class::{ClassState, Cuts},
    log::Log,
};
pub(crate) use self::{folder::Folder, log::entry, now::COUNTS, now::thousandths};
use crate::{
    Desk, Ledger,
    desk::{CLOSED, minute_of},
    store::{Change, Cut, StoreError},
};

/// How long reports are kept, in minutes.
pub(crate) const REPORTS_KEPT: i64 = 30 * 24 * 60;
/// How long evidence is kept once no listing names it, in seconds.
const EVIDENCE_KEPT: i64 = 24 * 3600;
/// How many epochs of a class are kept.
pub(crate) const EPOCHS_KEPT: u64 = 144;
/// How often what is old is forgotten, in seconds.
const FORGETS: i64 = 3600;

/// Writes the files.
pub struct Publisher {
    desk: Arc<Desk>,
    folder: Folder,
    log: Log,
    cuts: Cuts,
    classes: BTreeMap<[u8; 32], ClassState>,
    evidence: i64,
    forgot: i64,
    ledger: Option<Ledger>,
}

impl Publisher {
    /// One that writes into this folder, which is made anew where something is missing.
    pub fn new(desk: Arc<Desk>, folder: &Path, origin: Origin, cuts: Cuts) -> Self {
        let classes = desk.directory().network.classes.iter();
        let classes = classes.map(|class| (class.weights.0, ClassState::default()));
        Self {
            classes: classes.collect(),
            folder: Folder::at(folder),
            log: Log::new(origin),
            evidence: 0,
            forgot: i64::MIN,
            ledger: None,
            desk,
            cuts,
        }
    }

    /// Writes the ledger as well.
    #[must_use]
    pub fn with_ledger(mut self, ledger: Ledger) -> Self {
        self.ledger = Some(ledger);
        self
    }

    /// Puts the network's descriptor, in its envelope, and the policy beside what is published.
    pub fn introduce(&self, network: &[u8], policy: &[u8]) -> Result<(), PublishError> {
        let digest = self.desk.directory().network.policy;
        self.folder.write(&format!("policies/{digest}"), policy)?;
        self.folder.write("network", network)?;
        Ok(())
    }

    /// Publishes what is due. To be called every second or so. What fails is tried again the next time: nothing is lost. Blocks.
    pub fn tick(&mut self) -> Result<(), PublishError> {
        let now = self.desk.now();
        self.show_evidence()?;
        self.catch_up()?;
        if let Err(error) = self.publish(now) {
            // The log in memory may be ahead of the one that is kept.
            self.log.forget();
            return Err(error);
        }
        self.catch_up()?;
        self.show_now(now)?;
        if self.forgot.saturating_add(FORGETS) <= now.0 {
            self.forget(now)?;
            self.forgot = now.0;
        }
        match &mut self.ledger {
            Some(ledger) => ledger.tick(&self.desk, &self.folder, &self.log.key(), now),
            None => Ok(()),
        }
    }

    /// Decides what is published, and notes it with a new head of the log, all or nothing.
    fn publish(&mut self, now: Time) -> Result<(), PublishError> {
        let touched = self.desk.take_touched();
        for weights in touched {
            if let Some(class) = self.classes.get_mut(&weights) {
                class.touch();
            }
        }
        let store = self.desk.store().clone();
        let (log, classes, cuts) = (&mut self.log, &mut self.classes, self.cuts);
        let network = self.desk.directory().network.id();
        store.change(|change| {
            if change.head_after(log.size())?.is_some() {
                // Another machine of this directory was faster.
                return Ok(());
            }
            let mut new = minutes(change, now)?;
            for (weights, class) in classes.iter_mut().filter(|(_, class)| class.is_due(now)) {
                if let Some(cut) = class::cut(change, (network, *weights), class, cuts, now)? {
                    new.push(entry(&whole(weights, cut.epoch), &cut.whole));
                    let kept = cut.epoch.saturating_sub(EPOCHS_KEPT - 1);
                    change.forget_cuts(weights, kept)?;
                }
            }
            if new.is_empty() {
                return Ok(());
            }
            log.append(change, &new)
        })
    }

    /// Writes the files of every head that is not written yet.
    fn catch_up(&mut self) -> Result<(), PublishError> {
        let store = self.desk.store().clone();
        loop {
            let next = store.change(|change| {
                let Some((size, note)) = change.head_after(self.log.written())? else {
                    return Ok(None);
                };
                let entries = self.log.read_to(change, size)?;
                let mut files = Vec::new();
                for entry in &entries {
                    let path = log::path_of(entry);
                    if !self.folder.has(path) {
                        files.extend(content(change, path)?);
                    }
                }
                Ok::<_, StoreError>(Some((size, note, files)))
            })?;
            let Some((size, note, files)) = next else {
                return Ok(());
            };
            for (path, bytes) in &files {
                self.folder.write(path, bytes)?;
            }
            self.log.write(&self.folder, size, &note)?;
        }
    }

    fn show_evidence(&mut self) -> Result<(), PublishError> {
        let store = self.desk.store().clone();
        loop {
            let next = store.change(|change| {
                let Some((serial, digest)) = change.evidence_after(self.evidence)? else {
                    return Ok(None);
                };
                let bytes = change.evidence(&digest)?.unwrap_or_default();
                Ok::<_, StoreError>(Some((serial, digest, bytes)))
            })?;
            let Some((serial, digest, bytes)) = next else {
                return Ok(());
            };
            let path = format!("evidence/{}", Hex(digest));
            self.folder.write_if_other(&path, &bytes)?;
            self.evidence = serial;
        }
    }

    fn show_now(&mut self, now: Time) -> Result<(), PublishError> {
        let network = self.desk.directory().network.id();
        let store = self.desk.store().clone();
        for (weights, class) in &mut self.classes {
            if !class.shows(now) {
                continue;
            }
            let shown = store
                .change(|change| now::now(change, (network, *weights), &mut class.known, now))?;
            if let Some(shown) = shown {
                let path = format!("now/{}", Hex(*weights));
                self.folder.write(&path, &shown.encode())?;
                class.shown(now);
            }
        }
        Ok(())
    }

    fn forget(&mut self, now: Time) -> Result<(), PublishError> {
        let minute = now.0.div_euclid(60).saturating_sub(REPORTS_KEPT);
        let evidence = now.0.saturating_sub(EVIDENCE_KEPT);
        let store = self.desk.store().clone();
        let epochs = store.change(|change| {
            change.forget(now.0, evidence, minute)?;
            let mut epochs = BTreeMap::new();
            for weights in self.classes.keys() {
                epochs.insert(*weights, change.epochs(weights)?);
            }
            Ok::<_, StoreError>(epochs)
        })?;
        for (weights, epochs) in epochs {
            let first = epochs.first().map_or(0, |(epoch, _)| *epoch);
            let old = |name: &str| {
                let epoch = name.rsplit('-').next().and_then(|it| it.parse().ok());
                epoch.is_some_and(|epoch: u64| epoch < first)
            };
            self.folder
                .remove_if(&format!("listings/{}", Hex(weights)), old)?;
        }
        let old = |name: &str| name.parse().is_ok_and(|it: i64| it < minute);
        self.folder.remove_if("reports", old)?;
        let mut gone = Vec::new();
        for name in self.folder.names("evidence")? {
            let mut digest = [0; 32];
            let is_one = hex::decode_to_slice(&name, &mut digest).is_ok();
            let kept = is_one
                && store
                    .change(|change| Ok::<_, StoreError>(change.evidence(&digest)?.is_some()))?;
            if !kept {
                gone.push(name);
            }
        }
        self.folder
            .remove_if("evidence", |name| gone.iter().any(|it| it == name))?;
        Ok(())
    }
}

pub(crate) fn whole(weights: &[u8; 32], epoch: u64) -> String {
    format!("listings/{}/full-{epoch}", Hex(*weights))
}

pub(crate) fn delta(weights: &[u8; 32], epoch: u64) -> String {
    format!("listings/{}/delta-{epoch}", Hex(*weights))
}

/// Closes the minutes that are over, and makes their entries.
fn minutes(change: &mut dyn Change, now: Time) -> Result<Vec<String>, StoreError> {
    let mut closed = change.about(CLOSED)?.map_or(i64::MIN, |it| minute_of(&it));
    let this = now.0.div_euclid(60);
    let mut entries = Vec::new();
    while let Some(minute) = change.next_minute(closed, this)? {
        let file = reports(change, minute)?;
        entries.push(entry(&format!("reports/{minute}"), &file));
        closed = minute;
    }
    if !entries.is_empty() {
        change.set_about(CLOSED, &closed.to_be_bytes())?;
    }
    Ok(entries)
}

/// A minute's file.
fn reports(change: &mut dyn Change, minute: i64) -> Result<Vec<u8>, StoreError> {
    let reports = change.reports_of(minute)?.into_iter();
    Ok(cbor::encode(&Value::Array(
        reports.map(Value::Bytes).collect(),
    )))
}

/// The files that an entry of the log stands for, where they are still kept.
fn content(change: &mut dyn Change, path: &str) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    if let Some(minute) = path.strip_prefix("reports/") {
        let minute = minute.parse().unwrap_or(i64::MIN);
        let file = reports(change, minute)?;
        let forgotten = change.reports_of(minute)?.is_empty();
        return Ok(if forgotten {
            Vec::new()
        } else {
            vec![(path.to_owned(), file)]
        });
    }
    let mut weights = [0; 32];
    let class = path.strip_prefix("listings/").and_then(|it| {
        let (class, epoch) = it.split_once("/full-")?;
        hex::decode_to_slice(class, &mut weights).ok()?;
        epoch.parse().ok()
    });
    let Some(epoch) = class else {
        return Ok(Vec::new());
    };
    let Some(Cut {
        whole: file,
        delta: from,
        ..
    }) = change.cut(&weights, epoch)?
    else {
        return Ok(Vec::new());
    };
    let mut files = vec![(whole(&weights, epoch), file)];
    if !from.is_empty() {
        files.push((delta(&weights, epoch), from));
    }
    Ok(files)
}
