//! What a command looks at: an enclave over the network, or bytes from a file, told apart by what they are.

use std::{fmt, fs::File, io::Read, path::PathBuf, str::FromStr};

use anyhow::{Context, bail};
use chrysalis_attestation::{Rejection, bundle::Evidence, snp::report::REPORT_SIZE};
use chrysalis_client::{Deadlines, MAX_SAVED, SavedSession, Target};
use rustls_pki_types::{CertificateDer, pem::PemObject};

use crate::{files::Kind, progress};

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
        if bytes.len() == REPORT_SIZE {
            return Ok(Self::Report(bytes.to_vec()));
        }
        if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
            let mut certificates = CertificateDer::pem_slice_iter(bytes);
            return match (certificates.next(), certificates.next()) {
                (Some(Ok(certificate)), None) => Ok(Self::Certificate(certificate.to_vec())),
                (Some(Ok(_)), Some(_)) => {
                    bail!("the PEM file holds more than one certificate; give one at a time")
                }
                (Some(Err(error)), _) => bail!("the PEM file holds no certificate: {error}"),
                (None, _) => bail!("the PEM file holds no certificate"),
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
            (_, Kind::SnpReport | Kind::Hcl) => {
                bail!("it is {kind}, and no bundle: `chrysalis verify snp` takes it")
            }
            (_, Kind::TdxQuote) => {
                bail!("it is {kind}, and no bundle: `chrysalis verify tdx` takes it")
            }
            (_, Kind::GpuReport | Kind::GpuJson) => {
                bail!("it is {kind}, and no bundle: `chrysalis verify nvidia` takes it")
            }
            (Err(rejection), Kind::Bundle) => Ok(Self::Unreadable(rejection)),
            (_, Kind::Session) => bail!("it is {kind} that cannot be read: save it again"),
            (_, Kind::Unknown) => bail!(
                "this is no evidence: neither a saved session, a bundle, a certificate nor a 1184-byte report; \
                 `chrysalis verify URL --save FILE` saves a session"
            ),
            _ => bail!(
                "it is {kind}, and neither a saved session, a bundle, a certificate nor a report"
            ),
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
