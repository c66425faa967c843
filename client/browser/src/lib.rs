//! The verifier as WebAssembly: what [`Asked`] takes and says, in the words of JavaScript. What it means is in [`chrysalis_verifier`],
//! which the command line asks as well.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

mod floor;
mod recognised;

pub use floor::{ecdsa_p384, rsa_pss};
pub use recognised::recognised;

use chrysalis_attestation::Time;
use chrysalis_verifier::Asked;
use wasm_bindgen::prelude::wasm_bindgen;

/// A question, put together name by name.
#[wasm_bindgen]
#[derive(Debug, Default)]
pub struct Request(Asked);

#[wasm_bindgen]
impl Request {
    /// Nothing yet.
    #[wasm_bindgen(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file; throws a sentence if no question has one of this name, or if it is too long.
    pub fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), String> {
        self.0.file(name, bytes).map_err(|why| why.to_string())
    }

    /// Adds what is no file; throws a sentence if no question has one of this name.
    pub fn word(&mut self, name: &str, text: &str) -> Result<(), String> {
        self.0.word(name, text).map_err(|why| why.to_string())
    }

    /// The verdict at a moment, in Unix seconds: the JSON that the command line prints; throws a sentence where there is none.
    pub fn verdict(self, kind: &str, now: f64) -> Result<String, String> {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "saturates; JavaScript has no other numbers"
        )]
        let now = Time(now.floor() as i64);
        self.0.verdict(kind, now).map_err(|why| why.to_string())
    }
}

/// What a file looks like, in JSON: `{"is", "kind", "name"}`, in words, the question that begins with it, and its name in a question.
#[wasm_bindgen]
pub fn recognise(bytes: &[u8]) -> String {
    recognised(bytes)
}

/// The most bytes of a file of this name; 0 if there is none of this name.
#[wasm_bindgen(js_name = limit)]
pub fn limit_of(name: &str) -> u32 {
    u32::try_from(Asked::limit(name).unwrap_or(0)).unwrap_or(u32::MAX)
}
