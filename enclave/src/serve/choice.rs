//! One choice of an answer: a text, JSON by a schema, or calls of functions. What has a schema is validated here before its last
//! event: the engine's grammar is only how to get there.

use std::{
    collections::VecDeque,
    sync::Arc,
    task::{Context, Poll, ready},
};

use super::{
    error::ApiError,
    format::SCHEMA,
    generation::{Generation, Reason, Said},
    logprobs::Token,
    part::Counts,
    scan::{Found, NotAsAsked, Scanner},
    schema::Schema,
    stops::StopWatch,
    tools::Tools,
};

/// What the text of an answer is.
#[derive(Debug, Clone)]
pub(super) enum Form {
    /// Text.
    Text,
    /// JSON. The flag says whether a stop text may cut it, so that it need not be valid.
    Json(Schema, bool),
    /// Calls of functions, or an answer, which may have a schema of its own.
    Reply {
        tools: Arc<Tools>,
        answer: Option<Schema>,
        stop: Vec<String>,
    },
}

/// A part of a choice.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Piece {
    /// More of its text.
    Text { text: String, tokens: Vec<Token> },
    /// The next call begins.
    Call { call: usize, name: String },
    /// More of a call's arguments.
    Arguments { call: usize, text: String },
    /// The end, and why: `stop`, `length` or `tool_calls`; and which stop text it was, if one.
    Finished {
        reason: &'static str,
        stop: Option<String>,
    },
}

/// A choice under way. Dropping it cancels the engine's work.
pub(super) struct Choice {
    generation: Generation,
    content: Content,
    ready: VecDeque<Piece>,
    ended: Option<Counts>,
}

enum Content {
    Text,
    Json {
        schema: Schema,
        may_be_cut: bool,
        text: String,
    },
    Reply(Box<Reply>),
}

struct Reply {
    scanner: Scanner,
    tools: Arc<Tools>,
    /// The name of the call under way, and its arguments so far.
    name: String,
    arguments: String,
    calls: usize,
    schema: Option<Schema>,
    answer: String,
    watch: StopWatch,
    /// A stop text that has come: the rest of the answer is not passed on.
    stopped: Option<String>,
}

impl Choice {
    pub(super) fn new(generation: Generation, form: Form) -> Self {
        let content = match form {
            Form::Text => Content::Text,
            Form::Json(schema, may_be_cut) => Content::Json {
                schema,
                may_be_cut,
                text: String::new(),
            },
            Form::Reply {
                tools,
                answer,
                stop,
            } => Content::Reply(Box::new(Reply {
                scanner: Scanner::new(answer.is_some()),
                tools,
                name: String::new(),
                arguments: String::new(),
                calls: 0,
                schema: answer,
                answer: String::new(),
                watch: StopWatch::new(&stop),
                stopped: None,
            })),
        };
        Self {
            generation,
            content,
            ready: VecDeque::new(),
            ended: None,
        }
    }

    /// What comes next; nothing after [`Piece::Finished`] or an error.
    pub(super) fn poll_next(&mut self, context: &mut Context<'_>) -> Poll<Result<Piece, ApiError>> {
        loop {
            if let Some(piece) = self.ready.pop_front() {
                return Poll::Ready(Ok(piece));
            }
            let said = ready!(self.generation.poll_next(context))?;
            self.follow(said)?;
        }
    }

    /// How many tokens there were, once it has ended.
    pub(super) fn counts(&self) -> Option<Counts> {
        self.ended
    }

    fn follow(&mut self, said: Said) -> Result<(), ApiError> {
        match said {
            Said::Text { text, tokens } => self.text(text, tokens),
            Said::Ended { reason, counts } => {
                self.ended = Some(counts);
                let finished = match &mut self.content {
                    Content::Reply(reply) => reply.end(&reason, &mut self.ready)?,
                    Content::Json {
                        schema,
                        may_be_cut: false,
                        text,
                    } if reason == Reason::End => {
                        let valid = schema.accept(text);
                        valid.map_err(|why| ApiError::answer_not_valid(SCHEMA, &why))?;
                        finished("stop", None)
                    }
                    _ => word(reason),
                };
                self.ready.push_back(finished);
                Ok(())
            }
        }
    }

    fn text(&mut self, text: String, tokens: Vec<Token>) -> Result<(), ApiError> {
        match &mut self.content {
            Content::Reply(reply) => reply.read(&text, &mut self.ready),
            content => {
                if let Content::Json { text: all, .. } = content {
                    all.push_str(&text);
                }
                self.ready.push_back(Piece::Text { text, tokens });
                Ok(())
            }
        }
    }
}

fn word(reason: Reason) -> Piece {
    match reason {
        Reason::End => finished("stop", None),
        Reason::Stop(stop) => finished("stop", Some(stop)),
        Reason::Length => finished("length", None),
    }
}

const fn finished(reason: &'static str, stop: Option<String>) -> Piece {
    Piece::Finished { reason, stop }
}

impl Reply {
    fn read(&mut self, text: &str, ready: &mut VecDeque<Piece>) -> Result<(), ApiError> {
        let found = self.scanner.read(text).map_err(|NotAsAsked| {
            ApiError::answer_not_valid("tools", "it is neither a call nor an answer")
        })?;
        for found in found {
            match found {
                Found::Answer(more) => self.answer(&more, ready),
                Found::Call(name) => {
                    self.name.clone_from(&name);
                    self.arguments.clear();
                    let call = self.calls;
                    ready.push_back(Piece::Call { call, name });
                }
                Found::Arguments(more) => {
                    self.arguments.push_str(&more);
                    let call = self.calls;
                    ready.push_back(Piece::Arguments { call, text: more });
                }
                Found::CallEnds => self.call_ends()?,
            }
        }
        Ok(())
    }

    fn answer(&mut self, more: &str, ready: &mut VecDeque<Piece>) {
        if self.schema.is_some() {
            self.answer.push_str(more);
        }
        if self.stopped.is_some() {
            return;
        }
        let passed = self.watch.pass(more);
        self.stopped = passed.stop;
        push(passed.text, ready);
    }

    /// Arguments that do not follow the function's schema are an error, not a call.
    fn call_ends(&mut self) -> Result<(), ApiError> {
        let wrong = |why: &str| {
            let why = format!("the call of {} is not valid: {why}", self.name);
            ApiError::answer_not_valid("tools", &why)
        };
        let mut functions = self.tools.functions.iter();
        let function = functions
            .find(|function| function.name == self.name)
            .ok_or_else(|| wrong("there is no such function"))?;
        function
            .parameters
            .accept(&self.arguments)
            .map_err(|why| wrong(&why))?;
        self.calls = self.calls.saturating_add(1);
        if self.calls > self.tools.most {
            return Err(wrong("there are too many calls"));
        }
        Ok(())
    }

    fn end(&mut self, reason: &Reason, ready: &mut VecDeque<Piece>) -> Result<Piece, ApiError> {
        push(self.watch.rest(), ready);
        if !self.scanner.is_complete() {
            return match reason {
                Reason::Length => Ok(finished("length", None)),
                Reason::End | Reason::Stop(_) => {
                    Err(ApiError::answer_not_valid("tools", "it ends too early"))
                }
            };
        }
        if self.calls > 0 {
            return Ok(finished("tool_calls", None));
        }
        if let Some(schema) = &self.schema
            && self.stopped.is_none()
        {
            let valid = schema.accept(&self.answer);
            valid.map_err(|why| ApiError::answer_not_valid(SCHEMA, &why))?;
        }
        Ok(finished("stop", self.stopped.take()))
    }
}

fn push(text: String, ready: &mut VecDeque<Piece>) {
    if !text.is_empty() {
        let tokens = Vec::new();
        ready.push_back(Piece::Text { text, tokens });
    }
}
