//! One engine process and the conversation with it. Everything it says is checked for form; what it says wrongly ends it.
//!
//! Nothing that it says is logged, not even its errors: they may quote a prompt.

use std::{fmt, path::PathBuf, pin::pin, sync::Arc, time::Duration};

use chrysalis_wire::{
    engine::{FromEngine, Prompt, Sampling, ToEngine},
    frame::{self, FrameError},
};
use tokio::{
    net::unix::{OwnedReadHalf, OwnedWriteHalf},
    sync::mpsc,
    time::{Instant, sleep, timeout},
};

use super::{Event, Question};
use crate::{
    configuration::Measured,
    failure::Failure,
    process::{Process, Program},
};

/// How long the engine may be silent: loading, or reading a long prompt on a slow machine.
const ENGINE_PATIENCE: Duration = Duration::from_mins(10);
/// How long it may be silent once it was told to stop.
const CANCEL_PATIENCE: Duration = Duration::from_mins(1);
/// How long a client may leave pieces untaken. While it does, everybody behind it waits.
const CLIENT_PATIENCE: Duration = Duration::from_secs(10);
/// Pieces on their way from engine to client.
pub(super) const PIECES: usize = 256;

/// How to make a worker, at boot and whenever one broke.
#[derive(Debug)]
pub(super) struct Recipe {
    pub(super) program: Program,
    pub(super) weights: PathBuf,
    pub(super) measured: Arc<Measured>,
}

/// What the engine said of itself when it had loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Description {
    /// The engine and its version.
    pub(crate) engine: String,
    /// SHA-256 of the chat template.
    pub(crate) template: [u8; 32],
}

/// A loaded engine that has given the known answer.
pub(super) struct Worker {
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    next_id: u64,
    description: Description,
    /// Last, so that the socket closes before the process is ended.
    _process: Option<Process>,
}

/// The worker can no longer be used. Says no more than this, see above.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lost {
    /// It ended, or closed its socket.
    Ended,
    /// It said nothing for [`ENGINE_PATIENCE`], or [`CANCEL_PATIENCE`].
    Stalled,
    /// It said something that it may not say.
    Misspoke,
}

impl fmt::Display for Lost {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.write_str(match self {
            Self::Ended => "it ended",
            Self::Stalled => "it fell silent",
            Self::Misspoke => "it broke its protocol",
        })
    }
}

impl From<FrameError> for Lost {
    fn from(error: FrameError) -> Self {
        match error {
            FrameError::Closed | FrameError::Io(_) => Self::Ended,
            _ => Self::Misspoke,
        }
    }
}

impl Recipe {
    /// Starts a worker, loads the weights and has it give the known answer.
    pub(super) async fn launch(&self) -> Result<Worker, Failure> {
        let mut worker = self.load().await?;
        self.require_known_answer(&mut worker).await?;
        Ok(worker)
    }

    /// Starts a worker that loads the weights. It is of no use before it has given the known answer.
    pub(super) async fn load(&self) -> Result<Worker, Failure> {
        let (process, socket) = self
            .program
            .start()
            .map_err(|error| Failure::Engine(error.to_string()))?;
        let (mut reader, mut writer) = socket.into_split();
        let load = ToEngine::Load {
            path: self.weights.to_string_lossy().into_owned(),
            context: self.measured.configuration.engine.context,
            threads: self.measured.configuration.engine.threads,
        };
        let loading = async {
            frame::write_async(&mut writer, &load).await?;
            Ok::<FromEngine, Lost>(frame::read_async(&mut reader).await?)
        };
        let description = match timeout(ENGINE_PATIENCE, loading).await {
            Ok(Ok(FromEngine::Loaded {
                engine,
                template_sha256,
                ..
            })) => Description {
                engine,
                template: digest(&template_sha256).ok_or_else(|| unloaded(Lost::Misspoke))?,
            },
            Ok(Ok(FromEngine::LoadFailed { why })) => return Err(Failure::Engine(why)),
            Ok(Ok(_)) => return Err(unloaded(Lost::Misspoke)),
            Ok(Err(lost)) => return Err(unloaded(lost)),
            Err(_) => return Err(unloaded(Lost::Stalled)),
        };
        tracing::info!(engine = description.engine, "engine loaded");
        Ok(Worker {
            reader,
            writer,
            next_id: 0,
            description,
            _process: process,
        })
    }

    /// The same weights, engine, thread count and processor give the same greedy tokens; anything else is not what was
    /// measured.
    pub(super) async fn require_known_answer(&self, worker: &mut Worker) -> Result<(), Failure> {
        let known = &self.measured.configuration.known_answer;
        let question = Question {
            prompt: Prompt::Text(known.text.clone()),
            sampling: Sampling {
                max_tokens: u32::try_from(known.tokens.len()).unwrap_or(u32::MAX),
                temperature: 0.0,
                top_p: 1.0,
                seed: 0,
                stop: Vec::new(),
            },
        };
        let (events, mut answer) = mpsc::channel(PIECES);
        let collect = async {
            let mut given = Vec::new();
            while let Some(event) = answer.recv().await {
                match event {
                    Event::Piece { tokens, .. } => given.extend(tokens),
                    Event::Finished { .. } => {}
                    Event::Refused(error) => return Err(Failure::Engine(format!("{error:?}"))),
                    Event::NoEngine => return Err(unloaded(Lost::Ended)),
                }
            }
            Ok(given)
        };
        let (generated, given) = tokio::join!(worker.generate(question, events), collect);
        generated.map_err(unloaded)?;
        let given = given?;
        if given == known.tokens {
            return Ok(());
        }
        Err(Failure::KnownAnswerWrong {
            given,
            known: known.tokens.clone(),
        })
    }
}

impl Worker {
    /// What the engine said of itself.
    pub(super) fn description(&self) -> &Description {
        &self.description
    }

    /// Asks one question and passes the answer on. A client that is gone, or takes nothing, ends the generation, and the
    /// worker is ready for the next question.
    pub(super) async fn generate(
        &mut self,
        question: Question,
        events: mpsc::Sender<Event>,
    ) -> Result<(), Lost> {
        let id = self.next_id;
        self.next_id = self.next_id.wrapping_add(1);
        let mut tokens_left = question.sampling.max_tokens as usize;
        let generate = ToEngine::Generate {
            id,
            prompt: question.prompt,
            sampling: question.sampling,
        };
        frame::write_async(&mut self.writer, &generate).await?;
        let mut client = Client {
            events,
            cancelled: false,
        };
        loop {
            match self.hear(id, &mut client).await? {
                FromEngine::Token {
                    id: of,
                    tokens,
                    text,
                } if of == id => {
                    tokens_left = tokens_left
                        .checked_sub(tokens.len())
                        .ok_or(Lost::Misspoke)?;
                    if client.take(Event::Piece { tokens, text }).await.is_err() {
                        self.cancel(id, &mut client).await?;
                    }
                }
                FromEngine::Finished {
                    id: of,
                    reason,
                    prompt_tokens,
                    completion_tokens,
                } if of == id => {
                    let finished = Event::Finished {
                        reason,
                        prompt_tokens,
                        completion_tokens,
                    };
                    let _ = client.take(finished).await;
                    return Ok(());
                }
                FromEngine::Failed { id: of, error } if of == id => {
                    let _ = client.take(Event::Refused(error)).await;
                    return Ok(());
                }
                _ => return Err(Lost::Misspoke),
            }
        }
    }

    /// The engine's next message. Meanwhile a client may go.
    async fn hear(&mut self, id: u64, client: &mut Client) -> Result<FromEngine, Lost> {
        // Reading a frame loses its place when dropped half-way, so one read lasts as long as the message takes.
        let mut reading = pin!(frame::read_async(&mut self.reader));
        let patience = if client.cancelled {
            CANCEL_PATIENCE
        } else {
            ENGINE_PATIENCE
        };
        let mut silence = pin!(sleep(patience));
        loop {
            tokio::select! {
                heard = &mut reading => return Ok(heard?),
                () = &mut silence => return Err(Lost::Stalled),
                () = client.events.closed(), if !client.cancelled => {
                    client.cancelled = true;
                    silence.as_mut().reset(Instant::now() + CANCEL_PATIENCE);
                    frame::write_async(&mut self.writer, &ToEngine::Cancel { id }).await?;
                }
            }
        }
    }

    async fn cancel(&mut self, id: u64, client: &mut Client) -> Result<(), Lost> {
        if !client.cancelled {
            client.cancelled = true;
            frame::write_async(&mut self.writer, &ToEngine::Cancel { id }).await?;
        }
        Ok(())
    }
}

/// Who waits for an answer.
struct Client {
    events: mpsc::Sender<Event>,
    /// Whether the engine was told to stop. What it still says goes nowhere.
    cancelled: bool,
}

impl Client {
    async fn take(&self, event: Event) -> Result<(), Gone> {
        if self.cancelled {
            return Ok(());
        }
        match timeout(CLIENT_PATIENCE, self.events.send(event)).await {
            Ok(Ok(())) => Ok(()),
            _ => Err(Gone),
        }
    }
}

/// A client that went, or takes nothing.
struct Gone;

fn unloaded(lost: Lost) -> Failure {
    Failure::Engine(format!("{lost} before it could answer"))
}

fn digest(hexadecimal: &str) -> Option<[u8; 32]> {
    hex::decode(hexadecimal).ok()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::fake;
    use chrysalis_wire::engine::FinishReason;

    async fn answer(
        play: fn(std::os::unix::net::UnixStream),
        text: &str,
    ) -> (Result<(), Lost>, Vec<Event>) {
        let mut worker = fake::recipe(play).launch().await.unwrap();
        let (events, mut heard) = mpsc::channel(PIECES);
        let outcome = worker.generate(fake::question(text), events).await;
        let mut all = Vec::new();
        while let Some(event) = heard.recv().await {
            all.push(event);
        }
        (outcome, all)
    }

    #[tokio::test]
    async fn passes_on_the_answer() {
        let (outcome, events) = answer(fake::echo, "one two").await;
        assert_eq!(outcome, Ok(()));
        assert_eq!(
            events,
            [
                Event::Piece {
                    tokens: vec![1],
                    text: "one ".into()
                },
                Event::Piece {
                    tokens: vec![2],
                    text: "two ".into()
                },
                Event::Finished {
                    reason: FinishReason::Stop,
                    prompt_tokens: 2,
                    completion_tokens: 2
                },
            ]
        );
    }

    #[tokio::test]
    async fn a_wrong_known_answer_stops_the_boot() {
        let mut recipe = fake::recipe(fake::echo);
        let measured = Arc::get_mut(&mut recipe.measured).unwrap();
        measured.configuration.known_answer.tokens = vec![1, 3];
        let refused = recipe.launch().await.err().unwrap();
        assert_eq!(refused.code(), "known_answer_wrong");
        assert!(
            refused.to_string().contains("[1, 2], not [1, 3]"),
            "{refused}"
        );
    }

    #[tokio::test]
    async fn weights_that_do_not_load_stop_the_boot() {
        let refused = fake::recipe(fake::refuses_weights)
            .launch()
            .await
            .err()
            .unwrap();
        assert_eq!(
            refused.to_string(),
            "the engine did not start: not a GGUF file"
        );
    }

    #[tokio::test]
    async fn an_engine_that_ends_in_mid_answer_is_lost() {
        let (outcome, events) = answer(fake::echo, "one crash").await;
        assert_eq!(outcome, Err(Lost::Ended));
        assert_eq!(
            events,
            [Event::Piece {
                tokens: vec![1],
                text: "one ".into()
            }]
        );
    }

    #[tokio::test]
    async fn an_engine_that_says_more_than_it_may_is_lost() {
        let (outcome, _) = answer(fake::echo, "babble").await;
        assert_eq!(outcome, Err(Lost::Misspoke));
    }

    #[tokio::test]
    async fn a_client_that_goes_stops_the_generation() {
        let mut worker = fake::recipe(fake::echo).launch().await.unwrap();
        let (events, mut heard) = mpsc::channel(PIECES);
        let leave = async move {
            heard.recv().await.unwrap();
        };
        let (outcome, ()) = tokio::join!(worker.generate(fake::question("forever"), events), leave);
        assert_eq!(outcome, Ok(()));
        let (events, _heard) = mpsc::channel(PIECES);
        assert_eq!(
            worker.generate(fake::question("next"), events).await,
            Ok(())
        );
    }
}
