//! Every check that was made, in order, and how it came out; and the verdict that people and programs read.

mod claims;
mod ear;
mod open;
mod summary;

use std::fmt;

use serde::Serialize;

use self::claims::Claims;
pub use self::open::{in_a_line as open_in_a_line, lines as open_lines};
pub(crate) use self::summary::Told;
use crate::{
    Cpu, Explained, Genuine, Patience, Peer, Rejection, Time, Trusted, Unbound, binding::Session,
    claims as enclave, nvidia::Devices,
};

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not hold. It is the last one: nothing after it was looked at.
    Failed,
    /// It was not made; the check's detail says why not. Never counts as passed.
    NotChecked,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The step of docs/spec/verification.md.
    pub step: &'static str,
    /// What was looked at.
    pub name: &'static str,
    /// How it came out.
    pub outcome: Outcome,
    /// What was found, what is wrong, or why it was not checked.
    pub detail: String,
}

impl Check {
    /// Whether it was not made because a policy, which could ask for it, does not.
    fn is_left_open(&self) -> bool {
        self.outcome == Outcome::NotChecked && self.detail == LEFT_OPEN
    }

    /// Whether a verdict names it among what was not checked, with the reason.
    fn is_open(&self) -> bool {
        self.outcome == Outcome::NotChecked && ![LEFT_OPEN, NO_POLICY].contains(&&*self.detail)
    }
}

/// Every check so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Transcript {
    checks: Vec<Check>,
    simulated: bool,
    /// Failures of checks that others do not depend on, where the aim is to explain; `None`: the first failure is the end.
    deferred: Option<Box<Deferred>>,
}

/// Boxed, so that a refusal stays small where nothing is put off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Deferred(Vec<Rejection>);

/// Why a check was not made that the policy could ask for and does not.
pub(crate) const LEFT_OPEN: &str = "the policy leaves it open";
/// Why a check was not made of something that is there: the policy takes it, and gives no further reason.
pub(crate) const ALLOWED: &str = "it is there, and the policy allows it";
/// Why a check was not made that only a policy could ask for, and there is none.
pub const NO_POLICY: &str = "no policy says what is wanted";

impl Transcript {
    /// One that goes on after a failure, to explain: [`Self::settle`] then says that all is well, and keeps what is not.
    pub(crate) fn explaining() -> Self {
        Self {
            deferred: Some(Box::default()),
            ..Self::default()
        }
    }

    /// Takes the failures that were put off.
    pub(crate) fn deferred(&mut self) -> Vec<Rejection> {
        self.deferred
            .take()
            .map_or_else(Vec::new, |deferred| deferred.0)
    }

    /// How far to go in a part that runs its own checks.
    pub(crate) fn patience(&self) -> Patience {
        match self.deferred {
            Some(_) => Patience::All,
            None => Patience::First,
        }
    }

    /// Passes a result on, or puts its failure off if the aim is to explain.
    pub(crate) fn settle(&mut self, result: Result<(), Rejection>) -> Result<(), Rejection> {
        self.put_off(result).map(drop)
    }

    /// As [`Self::settle`]; `None` stands for what a failure that was put off kept from being known.
    pub(crate) fn put_off<T>(
        &mut self,
        result: Result<T, Rejection>,
    ) -> Result<Option<T>, Rejection> {
        match (&mut self.deferred, result) {
            (_, Ok(found)) => Ok(Some(found)),
            (Some(deferred), Err(rejection)) => {
                deferred.0.push(rejection);
                Ok(None)
            }
            (None, Err(rejection)) => Err(rejection),
        }
    }

    /// What a part that ran its own checks found: an error is the last failure, those before it were put off.
    pub(crate) fn settle_all(&mut self, mut failures: Vec<Rejection>) -> Result<(), Rejection> {
        let last = failures.pop();
        for failure in failures {
            self.settle(Err(failure))?;
        }
        last.map_or(Ok(()), Err)
    }

    /// Every check, in order.
    pub fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Whether the evidence rests on a simulated root. Every output must then say so.
    pub fn simulated(&self) -> bool {
        self.simulated
    }

    /// Says from here on that the hardware is simulated.
    pub(crate) fn mark_simulated(&mut self) {
        self.simulated = true;
    }

    /// Records how a check came out, and passes its result on.
    pub(crate) fn record<T>(
        &mut self,
        step: &'static str,
        name: &'static str,
        result: Result<T, Rejection>,
        found: impl FnOnce(&T) -> String,
    ) -> Result<T, Rejection> {
        // A rejection has its own step: the same one may come up in two checks.
        let (step, outcome, detail) = match &result {
            Ok(value) => (step, Outcome::Passed, found(value)),
            Err(rejection) => (rejection.step(), Outcome::Failed, rejection.to_string()),
        };
        self.checks.push(Check {
            step,
            name,
            outcome,
            detail,
        });
        result
    }

    /// Records that a check was not made.
    pub(crate) fn not_checked(&mut self, step: &'static str, name: &'static str, why: &str) {
        let outcome = Outcome::NotChecked;
        self.checks.push(Check {
            step,
            name,
            outcome,
            detail: why.to_owned(),
        });
    }
}

/// Evidence that was refused: why, and everything that was checked before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Why.
    pub rejection: Rejection,
    /// Every check up to the failed one, which is the last.
    pub transcript: Transcript,
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
        let mut transcript = Transcript::default();
        let step = rejection.step();
        match transcript.record::<()>(step, "evidence can be read", Err(rejection), |()| {
            String::new()
        }) {
            Ok(()) => unreachable!("an error was recorded"),
            Err(rejection) => Self {
                rejection,
                transcript,
            },
        }
    }
}

/// What a person or a program is told. As text by `Display`, as JSON by `Serialize` (docs/spec/verdict.schema.json), as the
/// claims of an attestation result by [`Verdict::ear`].
#[derive(Debug, Clone, Serialize)]
pub struct Verdict<'a> {
    #[serde(rename = "verdict")]
    word: Word,
    code: Option<&'static str>,
    detail: Option<String>,
    hint: Option<&'static str>,
    simulated: bool,
    until: Option<Time>,
    failures: Vec<Failure>,
    checks: &'a [Check],
    claims: Option<Claims<'a>>,
    #[serde(skip)]
    found: Option<About<'a>>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, Serialize)]
struct Failure {
    code: &'static str,
    step: &'static str,
    detail: String,
    hint: &'static str,
}

impl From<&Rejection> for Failure {
    fn from(rejection: &Rejection) -> Self {
        Self {
            code: rejection.code(),
            step: rejection.step(),
            detail: rejection.to_string(),
            hint: rejection.hint(),
        }
    }
}

/// What a verdict that is no refusal is about.
#[derive(Debug, Clone, Copy)]
struct About<'a> {
    cpu: &'a Cpu,
    devices: &'a Devices,
    told: &'a Told,
    /// The conversation and the enclave's own claims; none where nobody knows that the CPU signed for them.
    bound: Option<(&'a Session, &'a enclave::Claims)>,
}

impl<'a> From<&'a Peer> for About<'a> {
    fn from(peer: &'a Peer) -> Self {
        Self {
            cpu: &peer.cpu,
            devices: &peer.devices,
            told: &peer.told,
            bound: Some((&peer.session, &peer.claims)),
        }
    }
}

/// The verdict in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// It is what the policy wants.
    Trusted,
    /// It is real, and nobody said whether it is wanted.
    Genuine,
    /// It was refused.
    Rejected,
}

impl Word {
    fn as_str(self) -> &'static str {
        match self {
            Self::Trusted => "trusted",
            Self::Genuine => "genuine",
            Self::Rejected => "rejected",
        }
    }
}

/// What stands behind the word of a verdict that rests on hardware which proves nothing.
pub fn mark(simulated: bool, broken: bool) -> &'static str {
    match (simulated, broken) {
        (false, false) => "",
        (true, false) => " (simulated)",
        (false, true) => " (broken hardware)",
        (true, true) => " (simulated, broken hardware)",
    }
}

impl<'a> Verdict<'a> {
    /// Of a walk that ended.
    pub fn of(result: &'a Result<Trusted, Refusal>) -> Self {
        match result {
            Ok(trusted) => Self::trusted(trusted),
            Err(refusal) => Self::refused(refusal),
        }
    }

    /// Of a peer that is trusted.
    pub fn trusted(trusted: &'a Trusted) -> Self {
        Self::about(Word::Trusted, trusted.peer())
    }

    /// Of a peer of which nobody said whether it is wanted.
    pub fn genuine(genuine: &'a Genuine) -> Self {
        Self::about(Word::Genuine, genuine.peer())
    }

    /// Of genuine hardware that nobody was heard talking to.
    pub fn unbound(unbound: &'a Unbound) -> Self {
        let found = About {
            cpu: &unbound.cpu,
            devices: &unbound.devices,
            told: &unbound.told,
            bound: None,
        };
        Self {
            simulated: unbound.simulated(),
            until: Some(unbound.until()),
            claims: Some(Claims::of(&found)),
            found: Some(found),
            ..Self::without_claims(Word::Genuine, &unbound.transcript)
        }
    }

    fn about(word: Word, peer: &'a Peer) -> Self {
        let found = About::from(peer);
        Self {
            simulated: peer.simulated(),
            until: Some(peer.until()),
            claims: Some(Claims::of(&found)),
            found: Some(found),
            ..Self::without_claims(word, peer.transcript())
        }
    }

    /// Of evidence that was refused.
    pub fn refused(refusal: &'a Refusal) -> Self {
        Self::failed([&refusal.rejection], &refusal.transcript)
    }

    /// Of evidence that was examined to the end. `rejected` even where nothing is wrong: nobody has judged it then.
    pub fn explained(explained: &'a Explained) -> Self {
        Self::failed(explained.failures(), explained.transcript())
    }

    fn failed(
        rejections: impl IntoIterator<Item = &'a Rejection>,
        transcript: &'a Transcript,
    ) -> Self {
        let failures: Vec<Failure> = rejections.into_iter().map(Failure::from).collect();
        let first = failures.first();
        Self {
            code: first.map(|it| it.code),
            detail: first.map(|it| it.detail.clone()),
            hint: first.map(|it| it.hint),
            failures,
            ..Self::without_claims(Word::Rejected, transcript)
        }
    }

    fn without_claims(word: Word, transcript: &'a Transcript) -> Self {
        Self {
            word,
            code: None,
            detail: None,
            hint: None,
            simulated: transcript.simulated(),
            until: None,
            failures: Vec::new(),
            checks: transcript.checks(),
            claims: None,
            found: None,
        }
    }

    /// Whether the peer is trusted.
    pub fn is_trusted(&self) -> bool {
        self.word == Word::Trusted
    }
}

impl fmt::Display for Verdict<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let simulated = if self.simulated {
            " (simulated hardware)"
        } else {
            ""
        };
        for (place, failure) in self.failures.iter().enumerate() {
            let Failure {
                code, detail, hint, ..
            } = failure;
            let gap = if place == 0 { "" } else { "\n" };
            write!(
                f,
                "{gap}not trusted: {code}{simulated}\n{detail}\nhint: {hint}"
            )?;
        }
        if !self.failures.is_empty() {
            return Ok(());
        }
        for [name, what, how] in self.found.map(summary::lines).unwrap_or_default() {
            let line = format!("{name:<7} {what:<24} {how}");
            writeln!(f, "{}", line.trim_end())?;
        }
        for line in open::lines(self.checks, self.word == Word::Trusted) {
            writeln!(f, "{line}")?;
        }
        let broken = self.found.is_some_and(|it| it.cpu.broken().is_some());
        write!(f, "{}{}", self.word.as_str(), mark(self.simulated, broken))?;
        if let Some(until) = self.until {
            write!(f, " until {until}")?;
        }
        match self.word {
            Word::Genuine => write!(f, "; {NO_POLICY}"),
            Word::Trusted | Word::Rejected => Ok(()),
        }
    }
}
