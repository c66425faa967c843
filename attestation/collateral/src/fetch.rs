//! Fetching: asks politely, tries again where that may help, and keeps only what descends from an accepted root.

use chrysalis_attestation::Time;

use crate::{
    address::{Mirrors, Service, Update, addresses},
    answer::{Accepted, Anchors, Judge, accept},
    errand::{Errand, Question},
    error::FetchError,
    event::Event,
    http::{Http, Reply},
    object::Object,
    patience::Limits,
    status::Condition,
    store::{Keeping, Store},
    wish::{Wish, following},
    world::{System, World},
};

/// Which objects to fetch even though the store already has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// Those that are stale, or soon will be.
    Due,
    /// All of them.
    All,
}

/// What happened to one object.
#[derive(Debug)]
#[non_exhaustive]
pub struct Gathered {
    /// Which.
    pub object: Object,
    /// The outcome.
    pub outcome: Result<Fetched, Failure>,
}

/// An object that is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// It was fetched, and differs from the one before.
    New {
        /// Until when it is valid.
        until: Time,
    },
    /// It was fetched, and is the same as before.
    Same {
        /// Until when it is valid.
        until: Time,
    },
    /// It was there and is fresh; no service was asked.
    Kept {
        /// Until when it is valid.
        until: Time,
    },
}

/// An object that could not be fetched.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub error: FetchError,
    /// Until when the stored one is valid; `None` if there is none.
    pub stored_until: Option<Time>,
}

/// Fetches what is wished for, and stale or missing, from the vendors themselves, at this machine's time. A [`Fetcher`] can be told more.
pub fn gather(wish: &Wish, store: &Store) -> Vec<Gathered> {
    Fetcher {
        store,
        mirrors: &Mirrors::default(),
        update: Update::default(),
        anchors: &Anchors::vendors(),
        http: &Http::new(),
        world: &System::new(),
        limits: Limits::default(),
        hear: &mut |_| (),
    }
    .gather(wish, Refresh::Due)
}

/// Fetches into a store.
pub struct Fetcher<'a> {
    /// Where objects are kept.
    pub store: &'a Store,
    /// Which mirrors to ask instead of the vendors.
    pub mirrors: &'a Mirrors,
    /// Which of Intel's rules to ask for.
    pub update: Update,
    /// The accepted roots.
    pub anchors: &'a Anchors,
    /// The network.
    pub http: &'a Http,
    /// Time and randomness.
    pub world: &'a dyn World,
    /// How long to wait.
    pub limits: Limits,
    /// Receives progress.
    pub hear: &'a mut dyn FnMut(Event<'_>),
}

impl Fetcher<'_> {
    /// Fetches everything that is wished for and everything that it needs in turn. One failure does not stop the rest.
    pub fn gather(&mut self, wish: &Wish, refresh: Refresh) -> Vec<Gathered> {
        let mut wish = wish.clone();
        let mut errand = Errand::new(self.http, self.world, self.limits);
        let mut gathered = Vec::new();
        while let Some(object) = wish.objects.get(gathered.len()).cloned() {
            let outcome = self.one(&object, &wish, refresh, &mut errand);
            // What is there now, fetched or not, determines what else is needed.
            if let Ok(Some(kept)) = self.store.read(&object) {
                for next in following(&object, &kept.file) {
                    wish.add(next);
                }
            }
            gathered.push(Gathered { object, outcome });
        }
        gathered
    }

    fn one(
        &mut self,
        object: &Object,
        wish: &Wish,
        refresh: Refresh,
        errand: &mut Errand<'_>,
    ) -> Result<Fetched, Failure> {
        let now = self.world.now();
        // A damaged file is fetched again; a store that cannot be read at all fails when the object is stored.
        let stored = self.store.read(object).ok().flatten();
        let is_wanted = stored
            .as_ref()
            .is_some_and(|kept| self.update.is_of(object, &kept.entry.source));
        let stored = stored.map(|kept| (kept.entry.valid_until, kept.entry.condition(now)));
        if let (Some((until, Condition::Fresh)), Refresh::Due, true) = (stored, refresh, is_wanted)
        {
            return Ok(Fetched::Kept { until });
        }
        self.fetch(object, wish, errand).map_err(|error| Failure {
            error,
            stored_until: stored
                .filter(|(_, condition)| *condition != Condition::Stale)
                .map(|(until, _)| until),
        })
    }

    fn fetch(
        &mut self,
        object: &Object,
        wish: &Wish,
        errand: &mut Errand<'_>,
    ) -> Result<Fetched, FetchError> {
        let (service, urls) = addresses(object, self.mirrors, self.update);
        let question = match object {
            Object::Ocsp(questioned) => Some(Question::about(questioned, self.world)?),
            _ => None,
        };
        let mut outcome = Err(FetchError::Form {
            url: String::new(),
            what: "there is no address for it",
        });
        for url in &urls {
            outcome = errand.ask(object, url, question.as_ref(), self.hear);
            if !matches!(outcome, Err(FetchError::NotKnown { .. })) {
                return self.keep(object, wish, &outcome?, (service, question, url));
            }
        }
        outcome.and_then(|reply| {
            let url = urls.last().map_or("", String::as_str);
            self.keep(object, wish, &reply, (service, question, url))
        })
    }

    fn keep(
        &self,
        object: &Object,
        wish: &Wish,
        reply: &Reply,
        (service, question, url): (Service, Option<Question>, &str),
    ) -> Result<Fetched, FetchError> {
        let now = self.world.now();
        let judge = Judge {
            anchors: self.anchors,
            certificates: &wish.certificates,
            now,
        };
        // A cache gives many clients the same answer, so it cannot repeat a nonce; the answer's own times then bound its age.
        let nonce = question
            .map(|question| question.nonce)
            .filter(|_| !self.mirrors.has(service));
        let Accepted { file, span } = accept(object, reply, nonce, url, judge)?;
        let until = span.until;
        match self.store.keep(object, (&file, span), url, now)? {
            Keeping::Written => Ok(Fetched::New { until }),
            Keeping::Same => Ok(Fetched::Same { until }),
            Keeping::Older { stored } => Err(FetchError::Older {
                url: url.to_owned(),
                stored,
                found: span.from,
            }),
        }
    }
}
