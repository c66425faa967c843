//! What the parts of a question are called, and how much there may be of each. tests/vectors/README.md has the same names, and the command
//! line's options do.

use chrysalis_attestation::{
    evidence::MAX_SAVED,
    release::{MAX_ENVELOPE, MAX_STATEMENTS},
};
use chrysalis_settle::MAX_KEPT;

use crate::{
    Misuse,
    limits::{MAX_CONTENT, MAX_EVIDENCE, MAX_FILES, MAX_JSON, MAX_POLICY},
};

/// The most bytes of a word: a key of RSA-8192 in hex is shorter.
pub(super) const MAX_WORD: usize = 4096;
/// The most words of a name that may be given more than once.
const MAX_WORDS: usize = 16;

/// Every file that a question may have, with the most bytes of one and the most files of the name.
const FILES: [(&str, usize, usize); 22] = [
    ("bundle", MAX_SAVED, 1),
    ("report", MAX_JSON, 1),
    ("quote", MAX_EVIDENCE, 1),
    ("receipt", MAX_KEPT, 1),
    ("policy", MAX_POLICY, 1),
    ("cert", MAX_EVIDENCE, MAX_FILES),
    ("crl", MAX_EVIDENCE, MAX_FILES),
    ("statement", MAX_ENVELOPE, MAX_STATEMENTS),
    ("collateral", MAX_EVIDENCE, 1),
    ("event_log", MAX_EVIDENCE, 1),
    ("hcl_report", MAX_EVIDENCE, 1),
    ("tpm_quote", MAX_EVIDENCE, 1),
    ("tpm_signature", MAX_EVIDENCE, 1),
    ("tpm_pcrs", MAX_EVIDENCE, 1),
    ("chain", MAX_EVIDENCE, 1),
    ("switches", MAX_JSON, 1),
    ("rim", MAX_EVIDENCE, MAX_FILES),
    ("ocsp", MAX_EVIDENCE, MAX_FILES),
    ("certificate", MAX_SAVED, 1),
    ("evidence", MAX_KEPT, 1),
    ("request", MAX_CONTENT, 1),
    ("answer", MAX_CONTENT, 1),
];
/// What is no file, with the most words of the name.
const WORDS: [(&str, usize); 9] = [
    ("report_data", 1),
    ("nonce", 1),
    ("ocsp_nonce", 1),
    ("spki", 1),
    ("exporter", 1),
    ("agreement", 1),
    ("without", MAX_WORDS),
    ("accept_broken", MAX_WORDS),
    ("explain", 1),
];

/// What one kind of question takes.
pub(super) struct Question {
    name: &'static str,
    files: &'static [&'static str],
    words: &'static [&'static str],
}

impl Question {
    const ALL: [Self; 5] = [
        Self {
            name: "bundle",
            files: &[
                "bundle",
                "certificate",
                "policy",
                "cert",
                "crl",
                "collateral",
                "rim",
                "ocsp",
                "statement",
            ],
            words: &[
                "spki",
                "nonce",
                "exporter",
                "agreement",
                "ocsp_nonce",
                "without",
                "accept_broken",
                "explain",
            ],
        },
        Self {
            name: "snp",
            files: &[
                "report",
                "policy",
                "cert",
                "crl",
                "statement",
                "tpm_quote",
                "tpm_signature",
                "tpm_pcrs",
            ],
            words: &[
                "report_data",
                "nonce",
                "without",
                "accept_broken",
                "explain",
            ],
        },
        Self {
            name: "tdx",
            files: &[
                "quote",
                "policy",
                "collateral",
                "event_log",
                "hcl_report",
                "statement",
                "tpm_quote",
                "tpm_signature",
                "tpm_pcrs",
            ],
            words: &["report_data", "nonce", "without", "explain"],
        },
        Self {
            name: "nvidia",
            files: &["report", "policy", "chain", "switches", "rim", "ocsp"],
            words: &["nonce", "ocsp_nonce", "without", "explain"],
        },
        Self {
            name: "receipt",
            files: &[
                "receipt",
                "evidence",
                "policy",
                "request",
                "answer",
                "cert",
                "crl",
                "collateral",
                "rim",
                "ocsp",
                "statement",
            ],
            words: &["ocsp_nonce"],
        },
    ];

    /// The one with this name.
    pub(super) fn named(name: &str) -> Result<&'static Self, Misuse> {
        let found = Self::ALL.iter().find(|kind| kind.name == name);
        found.ok_or_else(|| unknown(name))
    }

    /// Refuses a part that this kind would not look at: whoever gave it wants it looked at.
    pub(super) fn takes(&self, name: &str) -> Result<(), Misuse> {
        if self.files.contains(&name) || self.words.contains(&name) {
            return Ok(());
        }
        let (kind, files, words) = (self.name, self.files.join(", "), self.words.join(", "));
        Err(Misuse::new(format!(
            "a question `{kind}` has no `{name}`; it has the files {files} and the words {words}"
        )))
    }
}

/// There is no question of this name.
pub(super) fn unknown(name: &str) -> Misuse {
    let names = Question::ALL.map(|known| known.name).join(", ");
    Misuse::new(format!("there is no question `{name}`; there are {names}"))
}

/// The most bytes of a file of this name, and the most files of it; `None` if no question has one.
pub(super) fn file(name: &str) -> Option<(usize, usize)> {
    let found = FILES.iter().find(|(known, ..)| *known == name);
    found.map(|(_, bytes, count)| (*bytes, *count))
}

/// The most words of this name; `None` if no question has one.
pub(super) fn word(name: &str) -> Option<usize> {
    let found = WORDS.iter().find(|(known, _)| *known == name);
    found.map(|(_, count)| *count)
}

/// The names of all files, for people.
pub(super) fn files() -> String {
    FILES.map(|(name, ..)| name).join(", ")
}

/// The names of all words, for people.
pub(super) fn words() -> String {
    WORDS.map(|(name, _)| name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_belongs_to_a_kind_and_every_kind_has_known_names() {
        for kind in &Question::ALL {
            assert!(kind.files.iter().all(|name| file(name).is_some()));
            assert!(kind.words.iter().all(|name| word(name).is_some()));
        }
        let asked = |name| Question::ALL.iter().any(|kind| kind.takes(name).is_ok());
        assert!(FILES.iter().all(|(name, ..)| asked(name)));
        assert!(WORDS.iter().all(|(name, _)| asked(name)));
    }
}
