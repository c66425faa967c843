//! One answer of an engine under way: its events checked, its tokens counted, its stop texts watched for.
//!
//! The engine counts tokens, and so does the gate: an event with text is at least one token, and a token has at least one byte
//! of text, but for those few that end an answer. Where the engine's count is outside of what that allows, the smaller number
//! is reported, because a client may have to pay for it; the difference is logged.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::sync::mpsc;

use super::{
    error::ApiError,
    logprobs::{Aligner, Token},
    part::{Counts, Endpoint, Finish, Misshapen, Part},
    question::Prepared,
    refusal::Refusal,
    stops::StopWatch,
};
use crate::engine::{Event, Fault, Served, Spell, Tenant};

/// Tokens without text that an answer may have: its end, and parts of characters or stop texts that were never completed.
const SILENT_TOKENS: u32 = 512;

/// Answers whose engine counted their tokens wrongly, since boot.
static MISCOUNTED: AtomicU64 = AtomicU64::new(0);

/// Why an answer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// The model ended it.
    End,
    /// A stop text came.
    Stop(String),
    Length,
}

/// What a generation says next.
#[derive(Debug, PartialEq)]
pub(super) enum Said {
    /// More text, and the likelihoods of tokens of it, if wanted.
    Text { text: String, tokens: Vec<Token> },
    /// The end.
    Ended { reason: Reason, counts: Counts },
}

/// An answer under way. Dropping it cancels the engine's work.
pub(super) struct Generation {
    served: Arc<Served>,
    events: mpsc::Receiver<Event>,
    endpoint: Endpoint,
    refusal: Refusal,
    max_tokens: u32,
    knows_its_end: bool,
    watch: StopWatch,
    aligner: Option<Aligner>,
    /// The engine's name for this answer.
    id: Option<String>,
    finish: Option<Finish>,
    counted: Counted,
    ready: VecDeque<Said>,
}

/// What was counted here, and what the engine says.
#[derive(Debug, Default)]
struct Counted {
    /// Events with text.
    events: u32,
    /// Bytes of text.
    bytes: usize,
    engine: Option<Counts>,
}

/// What a generation is held to.
pub(super) struct Terms<'a> {
    pub(super) endpoint: Endpoint,
    pub(super) max_tokens: u32,
    pub(super) stop: &'a [String],
    pub(super) logprobs: bool,
    pub(super) refusal: Refusal,
    /// Says how long its turn takes.
    pub(super) spell: Spell,
}

impl Generation {
    /// Asks an engine.
    pub(super) fn begin(
        served: &Arc<Served>,
        tenant: &Tenant,
        prepared: Prepared,
        terms: &Terms<'_>,
    ) -> Result<Self, ApiError> {
        let events = served
            .ask(tenant, prepared.call, terms.spell.clone())
            .map_err(ApiError::turned)?;
        Ok(Self {
            served: served.clone(),
            events,
            endpoint: terms.endpoint,
            refusal: terms.refusal,
            max_tokens: terms.max_tokens,
            knows_its_end: prepared.knows_its_end,
            watch: StopWatch::new(terms.stop),
            aligner: terms.logprobs.then(Aligner::default),
            id: None,
            finish: None,
            counted: Counted::default(),
            ready: VecDeque::new(),
        })
    }

    /// What comes next; nothing after [`Said::Ended`] or an error.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Said, ApiError>> {
        loop {
            if let Some(said) = self.ready.pop_front() {
                return Poll::Ready(Ok(said));
            }
            let event = ready!(self.events.poll_recv(context));
            if let Err(error) = self.follow(event) {
                self.events.close();
                return Poll::Ready(Err(error));
            }
        }
    }

    /// What the engine has said of its tokens so far.
    pub(super) fn so_far(&self) -> Counts {
        self.counted.engine.unwrap_or_default()
    }

    fn follow(&mut self, event: Option<Event>) -> Result<(), ApiError> {
        match event {
            Some(Event::Began) => Ok(()),
            Some(Event::Json(event)) => match Part::read(self.endpoint, &event) {
                Ok(part) => self.take(part),
                Err(Misshapen) => Err(self.distrust()),
            },
            Some(Event::Done) => {
                let finish = self.finish.ok_or_else(|| self.distrust())?;
                self.end(match finish {
                    Finish::Stop => Reason::End,
                    Finish::Length => Reason::Length,
                });
                Ok(())
            }
            Some(Event::Refused { status, body }) => {
                let context = self.served.model().context;
                Err(self.refusal.explain(status, &body, context))
            }
            Some(Event::Failed(fault)) => Err(ApiError::fault(fault)),
            Some(Event::Text(_)) => Err(self.distrust()),
            None => Err(ApiError::fault(Fault::Ended)),
        }
    }

    fn take(&mut self, part: Part) -> Result<(), ApiError> {
        let same = self.id.get_or_insert_with(|| part.id.clone()) == &part.id;
        if !same || (self.finish.is_some() && !part.text.is_empty()) {
            return Err(self.distrust());
        }
        self.finish = self.finish.or(part.finish);
        self.counted.take(&part);
        if self.counted.events > self.max_tokens {
            self.served.distrust();
            return Err(ApiError::answer_too_long());
        }
        let passed = self.watch.pass(&part.text);
        self.pass_on(passed.text, part.tokens);
        if let Some(stop) = passed.stop {
            self.end(Reason::Stop(stop));
            return Ok(());
        }
        if !self.knows_its_end && self.finish.is_none() && self.counted.so_far() >= self.max_tokens
        {
            self.end(Reason::Length);
        }
        Ok(())
    }

    fn pass_on(&mut self, text: String, tokens: Vec<Token>) {
        let aligner = self.aligner.as_mut();
        let tokens = aligner.map_or_else(Vec::new, |aligner| aligner.follow(tokens, &text));
        if !text.is_empty() || !tokens.is_empty() {
            self.ready.push_back(Said::Text { text, tokens });
        }
    }

    fn end(&mut self, reason: Reason) {
        self.events.close();
        let rest = self.watch.rest();
        self.pass_on(rest, Vec::new());
        let counts = self.counted.settle(self.max_tokens);
        let counters = self.served.counters();
        counters.tokens(counts.prompt.into(), counts.completion.into());
        self.ready.push_back(Said::Ended { reason, counts });
    }

    fn distrust(&self) -> ApiError {
        self.served.distrust();
        ApiError::engine_failed()
    }
}

impl Counted {
    fn take(&mut self, part: &Part) {
        if !part.text.is_empty() {
            self.events = self.events.saturating_add(1);
            self.bytes = self.bytes.saturating_add(part.text.len());
        }
        self.engine = part.counts.or(self.engine);
    }

    /// Tokens made, as far as it is known.
    fn so_far(&self) -> u32 {
        let engine = self.engine.map_or(0, |counts| counts.completion);
        self.events.max(engine)
    }

    /// What is reported.
    fn settle(&self, max_tokens: u32) -> Counts {
        let Some(engine) = self.engine else {
            return Counts {
                completion: self.events,
                ..Counts::default()
            };
        };
        let bytes = u32::try_from(self.bytes).unwrap_or(u32::MAX);
        let most = bytes.saturating_add(SILENT_TOKENS).min(max_tokens);
        if (self.events..=most).contains(&engine.completion) {
            return engine;
        }
        let times = MISCOUNTED.fetch_add(1, Ordering::Relaxed).saturating_add(1);
        tracing::warn!(times, "an engine's count of tokens is not the gate's");
        Counts {
            completion: self.events.min(engine.completion),
            ..engine
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(events: u32, bytes: usize, completion: u32) -> u32 {
        let engine = Counts {
            completion,
            ..Counts::default()
        };
        let counted = Counted {
            events,
            bytes,
            engine: Some(engine),
        };
        counted.settle(100).completion
    }

    #[test]
    fn an_engine_that_counts_too_many_or_too_few_is_not_believed() {
        assert_eq!(counted(3, 9, 3), 3);
        // The end, and halves of characters, are tokens without an event.
        assert_eq!(counted(3, 9, 5), 5);
        assert_eq!(counted(3, 9, 2), 2);
        assert_eq!(counted(3, 9, 101), 3);
        assert_eq!(counted(0, 0, 0), 0);
        let alone = Counted {
            events: 4,
            ..Counted::default()
        };
        assert_eq!(alone.settle(100).completion, 4);
    }
}
