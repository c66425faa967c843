//! A question in JSON, for programs in languages that have no bytes to hand over.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use chrysalis_attestation::{Time, encoding::base64};
use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};

use crate::{Asked, MAX_JSON, Misuse};

/// The most bytes of a question: as many files as one may have, in base64, and what stands between them.
pub const MAX_QUESTION: usize = Asked::MAX_ALL / 3 * 4 + MAX_JSON;

/// The verdict on a question in JSON: `{"kind", "now", "files": {NAME: BASE64}, "words": {NAME: TEXT}}`, with the kinds and names of [`Asked`].
///
/// In place of one file or text of a name there may be a list of them. Files are in base64 (RFC 4648 §4, padded). `now` is as in
/// 2026-12-01T12:00:00Z; without it, the moment is `clock`. Refused is what has other fields, or a name twice.
///
/// ```
/// # use chrysalis_attestation::Time;
/// let verdict = chrysalis_verifier::answer(r#"{"kind": "bundle", "files": {"bundle": "oWNjcHX2"}}"#, Time(0))?;
/// assert!(verdict.contains(r#""verdict":"rejected""#));
/// # Ok::<(), chrysalis_verifier::Misuse>(())
/// ```
pub fn answer(question: &str, clock: Time) -> Result<String, Misuse> {
    if question.len() > MAX_QUESTION {
        return Err(Misuse::new(format!(
            "the question has more than {MAX_QUESTION} bytes"
        )));
    }
    let question: Question<'_> = serde_json::from_str(question)
        .map_err(|why| Misuse::new(format!("the question cannot be read: {why}")))?;
    let mut asked = Asked::default();
    for (name, file) in question.files.0 {
        let bytes = base64::decode(&file)
            .ok_or_else(|| Misuse::new(format!("write {name} in base64, padded")))?;
        drop(file);
        asked.file(&name, &bytes)?;
    }
    for (name, word) in question.words.0 {
        asked.word(&name, &word)?;
    }
    asked.verdict(&question.kind, question.now.unwrap_or(clock))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Question<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    now: Option<Time>,
    #[serde(borrow, default)]
    files: Named<'a>,
    #[serde(borrow, default)]
    words: Named<'a>,
}

/// What was given, each with its name.
#[derive(Default)]
struct Named<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

/// The most parts of each sort, and the most names: no kind of question has as many.
const MAX_PARTS: usize = 256;

impl<'de: 'a, 'a> Deserialize<'de> for Named<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ByName)
    }
}

struct ByName;

impl<'de> Visitor<'de> for ByName {
    type Value = Named<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with a text, or a list of texts, for each name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let (mut found, mut names) = (Named::default(), BTreeSet::new());
        while let Some(Text(name)) = map.next_key()? {
            map.next_value_seed(Several {
                name: &name,
                found: &mut found.0,
            })?;
            if names.len() == MAX_PARTS {
                return Err(too_many());
            }
            if let Some(twice) = names.replace(name) {
                return Err(A::Error::custom(format!("`{twice}` is there twice")));
            }
        }
        Ok(found)
    }
}

fn too_many<E: Error>() -> E {
    E::custom(format!("there are more than {MAX_PARTS}"))
}

/// A text, borrowed where it can be.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// One text of a name, or a list of them.
struct Several<'a, 'de> {
    name: &'a Cow<'de, str>,
    found: &'a mut Vec<(Cow<'de, str>, Cow<'de, str>)>,
}

impl<'de> Several<'_, 'de> {
    fn add<E: Error>(&mut self, text: Cow<'de, str>) -> Result<(), E> {
        if self.found.len() == MAX_PARTS {
            return Err(too_many());
        }
        self.found.push((self.name.clone(), text));
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Several<'_, 'de> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Several<'_, 'de> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text or a list of texts")
    }

    fn visit_borrowed_str<E: Error>(mut self, text: &'de str) -> Result<(), E> {
        self.add(Cow::Borrowed(text))
    }

    fn visit_str<E: Error>(mut self, text: &str) -> Result<(), E> {
        self.add(Cow::Owned(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<(), A::Error> {
        while let Some(Text(text)) = list.next_element()? {
            self.add(text)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(question: &str) -> String {
        answer(question, Time(0)).unwrap_err().to_string()
    }

    #[test]
    fn what_is_no_question_is_no_verdict_and_says_why() {
        for (question, why) in [
            ("", "the question cannot be read: EOF"),
            ("[]", "the question cannot be read: "),
            ("{}", "missing field `kind`"),
            (r#"{"kind":"sgx"}"#, "there is no question `sgx`"),
            (r#"{"kind":"snp"}"#, "nothing to verify without `report`"),
            (r#"{"kind":"snp","kind":"tdx"}"#, "duplicate field `kind`"),
            (r#"{"kind":"snp","report":""}"#, "unknown field `report`"),
            (
                r#"{"kind":"snp","files":{"report":"!"}}"#,
                "write report in base64, padded",
            ),
            (
                r#"{"kind":"snp","files":{"report":"","report":""}}"#,
                "`report` is there twice",
            ),
            (
                r#"{"kind":"snp","files":{"report":["",""]}}"#,
                "report was given more than 1 times",
            ),
            (r#"{"kind":"snp","files":{"report":7}}"#, "invalid type"),
            (r#"{"kind":"snp","files":{"report":[{}]}}"#, "invalid type"),
            (
                r#"{"kind":"snp","files":{"chain":""}}"#,
                "a question `snp` has no `chain`",
            ),
            (
                r#"{"kind":"snp","files":{"raport":""}}"#,
                "no question has a file `raport`",
            ),
            (
                r#"{"kind":"snp","words":{"report":""}}"#,
                "no question has a word `report`",
            ),
            (
                r#"{"kind":"snp","now":"tomorrow"}"#,
                "a time is not as in 2026-12-01T12:00:00Z",
            ),
        ] {
            let found = refused(question);
            assert!(found.contains(why), "{question}: {found}");
        }
        let many = format!(
            r#"{{"kind":"snp","words":{{"without":[{}""]}}}}"#,
            r#""","#.repeat(MAX_PARTS)
        );
        assert!(refused(&many).contains("there are more than 256"));
        let names: Vec<_> = (0..=MAX_PARTS).map(|at| format!(r#""{at}":[],"#)).collect();
        let names = names.concat();
        let names = format!(r#"{{"kind":"snp","words":{{{names}"":[]}}}}"#);
        assert!(refused(&names).contains("there are more than 256"));
        let long = " ".repeat(MAX_QUESTION + 1);
        assert!(refused(&long).starts_with("the question has more than"));
    }

    #[test]
    fn the_clock_is_asked_only_where_the_question_has_no_moment() {
        let at = |now: &str, clock| {
            let report = base64_of(include_bytes!(
                "../../../tests/vectors/common/snp/report.bin"
            ));
            let question = format!(r#"{{"kind":"snp",{now}"files":{{"report":"{report}"}}}}"#);
            answer(&question, Time(clock)).expect("a verdict")
        };
        let then = r#""now":"2026-12-01T12:00:00Z","#;
        assert_eq!(at(then, 0), at("", 1_796_126_400));
        assert_eq!(at(then, 0), at(then, i64::MAX));
    }

    fn base64_of(bytes: &[u8]) -> String {
        data_encoding::BASE64.encode(bytes)
    }
}
