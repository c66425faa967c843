//! A question, put together name by name, and its verdict. A page, Python and C ask here.

mod alone;
mod bundle;
mod given;
mod names;
mod receipt;
mod told;

use chrysalis_attestation::Time;
use given::Given;
use names::Question;

use crate::Misuse;

/// What was said so far. Nothing of it is trusted.
///
/// The names are those of tests/vectors/README.md, and with `-` for `_` those of the command line's options. Files may be in every form that
/// the command line takes. A part that the kind of question has no use for is refused: nobody is to think that it was looked at.
///
/// ```
/// # use chrysalis_attestation::Time;
/// # use chrysalis_verifier::Asked;
/// # let common = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/vectors/common/snp");
/// # let read = |name: &str| std::fs::read(format!("{common}/{name}")).unwrap();
/// let mut asked = Asked::default();
/// asked.file("report", &read("report.bin"))?;
/// asked.file("cert", &read("vcek.der"))?;
/// asked.file("policy", &read("policy.toml"))?;
/// asked.word("without", "crl")?;
/// let verdict = asked.verdict("snp", Time(1_796_126_400))?;
/// assert!(verdict.contains(r#""verdict":"rejected""#));
/// # Ok::<(), chrysalis_verifier::Misuse>(())
/// ```
#[derive(Debug, Default)]
pub struct Asked(Given);

impl Asked {
    /// The most bytes of all files together.
    pub const MAX_ALL: usize = given::MAX_ALL;

    /// The most bytes of a file of this name; `None` if no question has one.
    pub fn limit(name: &str) -> Option<usize> {
        names::file(name).map(|(limit, _)| limit)
    }

    /// Adds a file. Refused are names that no question has, and what is too long or given too often.
    pub fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), Misuse> {
        self.0.file(name, bytes)
    }

    /// Adds what is no file: bytes in hex, or a name. Refused are names that no question has, and what is too long or given too often.
    pub fn word(&mut self, name: &str, text: &str) -> Result<(), Misuse> {
        self.0.word(name, text)
    }

    /// The verdict on a question of this kind at a moment, in the JSON that the command line prints, to the byte but for the end of the line.
    /// `kind`: bundle (whatever `chrysalis verify FILE` takes), snp, tdx, nvidia or receipt.
    pub fn verdict(self, kind: &str, now: Time) -> Result<String, Misuse> {
        let known = Question::named(kind)?;
        let Self(mut given) = self;
        given.names().try_for_each(|name| known.takes(name))?;
        match kind {
            "bundle" => bundle::bundle(&mut given, now),
            "snp" => alone::snp(&mut given, now),
            "tdx" => alone::tdx(&mut given, now),
            "nvidia" => alone::gpus(&mut given, now),
            "receipt" => receipt::receipt(&mut given, now),
            _ => Err(names::unknown(kind)),
        }
    }
}
