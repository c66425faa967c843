//! A report by configfs-tsm (Documentation/ABI/testing/configfs-tsm-report): make an entry, write the question, read the
//! answer.

use std::{fs, io, path::Path};

use super::{PlatformError, Report, certificate_table};

/// Our entry. Reports are asked one at a time, by one process.
const ENTRY: &str = "chrysalis";
/// The provider that gives SNP reports.
const PROVIDER: &str = "sev_guest";

/// Asks for a report below `root`, which is a directory of the kernel's, or of a test.
pub(super) fn report(root: &Path, report_data: &[u8; 64]) -> Result<Report, PlatformError> {
    let entry = root.join(ENTRY);
    match fs::create_dir(&entry) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            return Err(failed("make an entry in", &entry)(error));
        }
        _ => {}
    }
    let asked = ask(&entry, report_data);
    // An entry that stays is used again; configfs removes its attributes with it.
    let _ = fs::remove_dir(&entry);
    asked
}

fn ask(entry: &Path, report_data: &[u8; 64]) -> Result<Report, PlatformError> {
    let provider = read(entry, "provider")?;
    if provider.trim_ascii() != PROVIDER.as_bytes() {
        return Err(PlatformError::Report(format!(
            "the provider is {:?}, not {PROVIDER:?}",
            String::from_utf8_lossy(provider.trim_ascii())
        )));
    }
    fs::write(entry.join("inblob"), report_data).map_err(failed("write inblob of", entry))?;
    // The kernel counts questions: a count that moves between question and answer means the answer is another's.
    let generation = read(entry, "generation")?;
    let bytes = read(entry, "outblob")?;
    let certificates = match fs::read(entry.join("auxblob")) {
        Ok(table) => table,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(failed("read auxblob of", entry)(error)),
    };
    if read(entry, "generation")? != generation {
        return Err(PlatformError::Report(
            "somebody else asked at the same time".to_owned(),
        ));
    }
    Ok(Report {
        bytes,
        endorsements: certificate_table::parse(&certificates),
    })
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

    /// A plain directory with the attributes that the kernel would make.
    fn tree(provider: &str, auxblob: Option<&[u8]>) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        let entry = root.path().join(ENTRY);
        fs::create_dir(&entry).unwrap();
        fs::write(entry.join("provider"), provider).unwrap();
        fs::write(entry.join("generation"), "1\n").unwrap();
        fs::write(entry.join("outblob"), [9; super::super::REPORT_SIZE]).unwrap();
        if let Some(table) = auxblob {
            fs::write(entry.join("auxblob"), table).unwrap();
        }
        root
    }

    #[test]
    fn writes_the_question_and_reads_the_report() {
        let root = tree("sev_guest\n", None);
        let report = report(root.path(), &[5; 64]).unwrap();
        assert_eq!(report.bytes, [9; super::super::REPORT_SIZE]);
        assert_eq!(
            fs::read(root.path().join("chrysalis/inblob")).unwrap(),
            [5; 64]
        );
    }

    #[test]
    fn takes_the_certificates_beside_the_report() {
        let table =
            certificate_table::tests::table(&[(certificate_table::tests::VCEK, &[0x30, 1])]);
        let root = tree("sev_guest\n", Some(&table));
        let report = report(root.path(), &[5; 64]).unwrap();
        assert_eq!(report.endorsements.certificates, [[0x30, 1]]);
    }

    #[test]
    fn refuses_another_provider() {
        let root = tree("tdx_guest\n", None);
        let refused = report(root.path(), &[5; 64]).unwrap_err();
        assert_eq!(
            refused.to_string(),
            "the security processor gave no report: the provider is \"tdx_guest\", not \"sev_guest\""
        );
    }

    #[test]
    fn names_an_attribute_that_is_missing() {
        let root = tree("sev_guest\n", None);
        fs::remove_file(root.path().join("chrysalis/outblob")).unwrap();
        let missing = report(root.path(), &[5; 64]).unwrap_err();
        assert!(
            missing.to_string().contains("chrysalis/outblob"),
            "{missing}"
        );
    }
}
