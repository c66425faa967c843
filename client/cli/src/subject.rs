//! What a command looks at: an enclave over the network, or bytes from a file, told apart by what they are.

use std::{fmt, fs::File, io::Read, path::PathBuf, str::FromStr};

use anyhow::{Context, bail};
use chrysalis_attestation::{
    Rejection, encoding::pem, evidence::Evidence, snp::report::REPORT_SIZE,
};
use chrysalis_client::{Deadlines, MAX_SAVED, SavedSession, Target};
use chrysalis_settle::Kept;

use crate::{
    files::{self, Kind, Place},
    progress,
};

/// An enclave or a file.
#[derive(Debug, Clone)]
pub(crate) enum Subject {
    Enclave(Target),
    File(PathBuf),
    Stdin,
}

/// As messages name it.
impl fmt::Display for Subject {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enclave(_) => to.write_str("what the enclave sent"),
            Self::File(path) => path.display().fmt(to),
            Self::Stdin => to.write_str("what came on stdin"),
        }
    }
}

/// What bytes turned out to be.
pub(crate) enum Artifact {
    /// What `verify --save` writes.
    Session(SavedSession),
    /// DER of a certificate; it may carry evidence.
    Certificate(Vec<u8>),
    /// Evidence without the conversation it is about.
    Bundle(Evidence),
    /// A CPU report alone.
    Report(Vec<u8>),
    /// Begins as a bundle does, and is none.
    Unreadable(Rejection),
}

impl FromStr for Subject {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "-" => Ok(Self::Stdin),
            _ if text.contains("://") => text
                .parse()
                .map(Self::Enclave)
                .map_err(|error: chrysalis_client::TargetError| error.to_string()),
            _ => Ok(Self::File(text.into())),
        }
    }
}

/// Asks an enclave for evidence, or reads a file, no further than anything this program reads can be long.
pub(crate) async fn load(subject: &Subject) -> anyhow::Result<Artifact> {
    let mut bytes = Vec::new();
    let limit = MAX_SAVED as u64 + 1;
    match subject {
        Subject::Enclave(target) => {
            let deadlines = Deadlines::default();
            let fetching = chrysalis_client::fetch_evidence(target, &deadlines);
            return Ok(Artifact::Session(
                progress::during("asking for evidence", fetching).await?,
            ));
        }
        Subject::File(path) => File::open(path)
            .and_then(|file| file.take(limit).read_to_end(&mut bytes))
            .with_context(|| {
                format!(
                    "cannot read {}; an enclave is named as https://HOST:PORT",
                    path.display()
                )
            })?,
        Subject::Stdin => std::io::stdin()
            .take(limit)
            .read_to_end(&mut bytes)
            .context("cannot read stdin")?,
    };
    Artifact::recognise(&bytes).with_context(|| format!("cannot use {subject}"))
}

impl Artifact {
    /// Tells what `bytes` are.
    pub(crate) fn recognise(bytes: &[u8]) -> anyhow::Result<Self> {
        if bytes.len() > MAX_SAVED {
            bail!("the file has more than {MAX_SAVED} bytes: evidence is shorter");
        }
        let bytes = &files::decoded(bytes)[..];
        if Kept::is_one(bytes) {
            bail!("it is a receipt, and no evidence: `chrysalis receipt verify` takes it");
        }
        if bytes.len() == REPORT_SIZE {
            return Ok(Self::Report(bytes.to_vec()));
        }
        if pem::is_pem(bytes) {
            return match &mut pem::labelled(pem::CERTIFICATE, bytes).unwrap_or_default()[..] {
                [certificate] => Ok(Self::Certificate(std::mem::take(certificate))),
                [_, _, ..] => {
                    bail!("the PEM file holds more than one certificate; give one at a time")
                }
                [] => {
                    bail!("the PEM file holds no certificate, or something other than PEM blocks")
                }
            };
        }
        // A DER certificate is a SEQUENCE; no CBOR map begins so.
        if bytes.first() == Some(&0x30) {
            if Kind::of(bytes) == Kind::RevocationList {
                bail!("it is {}, and no evidence", Kind::RevocationList);
            }
            return Ok(Self::Certificate(bytes.to_vec()));
        }
        if let Ok(saved) = SavedSession::decode(bytes) {
            return Ok(Self::Session(saved));
        }
        let kind = Kind::of(bytes);
        match (Evidence::decode(bytes), kind) {
            (Ok(evidence), _) => Ok(Self::Bundle(evidence)),
            (Err(rejection), Kind::Bundle) => Ok(Self::Unreadable(rejection)),
            (_, Kind::Session) => bail!("it is {kind} that cannot be read: save it again"),
            (_, Kind::Unknown) => bail!(
                "this is no evidence: neither a saved session, a bundle, a certificate nor a 1184-byte report; \
                 `chrysalis verify URL --save FILE` saves a session"
            ),
            _ => match (Place::of(kind), kind.check(bytes)) {
                (Some(place), Ok(())) => {
                    bail!("it is {kind}, and no bundle: `{}` takes it", place.command)
                }
                (Some(_), Err(rejection)) => bail!(
                    "it looks like {kind}, and cannot be read: {rejection}\nhint: {}",
                    rejection.hint()
                ),
                (None, _) => bail!(
                    "it is {}, and neither a saved session, a bundle, a certificate nor a report",
                    files::described(bytes)
                ),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_enclaves_from_files() {
        assert!(matches!("https://a:1".parse(), Ok(Subject::Enclave(_))));
        assert!(matches!("evidence.cbor".parse(), Ok(Subject::File(_))));
        assert!(matches!("-".parse(), Ok(Subject::Stdin)));
        assert!(
            "http://a"
                .parse::<Subject>()
                .unwrap_err()
                .contains("not https")
        );
    }
}
