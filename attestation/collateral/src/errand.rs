//! Asks a service: with courtesy, repeatedly where that may help, and never past a deadline.

use std::{collections::BTreeMap, time::Duration};

use chrysalis_attestation::nvidia::{needs::Questioned, ocsp};

use crate::{
    address::host,
    error::{FetchError, Trouble},
    event::Event,
    http::{Broken, Http, MAX_ANSWER, Reply},
    object::Object,
    patience::{Limits, retry_after},
    world::World,
};

/// Everything that is asked for in one go.
pub(crate) struct Errand<'a> {
    http: &'a Http,
    world: &'a dyn World,
    limits: Limits,
    /// By the world's stopwatch.
    deadline: Duration,
    /// When each host was last asked.
    asked: BTreeMap<String, Duration>,
}

/// An OCSP request.
#[derive(Clone)]
pub(crate) struct Question {
    pub(crate) der: Vec<u8>,
    pub(crate) nonce: [u8; ocsp::NONCE_SIZE],
}

impl Question {
    /// Makes one with a nonce that was never used before.
    pub(crate) fn about(questioned: &Questioned, world: &dyn World) -> Result<Self, FetchError> {
        let nonce = world.random().ok_or(FetchError::NoRandomness)?;
        let der = ocsp::question(&questioned.subject, &questioned.issuer, &nonce);
        let der = der.map_err(|rejection| FetchError::Unfit {
            url: "the evidence".to_owned(),
            rejection: Box::new(rejection),
        })?;
        Ok(Self { der, nonce })
    }
}

impl<'a> Errand<'a> {
    /// Starts now.
    pub(crate) fn new(http: &'a Http, world: &'a dyn World, limits: Limits) -> Self {
        Self {
            http,
            world,
            limits,
            deadline: world.elapsed().saturating_add(limits.total),
            asked: BTreeMap::new(),
        }
    }

    /// Asks until there is a final answer.
    pub(crate) fn ask(
        &mut self,
        object: &Object,
        url: &str,
        question: Option<&Question>,
        hear: &mut dyn FnMut(Event<'_>),
    ) -> Result<Reply, FetchError> {
        hear(Event::Asking { object, url });
        let mut attempts = 0;
        loop {
            let patience = self.take_turn(url)?;
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
            let left = self.deadline.saturating_sub(self.world.elapsed());
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
            hear(Event::Waiting {
                host: host(url),
                pause,
                why: &trouble,
            });
            self.world.sleep(pause);
        }
    }

    /// Keeps the distance to the last request to this host. Returns how long the next one may take.
    fn take_turn(&mut self, url: &str) -> Result<Duration, FetchError> {
        let over = || FetchError::Deadline {
            url: url.to_owned(),
        };
        let deadline = self.deadline;
        let left = |now: Duration| deadline.checked_sub(now).filter(|it| !it.is_zero());
        let now = self.world.elapsed();
        let next = self
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
        self.asked.insert(host(url).to_owned(), now);
        Ok(left.min(self.limits.request))
    }

    /// A temporary status, with how long the service wants to be left alone; an error for all others.
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
