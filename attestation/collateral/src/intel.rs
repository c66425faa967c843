//! Intel's signed JSON, together with the chain from the answer's header, as one file.
//!
//! Intel's bytes stay unchanged, because Intel signed them; the chain becomes the first field of the same object.

use percent_encoding::percent_decode_str;

const FIRST: &str = "{\"issuerChain\":";

/// The chain from a header, PEM.
pub(crate) fn chain_of_header(header: &str) -> Option<String> {
    let chain = percent_decode_str(header).decode_utf8().ok()?;
    Some(chain.into_owned())
}

/// Joins both into one JSON object. `None` if the answer is not an object, or could not be recovered unchanged.
pub(crate) fn join(answer: &str, chain: &str) -> Option<String> {
    let rest = answer.trim_ascii().strip_prefix('{')?;
    let chain_text = serde_json::to_string(chain).ok()?;
    let joined = format!("{FIRST}{chain_text},{rest}\n");
    let (answer_again, chain_again) = split(&joined)?;
    (answer_again == answer.trim_ascii() && chain_again == chain).then_some(joined)
}

/// Splits it into answer and chain again.
pub(crate) fn split(joined: &str) -> Option<(String, String)> {
    let rest = joined.trim_ascii().strip_prefix(FIRST)?;
    let mut texts = serde_json::Deserializer::from_str(rest).into_iter::<String>();
    let chain = texts.next()?.ok()?;
    let rest = rest.get(texts.byte_offset()..)?.strip_prefix(',')?;
    Some((format!("{{{rest}"), chain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_and_chain_come_out_as_they_went_in() {
        let answer = "{\"tcbInfo\":{\"id\":\"TDX\"},\"signature\":\"00\"}";
        let chain = chain_of_header("-----BEGIN%20CERTIFICATE-----%0AAQI%3D%0A").unwrap();
        assert_eq!(chain, "-----BEGIN CERTIFICATE-----\nAQI=\n");
        let joined = join(answer, &chain).unwrap();
        assert_eq!(split(&joined), Some((answer.to_owned(), chain.clone())));
        serde_json::from_str::<serde_json::Value>(&joined).unwrap();
        for neither in ["", "[]", "tcbInfo"] {
            assert_eq!(join(neither, &chain), None, "{neither}");
        }
        for damaged in ["", "{}", "{\"issuerChain\":1,}", "{\"issuerChain\":\"\"}"] {
            assert_eq!(split(damaged), None, "{damaged}");
        }
        assert_eq!(chain_of_header("%FF"), None);
    }
}
