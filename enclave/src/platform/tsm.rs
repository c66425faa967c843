//! A report through configfs-tsm (Documentation/ABI/testing/configfs-tsm-report): make an entry, write the question, read
//! the answer.

use std::{fs, io, path::Path};

use super::error::PlatformError;

/// Our entry. One process asks for reports, one at a time.
const ENTRY: &str = "chrysalis";

/// Whose report is wanted: the kernel's name for its driver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provider {
    /// Gives SNP reports.
    SevGuest,
    /// Gives TDX quotes.
    TdxGuest,
}

impl Provider {
    fn name(self) -> &'static str {
        match self {
            Self::SevGuest => "sev_guest",
            Self::TdxGuest => "tdx_guest",
        }
    }
}

/// What the kernel answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
    /// The report or quote.
    pub(super) blob: Vec<u8>,
    /// What the host put with it; empty if the provider has no such attribute.
    pub(super) auxiliary: Vec<u8>,
}

/// Asks for a report below `root`, a directory of the kernel's or of a test.
pub(super) fn report(
    root: &Path,
    provider: Provider,
    report_data: &[u8; 64],
) -> Result<Answer, PlatformError> {
    let entry = root.join(ENTRY);
    match fs::create_dir(&entry) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(failed("make an entry in", &entry)(error));
        }
        _ => {}
    }
    let asked = ask(&entry, provider, report_data);
    // An entry that is still there is used again; configfs removes its attributes with it.
    let _ = fs::remove_dir(&entry);
    asked
}

fn ask(entry: &Path, wanted: Provider, report_data: &[u8; 64]) -> Result<Answer, PlatformError> {
    let provider = read(entry, "provider")?;
    if provider.trim_ascii() != wanted.name().as_bytes() {
        return Err(PlatformError::Report(format!(
            "the provider is {:?}, not {:?}",
            String::from_utf8_lossy(provider.trim_ascii()),
            wanted.name()
        )));
    }
    fs::write(entry.join("inblob"), report_data).map_err(failed("write inblob of", entry))?;
    // The kernel counts questions: if the count moves between question and answer, the answer is somebody else's.
    let generation = read(entry, "generation")?;
    let blob = read(entry, "outblob")?;
    let auxiliary = match fs::read(entry.join("auxblob")) {
        Ok(auxiliary) => auxiliary,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed("read auxblob of", entry)(error)),
    };
    if read(entry, "generation")? != generation {
        return Err(PlatformError::Report(
            "somebody else asked at the same time".to_owned(),
        ));
    }
    Ok(Answer { blob, auxiliary })
}

fn read(entry: &Path, attribute: &str) -> Result<Vec<u8>, PlatformError> {
    let path = entry.join(attribute);
    fs::read(&path).map_err(failed("read", &path))
}

fn failed<'a>(what: &'a str, path: &'a Path) -> impl FnOnce(io::Error) -> PlatformError + 'a {
    move |error| PlatformError::Report(format!("could not {what} {}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrysalis_attestation::snp::report::REPORT_SIZE;

    /// A plain directory with the attributes that the kernel would make.
    fn tree(provider: &str, auxblob: Option<&[u8]>) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let entry = root.path().join(ENTRY);
        fs::create_dir(&entry).unwrap();
        fs::write(entry.join("provider"), provider).unwrap();
        fs::write(entry.join("generation"), "1\n").unwrap();
        fs::write(entry.join("outblob"), [9; REPORT_SIZE]).unwrap();
        if let Some(table) = auxblob {
            fs::write(entry.join("auxblob"), table).unwrap();
        }
        root
    }

    #[test]
    fn writes_the_question_and_reads_the_answer() {
        for (provider, name) in [
            (Provider::SevGuest, "sev_guest\n"),
            (Provider::TdxGuest, "tdx_guest\n"),
        ] {
            let root = tree(name, None);
            let answer = report(root.path(), provider, &[5; 64]).unwrap();
            assert_eq!(answer.blob, [9; REPORT_SIZE]);
            assert_eq!(answer.auxiliary, Vec::<u8>::new());
            assert_eq!(
                fs::read(root.path().join("chrysalis/inblob")).unwrap(),
                [5; 64]
            );
        }
    }

    #[test]
    fn reads_what_the_host_put_beside() {
        let root = tree("sev_guest\n", Some(&[0xff; 30]));
        let answer = report(root.path(), Provider::SevGuest, &[5; 64]).unwrap();
        assert_eq!(answer.auxiliary, [0xff; 30]);
    }

    #[test]
    fn refuses_another_provider() {
        let root = tree("tdx_guest\n", None);
        let refused = report(root.path(), Provider::SevGuest, &[5; 64]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the security processor gave no report: the provider is \"tdx_guest\", not \"sev_guest\""
        );
    }

    #[test]
    fn names_an_attribute_that_is_missing() {
        let root = tree("sev_guest\n", None);
        fs::remove_file(root.path().join("chrysalis/outblob")).unwrap();
        let missing = report(root.path(), Provider::SevGuest, &[5; 64]).unwrap_err();
        assert!(
            missing.to_string().contains("chrysalis/outblob"),
            "{missing}"
        );
    }
}
