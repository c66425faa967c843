//! The union of what directories say: of each provider the newest listing, and what it asked last.

use std::{collections::BTreeMap, sync::Arc};

use chrysalis_network::{ClassFile, Now, NowEntry, ProviderId, SignedListing};

/// A provider that some directory lists. Its signatures hold, and nothing else was checked.
#[derive(Debug, Clone)]
pub struct Listed {
    /// The newest listing.
    pub listing: Arc<SignedListing>,
    /// What it asks, by the newest word of any directory: a hint.
    pub entry: Option<NowEntry>,
}

/// A class, as all directories together have it.
#[derive(Debug, Clone, Default)]
pub struct ClassView {
    /// By id.
    pub listed: BTreeMap<ProviderId, Listed>,
    /// Nano for a million units: the middle of what directories say that the class costs, the lower one of two. `None`: none says.
    pub index: Option<u64>,
}

impl ClassView {
    /// Of these files and times. `before` saves verifying what was verified.
    pub(super) fn of(files: &[Arc<ClassFile>], times: &[Arc<Now>], before: &Self) -> Self {
        let mut listed = BTreeMap::new();
        for (id, bytes) in files.iter().flat_map(|file| &file.listings) {
            let known = before.listed.get(id).map(|it| &it.listing);
            let known = known.filter(|it| it.bytes() == bytes).cloned();
            let listing = known.or_else(|| SignedListing::verify(bytes).ok().map(Arc::new));
            if let Some(listing) = listing {
                take(&mut listed, *id, listing);
            }
        }
        for (id, it) in &mut listed {
            let said = times
                .iter()
                .filter_map(|now| Some((now.at, now.entries.get(id)?)));
            it.entry = said.max_by_key(|(at, _)| *at).map(|(_, entry)| *entry);
        }
        let mut indexes: Vec<_> = times.iter().map(|now| now.index).collect();
        indexes.retain(|index| *index > 0);
        indexes.sort_unstable();
        let middle = indexes.len().saturating_sub(1) / 2;
        Self {
            listed,
            index: indexes.get(middle).copied(),
        }
    }
}

/// The one with the greater number counts.
fn take(listed: &mut BTreeMap<ProviderId, Listed>, id: ProviderId, listing: Arc<SignedListing>) {
    let seq = listing.listing().seq;
    let newer = listed
        .get(&id)
        .is_none_or(|it| it.listing.listing().seq < seq);
    if newer {
        let entry = None;
        listed.insert(id, Listed { listing, entry });
    }
}
