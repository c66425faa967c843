//! Files of weights, as strangers hand them out: what they say of themselves, and what is converted.

use chrysalis_image::models::{bert, ctranslate2, read};

use crate::parts;

/// The front of a file of weights. What is converted can be read again.
pub(super) fn file(bytes: &[u8]) {
    let _ = read(&mut &*bytes, bytes.len() as u64);
    let [weights, vocabulary, config] = parts::split(bytes);
    let made = [
        ctranslate2::whisper(weights, vocabulary),
        bert::gguf(weights, vocabulary, config),
    ];
    for made in made.into_iter().flatten() {
        let _ = read(&mut made.as_slice(), made.len() as u64);
    }
}
