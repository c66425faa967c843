//! A check, how it came out, and what becomes of them all.

use std::fmt;

use serde::Serialize;
use serde_json::Value;

use crate::Rejection;

/// The organisation in the names of simulated certificates, so that they cannot be mistaken for a vendor's.
pub const SIMULATED: &str = "Chrysalis Simulated";

/// The outcome of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold. With [`super::Patience::First`] it is the last check: nothing after it was looked at.
    Failed,
    /// It was not made; the check's detail says why. It never counts as passed.
    NotChecked,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Check {
    /// The step of docs/spec/verification.md.
    pub step: &'static str,
    /// What was looked at.
    pub name: &'static str,
    /// Its outcome.
    pub outcome: Outcome,
    /// What was found, what is wrong, or why it was not checked.
    pub detail: String,
}

impl Check {
    /// Its name, with what pins its subject all the same, if it was not made because the policy, which could require it, does not.
    pub(crate) fn left_open(&self) -> Option<String> {
        let found = SILENT.iter().find(|(detail, _)| *detail == self.detail);
        let (_, note) = found.filter(|_| self.outcome == Outcome::NotChecked)?;
        Some(format!("{}{note}", self.name))
    }

    /// Whether a verdict lists it as not checked, with the reason.
    pub(crate) fn is_open(&self) -> bool {
        self.outcome == Outcome::NotChecked
            && self.detail != NO_POLICY
            && self.left_open().is_none()
    }
}

/// Why a check was not made that the policy could require but does not.
pub(crate) const LEFT_OPEN: &str = "the policy leaves it open";
/// The same, where the subject is pinned as a part of the configuration.
pub(crate) const LEFT_TO_CONFIGURATION: &str =
    "the policy leaves it open, except that the configuration's digest pins it";
/// The same, where nothing else pins the subject either.
pub(crate) const PINNED_BY_NOTHING: &str = "the policy leaves it open, and nothing else pins it";
/// Why a check was left open, and what a list of names adds to its name.
const SILENT: [(&str, &str); 3] = [
    (LEFT_OPEN, ""),
    (
        LEFT_TO_CONFIGURATION,
        " (pinned by the configuration's digest alone)",
    ),
    (PINNED_BY_NOTHING, " (pinned by nothing)"),
];
/// Why something that is present was not checked: the policy accepts it, and gives no further reason.
pub(crate) const ALLOWED: &str = "it is there, and the policy allows it";
/// Why a check was not made that only a policy could require, where there is none.
pub const NO_POLICY: &str = "no policy says what is wanted";

/// Every check so far. Only the walk writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transcript {
    pub(super) checks: Vec<Check>,
    pub(super) simulated: bool,
}

impl Transcript {
    /// Every check, in order.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Whether the evidence rests on a simulated root. Every output must then say so.
    pub fn simulated(&self) -> bool {
        self.simulated
    }
}

/// Evidence that was refused: why, and everything that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refusal {
    /// Why: the first check that failed.
    pub rejection: Rejection,
    /// What else is wrong, in order. Empty unless [`super::Patience::All`] looked for it.
    pub further: Vec<Rejection>,
    /// Every check that was made.
    pub transcript: Box<Transcript>,
    /// What the hardware says, where every check of its genuineness passed: real, and not wanted.
    pub(crate) known: Option<Box<Value>>,
}

impl Refusal {
    /// Keeps what the hardware says, for people who want to know why it is not wanted.
    pub(crate) fn knowing(mut self, known: Value) -> Self {
        self.known = Some(Box::new(known));
        self
    }

    /// Everything that is wrong, in order.
    pub fn rejections(&self) -> impl Iterator<Item = &Rejection> {
        std::iter::once(&self.rejection).chain(&self.further)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rejection.code(), self.rejection)
    }
}

impl std::error::Error for Refusal {}

/// Evidence that could not even be read.
impl From<Rejection> for Refusal {
    fn from(rejection: Rejection) -> Self {
        let check = Check {
            step: rejection.step(),
            name: "evidence can be read",
            outcome: Outcome::Failed,
            detail: rejection.to_string(),
        };
        Self {
            rejection,
            further: Vec::new(),
            transcript: Box::new(Transcript {
                checks: vec![check],
                simulated: false,
            }),
            known: None,
        }
    }
}
