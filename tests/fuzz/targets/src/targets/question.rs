//! What programs ask about evidence in JSON, as the C library hands it on.

use chrysalis_verifier::answer;

use super::NOW;

/// A question has a verdict, or there is a reason why it has none; and nothing is genuine, for no seed names its root.
pub(super) fn question(bytes: &[u8]) {
    let Ok(question) = str::from_utf8(bytes) else {
        return;
    };
    match answer(question, NOW) {
        Ok(verdict) => {
            let verdict: serde_json::Value = serde_json::from_str(&verdict).expect("JSON");
            let word = verdict["verdict"].as_str();
            assert_eq!(word, Some("rejected"), "no seed's evidence is real");
        }
        Err(why) => assert!(!why.to_string().is_empty(), "a wordless error"),
    }
}
