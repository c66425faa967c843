//! What was verified once and stays true: so much a verifier need not verify again.
//!
//! Only facts about bytes are kept: that this key signed these bytes; what a manifest says that the first certificate in it signed;
//! when the responder may speak that signed an answer. No fact depends on a time, a root, a revocation list or a policy: all of
//! those are judged at every verification, by the same code. So a memory saves work, and cannot turn a refusal into trust.

use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::encoding::digest::sha256;

/// Signatures that are remembered at most. One machine with eight GPUs needs some two hundred.
const MAX_SIGNATURES: usize = 8192;
/// Manifests and answers that are remembered at most. One machine with eight GPUs needs twenty.
const MAX_FINDINGS: usize = 256;

/// A verifier's memory. Clones share it. The default remembers nothing.
#[derive(Clone, Default)]
pub struct Memory(Option<Arc<Mutex<Facts>>>);

/// What names a fact: the SHA-256 of all that it is about.
pub(crate) type Fact = [u8; 32];

/// What was found in bytes, and holds for as long as they are the same.
type Finding = Arc<dyn Any + Send + Sync>;

struct Facts {
    signatures: Aging<()>,
    findings: Aging<Finding>,
}

impl Memory {
    /// Remembers nothing: every verification is made from scratch.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Remembers up to 8192 signatures, and 256 manifests and answers, and forgets those first that have not been of use for longest.
    pub fn new() -> Self {
        Self(Some(Arc::new(Mutex::new(Facts {
            signatures: Aging::of(MAX_SIGNATURES),
            findings: Aging::of(MAX_FINDINGS),
        }))))
    }

    /// Whether the signature holds: because it is remembered, or because `verify` says so, which is then remembered.
    pub(crate) fn holds(&self, fact: impl FnOnce() -> Fact, verify: impl FnOnce() -> bool) -> bool {
        if self.0.is_none() {
            return verify();
        }
        let fact = fact();
        if self
            .lock()
            .is_some_and(|mut it| it.signatures.take(&fact).is_some())
        {
            return true;
        }
        let holds = verify();
        if holds && let Some(mut facts) = self.lock() {
            facts.signatures.put(fact, ());
        }
        holds
    }

    /// What was found in these bytes before.
    pub(crate) fn recall<T: Any + Send + Sync>(
        &self,
        kind: &'static str,
        bytes: &[&[u8]],
    ) -> Option<Arc<T>> {
        self.0.as_ref()?;
        let fact = named(kind, bytes);
        let found = self.lock()?.findings.take(&fact)?;
        found.downcast().ok()
    }

    /// Remembers what was found in these bytes.
    pub(crate) fn keep<T: Any + Send + Sync>(
        &self,
        kind: &'static str,
        bytes: &[&[u8]],
        found: impl FnOnce() -> T,
    ) {
        if self.0.is_none() {
            return;
        }
        let (fact, found) = (named(kind, bytes), Arc::new(found()));
        if let Some(mut facts) = self.lock() {
            facts.findings.put(fact, found);
        }
    }

    fn lock(&self) -> Option<MutexGuard<'_, Facts>> {
        // No holder of this lock can leave a fact half-written.
        let facts = self.0.as_ref()?;
        Some(facts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The name of the fact that this key signed this message in this way.
pub(crate) fn signature(way: &'static str, key: &[u8], message: &[u8], signature: &[u8]) -> Fact {
    named(way, &[key, message, signature])
}

/// The name of a fact of this kind about these bytes.
fn named(kind: &'static str, bytes: &[&[u8]]) -> Fact {
    // The parts are hashed separately, so that none can run into the next.
    let parts = [kind.as_bytes()].into_iter().chain(bytes.iter().copied());
    let parts: Vec<u8> = parts.flat_map(|part| sha256(&[part])).collect();
    sha256(&[&parts])
}

/// How much it knows is of no interest to anybody.
impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Some(_) => "Memory",
            None => "Memory (none)",
        })
    }
}

/// A map in two halves. When the younger is full, the older is forgotten; what is of use moves to the younger.
struct Aging<T> {
    half: usize,
    young: BTreeMap<Fact, T>,
    old: BTreeMap<Fact, T>,
}

impl<T: Clone> Aging<T> {
    fn of(most: usize) -> Self {
        Self {
            half: most / 2,
            young: BTreeMap::new(),
            old: BTreeMap::new(),
        }
    }

    fn take(&mut self, fact: &Fact) -> Option<T> {
        if let Some(found) = self.young.get(fact) {
            return Some(found.clone());
        }
        let found = self.old.remove(fact)?;
        self.put(*fact, found.clone());
        Some(found)
    }

    fn put(&mut self, fact: Fact, value: T) {
        if self.young.len() >= self.half {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(fact, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(number: usize) -> Fact {
        sha256(&[&number.to_be_bytes()])
    }

    #[test]
    fn only_what_held_is_remembered() {
        let memory = Memory::new();
        assert!(!memory.holds(|| fact(1), || false));
        assert!(!memory.holds(|| fact(1), || false), "it was not verified");
        assert!(memory.holds(|| fact(1), || true));
        assert!(memory.holds(|| fact(1), || panic!("it is remembered")));
        assert!(memory.clone().holds(|| fact(1), || panic!("clones share")));
        assert!(!memory.holds(|| fact(2), || false));
    }

    #[test]
    fn without_a_memory_everything_is_verified_each_time() {
        let memory = Memory::none();
        assert!(memory.holds(|| panic!("no name is needed"), || true));
        assert!(!memory.holds(|| panic!("no name is needed"), || false));
        memory.keep("kind", &[b"bytes"], || 7_u8);
        assert_eq!(memory.recall::<u8>("kind", &[b"bytes"]), None);
    }

    #[test]
    fn a_finding_is_about_all_of_its_bytes_and_of_one_kind() {
        let memory = Memory::new();
        memory.keep("kind", &[b"one", b"two"], || 7_u8);
        let found = |kind, bytes: &[&[u8]]| memory.recall::<u8>(kind, bytes).map(|it| *it);
        assert_eq!(found("kind", &[b"one", b"two"]), Some(7));
        assert_eq!(found("other", &[b"one", b"two"]), None);
        assert_eq!(found("kind", &[b"one", b"two", b""]), None);
        assert_eq!(found("kind", &[b"onet", b"wo"]), None);
        assert_eq!(memory.recall::<u16>("kind", &[b"one", b"two"]), None);
    }

    #[test]
    fn it_never_grows_beyond_its_bound_and_keeps_what_is_of_use() {
        let mut aging = Aging::of(8);
        aging.put(fact(0), 0);
        for number in 1..1000 {
            aging.put(fact(number), number);
            assert_eq!(aging.take(&fact(0)), Some(0), "it is of use");
            assert!(aging.young.len() + aging.old.len() <= 8);
        }
        assert_eq!(aging.take(&fact(1)), None, "it was of none");
    }

    #[test]
    fn every_part_of_a_signature_is_in_its_name() {
        let names = [
            signature("a", b"b", b"c", b"d"),
            signature("b", b"b", b"c", b"d"),
            signature("a", b"c", b"c", b"d"),
            signature("a", b"b", b"d", b"d"),
            signature("a", b"b", b"c", b"c"),
            signature("a", b"bc", b"", b"d"),
            signature("a", b"", b"bc", b"d"),
        ];
        let distinct: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(distinct.len(), names.len());
    }
}
