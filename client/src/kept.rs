//! What a relying party has of the bundles that it verified, so that the next one from the same address need not carry it again.
//!
//! It fills short bundles, which are then verified like any other: nothing is trusted for having been kept. Each address is asked
//! with what came from it, and never with what came from another.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use chrysalis_attestation::evidence::{Evidence, Rest, Short};

use crate::Error;

/// The most rests in all, each of them smaller than a bundle: 16 MiB at most.
const MAX_KEPT: usize = 16;
/// The most of one address: behind it there may be several machines.
const MAX_OF_ONE: usize = 4;

/// The rests of verified bundles. Clones share them. The default keeps none.
#[derive(Clone, Default)]
pub(crate) struct Kept(Option<Arc<Mutex<VecDeque<Entry>>>>);

struct Entry {
    authority: String,
    rest: Arc<Rest>,
}

impl Kept {
    /// Keeps up to [`MAX_KEPT`], and forgets the oldest first.
    pub(crate) fn new() -> Self {
        Self(Some(Arc::default()))
    }

    /// What came from this address, the latest first.
    pub(crate) fn of(&self, authority: &str) -> Vec<Arc<Rest>> {
        let of_it = |entry: &&Entry| entry.authority == authority;
        let rests = |entries: MutexGuard<'_, VecDeque<Entry>>| {
            let found = entries.iter().filter(of_it);
            found.map(|entry| entry.rest.clone()).collect()
        };
        self.lock().map(rests).unwrap_or_default()
    }

    /// Keeps the rest of evidence that was verified.
    pub(crate) fn keep(&self, authority: &str, verified: &Evidence) {
        let Some(mut entries) = self.lock() else {
            return;
        };
        let rest = Arc::new(Rest::of(verified));
        entries.retain(|entry| entry.authority != authority || entry.rest != rest);
        let authority = authority.to_owned();
        entries.push_front(Entry { authority, rest });
        entries.truncate(MAX_KEPT);
        let mut of_it = 0;
        let newest = entries.front().map(|entry| entry.authority.clone());
        entries.retain(|entry| {
            of_it += usize::from(newest.as_ref() == Some(&entry.authority));
            newest.as_ref() != Some(&entry.authority) || of_it <= MAX_OF_ONE
        });
    }

    fn lock(&self) -> Option<MutexGuard<'_, VecDeque<Entry>>> {
        // No holder of this lock can leave an entry half-written.
        let entries = self.0.as_ref()?;
        Some(entries.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The whole bundle, if what came is a short one that one of these fills; otherwise what came.
pub(crate) fn filled(came: Vec<u8>, kept: &[Arc<Rest>]) -> Result<(Vec<u8>, Came), Error> {
    let Ok(Some(short)) = Short::decode(&came) else {
        // Whole, or for the verifier to refuse.
        return Ok((came, Came::Whole));
    };
    let named = kept.iter().find(|rest| rest.digest() == short.rest());
    let evidence = named.and_then(|rest| short.fill(rest));
    let evidence = evidence.ok_or_else(|| {
        Error::Protocol(
            "its evidence leaves out something that it was not told to leave out".into(),
        )
    })?;
    Ok((evidence.encode(), Came::Short))
}

/// How a bundle came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// With everything.
    Whole,
    /// Without what was kept.
    Short,
}

#[cfg(test)]
mod tests {
    use chrysalis_attestation::evidence::{CpuReport, Endorsements};

    use super::*;

    fn evidence(number: u8) -> Evidence {
        Evidence {
            cpu: CpuReport::Snp(vec![number; 1184]),
            claims: vec![0xa0],
            gpus: Vec::new(),
            path: None,
            endorsements: Endorsements {
                certificates: vec![vec![number]],
                ..Endorsements::default()
            },
        }
    }

    fn digests(kept: &Kept, authority: &str) -> Vec<[u8; 32]> {
        let of_it = kept.of(authority).into_iter();
        of_it.map(|rest| *rest.digest()).collect()
    }

    #[test]
    fn each_address_has_what_came_from_it_the_latest_first() {
        let kept = Kept::new();
        kept.keep("one", &evidence(1));
        kept.keep("two", &evidence(2));
        kept.keep("one", &evidence(3));
        kept.clone().keep("one", &evidence(1));
        let of = |number| *Rest::of(&evidence(number)).digest();
        assert_eq!(digests(&kept, "one"), [of(1), of(3)]);
        assert_eq!(digests(&kept, "two"), [of(2)]);
        assert_eq!(digests(&kept, "three"), Vec::<[u8; 32]>::new());
        let none = Kept::default();
        none.keep("one", &evidence(1));
        assert!(none.of("one").is_empty());
    }

    #[test]
    fn it_is_bounded_for_one_address_and_for_all() {
        let kept = Kept::new();
        for number in 0..100 {
            kept.keep("one", &evidence(number));
        }
        assert_eq!(kept.of("one").len(), MAX_OF_ONE);
        for number in 0..100 {
            kept.keep(&number.to_string(), &evidence(number));
        }
        assert_eq!(kept.of("one").len(), 0);
        assert_eq!(kept.lock().unwrap().len(), MAX_KEPT);
    }

    #[test]
    fn a_short_bundle_is_filled_and_any_other_stays_as_it_is() {
        let kept = [Arc::new(Rest::of(&evidence(1)))];
        let (whole, came) = filled(Short::encode(&evidence(1)), &kept).unwrap();
        assert_eq!((whole, came), (evidence(1).encode(), Came::Short));
        let bytes = evidence(1).encode();
        let (whole, came) = filled(bytes.clone(), &kept).unwrap();
        assert_eq!((whole, came), (bytes, Came::Whole));
        let nonsense = b"nonsense".to_vec();
        assert_eq!(filled(nonsense.clone(), &kept).unwrap().0, nonsense);
    }

    #[test]
    fn refuses_a_short_bundle_that_nobody_asked_for() {
        let other = Arc::new(Rest::of(&evidence(2)));
        for kept in [&[][..], &[other]] {
            let error = filled(Short::encode(&evidence(1)), kept).unwrap_err();
            assert_eq!(error.code(), "protocol_error");
        }
    }
}
