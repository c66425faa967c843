//! Fetching: asks politely, tries again where that may help, and keeps only what an accepted root stands behind.

use std::{collections::BTreeMap, time::Duration};

use chrysalis_attestation::{Time, nvidia::ocsp};

use crate::{
    address::{Mirrors, Service, Update, addresses, host},
    answer::{Accepted, Anchors, Judge, accept},
    error::{FetchError, Trouble},
    http::{Broken, Http, MAX_ANSWER, Reply},
    object::Object,
    patience::{Limits, retry_after},
    status::Condition,
    store::{Keeping, Store},
    wish::{Wish, following},
    world::World,
};

/// Which objects are fetched that the store has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refresh {
    /// Those that are stale, or soon will be.
    Due,
    /// All of them.
    All,
}

/// What is going on, for people who wait.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// An object is asked for.
    Asking {
        /// Which.
        object: &'a Object,
        /// Where.
        url: &'a str,
    },
    /// A pause, because a host asked for it or an attempt failed.
    Waiting {
        /// For whom.
        host: &'a str,
        /// How long.
        pause: Duration,
        /// Why.
        why: &'a Trouble,
    },
}

/// What became of one object.
#[derive(Debug)]
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
        let mut errand = Errand {
            deadline: self.world.elapsed().saturating_add(self.limits.total),
            asked: BTreeMap::new(),
        };
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
        errand: &mut Errand,
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
        errand: &mut Errand,
    ) -> Result<Fetched, FetchError> {
        let (service, urls) = addresses(object, self.mirrors, self.update);
        let question = self.question(object)?;
        let mut outcome = Err(FetchError::Form {
            url: String::new(),
            what: "there is no address for it",
        });
        for url in &urls {
            outcome = self.ask(object, url, question.as_ref(), errand);
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

    /// What is posted, for the one service that wants that.
    fn question(&self, object: &Object) -> Result<Option<Question>, FetchError> {
        let Object::Ocsp(questioned) = object else {
            return Ok(None);
        };
        let nonce = self.world.random().ok_or(FetchError::NoRandomness)?;
        let der = ocsp::question(&questioned.subject, &questioned.issuer, &nonce);
        let der = der.map_err(|rejection| FetchError::Unfit {
            url: "the evidence".to_owned(),
            rejection: Box::new(rejection),
        })?;
        Ok(Some(Question { der, nonce }))
    }

    /// Asks until there is an answer that will not change.
    fn ask(
        &mut self,
        object: &Object,
        url: &str,
        question: Option<&Question>,
        errand: &mut Errand,
    ) -> Result<Reply, FetchError> {
        (self.hear)(Event::Asking { object, url });
        let mut attempts = 0;
        loop {
            let patience = self.take_turn(url, errand)?;
            attempts += 1;
            let question = question.map(|question| question.der.as_slice());
            let answered = self.http.ask(url, question, patience);
            let (trouble, wanted) = match answered {
                Ok(reply) if reply.status == 200 => return Ok(reply),
                Ok(reply) => self.passing_status(&reply, url)?,
                Err(Broken::Passing(trouble)) => (trouble, None),
                Err(Broken::TooLarge) => {
                    return Err(FetchError::TooLarge {
                        url: url.to_owned(),
                        limit: MAX_ANSWER,
                    });
                }
                Err(Broken::Form) => {
                    return Err(FetchError::Form {
                        url: url.to_owned(),
                        what: "it is not HTTP",
                    });
                }
            };
            let left = errand.deadline.saturating_sub(self.world.elapsed());
            match wanted {
                Some(wait) if wait > left => {
                    return Err(FetchError::Busy {
                        url: url.to_owned(),
                        wait,
                    });
                }
                _ if attempts >= self.limits.attempts => {
                    return Err(FetchError::Unavailable {
                        url: url.to_owned(),
                        attempts,
                        what: trouble,
                    });
                }
                _ => {}
            }
            let jitter = self.world.random().map_or(0, |bytes| bytes[0]);
            let pause = wanted
                .unwrap_or_default()
                .max(self.limits.pause(attempts, jitter));
            let pause = pause.min(left);
            (self.hear)(Event::Waiting {
                host: host(url),
                pause,
                why: &trouble,
            });
            self.world.sleep(pause);
        }
    }

    /// Keeps the distance to the last question of this host; how long the next may take.
    fn take_turn(&self, url: &str, errand: &mut Errand) -> Result<Duration, FetchError> {
        let over = || FetchError::Deadline {
            url: url.to_owned(),
        };
        let left = |now: Duration| errand.deadline.checked_sub(now).filter(|it| !it.is_zero());
        let now = self.world.elapsed();
        let next = errand
            .asked
            .get(host(url))
            .map_or(now, |last| last.saturating_add(self.limits.spacing));
        let pause = next.saturating_sub(now);
        if left(now.saturating_add(pause)).is_none() {
            return Err(over());
        }
        if !pause.is_zero() {
            self.world.sleep(pause);
        }
        let now = self.world.elapsed();
        let left = left(now).ok_or_else(over)?;
        errand.asked.insert(host(url).to_owned(), now);
        Ok(left.min(self.limits.request))
    }

    /// A status that may pass, with how long the service wants to be left alone; an error for all others.
    fn passing_status(
        &self,
        reply: &Reply,
        url: &str,
    ) -> Result<(Trouble, Option<Duration>), FetchError> {
        let url = url.to_owned();
        match reply.status {
            404 => Err(FetchError::NotKnown { url }),
            300..=399 => Err(FetchError::Redirected { url }),
            status @ (408 | 429 | 500 | 502..=504) => {
                let wanted = reply.retry_after.as_deref();
                let wanted = wanted.and_then(|text| retry_after(text, self.world.now()));
                Ok((Trouble::Status(status), wanted))
            }
            status => Err(FetchError::Refused { url, status }),
        }
    }
}

/// What one gathering remembers.
struct Errand {
    /// On the world's stopwatch.
    deadline: Duration,
    /// When each host was last asked.
    asked: BTreeMap<String, Duration>,
}

/// An OCSP question.
#[derive(Clone)]
struct Question {
    der: Vec<u8>,
    nonce: [u8; ocsp::NONCE_SIZE],
}
