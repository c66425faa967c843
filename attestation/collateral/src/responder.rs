//! Asks NVIDIA's responder about certificates now, each time with this verifier's own nonce, as `revocation = "asked"` requires.
//!
//! A party in between can only withhold an answer: it is signed, and it repeats the nonce. Nothing is judged here; the verifier does
//! that, and there a mirror's answer without the nonce is refused.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use chrysalis_attestation::{
    Time,
    nvidia::{needs::Questioned, ocsp::OcspAnswer},
};

use crate::{
    address::{Mirrors, Service, Update, addresses},
    errand::{Errand, Question},
    error::FetchError,
    http::Http,
    object::Object,
    patience::Limits,
    wish::is_simulated,
    world::World,
};

/// How long an answer is reused for further questions: a program often opens many connections at once.
const KEPT_FOR: Duration = Duration::from_secs(5 * 60);
/// The maximum number of answers to keep; a machine with eight GPUs needs sixteen.
const MAX_KEPT: usize = 256;

/// Asks NVIDIA's responder, or a mirror of it.
pub struct Responder {
    mirrors: Mirrors,
    http: Http,
    world: Box<dyn World + Send + Sync>,
    limits: Limits,
    kept: Mutex<BTreeMap<String, Kept>>,
}

/// An answer, and when it was asked for, by both clocks: one may be set, the other may stop while the machine sleeps.
struct Kept {
    elapsed: Duration,
    now: Time,
    answer: OcspAnswer,
}

impl Responder {
    /// A verifier is waiting for the service, so this is less patient than a fetch.
    pub const LIMITS: Limits = Limits {
        request: Duration::from_secs(10),
        total: Duration::from_secs(30),
        attempts: 3,
        first_pause: Duration::from_millis(500),
        longest_pause: Duration::from_secs(5),
        spacing: Duration::from_millis(50),
    };

    /// A responder that has not been asked yet.
    pub fn new(mirrors: Mirrors, world: Box<dyn World + Send + Sync>, limits: Limits) -> Self {
        Self {
            mirrors,
            http: Http::new(),
            world,
            limits,
            kept: Mutex::default(),
        }
    }

    /// An answer about each certificate. Stops at the first that cannot be had.
    ///
    /// A simulated vendor has no responder: about its certificates only a mirror is asked, if there is one.
    pub fn ask(&self, about: &[Questioned]) -> Result<Vec<OcspAnswer>, FetchError> {
        let mirrored = self.mirrors.has(Service::NvidiaOcsp);
        let mut errand = Errand::new(&self.http, &*self.world, self.limits);
        about
            .iter()
            .filter(|it| mirrored || !is_simulated(&it.issuer))
            .map(|questioned| self.one(questioned, &mut errand))
            .collect()
    }

    fn one(
        &self,
        questioned: &Questioned,
        errand: &mut Errand<'_>,
    ) -> Result<OcspAnswer, FetchError> {
        let object = Object::Ocsp(questioned.clone());
        let place = object.path();
        if let Some(answer) = self.kept(&place) {
            return Ok(answer);
        }
        let (elapsed, now) = (self.world.elapsed(), self.world.now());
        let (_, urls) = addresses(&object, &self.mirrors, Update::default());
        let url = urls.first().map_or("", String::as_str);
        let question = Question::about(questioned, &*self.world)?;
        let reply = errand.ask(&object, url, Some(&question), &mut |_| ())?;
        let answer = OcspAnswer {
            der: reply.body,
            nonce: Some(question.nonce),
        };
        // What a verifier would refuse is not kept: the next attempt may do better.
        let refused = questioned.check(&answer.der, answer.nonce, self.world.now());
        if refused.is_ok() {
            let answer = answer.clone();
            self.keep(
                place,
                Kept {
                    elapsed,
                    now,
                    answer,
                },
            );
        }
        Ok(answer)
    }

    fn kept(&self, place: &str) -> Option<OcspAnswer> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let it = kept.get(place)?;
        let elapsed = self.world.elapsed().saturating_sub(it.elapsed);
        let passed = self.world.now().0.checked_sub(it.now.0)?;
        let passed = Duration::from_secs(u64::try_from(passed).ok()?);
        (elapsed.max(passed) < KEPT_FOR).then(|| it.answer.clone())
    }

    fn keep(&self, place: String, answer: Kept) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MAX_KEPT {
            kept.clear();
        }
        kept.insert(place, answer);
    }
}
