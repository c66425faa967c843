//! One directory: what it has of this host's, what it should have, and how it is told. It is somebody else's machine: nothing waits for it,
//! and what it says is shown, bounded, and believed for nothing.

use std::{
    collections::{BTreeSet, VecDeque},
    fmt,
    sync::{Arc, Mutex},
    time::Duration,
};

use chrysalis_collateral::{Ask, Http};
use chrysalis_network::Upload;
use serde::Deserialize;
use tokio::sync::Notify;

use super::edition::Edition;
use crate::{
    guest::text::{LineBreaks, printable},
    mutex::held,
    talk::say,
};

/// The most reports that wait for a directory: four hours of one model's.
pub(super) const MAX_WAITING: usize = 256;
/// How often a report is tried again that the directory refuses, once everything has been listed anew.
const SECOND_CHANCES: u32 = 1;
/// What it says when it does not have the evidence that an offer names.
const EVIDENCE_WANTED: &str = "evidence_wanted";
/// What it says of a report when it does not list the enclave that signed it.
const UNLISTED: &str = "report_unlisted";
/// The most bytes that are shown of a word, and of a sentence, that a directory says.
const MAX_WORD: usize = 64;
const MAX_SENTENCE: usize = 300;
const CBOR: &str = "application/cbor";

/// Somebody who publishes what is listed.
pub(super) struct Directory {
    url: String,
    http: Arc<Http>,
    patience: Duration,
    state: Mutex<State>,
    /// Price reports that it does not have yet, the oldest first, and how often it refused the first.
    waiting: Mutex<(VecDeque<Arc<[u8]>>, u32)>,
    /// A report came.
    pub(super) arrived: Notify,
}

#[derive(Default)]
struct State {
    /// Of the edition with this number it took these listings.
    taken: (u64, BTreeSet<usize>),
    /// Until when it lists all that was to be listed.
    until: Option<i64>,
    /// SHA-256 of the evidence that it has.
    evidence: Option<[u8; 32]>,
    /// Whether it was asked at all.
    is_tried: bool,
    /// What is wrong with it, and in a word; said once.
    complaint: Option<(String, String)>,
}

/// Why a directory did not take something.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    /// It could not be asked, or could not answer.
    Passing(String),
    /// It said no.
    Refused(Refusal),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Refusal {
    code: String,
    #[serde(default)]
    message: String,
    #[serde(default)]
    hint: String,
}

impl Directory {
    pub(super) fn new(url: &str, http: Arc<Http>, patience: Duration) -> Arc<Self> {
        Arc::new(Self {
            url: url.to_owned(),
            http,
            patience,
            state: Mutex::default(),
            waiting: Mutex::default(),
            arrived: Notify::new(),
        })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Whether it lists all that should be listed, at this time.
    pub(super) fn lists(&self, now: i64) -> bool {
        held(&self.state).until.is_some_and(|until| until > now)
    }

    /// Whether it was asked, with whatever outcome.
    pub(super) fn is_tried(&self) -> bool {
        held(&self.state).is_tried
    }

    /// What is wrong with it, as people were told.
    #[cfg(test)]
    pub(super) fn complaint(&self) -> Option<String> {
        let complaint = held(&self.state).complaint.clone();
        complaint.map(|(_, text)| text)
    }

    /// How many reports wait for it.
    pub(super) fn waiting(&self) -> usize {
        held(&self.waiting).0.len()
    }

    /// Keeps a report for it. How many older ones had to go for that.
    pub(super) fn keep_report(&self, report: Arc<[u8]>) -> u64 {
        let (waiting, refused) = &mut *held(&self.waiting);
        waiting.push_back(report);
        let mut dropped = 0;
        while waiting.len() > MAX_WAITING {
            waiting.pop_front();
            *refused = 0;
            dropped += 1;
        }
        self.arrived.notify_one();
        dropped
    }

    /// Hands over what it lacks. Whether it lacks nothing now, and how many reports it will never get. Blocks.
    pub(super) fn bring(&self, edition: &Edition) -> (bool, u64) {
        let mut dropped = 0;
        let brought = match self.list(edition) {
            Err(Trouble::Passing(why)) => Err(Trouble::Passing(why)),
            // Reports count where at least something is listed.
            listed if held(&self.state).taken.1.is_empty() => listed,
            listed => listed.and(self.report(&mut dropped)),
        };
        let mut state = held(&self.state);
        state.is_tried = true;
        match &brought {
            Ok(()) => state.complaint = None,
            Err(trouble) => {
                let is_new = state
                    .complaint
                    .as_ref()
                    .is_none_or(|(word, _)| word != trouble.word());
                let text = format!("the directory {}: {trouble}", self.url);
                if is_new {
                    say(&text);
                }
                state.complaint = Some((trouble.word().to_owned(), text));
            }
        }
        (brought.is_ok(), dropped)
    }

    /// Says that it is over: first the last reports, which count only while they are listed. Blocks.
    pub(super) fn withdraw(&self, edition: &Edition) -> bool {
        if held(&self.state).taken.0 == 0 {
            return true;
        }
        let _ = self.report(&mut 0);
        self.list(edition).is_ok()
    }

    /// Listings that it refuses stop no others.
    fn list(&self, edition: &Edition) -> Result<(), Trouble> {
        let mut first = None;
        for (at, listing) in edition.listings.iter().enumerate() {
            let (seq, taken) = held(&self.state).taken.clone();
            if seq == edition.seq && taken.contains(&at) {
                continue;
            }
            match self.put(listing, edition) {
                Ok(()) => self.took(edition, at),
                Err(Trouble::Passing(why)) => return Err(Trouble::Passing(why)),
                Err(refused) => {
                    first.get_or_insert(refused);
                }
            }
        }
        first.map_or(Ok(()), Err)
    }

    fn took(&self, edition: &Edition, at: usize) {
        let mut state = held(&self.state);
        if state.taken.0 != edition.seq {
            state.taken = (edition.seq, BTreeSet::new());
        }
        state.taken.1.insert(at);
        if state.taken.1.len() == edition.listings.len() {
            state.until = Some(edition.until);
        }
    }

    /// With the evidence where it may not have it.
    fn put(&self, listing: &[u8], edition: &Edition) -> Result<(), Trouble> {
        let mut with_evidence = held(&self.state).evidence != Some(edition.digest);
        loop {
            let evidence = edition.evidence.as_ref().filter(|_| with_evidence);
            let upload = Upload {
                listing: listing.to_vec(),
                evidence: evidence.cloned(),
            };
            let body = upload.encode();
            match self.ask("/v1/listings", |kind| Ask::Put(kind, &body)) {
                Ok(()) => {
                    held(&self.state).evidence = Some(edition.digest);
                    return Ok(());
                }
                Err(Trouble::Refused(it)) if it.code == EVIDENCE_WANTED && !with_evidence => {
                    with_evidence = true;
                }
                Err(trouble) => return Err(trouble),
            }
        }
    }

    /// Hands over what waits, in order.
    fn report(&self, dropped: &mut u64) -> Result<(), Trouble> {
        loop {
            let Some(report) = held(&self.waiting).0.front().cloned() else {
                return Ok(());
            };
            let refusal = match self.ask("/v1/reports", |kind| Ask::Post(kind, &report)) {
                Ok(()) => None,
                Err(Trouble::Refused(refusal)) => Some(refusal),
                Err(passing) => return Err(passing),
            };
            let mut waiting = held(&self.waiting);
            // It may have been dropped meanwhile.
            let is_first = waiting.0.front() == Some(&report);
            if let Some(refusal) = &refusal
                && refusal.is_unlisted()
                && waiting.1 < SECOND_CHANCES
            {
                // It forgot the listing, which is handed over again first.
                waiting.1 += u32::from(is_first);
                let mut state = held(&self.state);
                state.taken.1.clear();
                state.until = None;
                return Err(Trouble::Refused(refusal.clone()));
            }
            if is_first {
                waiting.0.pop_front();
                waiting.1 = 0;
            }
            if let Some(refusal) = refusal {
                *dropped += 1;
                drop(waiting);
                say(format_args!(
                    "the directory {}: a price report is dropped: {refusal}",
                    self.url
                ));
            }
        }
    }

    fn ask<'a>(
        &self,
        path: &str,
        ask: impl FnOnce(&'static str) -> Ask<'a>,
    ) -> Result<(), Trouble> {
        let url = format!("{}{path}", self.url);
        let said = self.http.exchange(&url, ask(CBOR), self.patience);
        let said = said.map_err(|why| Trouble::Passing(clean(&why.to_string(), MAX_SENTENCE)))?;
        match said.status {
            200 => Ok(()),
            429 | 500.. => Err(Trouble::Passing(format!("it answered {}", said.status))),
            status => Err(Trouble::Refused(Refusal::read(status, &said.body))),
        }
    }
}

impl Refusal {
    /// `{"error": {"code", "message", "hint"}}`, or whatever came instead.
    fn read(status: u16, body: &[u8]) -> Self {
        #[derive(Deserialize)]
        struct Said {
            error: Refusal,
        }
        let said = serde_json::from_slice(body).map(|Said { error }| error);
        let said = said.unwrap_or_else(|_| Self {
            code: format!("it answered {status}"),
            message: String::new(),
            hint: "check that the network's descriptor names a directory there".to_owned(),
        });
        Self {
            code: clean(&said.code, MAX_WORD),
            message: clean(&said.message, MAX_SENTENCE),
            hint: clean(&said.hint, MAX_SENTENCE),
        }
    }

    /// Whether the enclave's key is not listed there.
    fn is_unlisted(&self) -> bool {
        self.code == UNLISTED
    }
}

impl Trouble {
    /// What of it is the same each time: a message may have the time in it.
    fn word(&self) -> &str {
        match self {
            Self::Passing(_) => "passing",
            Self::Refused(refusal) => &refusal.code,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(&self.code)?;
        if !self.message.is_empty() {
            write!(to, ": {}", self.message)?;
        }
        if !self.hint.is_empty() {
            write!(to, "\nhint: {}", self.hint)?;
        }
        Ok(())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Passing(why) => write!(to, "{why}; it is asked again"),
            Self::Refused(refusal) => write!(to, "refused: {refusal}"),
        }
    }
}

/// One line of what somebody else said.
fn clean(text: &str, limit: usize) -> String {
    printable(text, limit, LineBreaks::Replace)
}
