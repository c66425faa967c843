//! The client's half of Oblivious HTTP as WebAssembly: what [`chrysalis_ohttp`] seals and opens, in the words of JavaScript. A module of
//! its own, so that whoever only verifies does not load it.
//!
//! What is thrown is a text: the client's code, a colon and a sentence.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

#[cfg(test)]
mod tests;

use chrysalis_ohttp::{
    AnswerHead, Configuration, Error, Form, IncomingAnswer, Part, Request as Inside, encapsulate,
};
use wasm_bindgen::prelude::wasm_bindgen;

/// The key of an enclave, which its evidence names.
#[wasm_bindgen]
pub struct Key(Configuration);

#[wasm_bindgen]
impl Key {
    /// The X-Wing key of these key configurations, whose SHA-256 evidence names: 32 bytes.
    #[wasm_bindgen(constructor)]
    pub fn new(list: &[u8], digest: &[u8]) -> Result<Key, String> {
        let digest = digest.try_into().map_err(|_| thrown(Error::Unproved))?;
        Configuration::proved(list, digest)
            .map(Self)
            .map_err(thrown)
    }

    /// Seals a request, padded to a power of two.
    pub fn seal(&self, request: &Request) -> Result<Exchange, String> {
        let message = request.0.encode_padded().map_err(thrown)?;
        let (sealed, awaiting) = encapsulate(&self.0, Form::Chunked, &message).map_err(thrown)?;
        Ok(Exchange {
            sealed,
            answer: awaiting.into(),
            head: None,
        })
    }
}

/// A request, put together part by part.
#[wasm_bindgen]
pub struct Request(Inside);

#[wasm_bindgen]
impl Request {
    /// `path` with its query, `authority` the host that is asked.
    #[wasm_bindgen(constructor)]
    pub fn new(method: &str, authority: &str, path: &str) -> Self {
        Self(Inside {
            method: method.into(),
            scheme: "https".into(),
            authority: authority.into(),
            path: path.into(),
            headers: Vec::new(),
            body: Vec::new(),
        })
    }

    /// Adds a header, whose name is in lower case. JavaScript has a byte of its value in each character; throws if it has another.
    pub fn header(&mut self, name: &str, value: &str) -> Result<(), String> {
        let value: Result<_, _> = value.chars().map(u8::try_from).collect();
        let value = value.map_err(|_| thrown(Error::Inside("a header has more than bytes")))?;
        self.0.headers.push((name.into(), value));
        Ok(())
    }

    /// Sets the content.
    pub fn body(&mut self, body: Vec<u8>) {
        self.0.body = body;
    }
}

/// A sealed request and the answer to it, opened as it arrives.
#[wasm_bindgen]
pub struct Exchange {
    sealed: Vec<u8>,
    answer: IncomingAnswer,
    head: Option<AnswerHead>,
}

#[wasm_bindgen]
impl Exchange {
    /// What to send, once.
    pub fn sealed(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.sealed)
    }

    /// Takes bytes that arrived.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.answer.push(bytes).map_err(thrown)
    }

    /// Says that nothing more can arrive; throws if the answer is not whole.
    pub fn end(&mut self) -> Result<(), String> {
        self.answer.end().map_err(thrown)
    }

    /// The status; nothing until it has arrived.
    pub fn status(&mut self) -> Result<Option<u16>, String> {
        if self.head.is_none() {
            match self.answer.next_part().map_err(thrown)? {
                Some(Part::Head(head)) => self.head = Some(head),
                Some(Part::Content(_)) => return Err(thrown(Error::Inside("it has no head"))),
                None => {}
            }
        }
        Ok(self.head.as_ref().map(|head| head.status))
    }

    /// Names and values in turn, once the status has arrived.
    pub fn headers(&self) -> Vec<String> {
        let headers = self.head.iter().flat_map(|head| &head.headers);
        let texts = headers.flat_map(|(name, value)| [name, value]);
        texts
            .map(|bytes| bytes.iter().copied().map(char::from).collect())
            .collect()
    }

    /// The next piece of content. Nothing before the end if more has to arrive first, and after it once all has been read.
    pub fn content(&mut self) -> Result<Option<Vec<u8>>, String> {
        match self.answer.next_part().map_err(thrown)? {
            Some(Part::Content(piece)) => Ok(Some(piece)),
            Some(Part::Head(_)) => Err(thrown(Error::Inside("it has two heads"))),
            None => Ok(None),
        }
    }
}

fn thrown(error: Error) -> String {
    let code = match error {
        Error::Unproved => "relay_keys_unproved",
        Error::Classical => "key_agreement_weak",
        Error::FinalChunkMissing | Error::Truncated => "incomplete_answer",
        Error::Undecryptable | Error::ChunkTooLong => "answer_altered",
        _ => "protocol_error",
    };
    format!("{code}: {error}")
}
