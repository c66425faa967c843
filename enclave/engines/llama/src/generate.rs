//! One generation: prompt in, tokens out, memory scrubbed.

use std::os::unix::net::UnixStream;

use chrysalis_engine_llama::text::{Characters, Passed, StopTexts};
use chrysalis_wire::{
    engine::{FinishReason, FromEngine, GenerateError, MAX_MESSAGES, Prompt, Sampling},
    frame,
};
use llama_cpp_2::{
    context::LlamaContext, llama_batch::LlamaBatch, sampling::LlamaSampler, token::LlamaToken,
};

use crate::engine::{BATCH, Engine};
use crate::inbox::{Inbox, Request};
use crate::prompt;

/// Answers one request: pieces of text, then how it ended. An error is the socket's; a generation that fails is answered
/// with [`FromEngine::Failed`].
pub(crate) fn answer(
    engine: &Engine,
    request: Request,
    inbox: &mut Inbox,
    enclave: &mut UnixStream,
) -> anyhow::Result<()> {
    let Request {
        id,
        prompt,
        sampling,
    } = request;
    let prompt = match fitting_prompt(engine, prompt) {
        Ok(prompt) => prompt,
        Err(error) => return Ok(frame::write(enclave, &FromEngine::Failed { id, error })?),
    };
    let prompt_tokens = count(prompt.len());
    let mut told = Told {
        id,
        enclave,
        tokens: 0,
    };
    let ended = generate(engine, &prompt, sampling, inbox, &mut told);
    drop(prompt);
    let last = match ended {
        Ok(reason) => FromEngine::Finished {
            id,
            reason,
            prompt_tokens,
            completion_tokens: told.tokens,
        },
        Err(Broken::Engine(why)) => FromEngine::Failed {
            id,
            error: GenerateError::Internal(why),
        },
        Err(Broken::Socket(error)) => return Err(error.into()),
    };
    Ok(frame::write(told.enclave, &last)?)
}

/// The tokens of a prompt; its text is gone when this call returns.
fn fitting_prompt(engine: &Engine, prompt: Prompt) -> Result<Vec<LlamaToken>, GenerateError> {
    let refused = |why| Err(GenerateError::Template(why));
    let prompt = match prompt {
        Prompt::Text(text) if text.is_empty() => return refused("the text is empty".to_owned()),
        Prompt::Text(text) => prompt::of_text(engine, &text),
        Prompt::Conversation(messages) if !(1..=MAX_MESSAGES).contains(&messages.len()) => {
            return refused(format!("a conversation has 1 to {MAX_MESSAGES} messages"));
        }
        Prompt::Conversation(messages) => prompt::of_conversation(engine, &messages)
            .map_err(|error| GenerateError::Template(error.to_string()))?,
    };
    let (prompt_tokens, context) = (count(prompt.len()), engine.context);
    // At least one token must fit after it.
    if prompt_tokens >= context {
        return Err(GenerateError::ContextExceeded {
            prompt_tokens,
            context,
        });
    }
    Ok(prompt)
}

/// Why a generation did not finish.
enum Broken {
    /// llama.cpp failed, and this is what it says: codes and sizes, no content.
    Engine(String),
    /// The enclave is gone.
    Socket(frame::FrameError),
}

/// All of the generation's memory lives in this function: when it returns, the memory is freed, and so scrubbed.
fn generate(
    engine: &Engine,
    prompt: &[LlamaToken],
    sampling: Sampling,
    inbox: &mut Inbox,
    told: &mut Told<'_>,
) -> Result<FinishReason, Broken> {
    let room = engine.context.saturating_sub(count(prompt.len()));
    let limit = sampling.max_tokens.min(room);
    let mut sampler = sampler(&sampling);
    let mut characters = Characters::default();
    let mut stop_texts = StopTexts::new(sampling.stop);
    let mut sequence = Sequence::new(engine, count(prompt.len()).saturating_add(limit))?;

    for part in prompt.chunks(BATCH as usize) {
        if inbox.cancelled(told.id) {
            return Ok(FinishReason::Cancelled);
        }
        sequence.read(part)?;
    }
    let reason = loop {
        if inbox.cancelled(told.id) {
            return Ok(FinishReason::Cancelled);
        }
        if told.tokens >= limit {
            break FinishReason::Length;
        }
        let token = sampler.sample(&sequence.context, -1);
        if engine.model.vocab().is_eog(token) {
            break FinishReason::Stop;
        }
        let bytes = engine.model.vocab().token_to_piece(token, false, None);
        match stop_texts.push(&characters.push(&bytes)) {
            Passed::GoOn(text) => told.tell(&[token], text)?,
            Passed::Stop(text) => {
                told.tell(&[token], text)?;
                return Ok(FinishReason::Stop);
            }
        }
        if told.tokens < limit {
            sequence.read(&[token])?;
        }
    };
    // What was held back did not become a stop text.
    let rest = match stop_texts.push(&characters.finish()) {
        Passed::GoOn(text) => text + &stop_texts.finish(),
        Passed::Stop(text) => text,
    };
    if !rest.is_empty() {
        told.tell(&[], rest)?;
    }
    Ok(reason)
}

fn sampler(sampling: &Sampling) -> LlamaSampler {
    if sampling.temperature <= 0.0 {
        return LlamaSampler::greedy();
    }
    let chain = [
        LlamaSampler::top_p(sampling.top_p, 1),
        LlamaSampler::temp(sampling.temperature),
        LlamaSampler::dist(sampling.seed),
    ];
    LlamaSampler::chain(chain, true)
}

/// What the enclave has been told so far.
struct Told<'a> {
    id: u64,
    enclave: &'a mut UnixStream,
    tokens: u32,
}

impl Told<'_> {
    fn tell(&mut self, tokens: &[LlamaToken], text: String) -> Result<(), Broken> {
        self.tokens = self.tokens.saturating_add(count(tokens.len()));
        let tokens = tokens.iter().map(|token| token.0).collect();
        frame::write(
            self.enclave,
            &FromEngine::Token {
                id: self.id,
                tokens,
                text,
            },
        )
        .map_err(Broken::Socket)
    }
}

/// The model's view of one conversation.
struct Sequence<'a> {
    context: LlamaContext<'a>,
    batch: LlamaBatch<'static>,
    position: i32,
}

impl<'a> Sequence<'a> {
    fn new(engine: &'a Engine, tokens: u32) -> Result<Self, Broken> {
        let context = engine
            .fresh_context(tokens)
            .map_err(|error| Broken::Engine(error.to_string()))?;
        Ok(Self {
            context,
            batch: LlamaBatch::new(BATCH as usize, 1),
            position: 0,
        })
    }

    /// Computes up to [`BATCH`] tokens; the next token is sampled after the last.
    fn read(&mut self, tokens: &[LlamaToken]) -> Result<(), Broken> {
        let broken = |error: &dyn std::error::Error| Broken::Engine(error.to_string());
        self.batch.clear();
        for (token, left) in tokens.iter().zip((0..tokens.len()).rev()) {
            self.batch
                .add(*token, self.position, &[0], left == 0)
                .map_err(|error| broken(&error))?;
            self.position = self.position.saturating_add(1);
        }
        self.context
            .decode(&mut self.batch)
            .map_err(|error| broken(&error))
    }
}

fn count(tokens: usize) -> u32 {
    u32::try_from(tokens).unwrap_or(u32::MAX)
}
