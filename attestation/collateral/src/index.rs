//! `store.json`: what a store contains, from where, since when and until when. Anyone may have written it, so it is read strictly.

use std::collections::BTreeMap;

use chrysalis_attestation::Time;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The maximum number of objects in a store: a hundred machines with eight GPUs each need fewer.
const MAX_OBJECTS: usize = 4096;
const VERSION: u32 = 1;

/// The whole index.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Index {
    version: u32,
    /// By path.
    pub(crate) objects: BTreeMap<String, Entry>,
}

/// What is known about one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Entry {
    /// What it is, for people.
    pub what: String,
    /// Where it came from.
    pub source: String,
    /// When it was fetched.
    #[serde(deserialize_with = "moment")]
    pub fetched_at: Time,
    /// When it was made, according to itself.
    #[serde(deserialize_with = "moment")]
    pub made_at: Time,
    /// Until when it is valid, according to itself.
    #[serde(deserialize_with = "moment")]
    pub valid_until: Time,
    /// Its number, for kinds that are numbered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<u64>,
    /// SHA-256 of the file.
    pub sha256: String,
}

impl Index {
    pub(crate) fn new() -> Self {
        Self {
            version: VERSION,
            objects: BTreeMap::new(),
        }
    }

    /// Reads an index; an error says what is wrong with it.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let index: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        if index.version != VERSION {
            return Err(format!(
                "it has version {}, this program knows {VERSION}",
                index.version
            ));
        }
        if index.objects.len() > MAX_OBJECTS {
            return Err(format!("it lists more than {MAX_OBJECTS} objects"));
        }
        match index.objects.keys().find(|path| !is_plain(path)) {
            Some(path) => Err(format!("{path:?} is not a path in a store")),
            None => Ok(index),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut text =
            serde_json::to_vec_pretty(self).expect("text, numbers and times are always encodable");
        text.push(b'\n');
        text
    }
}

/// Whether a path stays in its folder and does not name a hidden file: letters, digits, `.`, `-` and `_` between single slashes.
pub(crate) fn is_plain(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    path.split('/').all(|part| {
        (1..=200).contains(&part.len()) && !part.starts_with('.') && part.bytes().all(plain)
    })
}

/// RFC 3339, as [`Time`] serialises itself.
fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Time, D::Error> {
    let text = String::deserialize(deserializer)?;
    OffsetDateTime::parse(&text, &Rfc3339)
        .map(|moment| Time(moment.unix_timestamp()))
        .map_err(|_| D::Error::custom("a time is not RFC 3339"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry() -> Entry {
        Entry {
            what: "a list".to_owned(),
            source: "https://kdsintf.amd.com/vcek/v1/Genoa/crl".to_owned(),
            fetched_at: Time(1_796_126_400),
            made_at: Time(0),
            valid_until: Time(253_402_300_799),
            number: Some(3),
            sha256: "00".repeat(32),
        }
    }

    #[test]
    fn comes_out_as_it_went_in() {
        let mut index = Index::new();
        index
            .objects
            .insert("amd/genoa/crl.der".to_owned(), entry());
        let read = Index::parse(&index.encode()).unwrap();
        assert_eq!(read.objects, index.objects);
    }

    #[test]
    fn refuses_paths_that_lead_elsewhere_and_what_it_does_not_know() {
        for path in [
            "../x",
            "/etc/x",
            "a//b",
            "a/../b",
            ".x",
            "a/.",
            "",
            "a b",
            "a\\b",
            &"x".repeat(201),
        ] {
            let mut index = Index::new();
            index.objects.insert(path.to_owned(), entry());
            let error = Index::parse(&index.encode()).unwrap_err();
            assert!(error.ends_with("is not a path in a store"), "{error}");
        }
        let newer = br#"{"version":2,"objects":{}}"#;
        assert!(Index::parse(newer).unwrap_err().contains("version 2"));
        let unknown = br#"{"version":1,"objects":{},"x":1}"#;
        assert!(Index::parse(unknown).unwrap_err().contains("unknown field"));
    }
}
