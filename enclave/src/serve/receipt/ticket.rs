//! What lets a request in: nothing is asked, money covers the most that it can cost, or it is kept out.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use chrysalis_settle::{Credential, JobNumber};

use super::{
    bill::{Bill, Most},
    issue::{Issue, Issuer},
    used::Used,
};
use crate::{
    engine::Spell,
    serve::{
        error::ApiError,
        pay::{Offer, Till, Work},
    },
};

/// What a request can cost, known once it was read.
#[derive(Debug, Clone, Copy)]
pub(in crate::serve) struct Wanted<'a> {
    pub(in crate::serve) model: &'a str,
    pub(in crate::serve) units: Units,
}

/// What a request is billed by.
#[derive(Debug, Clone, Copy)]
pub(in crate::serve) enum Units {
    /// The text of its body, and so many tokens at most that are made.
    Tokens { most: u64 },
    /// So many milliseconds of audio.
    Audio { milliseconds: u64 },
}

/// What lets a request in.
#[derive(Clone, Default)]
pub(in crate::serve) enum Entry {
    /// Nothing is asked.
    #[default]
    Open,
    /// Who does not pay is not let in.
    Closed(Arc<Till>),
    /// A paid job.
    Paid(Arc<Ticket>),
}

impl Entry {
    /// Lets a request in that was read.
    pub(super) fn admit(&self, read: &Used, wanted: &Wanted<'_>) -> Result<(), ApiError> {
        match self {
            Self::Open => Ok(()),
            Self::Closed(till) => {
                let offer = till.prices.offer(wanted.model);
                Err(ApiError::payment_required(offer.as_deref()))
            }
            Self::Paid(ticket) => ticket.admit(read, wanted),
        }
    }

    /// For one more call to an engine.
    pub(super) fn spell(&self) -> Spell {
        match self {
            Self::Open | Self::Closed(_) => Spell::default(),
            Self::Paid(ticket) => ticket
                .work
                .get()
                .map(|work| work.spell())
                .unwrap_or_default(),
        }
    }
}

/// A paid job on its way in.
pub(in crate::serve) struct Ticket {
    pub(in crate::serve) till: Arc<Till>,
    pub(in crate::serve) issuer: Arc<Issuer>,
    /// It was verified.
    pub(in crate::serve) credential: Credential,
    pub(in crate::serve) job: JobNumber,
    /// How far the lane goes.
    pub(in crate::serve) ceiling: u64,
    /// What it asks by, if that is known.
    pub(in crate::serve) offer: Option<Arc<Offer>>,
    pub(in crate::serve) work: OnceLock<Arc<Work>>,
    pub(in crate::serve) issue: Mutex<Option<Issue>>,
}

impl Ticket {
    fn admit(&self, read: &Used, wanted: &Wanted<'_>) -> Result<(), ApiError> {
        let offer = self.offer.as_ref();
        let Some(offer) = offer.filter(|offer| offer.quote.model == wanted.model) else {
            let current = self.till.prices.offer(wanted.model);
            return Err(ApiError::quote_unknown(current.as_deref()));
        };
        let most = match wanted.units {
            Units::Tokens { most } => Most::of_text(read.length, most),
            Units::Audio { milliseconds } => Most::of_audio(milliseconds),
        };
        let bound = most.bound(offer);
        let bound = bound.map_err(|_| ApiError::amount_overflow())?;
        let mut issue = self.issue();
        if issue.is_some() {
            return Err(ApiError::broken());
        }
        let bill = || {
            let work = self.till.prices.begin(wanted.model);
            let work = self.work.get_or_init(|| work);
            Bill::new(self.till.clone(), offer.clone(), most, work.clone())
        };
        let Self {
            credential,
            job,
            ceiling,
            ..
        } = self;
        let issuer = &self.issuer;
        let admitted = issuer.admit(credential, *job, bound, *ceiling, read.request, bill);
        *issue = Some(admitted.map_err(ApiError::not_admitted)?);
        Ok(())
    }

    /// The job that was let in.
    pub(in crate::serve) fn take(&self) -> Option<Issue> {
        self.issue().take()
    }

    fn issue(&self) -> MutexGuard<'_, Option<Issue>> {
        self.issue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
