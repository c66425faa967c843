//! Why there is no engine, as the enclave is told.

use std::fmt::Display;

use chrysalis_wire::room::{FromRoom, MAX_WHY};

/// No engine runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// The kernel does not put up all of the walls.
    Unconfined(String),
    /// The plan cannot be followed.
    NotStarted(String),
}

impl From<Refusal> for FromRoom {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Unconfined(why) => Self::Unconfined {
                why: shortened(why),
            },
            Refusal::NotStarted(why) => Self::NotStarted {
                why: shortened(why),
            },
        }
    }
}

/// A wall is missing: which, then why.
pub(crate) fn unconfined<E: Display>(what: impl Display) -> impl FnOnce(E) -> Refusal {
    move |why| Refusal::Unconfined(format!("{what}: {why:#}"))
}

/// A step of the plan failed: which, then why.
pub(crate) fn not_started<E: Display>(what: impl Display) -> impl FnOnce(E) -> Refusal {
    move |why| Refusal::NotStarted(format!("{what}: {why:#}"))
}

fn shortened(mut why: String) -> String {
    why.truncate(why.floor_char_boundary(MAX_WHY));
    why
}
