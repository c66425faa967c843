//! What in a store is fresh, and until when.

use chrysalis_attestation::Time;

use crate::{error::StoreError, index::Entry, store::Store};

/// An object is due for replacement when less than this fraction of its validity is left.
const DUE_PART: i64 = 4;

/// An object's state at a given time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Condition {
    /// It is valid.
    Fresh,
    /// It is valid, and a newer one is due.
    Due,
    /// It is no longer valid.
    Stale,
    /// Its file is not the one that was stored.
    Damaged,
}

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listed {
    /// In the store.
    pub path: String,
    /// What the index says.
    pub entry: Entry,
    /// Its state.
    pub condition: Condition,
}

impl Entry {
    /// Its state, according to itself.
    pub(crate) fn condition(&self, now: Time) -> Condition {
        let left = self.valid_until.0.saturating_sub(now.0);
        let whole = self.valid_until.0.saturating_sub(self.made_at.0);
        if left < 0 {
            Condition::Stale
        } else if left < whole / DUE_PART {
            Condition::Due
        } else {
            Condition::Fresh
        }
    }
}

/// All objects of a store, in the order of their paths.
pub fn list(store: &Store, now: Time) -> Result<Vec<Listed>, StoreError> {
    let look = |(path, entry): (String, Entry)| {
        let condition = match store.file(&path, &entry) {
            Ok(_) => entry.condition(now),
            Err(StoreError::Damaged(_)) => Condition::Damaged,
            Err(error) => return Err(error),
        };
        Ok(Listed {
            path,
            entry,
            condition,
        })
    };
    store.entries()?.into_iter().map(look).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_due_in_the_last_quarter_of_its_span() {
        let entry = Entry {
            what: String::new(),
            source: String::new(),
            fetched_at: Time(0),
            made_at: Time(0),
            valid_until: Time(100),
            number: None,
            sha256: String::new(),
        };
        for (now, condition) in [
            (0, Condition::Fresh),
            (75, Condition::Fresh),
            (76, Condition::Due),
            (100, Condition::Due),
            (101, Condition::Stale),
        ] {
            assert_eq!(entry.condition(Time(now)), condition, "{now}");
        }
    }
}
