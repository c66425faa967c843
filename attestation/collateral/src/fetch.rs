//! Fetching: asks politely, tries again where that may help, and keeps only what an accepted root stands behind.

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

/// Which objects are fetched that the store has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// Those that are stale, or soon will be.
    Due,
    /// All of them.
    All,
}

/// What became of one object.
#[derive(Debug)]
#[non_exhaustive]
pub struct Gathered {
    /// Which.
    pub object: Object,
    /// How it went.
    pub outcome: Result<Fetched, Failure>,
}

/// An object that is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetched {
    /// It was fetched, and is another than before.
    New {
        /// Until when it holds.
        until: Time,
    },
    /// It was fetched, and is the same as before.
    Same {
        /// Until when it holds.
        until: Time,
    },
    /// It was there and is fresh; nobody was asked.
    Kept {
        /// Until when it holds.
        until: Time,
    },
}

/// An object that could not be fetched.
#[derive(Debug)]
pub struct Failure {
    /// Why.
    pub error: FetchError,
    /// Until when the one holds that the store has; none if it has none.
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
    /// Who is asked.
    pub mirrors: &'a Mirrors,
    /// Which of Intel's rules are asked for.
    pub update: Update,
    /// Whose signatures count.
    pub anchors: &'a Anchors,
    /// The network.
    pub http: &'a Http,
    /// Time and randomness.
    pub world: &'a dyn World,
    /// How long to wait for whom.
    pub limits: Limits,
    /// Hears what goes on.
    pub hear: &'a mut dyn FnMut(Event<'_>),
}

impl Fetcher<'_> {
    /// Fetches all that is wished for and all that it needs in turn. One failure keeps nothing else from being tried.
    pub fn gather(&mut self, wish: &Wish, refresh: Refresh) -> Vec<Gathered> {
        let mut wish = wish.clone();
        let mut errand = Errand::new(self.http, self.world, self.limits);
        let mut gathered = Vec::new();
        while let Some(object) = wish.objects.get(gathered.len()).cloned() {
            let outcome = self.one(&object, &wish, refresh, &mut errand);
            // Whatever is there now, fetched or not, says what more is needed.
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
        // A damaged file is fetched again; a store that cannot be read at all fails when the object is kept.
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
        // A cache answers many with one answer, so it cannot repeat a nonce; the answer's own times then bound its age.
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
