//! An answer with all its choices, each a call of its own to the engine, with its own seed. No more of them are asked at once than
//! the engine computes at once, so that one request fills no queue.

use std::{
    collections::VecDeque,
    future::poll_fn,
    sync::Arc,
    task::{Context, Poll},
};

use chrysalis_settle::End;

use super::{
    choice::{Choice, Form, Piece},
    error::ApiError,
    generation::{Generation, Terms},
    part::Counts,
    question::Question,
    receipt::{Meter, Units, Wanted},
    refusal::Refusal,
};
use crate::engine::{Served, Spell, Tenant};

/// What all choices of an answer have in common.
pub(super) struct Inquiry {
    pub(super) served: Arc<Served>,
    pub(super) tenant: Tenant,
    /// The tenant, to an engine.
    pub(super) salt: String,
    pub(super) form: Form,
    pub(super) refusal: Refusal,
    /// One for each prompt.
    pub(super) questions: Vec<Question>,
    /// Choices for each prompt.
    pub(super) choices: u32,
}

/// An answer under way. Dropping it cancels the engine's work.
pub(super) struct Answering {
    inquiry: Inquiry,
    /// Choices that have not been asked for, by number.
    waiting: VecDeque<usize>,
    running: Vec<Running>,
    /// Whether to wait until a choice has ended before another is asked for.
    full: bool,
    /// Which of those that run is polled first, so that none keeps another from being heard.
    first: usize,
    counts: Counts,
    /// Whether a choice ended at a limit.
    cut: bool,
    meter: Meter,
}

/// A choice under way, and what of it was handed over.
struct Running {
    number: usize,
    choice: Choice,
    pieces: u32,
}

impl Answering {
    /// Asks for the first choices.
    pub(super) fn begin(inquiry: Inquiry) -> Result<Self, ApiError> {
        let meter = Meter::current();
        meter.admit(&Wanted {
            model: &inquiry.served.model().name,
            units: Units::Tokens {
                most: inquiry.max_tokens(),
            },
        })?;
        let choices = inquiry
            .questions
            .len()
            .saturating_mul(inquiry.choices as usize);
        let mut answering = Self {
            waiting: (0..choices).collect(),
            inquiry,
            running: Vec::new(),
            full: false,
            first: 0,
            counts: Counts::default(),
            cut: false,
            meter,
        };
        answering.ask()?;
        Ok(answering)
    }

    /// The next part of any choice, with the choice's number; None at the end. Cancel-safe.
    pub(super) async fn next(&mut self) -> Result<Option<(usize, Piece)>, ApiError> {
        let next = poll_fn(|context| self.poll_next(context)).await;
        self.measure(&next);
        next
    }

    /// How many tokens there were: each prompt's once, and all that were made.
    pub(super) fn counts(&self) -> Counts {
        self.counts
    }

    fn poll_next(
        &mut self,
        context: &mut Context<'_>,
    ) -> Poll<Result<Option<(usize, Piece)>, ApiError>> {
        self.ask()?;
        if self.running.is_empty() {
            return Poll::Ready(Ok(None));
        }
        let running = self.running.len();
        for step in 0..running {
            let at = self.first.wrapping_add(step) % running;
            let Some(running) = self.running.get_mut(at) else {
                continue;
            };
            let Poll::Ready(piece) = running.choice.poll_next(context)? else {
                continue;
            };
            let number = running.number;
            let counts = running.choice.counts();
            running.pieces = running.pieces.saturating_add(1);
            self.first = at.wrapping_add(1);
            if matches!(piece, Piece::Finished { .. }) {
                self.running.remove(at);
                self.full = false;
                self.count(number, counts.unwrap_or_default());
            }
            return Poll::Ready(Ok(Some((number, piece))));
        }
        Poll::Pending
    }

    fn ask(&mut self) -> Result<(), ApiError> {
        let parallel = self.inquiry.served.model().parallel as usize;
        while self.running.len() < parallel && !self.full {
            let Some(number) = self.waiting.front().copied() else {
                return Ok(());
            };
            match self.inquiry.ask(number, self.meter.spell()) {
                Ok(choice) => self.running.push(Running {
                    number,
                    choice,
                    pieces: 0,
                }),
                Err(error) if self.running.is_empty() => return Err(error),
                Err(_) => {
                    self.full = true;
                    return Ok(());
                }
            }
            self.waiting.pop_front();
        }
        Ok(())
    }

    /// Tells the meter what was handed over: of choices that have ended, what is reported; of others, a token for each piece.
    fn measure(&mut self, next: &Result<Option<(usize, Piece)>, ApiError>) {
        match next {
            Ok(Some((_, Piece::Finished { reason, .. }))) => self.cut |= *reason == "length",
            Ok(Some(_)) => {}
            Ok(None) if self.cut => self.meter.ended(End::Length),
            Ok(None) => self.meter.ended(End::Stop),
            Err(error) => self.meter.failed(error),
        }
        let mut total = self.counts;
        for running in &self.running {
            let so_far = Counts {
                completion: running.pieces,
                ..running.choice.so_far()
            };
            self.inquiry.add(&mut total, running.number, so_far);
        }
        let [prompt, cached, completion] =
            [total.prompt, total.cached, total.completion].map(u64::from);
        self.meter.tokens(prompt, cached, completion);
    }

    fn count(&mut self, number: usize, counts: Counts) {
        self.inquiry.add(&mut self.counts, number, counts);
    }
}

impl Inquiry {
    /// The most tokens that all choices together may make.
    fn max_tokens(&self) -> u64 {
        let each = self
            .questions
            .iter()
            .map(|it| u64::from(it.sampling.max_tokens));
        each.fold(0, u64::saturating_add)
            .saturating_mul(self.choices.into())
    }

    fn ask(&self, number: usize, spell: Spell) -> Result<Choice, ApiError> {
        let each = (self.choices as usize).max(1);
        let (prompt, choice) = (number / each, number % each);
        let question = self.questions.get(prompt).ok_or_else(ApiError::broken)?;
        let choice = u32::try_from(choice).unwrap_or_default();
        let question = Question {
            sampling: question.sampling.of_choice(choice),
            ..question.clone()
        };
        let model = self.served.model();
        let engine = self.served.engine();
        let prepared = question.prepare(engine.api, &model.name, model.context, &self.salt);
        let terms = Terms {
            endpoint: question.endpoint(),
            max_tokens: question.sampling.max_tokens,
            stop: &question.sampling.stop,
            logprobs: question.logprobs.is_some(),
            refusal: self.refusal,
            spell,
        };
        let generation = Generation::begin(&self.served, &self.tenant, prepared, &terms)?;
        Ok(Choice::new(generation, self.form.clone()))
    }

    /// Adds a choice's tokens; those of its prompt count once.
    fn add(&self, total: &mut Counts, number: usize, counts: Counts) {
        total.completion = total.completion.saturating_add(counts.completion);
        if self.is_first(number) {
            total.prompt = total.prompt.saturating_add(counts.prompt);
            total.cached = total.cached.saturating_add(counts.cached);
        }
    }

    fn is_first(&self, number: usize) -> bool {
        number.is_multiple_of((self.choices as usize).max(1))
    }
}
