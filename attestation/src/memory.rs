//! What was verified once and stays true: so much a verifier need not verify again.
//!
//! Only facts about bytes are kept, and only once the bytes were verified: that this key signed them; what AMD's certificates and lists
//! say; what a device's certificates say, each of which the next one issued; what a manifest says that the first certificate in it
//! signed; when the responder may speak that signed an answer. No fact depends on a time, a root, a revocation list or a policy: all of
//! those are judged at every verification, by the same code. So a memory saves work, and cannot turn a refusal into trust.

use std::{
    any::Any,
    borrow::Borrow,
    collections::BTreeMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::encoding::digest::sha256;

/// Signatures that are remembered at most. One machine with eight GPUs needs some two hundred.
const MAX_SIGNATURES: usize = 8192;
/// Bytes of certificates, lists, manifests and answers about which something is remembered at most. What is remembered takes up to three
/// times as much again. One machine with eight GPUs needs some hundred thousand.
const MAX_FOUND: usize = 8 * 1024 * 1024;

/// A verifier's memory. Clones share it. The default remembers nothing.
#[derive(Clone, Default)]
pub struct Memory(Option<Arc<Mutex<Facts>>>);

/// What names a fact about a signature: the SHA-256 of all that it is about.
pub(crate) type Fact = [u8; 32];

/// What was found in bytes, and holds for as long as they are the same.
type Finding = Arc<dyn Any + Send + Sync>;

struct Facts {
    signatures: Aging<Fact, ()>,
    /// By their bytes: to compare them takes far less time than to hash them.
    findings: Aging<Vec<u8>, Finding>,
}

impl Memory {
    /// Remembers nothing: every verification is made from scratch.
    pub const fn none() -> Self {
        Self(None)
    }

    /// Remembers up to 8192 signatures, and what 8 MiB of certificates, lists, manifests and answers say, and forgets those first that
    /// have not been of use for longest.
    pub fn new() -> Self {
        Self(Some(Arc::new(Mutex::new(Facts {
            signatures: Aging::of(MAX_SIGNATURES),
            findings: Aging::of(MAX_FOUND),
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
            facts.signatures.put(fact, (), 1);
        }
        holds
    }

    /// What was found in these bytes before.
    pub(crate) fn recall<T: Any + Send + Sync>(
        &self,
        kind: &'static str,
        bytes: &[impl AsRef<[u8]>],
    ) -> Option<Arc<T>> {
        self.0.as_ref()?;
        let name = named(kind, bytes);
        let found = self.lock()?.findings.take(&name)?;
        found.downcast().ok()
    }

    /// Remembers what was found in these bytes.
    pub(crate) fn keep<T: Any + Send + Sync>(
        &self,
        kind: &'static str,
        bytes: &[impl AsRef<[u8]>],
        found: &Arc<T>,
    ) {
        if self.0.is_none() {
            return;
        }
        let name = named(kind, bytes);
        let size = name.len();
        if let Some(mut facts) = self.lock() {
            facts.findings.put(name, found.clone(), size);
        }
    }

    /// How many findings of this kind it has.
    #[cfg(test)]
    pub(crate) fn count(&self, kind: &'static str) -> usize {
        let begins = named(kind, &[[0; 0]; 0]);
        let facts = self.lock().expect("a memory");
        let Aging { young, old, .. } = &facts.findings;
        let names = young.keys().chain(old.keys());
        names.filter(|it| it.starts_with(&begins)).count()
    }

    fn lock(&self) -> Option<MutexGuard<'_, Facts>> {
        // No holder of this lock can leave a fact half-written.
        let facts = self.0.as_ref()?;
        Some(facts.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The name of the fact that this key signed this message in this way.
pub(crate) fn signature(way: &'static str, key: &[u8], message: &[u8], signature: &[u8]) -> Fact {
    sha256(&[&named(way, &[key, message, signature])])
}

/// The name of a fact of this kind about these bytes: all of them.
fn named(kind: &'static str, bytes: &[impl AsRef<[u8]>]) -> Vec<u8> {
    let parts = [kind.as_bytes()]
        .into_iter()
        .chain(bytes.iter().map(AsRef::as_ref));
    let mut name = Vec::with_capacity(parts.clone().map(|part| 8 + part.len()).sum());
    for part in parts {
        // With its length, so that none can run into the next.
        name.extend(part.len().to_be_bytes());
        name.extend_from_slice(part);
    }
    name
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

/// A map in two halves, each with a bound on the sizes in it. When the younger is full, the older is forgotten; what is of use moves to
/// the younger.
struct Aging<K, T> {
    half: usize,
    /// Of what is in the younger half.
    size: usize,
    young: BTreeMap<K, (T, usize)>,
    old: BTreeMap<K, (T, usize)>,
}

impl<K: Ord, T: Clone> Aging<K, T> {
    fn of(most: usize) -> Self {
        Self {
            half: most / 2,
            size: 0,
            young: BTreeMap::new(),
            old: BTreeMap::new(),
        }
    }

    fn take<Q: Ord + ?Sized>(&mut self, name: &Q) -> Option<T>
    where
        K: Borrow<Q>,
    {
        if let Some((found, _)) = self.young.get(name) {
            return Some(found.clone());
        }
        let (name, (found, size)) = self.old.remove_entry(name)?;
        self.put(name, found.clone(), size);
        Some(found)
    }

    /// Nothing is kept that would not fit.
    fn put(&mut self, name: K, value: T, size: usize) {
        if size > self.half || self.young.contains_key(&name) {
            return;
        }
        if self.size + size > self.half {
            self.old = std::mem::take(&mut self.young);
            self.size = 0;
        }
        self.size += size;
        self.young.insert(name, (value, size));
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
        memory.keep("kind", &[b"bytes"], &Arc::new(7_u8));
        assert_eq!(memory.recall::<u8>("kind", &[b"bytes"]), None);
    }

    #[test]
    fn a_finding_is_about_all_of_its_bytes_and_of_one_kind() {
        let memory = Memory::new();
        memory.keep("kind", &[b"one", b"two"], &Arc::new(7_u8));
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
        aging.put(fact(0), 0, 1);
        for number in 1..1000 {
            aging.put(fact(number), number, 1);
            assert_eq!(aging.take(&fact(0)), Some(0), "it is of use");
            assert!(aging.young.len() + aging.old.len() <= 8);
        }
        assert_eq!(aging.take(&fact(1)), None, "it was of none");
    }

    #[test]
    fn its_bound_is_one_of_sizes_and_what_is_larger_than_half_is_not_kept() {
        let mut aging = Aging::of(100);
        for number in 1..1000 {
            aging.put(number, (), number % 60);
            let sizes = aging.young.values().chain(aging.old.values());
            assert!(sizes.map(|((), size)| size).sum::<usize>() <= 100);
            let kept = aging.take(&number).is_some();
            assert_eq!(kept, number % 60 <= 50, "{number}");
            // The same again is no more than it was.
            let before = aging.size;
            aging.put(number, (), number % 60);
            assert_eq!(aging.size, before);
        }
    }

    #[test]
    fn findings_are_bounded_by_the_bytes_that_they_are_about() {
        let memory = Memory::new();
        let bytes = |number: u32| {
            let mut bytes = vec![7; 64 * 1024];
            bytes[..4].copy_from_slice(&number.to_be_bytes());
            bytes
        };
        for number in 0..400 {
            memory.keep("kind", &[bytes(number)], &Arc::new(number));
        }
        let facts = memory.lock().expect("a memory");
        let names = facts.findings.young.keys().chain(facts.findings.old.keys());
        assert!(names.map(Vec::len).sum::<usize>() <= MAX_FOUND);
        drop(facts);
        assert!(memory.recall::<u32>("kind", &[bytes(0)]).is_none());
        assert!(memory.recall::<u32>("kind", &[bytes(399)]).is_some());
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
