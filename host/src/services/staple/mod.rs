//! What vendors have signed about this machine's hardware, fetched ahead of need into the state folder and handed to the
//! enclave, which sends it along with its evidence: a relying party then need not ask a vendor.
//!
//! The host identifies AMD's chip by itself. What TDX's platform and the GPUs are, only their evidence says, so the enclave
//! shows its own; the guest is trusted with nothing, so what it calls for is bounded. Fetching is a courtesy and may fail. The
//! run goes on: what is missing or stale is reported here, and the verifier decides.

pub(super) mod chip;
#[cfg(test)]
mod tests;

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrysalis_attestation::{
    Rejection, evidence::Endorsements, nvidia::GpuEvidence, snp::needs::Chip,
};
use chrysalis_collateral::{
    Anchors, Failure, Fetcher, Http, Limits, Mirrors, Object, Refresh, Store, StoreError, System,
    Update, Wish, World,
};
use tokio::time::timeout;

use crate::{
    guest::text::{LineBreaks, printable},
    mutex::held,
    talk::say,
};

/// The longest that fetching may take; a launch waits for it.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest that a guest is kept waiting: it gives up after 30 seconds. The fetching goes on.
const GUEST_PATIENCE: Duration = Duration::from_secs(20);
/// How often a guest's evidence may cause a fetch between two rounds of the host's own. A boot causes two.
const FETCHES_FOR_GUEST: u32 = 8;
/// The longest line that may be filled with words from outside.
const MAX_LINE: usize = 1024;

/// A store, and the hardware that it is filled for.
pub(crate) struct Stapler {
    store: Store,
    mirrors: Mirrors,
    anchors: Anchors,
    limits: Limits,
    /// AMD's; none under TDX, or where it cannot be identified.
    chip: Option<Chip>,
    shown: Mutex<Shown>,
    /// Held while fetching, so that no vendor is asked twice at once.
    fetching: Mutex<()>,
    stapled: Mutex<Endorsements>,
}

/// What the guest showed of itself. Nothing of it is verified: it says what to ask for, and nothing else.
struct Shown {
    quote: Vec<u8>,
    gpus: Vec<GpuEvidence>,
    fetches_left: u32,
}

impl Stapler {
    pub(super) fn new(
        folder: &Path,
        chip: Option<Chip>,
        mirrors: &[Mirrors],
        anchors: Anchors,
    ) -> Result<Self, StoreError> {
        let mut all = Mirrors::default();
        for mirror in mirrors {
            all.extend(mirror.clone());
        }
        Ok(Self {
            store: Store::open_or_create(folder)?,
            mirrors: all,
            anchors,
            limits: Limits {
                total: PATIENCE,
                ..Limits::default()
            },
            chip,
            shown: Mutex::new(Shown {
                quote: Vec::new(),
                gpus: Vec::new(),
                fetches_left: FETCHES_FOR_GUEST,
            }),
            fetching: Mutex::default(),
            stapled: Mutex::default(),
        })
    }

    /// Fetches what is missing or expires soon. Failures are reported, and tried again the next time.
    pub(crate) async fn fetch(self: Arc<Self>) {
        held(&self.shown).fetches_left = FETCHES_FOR_GUEST;
        self.fetch_aside().await;
    }

    /// Remembers what the guest showed, and fetches what that calls for, for as long as the guest waits.
    pub(crate) async fn fetch_for(self: Arc<Self>, quote: Vec<u8>, gpus: Vec<GpuEvidence>) {
        if !self.remember(quote, gpus) {
            return;
        }
        if timeout(GUEST_PATIENCE, self.fetch_aside()).await.is_err() {
            say(format_args!(
                "the vendors are slow: the guest goes on with what is there, while fetching continues\n\
                 hint: if the guest fails because something is missing, start it again once that was fetched"
            ));
        }
    }

    /// Whether there is something to fetch now.
    fn remember(&self, quote: Vec<u8>, gpus: Vec<GpuEvidence>) -> bool {
        let mut shown = held(&self.shown);
        let mut readable = false;
        if !quote.is_empty() && is_readable("a quote", Wish::of_quote(&quote)) {
            shown.quote = quote;
            readable = true;
        }
        if !gpus.is_empty() && is_readable("GPU evidence", Wish::of_gpus(&gpus)) {
            shown.gpus = gpus;
            readable = true;
        }
        let left = shown.fetches_left.checked_sub(u32::from(readable));
        shown.fetches_left = left.unwrap_or_default();
        readable && left.is_some()
    }

    async fn fetch_aside(self: Arc<Self>) {
        let fetching = tokio::task::spawn_blocking(move || self.fetch_in(&System::new()));
        // It ends early only with the whole program.
        let _ = fetching.await;
    }

    fn fetch_in(&self, world: &dyn World) {
        let _alone = held(&self.fetching);
        let wish = self.wish();
        let mut fetcher = Fetcher {
            store: &self.store,
            mirrors: &self.mirrors,
            update: Update::Standard,
            anchors: &self.anchors,
            http: &Http::new(),
            world,
            limits: self.limits,
            hear: &mut |_| (),
        };
        for gathered in fetcher.gather(&wish, Refresh::Due) {
            if let Err(failure) = gathered.outcome {
                say(self.told(&gathered.object, &failure));
            }
        }
        self.staple();
    }

    /// All that this machine's evidence calls for.
    fn wish(&self) -> Wish {
        let mut wish = Wish::default();
        if let Some(chip) = &self.chip {
            wish.extend(Wish::of_chip(chip.clone()));
        }
        let shown = held(&self.shown);
        if !shown.quote.is_empty() {
            // It was read before it was remembered.
            wish.extend(Wish::of_quote(&shown.quote).unwrap_or_default());
        }
        wish.extend(Wish::of_gpus(&shown.gpus).unwrap_or_default());
        wish
    }

    /// What a failure means for those who verify. Vendors' answers and names in evidence are untrusted text.
    fn told(&self, object: &Object, failure: &Failure) -> String {
        let path = object.path();
        let entries = self.store.entries().unwrap_or_default();
        let stapled = match failure.stored_until {
            Some(until) => format!("the stapled one is valid until {until}"),
            None if entries.iter().any(|(there, _)| *there == path) => {
                "the stapled one has expired, and relying parties refuse it".to_owned()
            }
            None => "none is stapled, so relying parties must bring their own".to_owned(),
        };
        let error = &failure.error;
        let line = line(&format!("{object} was not fetched: {error}; {stapled}"));
        format!("{line}\nhint: {}", error.hint())
    }

    /// Reads what the store has for this machine, to answer all questions until the next fetch.
    fn staple(&self) {
        let mut stapled = match &self.chip {
            Some(chip) => found(self.store.for_chip(chip.clone())),
            None => Endorsements::default(),
        };
        let shown = held(&self.shown);
        if !shown.quote.is_empty() {
            let collateral = self.store.for_quote(&shown.quote);
            stapled.tdx = found(collateral.map(|it| it.encode()));
        }
        let gpus = found(self.store.for_gpus(&shown.gpus));
        (stapled.rims, stapled.ocsp) = (gpus.rims, gpus.ocsp);
        drop(shown);
        *held(&self.stapled) = stapled;
    }

    /// What is stapled.
    pub(crate) fn endorsements(&self) -> Endorsements {
        held(&self.stapled).clone()
    }
}

fn is_readable(what: &str, wish: Result<Wish, Rejection>) -> bool {
    let refused = wish.err();
    if let Some(rejection) = &refused {
        let why = line(&rejection.to_string());
        say(format_args!(
            "the guest showed {what} that cannot be read, so nothing is fetched for it: {why}"
        ));
    }
    refused.is_none()
}

/// What was found. What is missing was reported when it could not be fetched.
fn found<T: Default>(found: Result<T, StoreError>) -> T {
    found.unwrap_or_else(|error| {
        if !matches!(error, StoreError::Lacks(_)) {
            say(format_args!(
                "nothing is stapled: {error}\nhint: {}",
                error.hint()
            ));
        }
        T::default()
    })
}

fn line(text: &str) -> String {
    printable(text, MAX_LINE, LineBreaks::Replace)
}
