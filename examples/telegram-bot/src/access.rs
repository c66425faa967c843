//! Who may ask.

use std::collections::HashSet;

use teloxide::types::{ChatId, UserId};

/// The users and groups that may ask.
#[derive(Debug)]
pub(crate) enum Access {
    /// Everyone who finds the bot.
    Everyone,
    /// These users, wherever they write, and everyone in these groups. By number: names can change hands.
    Only(HashSet<i64>),
}

impl Access {
    pub(crate) fn allows(&self, chat: ChatId, user: UserId) -> bool {
        match self {
            Self::Everyone => true,
            Self::Only(numbers) => {
                numbers.contains(&chat.0)
                    || i64::try_from(user.0).is_ok_and(|user| numbers.contains(&user))
            }
        }
    }
}
