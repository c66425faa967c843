//! The keys that requests through relays are for (docs/spec/relay.md). Evidence covers them: their digest is among the claims.
//!
//! Keys live for an epoch, and are accepted for one more: what was sent just before the turn still arrives. A request that comes twice
//! within that time is a replay.

use std::{
    collections::HashSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrysalis_attestation::encoding::digest::sha256;
use chrysalis_ohttp::{Error, Form, GatewayKeys, Opened, SEED};
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

use crate::{failure::Failure, keys::wipe_stack};

/// The most requests for one key: what tells a replay is kept for each.
const MAX_SEEN: usize = 1 << 18;
/// Sets of keys that are in use at the same time: an epoch's, and the last one's.
const KEPT: usize = 2;
/// Key identifiers that one set of keys takes.
const IDENTIFIERS: u8 = 2;

/// The keys that are in use.
pub(crate) struct Gateway(Mutex<InUse>);

/// The newest first; none once the enclave's trust has ended.
struct InUse(Vec<Arc<Life>>);

/// Keys, and the requests that came for them.
pub(crate) struct Life {
    identifier: u8,
    keys: GatewayKeys,
    seen: Mutex<Seen>,
}

/// Digests of what clients encapsulated, up to a number.
struct Seen {
    digests: HashSet<[u8; 16]>,
    most: usize,
}

/// Why a request is not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unopened {
    /// It is not what it has to be.
    Wrong(Error),
    /// It came before.
    Replayed,
    /// There were too many for this key.
    Full,
}

impl Gateway {
    /// Keys for the first epoch.
    pub(crate) fn new() -> Result<Self, Failure> {
        let first = Arc::new(Life::begin(0, MAX_SEEN)?);
        Ok(Self(Mutex::new(InUse(vec![first]))))
    }

    /// Key configurations, as clients get them.
    pub(crate) fn configurations(&self) -> Vec<u8> {
        let in_use = self.in_use();
        let current = in_use.0.first();
        current.map_or_else(Vec::new, |life| life.keys.configurations().to_vec())
    }

    /// Their digest, as the claims have it.
    pub(crate) fn digest(&self) -> [u8; 32] {
        sha256(&[&self.configurations()])
    }

    /// Keys for the next epoch. Its claims are made from them before it begins.
    pub(crate) fn prepare(&self) -> Result<Life, Failure> {
        let current = self.in_use().0.first().map_or(0, |life| life.identifier);
        Life::begin(current.wrapping_add(IDENTIFIERS), MAX_SEEN)
    }

    /// Begins the next epoch. The keys of the last but one are gone.
    pub(crate) fn turn(&self, next: Life) {
        let mut in_use = self.in_use();
        in_use.0.insert(0, Arc::new(next));
        in_use.0.truncate(KEPT);
    }

    /// Overwrites all keys. No request is opened any more.
    pub(crate) fn wipe(&self) {
        self.in_use().0.clear();
        wipe_stack();
    }

    /// Opens a request, once.
    pub(crate) fn open(&self, form: Form, request: &[u8]) -> Result<Opened, Unopened> {
        let lives = self.in_use().0.clone();
        for life in lives {
            let opened = life.keys.open(form, request);
            // hpke's frames, with what it puts on them.
            wipe_stack();
            match opened {
                Err(Error::UnknownKey) => {}
                Err(error) => return Err(Unopened::Wrong(error)),
                Ok(opened) => return life.once(opened),
            }
        }
        Err(Unopened::Wrong(Error::UnknownKey))
    }

    fn in_use(&self) -> MutexGuard<'_, InUse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Life {
    fn begin(identifier: u8, most: usize) -> Result<Self, Failure> {
        let mut seed = Zeroizing::new([0; SEED]);
        SystemRandom::new()
            .fill(seed.as_mut_slice())
            .map_err(|_| Failure::Keys("there is no randomness".to_owned()))?;
        let keys = GatewayKeys::new(identifier, &seed);
        wipe_stack();
        Ok(Self {
            identifier,
            keys,
            seen: Mutex::new(Seen {
                digests: HashSet::new(),
                most,
            }),
        })
    }

    /// SHA-256 of the key configurations.
    pub(crate) fn digest(&self) -> [u8; 32] {
        sha256(&[self.keys.configurations()])
    }

    fn once(&self, opened: Opened) -> Result<Opened, Unopened> {
        let mut short = [0; 16];
        for (byte, of_whole) in short.iter_mut().zip(sha256(&[&opened.encapsulated])) {
            *byte = of_whole;
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.digests.contains(&short) {
            return Err(Unopened::Replayed);
        }
        if seen.digests.len() >= seen.most {
            return Err(Unopened::Full);
        }
        seen.digests.insert(short);
        Ok(opened)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrysalis_ohttp::{Configuration, encapsulate};

    fn request(gateway: &Gateway) -> Vec<u8> {
        let to = Configuration::best(&gateway.configurations()).unwrap();
        encapsulate(&to, Form::Whole, b"request").unwrap().0
    }

    fn open(gateway: &Gateway, request: &[u8]) -> Result<(), Unopened> {
        gateway.open(Form::Whole, request).map(drop)
    }

    #[test]
    fn a_request_is_opened_once() {
        let gateway = Gateway::new().unwrap();
        let (one, other) = (request(&gateway), request(&gateway));
        assert_eq!(open(&gateway, &one), Ok(()));
        assert_eq!(open(&gateway, &one), Err(Unopened::Replayed));
        assert_eq!(open(&gateway, &other), Ok(()));
    }

    #[test]
    fn keys_are_accepted_for_one_more_epoch_and_replays_in_none() {
        let gateway = Gateway::new().unwrap();
        let (first, digest) = (request(&gateway), gateway.digest());
        let (second, unsent) = (request(&gateway), request(&gateway));
        open(&gateway, &first).unwrap();
        let next = gateway.prepare().unwrap();
        let announced = next.digest();
        gateway.turn(next);
        assert_ne!(gateway.digest(), digest);
        assert_eq!(gateway.digest(), announced);
        assert_eq!(open(&gateway, &first), Err(Unopened::Replayed));
        assert_eq!(open(&gateway, &second), Ok(()));
        let of_next = request(&gateway);
        gateway.turn(gateway.prepare().unwrap());
        assert_eq!(open(&gateway, &of_next), Ok(()));
        let unknown = Err(Unopened::Wrong(Error::UnknownKey));
        assert_eq!(open(&gateway, &unsent), unknown);
    }

    #[test]
    fn nothing_is_opened_once_the_keys_are_wiped() {
        let gateway = Gateway::new().unwrap();
        let request = request(&gateway);
        gateway.wipe();
        assert_eq!(gateway.configurations(), b"");
        let unknown = Err(Unopened::Wrong(Error::UnknownKey));
        assert_eq!(open(&gateway, &request), unknown);
    }

    #[test]
    fn only_so_many_requests_are_remembered_and_no_more_are_opened() {
        let gateway = Gateway::new().unwrap();
        gateway.turn(Life::begin(6, 1).unwrap());
        assert_eq!(open(&gateway, &request(&gateway)), Ok(()));
        assert_eq!(open(&gateway, &request(&gateway)), Err(Unopened::Full));
    }
}
