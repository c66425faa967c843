//! Where listings and reports are taken: each is checked in full before it is noted, and noted before it is answered.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrysalis_attestation::{Time, encoding::digest::Hex};
use chrysalis_network::{Descriptor, MAX_AHEAD, ProviderId, Rejection, SignedListing, Upload};
use chrysalis_settle::{Attested, EpochEvidence, Report, SignedReport};
use serde_json::{Value, json};

use crate::{
    Clock, Refused,
    evidence::{Judge, Judged},
    store::{Change, Listed, Reported, Shared, StoreError},
};

/// The most listings of one chip: of all operators, models and enclaves on it.
pub const MAX_ON_CHIP: u64 = 64;
/// The most listings of one class, so that its file has room for all.
const MAX_OF_CLASS: u64 = 15_000;
/// The most verdicts on evidence that are remembered.
const MAX_VERDICTS: usize = 20_000;
/// How long something that was withdrawn is remembered, so that nothing older comes back: as long as that could last.
const WITHDRAWN_FOR: i64 = 2 * MAX_AHEAD;
/// The minute up to which reports are published, in the database.
pub(crate) const CLOSED: &str = "closed_minute";

/// A network, and whom one directory of it takes.
#[derive(Debug, Clone)]
pub struct Directory {
    /// The network.
    pub network: Descriptor,
    /// What judges evidence: the network's policy.
    pub judge: Judge,
    /// Whether listings may name addresses that are not on the public internet.
    pub private: bool,
    /// What time it is.
    pub clock: Clock,
}

/// Takes listings and reports.
pub struct Desk {
    directory: Directory,
    store: Shared,
    verdicts: Mutex<BTreeMap<[u8; 32], Judged>>,
    /// Classes of which something came since they were last published.
    touched: Mutex<BTreeSet<[u8; 32]>>,
}

/// What became of a listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admitted {
    /// It is listed.
    Listed {
        /// Unix seconds: when it ends.
        until: i64,
        /// What directories call it.
        id: ProviderId,
    },
    /// It is listed no longer.
    Withdrawn,
}

impl Admitted {
    /// The answer.
    pub fn json(&self) -> Value {
        match self {
            Self::Listed { until, id } => json!({"until": until, "id": id.to_string()}),
            Self::Withdrawn => json!({"withdrawn": true}),
        }
    }
}

impl Desk {
    /// One that notes what it takes in this database.
    pub fn new(directory: Directory, store: Shared) -> Arc<Self> {
        Arc::new(Self {
            directory,
            store,
            verdicts: Mutex::default(),
            touched: Mutex::default(),
        })
    }

    /// The network, and what it takes.
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// What it keeps. Blocks.
    pub fn store(&self) -> &Shared {
        &self.store
    }

    /// The time.
    pub fn now(&self) -> Time {
        self.directory.clock.now()
    }

    /// `PUT /v1/listings`. Blocks.
    pub fn list(&self, body: &[u8]) -> Result<Admitted, Refused> {
        let upload = Upload::decode(body)?;
        let listing = SignedListing::verify(&upload.listing)?;
        let now = self.now();
        match listing.check(&self.directory.network, now) {
            Err(Rejection::ListingExpired { until }) => {
                if self
                    .store
                    .change(|change| withdraw(change, &listing, now))?
                {
                    self.touch(listing.offer().weights);
                    return Ok(Admitted::Withdrawn);
                }
                return Err(with_clock(Rejection::ListingExpired { until }, now));
            }
            Err(rejection @ Rejection::ListingTooLong { .. }) => {
                return Err(with_clock(rejection, now));
            }
            checked => checked?,
        }
        if !self.directory.private {
            for endpoint in &listing.listing().endpoints {
                endpoint.check_public()?;
            }
        }
        let (judged, new) = self.judged(&listing, upload.evidence.as_ref(), now)?;
        let peer = judged.trusted.peer();
        listing.is_about(peer.claims(), &judged.attested, true)?;
        listing.is_on(peer)?;
        let noted = self
            .store
            .change(|change| note(change, &listing, &judged, new, now))?;
        self.touch(listing.offer().weights);
        Ok(noted)
    }

    fn touch(&self, weights: [u8; 32]) {
        let touched = self.touched.lock();
        touched
            .unwrap_or_else(PoisonError::into_inner)
            .insert(weights);
    }

    /// The classes of which something came since this was last asked.
    pub(crate) fn take_touched(&self) -> BTreeSet<[u8; 32]> {
        let touched = self.touched.lock();
        std::mem::take(&mut *touched.unwrap_or_else(PoisonError::into_inner))
    }

    /// The verdict on the evidence that the offer names: an earlier one, or one on what came along, or on what is kept. Evidence that is
    /// to be kept comes back as well.
    fn judged<'a>(
        &self,
        listing: &SignedListing,
        sent: Option<&'a EpochEvidence>,
        now: Time,
    ) -> Result<(Judged, Option<&'a EpochEvidence>), Refused> {
        let digest = listing.offer().evidence;
        if let Some(judged) = self.verdict(&digest, now) {
            return Ok((judged, None));
        }
        let kept = match sent {
            Some(_) => None,
            None => self.store.change(|change| change.evidence(&digest))?,
        };
        let kept = kept
            .map(|bytes| EpochEvidence::decode(&bytes))
            .transpose()?;
        let Some(evidence) = sent.or(kept.as_ref()) else {
            return Err(Refused::evidence_wanted());
        };
        cheaply(listing, evidence)?;
        let judged = match self.directory.judge.judge(evidence, now) {
            Ok(judged) => judged,
            // What endorses it may have expired since.
            Err(_) if sent.is_none() => return Err(Refused::evidence_wanted()),
            Err(rejection) => return Err(rejection.into()),
        };
        let mut verdicts = self.verdicts();
        if verdicts.len() >= MAX_VERDICTS {
            verdicts.retain(|_, judged| now < judged.until);
        }
        if verdicts.len() < MAX_VERDICTS {
            verdicts.insert(digest, judged.clone());
        }
        Ok((judged, sent))
    }

    fn verdict(&self, digest: &[u8; 32], now: Time) -> Option<Judged> {
        let verdicts = self.verdicts();
        let judged = verdicts.get(digest).filter(|it| now < it.until);
        judged.cloned()
    }

    fn verdicts(&self) -> MutexGuard<'_, BTreeMap<[u8; 32], Judged>> {
        // Each change of the map is one insertion.
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `POST /v1/reports`. Blocks.
    pub fn report(&self, body: &[u8]) -> Result<(), Refused> {
        let report = SignedReport::verify(body)?;
        let now = self.now();
        self.store
            .change(|change| note_report(change, &report, body, now))?;
        self.touch(report.weights);
        Ok(())
    }
}

/// What can be compared before any certificate is looked at.
fn cheaply(listing: &SignedListing, evidence: &EpochEvidence) -> Result<(), Refused> {
    let read = chrysalis_attestation::evidence::Evidence::decode(&evidence.bundle)?;
    if Attested::bundle_digest(&read) == listing.offer().evidence {
        return Ok(());
    }
    Err(Rejection::ListingMismatch { what: "bundle" }.into())
}

fn with_clock(rejection: Rejection, now: Time) -> Refused {
    let refused = Refused::from(rejection);
    Refused {
        message: format!(
            "{}; it is {now} here, {} s after 1970",
            refused.message, now.0
        ),
        ..refused
    }
}

fn superseded(seq: u64) -> Refused {
    Refused::new(
        409,
        "listing_superseded",
        &format!("the listing with seq {seq} is here, which is newer, or another one"),
        "list again with a greater seq",
    )
}

/// Ends what is listed, by a newer listing that has ended itself. Whether there was anything to end.
fn withdraw(change: &mut dyn Change, listing: &SignedListing, now: Time) -> Result<bool, Refused> {
    let Some(before) = change.listing(listing.id())? else {
        return Ok(false);
    };
    let seq = listing.listing().seq;
    if seq < before.seq || (seq == before.seq && !before.bytes.is_empty()) {
        return Ok(false);
    }
    change.put_listing(&Listed {
        seq,
        until: now.0.saturating_add(WITHDRAWN_FOR),
        bytes: Vec::new(),
        ..before
    })?;
    Ok(true)
}

fn note(
    change: &mut dyn Change,
    listing: &SignedListing,
    judged: &Judged,
    evidence: Option<&EpochEvidence>,
    now: Time,
) -> Result<Admitted, Refused> {
    let (id, offer, listed) = (listing.id(), listing.offer(), listing.listing());
    let admitted = Admitted::Listed {
        until: listed.until,
        id,
    };
    let before = change.listing(id)?;
    if let Some(before) = &before {
        if before.bytes == listing.bytes() {
            return Ok(admitted);
        }
        if listed.seq <= before.seq {
            return Err(superseded(before.seq));
        }
    }
    let counts = |it: &Listed| it.until > now.0 && !it.bytes.is_empty();
    let before = before.filter(counts);
    let here = |same: bool| u64::from(before.is_some() && same);
    let same_chip = before.as_ref().is_some_and(|it| it.chip == judged.chip);
    if change.on_chip(&judged.chip, now.0)? - here(same_chip) >= MAX_ON_CHIP {
        return Err(Refused::new(
            429,
            "chip_full",
            &format!("{MAX_ON_CHIP} listings are on this chip"),
            "withdraw one, or wait until one has ended",
        ));
    }
    if change.of_class(&offer.weights, now.0)? - here(true) >= MAX_OF_CLASS {
        return Err(Refused::new(
            429,
            "class_full",
            &format!("{MAX_OF_CLASS} listings are in this class"),
            "try another directory of the network",
        ));
    }
    if let Some(evidence) = evidence {
        change.put_evidence(&offer.evidence, now.0, &evidence.encode())?;
    }
    change.put_listing(&Listed {
        id,
        weights: offer.weights,
        receipt_key: offer.receipt_key,
        chip: judged.chip,
        evidence: offer.evidence,
        seq: listed.seq,
        until: listed.until,
        bytes: listing.bytes().to_vec(),
    })?;
    Ok(admitted)
}

fn note_report(
    change: &mut dyn Change,
    report: &Report,
    bytes: &[u8],
    now: Time,
) -> Result<(), Refused> {
    let (key, weights, epoch) = (&report.receipt_key, &report.weights, report.epoch);
    if !change.lists(key, weights, now.0)? {
        return Err(Refused::new(
            403,
            "report_unlisted",
            "no listing names the enclave that signed this report, with this model",
            "list it first, and keep its listing from ending",
        ));
    }
    if let Some(known) = change.report(key, weights, epoch)? {
        if known.bytes == bytes {
            return Ok(());
        }
        return Err(Refused::new(
            409,
            "report_second",
            &format!("there is another report of epoch {epoch}"),
            "an enclave reports an epoch once; it has to start anew",
        ));
    }
    // As far as they are known: the one before it, and the one after.
    let before = match epoch.checked_sub(1) {
        Some(before) => known(change, key, weights, before)?,
        None => None,
    };
    match &before {
        None if epoch > 0 => report.is_priced()?,
        before => report.follows(before.as_ref())?,
    }
    if let Some(after) = epoch.checked_add(1)
        && let Some(after) = known(change, key, weights, after)?
    {
        after.follows(Some(report))?;
    }
    let closed = change.about(CLOSED)?.map_or(i64::MIN, |it| minute_of(&it));
    change.put_report(&Reported {
        receipt_key: *key,
        weights: *weights,
        epoch,
        minute: now.0.div_euclid(60).max(closed.saturating_add(1)),
        bytes: bytes.to_vec(),
    })?;
    Ok(())
}

pub(crate) fn minute_of(value: &[u8]) -> i64 {
    value.try_into().map_or(i64::MIN, i64::from_be_bytes)
}

fn known(
    change: &mut dyn Change,
    key: &[u8; 32],
    weights: &[u8; 32],
    epoch: u64,
) -> Result<Option<Report>, Refused> {
    let Some(known) = change.report(key, weights, epoch)? else {
        return Ok(None);
    };
    let read = SignedReport::verify(&known.bytes);
    read.map(Some).map_err(|_| {
        let key = Hex(*key);
        StoreError::unreadable(format_args!("a report of {key} that is none")).into()
    })
}
