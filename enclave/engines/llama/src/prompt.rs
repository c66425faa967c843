//! From a conversation, or a text, to the tokens of a prompt.

use chrysalis_engine_llama::template::{Piece, TemplateError};
use chrysalis_wire::engine::Message;
use llama_cpp_2::token::LlamaToken;

use crate::engine::Engine;

/// The tokens of a conversation up to where the assistant speaks next. Special tokens are recognised only in the template's
/// own text, so the template and the messages are tokenised one by one.
pub(crate) fn of_conversation(
    engine: &Engine,
    messages: &[Message],
) -> Result<Vec<LlamaToken>, TemplateError> {
    let roles: Vec<&str> = messages
        .iter()
        .map(|message| message.role.as_str())
        .collect();
    let vocabulary = engine.model.vocab();
    let mut tokens = Vec::new();
    for piece in engine.template.lay_out(&roles)? {
        let (text, parse_special) = match &piece {
            Piece::Control(text) => (text.as_str(), true),
            Piece::Content(index) => (
                messages.get(*index).map_or("", |message| &message.content),
                false,
            ),
        };
        tokens.extend(vocabulary.tokenize(text.as_bytes(), false, parse_special));
    }
    Ok(begun(engine, tokens))
}

/// The tokens of a text in which nothing is special.
pub(crate) fn of_text(engine: &Engine, text: &str) -> Vec<LlamaToken> {
    let tokens = engine.model.vocab().tokenize(text.as_bytes(), false, false);
    begun(engine, tokens)
}

/// Adds the token that begins a prompt, if the model has one; most templates write it themselves.
fn begun(engine: &Engine, mut tokens: Vec<LlamaToken>) -> Vec<LlamaToken> {
    let vocabulary = engine.model.vocab();
    if vocabulary.should_add_bos() && tokens.first() != Some(&vocabulary.bos()) {
        tokens.insert(0, vocabulary.bos());
    }
    tokens
}
