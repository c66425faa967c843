//! What each user may use in a day. In memory: a restart begins the day anew.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{SystemTime, UNIX_EPOCH},
};

use teloxide::types::UserId;

/// Limits for each user and day, and what was used of them.
#[derive(Debug)]
pub(crate) struct Budget {
    requests: Option<u64>,
    nano: Option<u64>,
    used: Mutex<Used>,
}

#[derive(Debug, Default)]
struct Used {
    day: u64,
    by: HashMap<UserId, Sum>,
}

#[derive(Debug, Default)]
struct Sum {
    requests: u64,
    nano: u64,
}

impl Budget {
    /// `requests` is a number of messages, `nano` a sum in nano; `None`: no limit.
    pub(crate) fn new(requests: Option<u64>, nano: Option<u64>) -> Self {
        Self {
            requests,
            nano,
            used: Mutex::default(),
        }
    }

    /// Counts one more message of `user` on `day` (days since 1970, UTC). `false`: the day's budget is used up, and nothing was counted.
    pub(crate) fn take(&self, user: UserId, day: u64) -> bool {
        self.with(user, day, |sum| {
            let over = self.requests.is_some_and(|most| sum.requests >= most)
                || self.nano.is_some_and(|most| sum.nano >= most);
            if !over {
                sum.requests = sum.requests.saturating_add(1);
            }
            !over
        })
    }

    /// Adds what an answer to `user` cost, in nano.
    pub(crate) fn charge(&self, user: UserId, day: u64, nano: u64) {
        self.with(user, day, |sum| sum.nano = sum.nano.saturating_add(nano));
    }

    fn with<T>(&self, user: UserId, day: u64, change: impl FnOnce(&mut Sum) -> T) -> T {
        let mut all = self.used.lock().unwrap_or_else(PoisonError::into_inner);
        // An answer that began before midnight belongs to the new day.
        if all.day < day {
            *all = Used {
                day,
                by: HashMap::new(),
            };
        }
        change(all.by.entry(user).or_default())
    }
}

/// Today: days since 1970, UTC.
pub(crate) fn today() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.map_or(0, |since| since.as_secs() / 86_400)
}

#[cfg(test)]
mod tests {
    use super::*;

    const USER: UserId = UserId(1);

    #[test]
    fn counts_messages_by_user_and_day() {
        let budget = Budget::new(Some(2), None);
        assert!(budget.take(USER, 5));
        assert!(budget.take(USER, 5));
        assert!(!budget.take(USER, 5));
        assert!(budget.take(UserId(2), 5));
        assert!(budget.take(USER, 6));
    }

    #[test]
    fn counts_nano() {
        let budget = Budget::new(None, Some(100));
        assert!(budget.take(USER, 5));
        budget.charge(USER, 5, 99);
        assert!(budget.take(USER, 5));
        budget.charge(USER, 5, u64::MAX);
        assert!(!budget.take(USER, 5));
    }
}
