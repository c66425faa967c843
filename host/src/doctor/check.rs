//! One line of what was found.

use serde::Serialize;

/// One thing that was looked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) outcome: Outcome,
    /// What was found.
    pub(super) found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fix: Option<String>,
    /// Without it there is no simulated run.
    pub(super) needed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Outcome {
    Ok,
    Missing,
}

impl Check {
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Self {
            name,
            outcome: Outcome::Ok,
            found: found.into(),
            fix: None,
            needed: false,
        }
    }

    pub(super) fn missing(
        name: &'static str,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            outcome: Outcome::Missing,
            ..Self::ok(name, found).advising(fix)
        }
    }

    /// Either, depending on what was found.
    pub(super) fn of(
        name: &'static str,
        there: bool,
        found: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        if there {
            Self::ok(name, found)
        } else {
            Self::missing(name, found, fix)
        }
    }

    /// With advice, although nothing is missing.
    pub(super) fn advising(self, fix: impl Into<String>) -> Self {
        Self {
            fix: Some(fix.into()),
            ..self
        }
    }

    pub(super) fn needed(self) -> Self {
        Self {
            needed: true,
            ..self
        }
    }

    pub(super) fn prevents(&self) -> bool {
        self.needed && self.outcome == Outcome::Missing
    }
}
