//! A function that plays the engine over the socket pair, for tests.

use std::{
    cell::Cell, os::unix::net::UnixStream, path::PathBuf, sync::Arc, thread, time::Duration,
};

use chrysalis_wire::{
    configuration::Configuration,
    engine::{FinishReason, FromEngine, GenerateError, Message, Prompt, Sampling, ToEngine},
    frame,
};

use super::{Question, Scheduler, worker::Recipe};
use crate::{configuration::Measured, process::Program};

/// Tokens of context that the fake engine has.
pub(crate) const CONTEXT: u32 = 64;

/// A configuration whose known answer is the echo's.
pub(crate) fn configuration() -> String {
    let digest = "ab".repeat(32);
    format!(
        "version = 1\n[model]\nname = \"tiny\"\nsize = 1\nsha256 = \"{digest}\"\nverity_root = \"{digest}\"\n\
         verity_salt = \"{digest}\"\n[engine]\ncontext = {CONTEXT}\nthreads = 1\n\
         [known_answer]\ntext = \"well known\"\ntokens = [1, 2]\n[serving]\nqueue = 2\ndefault_max_tokens = 16\n"
    )
}

/// The same, measured.
pub(crate) fn measured() -> Measured {
    Measured {
        configuration: Configuration::parse(configuration().as_bytes()).unwrap(),
        digest: [3; 32],
        gpus: None,
    }
}

pub(super) fn recipe(play: fn(UnixStream)) -> Recipe {
    Recipe {
        program: Program::Fake(play),
        weights: PathBuf::from("/weights"),
        measured: Arc::new(measured()),
    }
}

/// A scheduler over a fake engine.
pub(crate) async fn scheduler(play: fn(UnixStream)) -> Scheduler {
    let recipe = recipe(play);
    let worker = recipe.launch().await.unwrap();
    Scheduler::new(recipe, worker)
}

/// A question of one message.
pub(crate) fn question(text: &str) -> Question {
    Question {
        prompt: Prompt::Conversation(vec![Message {
            role: "user".into(),
            content: text.into(),
        }]),
        sampling: Sampling {
            max_tokens: 16,
            temperature: 1.0,
            top_p: 1.0,
            seed: 0,
            stop: Vec::new(),
        },
    }
}

/// Repeats the last message, or the text, word by word. Some words do more: `crash` ends the engine, `forever` sends one more
/// piece and then nothing until it is cancelled, `flood` makes all the tokens that it may, each of [`FLOOD`] bytes, `long` does
/// not fit. And some lie: `babble` sends too many tokens, `novel` a token with too much text, `library` too much text in all,
/// `void` endless pieces without tokens; `deaf` goes on when told to stop.
pub(crate) fn echo(mut socket: UnixStream) {
    while let Ok(message) = frame::read(&mut socket) {
        match message {
            ToEngine::Load { .. } => say(&mut socket, &loaded()),
            ToEngine::Generate {
                id,
                prompt,
                sampling,
            } => {
                let text = match prompt {
                    Prompt::Conversation(mut messages) => messages.pop().unwrap().content,
                    Prompt::Text(text) => text,
                };
                if answer(&mut socket, id, &text, sampling.max_tokens).is_none() {
                    return;
                }
            }
            _ => {}
        }
    }
}

/// Cannot load.
pub(crate) fn refuses_weights(mut socket: UnixStream) {
    let _: ToEngine = frame::read(&mut socket).unwrap();
    let why = "not a GGUF file".to_owned();
    say(&mut socket, &FromEngine::LoadFailed { why });
}

/// Runs on a kernel that does not fully confine it.
pub(crate) fn is_not_confined(mut socket: UnixStream) {
    let _: ToEngine = frame::read(&mut socket).unwrap();
    let why = "no Landlock".to_owned();
    say(&mut socket, &FromEngine::Unconfined { why });
}

/// Bytes in a token of a flood.
pub(crate) const FLOOD: usize = 500;

fn answer(socket: &mut UnixStream, id: u64, text: &str, max_tokens: u32) -> Option<()> {
    let made = Cell::new(0);
    let mut reason = FinishReason::Stop;
    let piece = |socket: &mut UnixStream, tokens: Vec<i32>, text: String| {
        made.set(made.get() + tokens.len());
        frame::write(socket, &FromEngine::Token { id, tokens, text })
    };
    for word in text.split_whitespace() {
        match word {
            "crash" => return None,
            "babble" => piece(socket, vec![0; 17], String::new()).ok()?,
            "novel" => piece(socket, vec![0], "x".repeat(1 << 20)).ok()?,
            "library" => {
                for _ in 0..max_tokens {
                    piece(socket, vec![0], "x".repeat(1100)).ok()?;
                }
            }
            "void" => loop {
                piece(socket, Vec::new(), String::new()).ok()?;
            },
            "deaf" => loop {
                piece(socket, vec![0], "on ".to_owned()).ok()?;
                thread::sleep(Duration::from_millis(1));
            },
            "flood" => {
                for token in 0..max_tokens {
                    if token % 64 == 63 && cancelled(socket, id) {
                        reason = FinishReason::Cancelled;
                        break;
                    }
                    piece(socket, vec![0], "x".repeat(FLOOD)).ok()?;
                }
            }
            "forever" => {
                piece(socket, vec![0], "on ".to_owned()).ok()?;
                let ToEngine::Cancel { id: of } = frame::read(socket).ok()? else {
                    return None;
                };
                assert_eq!(of, id);
                reason = FinishReason::Cancelled;
            }
            "long" => {
                let error = GenerateError::ContextExceeded {
                    prompt_tokens: 100,
                    context: CONTEXT,
                };
                say(socket, &FromEngine::Failed { id, error });
                return Some(());
            }
            word => {
                let next = i32::try_from(made.get() + 1).unwrap();
                piece(socket, vec![next], format!("{word} ")).ok()?;
            }
        }
    }
    let finished = FromEngine::Finished {
        id,
        reason,
        prompt_tokens: u32::try_from(text.split_whitespace().count()).unwrap(),
        completion_tokens: u32::try_from(made.get()).unwrap(),
    };
    say(socket, &finished);
    Some(())
}

/// Whether the enclave has said so by now.
fn cancelled(socket: &mut UnixStream, id: u64) -> bool {
    let patience = Some(Duration::from_millis(1));
    socket.set_read_timeout(patience).unwrap();
    let heard = frame::read(socket);
    socket.set_read_timeout(None).unwrap();
    matches!(heard, Ok(ToEngine::Cancel { id: of }) if of == id)
}

fn loaded() -> FromEngine {
    FromEngine::Loaded {
        engine: "fake 1".into(),
        model: "tiny".into(),
        trained_context: CONTEXT,
        template_sha256: "cd".repeat(32),
    }
}

/// The enclave may have gone away.
fn say(socket: &mut UnixStream, message: &FromEngine) {
    let _ = frame::write(socket, message);
}
