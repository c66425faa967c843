//! What a command looks at: an enclave over the network, or bytes from a file, told apart by what they are.

use std::{fmt, fs::File, io::Read, path::PathBuf, str::FromStr};

use anyhow::Context;
use chrysalis_client::{Deadlines, MAX_SAVED, Target};
use chrysalis_verifier::Artifact;

use crate::progress;

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
