//! The verdict that people and programs read: of a whole walk, or of evidence by itself.

mod about;
mod claims;
mod ear;
mod open;
mod summary;

use std::fmt;

use serde::Serialize;
use serde_json::Value;

pub use self::open::{in_a_line as open_in_a_line, lines as open_lines};
use self::{about::About, claims::Claims};
use crate::{
    Genuine, Peer, Rejection, Time, Trusted, Unbound,
    appraisal::{Found, alone::Verified, platform::Platform},
    transcript::{Check, NO_POLICY, Refusal, Transcript},
};

/// The outcome for people and programs. As text by `Display`, as JSON by `Serialize` (docs/spec/verdict.schema.json), as the
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
    claims: Option<Said<'a>>,
    #[serde(skip)]
    about: Option<About<'a>>,
}

/// What the evidence says.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
enum Said<'a> {
    /// All of it.
    Accepted(Box<Claims<'a>>),
    /// What genuine hardware says that was refused.
    Refused(&'a Value),
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

/// The verdict in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    /// It is what the policy wants.
    Trusted,
    /// It is real, and there was no policy to say whether it is wanted.
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

/// The note after the word of a verdict that rests on hardware which proves nothing.
pub fn mark(simulated: bool, broken: bool) -> &'static str {
    match (simulated, broken) {
        (false, false) => "",
        (true, false) => " (simulated)",
        (false, true) => " (broken hardware)",
        (true, true) => " (simulated, broken hardware)",
    }
}

impl<'a> Verdict<'a> {
    /// The verdict of any walk that has ended.
    pub fn of<T>(result: &'a Result<T, Refusal>) -> Self
    where
        &'a T: Into<Self>,
    {
        match result {
            Ok(found) => found.into(),
            Err(refusal) => refusal.into(),
        }
    }

    fn about(word: Word, about: About<'a>, until: Time, transcript: &'a Transcript) -> Self {
        Self {
            simulated: transcript.simulated() || about.cpu.is_some_and(Platform::is_simulated),
            until: Some(until).filter(|until| *until != Time(i64::MAX)),
            claims: Some(Said::Accepted(Box::new(Claims::of(&about)))),
            about: Some(about),
            ..Self::without_claims(word, transcript)
        }
    }

    fn peer(word: Word, peer: &'a Peer) -> Self {
        Self::about(word, About::peer(peer), peer.until(), peer.transcript())
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
            about: None,
        }
    }

    /// Whether the evidence is trusted.
    pub fn is_trusted(&self) -> bool {
        self.word == Word::Trusted
    }

    /// Every check, in order.
    pub fn checks(&self) -> &'a [Check] {
        self.checks
    }
}

impl<'a> From<&'a Found> for Verdict<'a> {
    fn from(found: &'a Found) -> Self {
        match found {
            Found::Trusted(trusted) => (&**trusted).into(),
            Found::Genuine(genuine) => (&**genuine).into(),
            Found::Unbound(unbound) => (&**unbound).into(),
        }
    }
}

impl<'a> From<&'a Trusted> for Verdict<'a> {
    fn from(trusted: &'a Trusted) -> Self {
        Self::peer(Word::Trusted, trusted.peer())
    }
}

impl<'a> From<&'a Genuine> for Verdict<'a> {
    fn from(genuine: &'a Genuine) -> Self {
        Self::peer(Word::Genuine, genuine.peer())
    }
}

impl<'a> From<&'a Unbound> for Verdict<'a> {
    fn from(unbound: &'a Unbound) -> Self {
        let about = About::unbound(unbound);
        Self::about(Word::Genuine, about, unbound.until(), unbound.transcript())
    }
}

impl<'a, T> From<&'a Verified<T>> for Verdict<'a>
where
    About<'a>: From<&'a Verified<T>>,
{
    fn from(verified: &'a Verified<T>) -> Self {
        let word = if verified.wanted {
            Word::Trusted
        } else {
            Word::Genuine
        };
        Self::about(
            word,
            verified.into(),
            verified.until(),
            verified.transcript(),
        )
    }
}

impl<'a> From<&'a Refusal> for Verdict<'a> {
    fn from(refusal: &'a Refusal) -> Self {
        let rejection = &refusal.rejection;
        Self {
            code: Some(rejection.code()),
            detail: Some(rejection.to_string()),
            hint: Some(rejection.hint()),
            failures: refusal.rejections().map(Failure::from).collect(),
            claims: refusal.known.as_deref().map(Said::Refused),
            ..Self::without_claims(Word::Rejected, &refusal.transcript)
        }
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
        for [name, what, how] in self.about.map(summary::lines).unwrap_or_default() {
            let line = format!("{name:<7} {what:<24} {how}");
            writeln!(f, "{}", line.trim_end())?;
        }
        for line in open::lines(self.checks, self.word == Word::Trusted) {
            writeln!(f, "{line}")?;
        }
        let broken = self
            .about
            .and_then(|it| it.cpu)
            .and_then(Platform::broken)
            .is_some();
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
