//! An answer from NVIDIA's service for manifests: JSON with the manifest in base64. Trusts nothing: the manifest inside is signed.

use serde::Deserialize;

use super::xml::MAX_RIM_SIZE;
use crate::encoding::base64;

/// A manifest of the maximum size in base64, plus the other fields.
const MAX_SIZE: usize = 2 * MAX_RIM_SIZE;

/// Digest, dates and the request's name are ignored; a key that appears twice is an error.
#[derive(Deserialize)]
struct Answer {
    id: Option<String>,
    rim: Option<String>,
}

/// A manifest taken from an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answered {
    /// The id under which the service says it keeps the manifest; some copies of answers leave it out. This is not signed.
    pub id: Option<String>,
    /// The manifest: a SWID tag in XML.
    pub rim: Vec<u8>,
}

/// Whether this JSON is such an answer, by its keys.
pub fn is_answer(json: &[u8]) -> bool {
    serde_json::from_slice::<Answer>(json).is_ok_and(|it| it.rim.is_some())
}

/// Takes the manifest out of an answer. The error says why it cannot.
pub fn of_answer(json: &[u8]) -> Result<Answered, &'static str> {
    if json.len() > MAX_SIZE {
        return Err("it is longer than an answer of NVIDIA's service for manifests");
    }
    let answer: Answer = serde_json::from_slice(json)
        .map_err(|_| "it is not the JSON of NVIDIA's service for manifests")?;
    let text = answer.rim.ok_or("it has no field `rim`")?;
    let rim = base64::decode_lines(&text).ok_or("its field `rim` is not base64")?;
    if rim.trim_ascii_start().first() != Some(&b'<') {
        return Err(
            "its field `rim` is not a SWID tag in XML; if it is a CoRIM, this verifier cannot read it",
        );
    }
    Ok(Answered { id: answer.id, rim })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_comes_out_as_it_went_in() {
        // "<SoftwareIdentity/>"
        let json = br#"{"id":"NV_A","rim":"PFNvZnR3YXJlSWRlbnRpdHkvPg==","sha256":"x","rim_format":"TEXT"}"#;
        let found = of_answer(json).expect("an answer");
        assert_eq!(found.rim, b"<SoftwareIdentity/>");
        assert_eq!(found.id.as_deref(), Some("NV_A"));
        assert!(is_answer(json));
    }

    #[test]
    fn what_is_missing_or_of_another_kind_is_named() {
        for (json, what) in [
            ("", "it is not the JSON of NVIDIA's service for manifests"),
            (
                r#"{"rim":"","rim":""}"#,
                "it is not the JSON of NVIDIA's service for manifests",
            ),
            (r#"{"id":"a"}"#, "it has no field `rim`"),
            (r#"{"rim":"!"}"#, "its field `rim` is not base64"),
            (
                r#"{"rim":""}"#,
                "its field `rim` is not a SWID tag in XML; if it is a CoRIM, this verifier cannot read it",
            ),
            (
                r#"{"rim":"2QH1"}"#,
                "its field `rim` is not a SWID tag in XML; if it is a CoRIM, this verifier cannot read it",
            ),
        ] {
            assert_eq!(of_answer(json.as_bytes()), Err(what), "{json}");
        }
        let large = vec![b' '; MAX_SIZE + 1];
        assert!(of_answer(&large).is_err());
    }
}
