//! The parts of the worker that need no llama.cpp: what a weights file must begin with ([`gguf`]), how a conversation
//! becomes a prompt ([`template`]), and how tokens become text ([`text`]). Pure: bytes in, values out.

#![forbid(unsafe_code)]

pub mod gguf;
pub mod template;
pub mod text;
