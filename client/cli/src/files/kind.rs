//! What a file looks like it holds. People swap files, and "malformed" would send them looking in the wrong place.
//!
//! A guess from the first bytes; the parsers of chrysalis-attestation decide.

use std::fmt;

use chrysalis_attestation::{
    azure::hcl::{self, Platform},
    snp::{report::REPORT_SIZE, table},
};
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

/// TDREPORT, as the TDX module gives it to the guest.
const TD_REPORT_SIZE: usize = 1024;

/// The kinds that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Empty,
    SnpReport,
    Hcl,
    HclTdx,
    TdxQuote,
    SgxQuote,
    TdReport,
    EventLog,
    EventLogTable,
    GpuReport,
    TpmQuote,
    Certificate,
    CertificateTable,
    RevocationList,
    OtherPem,
    OtherDer,
    GpuJson,
    TpmJson,
    TdxCollateral,
    OtherJson,
    Xml,
    Session,
    Bundle,
    Policy,
    Unknown,
}

impl Kind {
    /// Of a file's content, hex text read as what it stands for.
    pub(crate) fn of(bytes: &[u8]) -> Self {
        match unhex(bytes) {
            Some(inner) => Self::of_binary(&inner),
            None => Self::of_binary(bytes),
        }
    }

    fn of_binary(bytes: &[u8]) -> Self {
        match bytes {
            [2..=5, 0, 0, 0, ..] if bytes.len() == REPORT_SIZE => return Self::SnpReport,
            [4 | 5, 0, 2 | 3, 0, 0x81, 0, 0, 0, ..] => return Self::TdxQuote,
            [3, 0, 2 | 3, 0, ..] | [4 | 5, 0, 2 | 3, 0, 0, 0, 0, 0, ..] => return Self::SgxQuote,
            [0x81, 0, 0 | 1, 0, ..] if bytes.len() == TD_REPORT_SIZE => return Self::TdReport,
            [b'C', b'C', b'E', b'L', ..] => return Self::EventLogTable,
            _ if bytes.starts_with(SESSION) => return Self::Session,
            _ if is_bundle(bytes) => return Self::Bundle,
            _ if is_event_log(bytes) => return Self::EventLog,
            [0x11, 0xE0, ..] => return Self::GpuReport,
            [0xFF, b'T', b'C', b'G', ..] => return Self::TpmQuote,
            [0x30, 0x80..=0x84, ..] => return Self::of_der(bytes),
            _ if hcl::is_wrapped(bytes) => {
                return match hcl::platform(bytes) {
                    Some(Platform::Tdx) => Self::HclTdx,
                    _ => Self::Hcl,
                };
            }
            _ => {}
        }
        let text = bytes.trim_ascii();
        match text {
            [] => Self::Empty,
            [b'[' | b'{', ..] => Self::of_json(text),
            [b'<', ..] => Self::Xml,
            _ if text.starts_with(b"-----BEGIN CERTIFICATE-----") => Self::Certificate,
            _ if text.starts_with(b"-----BEGIN X509 CRL-----") => Self::RevocationList,
            _ if text.starts_with(b"-----BEGIN ") => Self::OtherPem,
            _ if is_policy(text) => Self::Policy,
            _ if table::is_table(bytes)
                || table::certificates(bytes).is_ok_and(|it| !it.certificates.is_empty()) =>
            {
                Self::CertificateTable
            }
            _ => Self::Unknown,
        }
    }

    fn of_der(bytes: &[u8]) -> Self {
        if X509Certificate::from_der(bytes).is_ok() {
            Self::Certificate
        } else if CertificateRevocationList::from_der(bytes).is_ok() {
            Self::RevocationList
        } else {
            Self::OtherDer
        }
    }

    /// By the names of the keys, wherever they stand: reading it whole is for those who need it.
    fn of_json(text: &[u8]) -> Self {
        let has = |key: &[u8]| text.windows(key.len()).any(|window| window == key);
        if has(b"\"tcb_info\"") || has(b"\"tcbInfo\"") {
            Self::TdxCollateral
        } else if has(b"\"message\"") && has(b"\"signature\"") && has(b"\"pcrs\"") {
            Self::TpmJson
        } else if has(b"\"evidence\"") && has(b"\"certificate\"") {
            Self::GpuJson
        } else {
            Self::OtherJson
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "empty",
            Self::SnpReport => "an SEV-SNP report",
            Self::Hcl => "an Azure HCL report",
            Self::HclTdx => "an Azure HCL report of a TDX guest",
            Self::TdxQuote => "a TDX quote",
            Self::SgxQuote => "an SGX quote",
            Self::TdReport => {
                "a TDREPORT (only its own machine can check it, and makes a quote from it)"
            }
            Self::EventLog => "an event log",
            Self::EventLogTable => {
                "the table that says where the event log is (it is in acpi/tables/data/CCEL)"
            }
            Self::GpuReport => "a GPU report",
            Self::TpmQuote => "a TPM's quote",
            Self::Certificate => "a certificate",
            Self::CertificateTable => "a certificate table",
            Self::RevocationList => "a revocation list",
            Self::OtherPem => "PEM of another kind",
            Self::OtherDer => "DER, perhaps an OCSP answer",
            Self::GpuJson => "GPU evidence in JSON",
            Self::TpmJson => "a TPM's quote in JSON",
            Self::TdxCollateral => "TDX collateral",
            Self::OtherJson => "JSON",
            Self::Xml => "XML, perhaps a RIM",
            Self::Session => "a saved session",
            Self::Bundle => "a bundle of evidence",
            Self::Policy => "a policy",
            Self::Unknown => "something unknown",
        })
    }
}

/// A map of four entries in deterministic CBOR, the shortest key first.
const SESSION: &[u8] = b"\xA4\x64spki";

/// A map in CBOR that begins with the CPU's report, which has the shortest name, or has the collection's name somewhere.
fn is_bundle(bytes: &[u8]) -> bool {
    let name = b"__cmwc_t";
    match bytes {
        [0xA1..=0xBF, 0x63, b'c', b'p', b'u', ..] => true,
        [0xA1..=0xBF, ..] => bytes.windows(name.len()).any(|it| it == name),
        _ => false,
    }
}

/// Every policy and every configuration says its version on a line of its own.
fn is_policy(text: &[u8]) -> bool {
    let mut lines = text.split(|byte| *byte == b'\n').take(100);
    lines.any(|line| line.trim_ascii() == b"version = 1")
}

/// A TCG2 log begins with an event that says which layout the others have.
fn is_event_log(bytes: &[u8]) -> bool {
    let first = bytes.get(32..);
    first.is_some_and(|data| data.starts_with(b"Spec ID Event"))
}

/// Hex text of the longest evidence that comes so, a quote or Azure's wrapping, with room for line breaks.
const MAX_HEX: usize = 3 * hcl::MAX_SIZE;

/// What hex text stands for; `None` if the bytes are no hex text, or too many to be evidence.
pub(super) fn unhex(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = bytes.trim_ascii();
    let digits = || {
        text.iter()
            .all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace())
    };
    if text.is_empty() || text.len() > MAX_HEX || !digits() {
        return None;
    }
    let compact: Vec<u8> = text
        .iter()
        .copied()
        .filter(|byte| !byte.is_ascii_whitespace())
        .collect();
    hex::decode(compact).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_files_apart_by_how_they_begin() {
        let long = |start: &[u8], length: usize| {
            let mut bytes = start.to_vec();
            bytes.resize(length, 0);
            bytes
        };
        let mut wrapped = long(b"HCLA", 2048);
        assert_eq!(Kind::of(&wrapped), Kind::Hcl);
        wrapped[1224] = 4;
        assert_eq!(Kind::of(&wrapped), Kind::HclTdx);
        let mut event_log = long(&[], 32);
        event_log.extend(b"Spec ID Event03");
        for (bytes, kind) in [
            (Vec::new(), Kind::Empty),
            (b" \n".to_vec(), Kind::Empty),
            (long(&[4], REPORT_SIZE), Kind::SnpReport),
            (long(&[4], REPORT_SIZE + 1), Kind::Unknown),
            (long(&[4, 0, 2, 0, 0x81], 4000), Kind::TdxQuote),
            (long(&[3, 0, 2, 0], 4000), Kind::SgxQuote),
            (long(&[0x81], TD_REPORT_SIZE), Kind::TdReport),
            (b"CCEL8\0\0\0".to_vec(), Kind::EventLogTable),
            (event_log, Kind::EventLog),
            (vec![0x11, 0xE0], Kind::GpuReport),
            (b"\xFFTCG\x80\x18".to_vec(), Kind::TpmQuote),
            (b"ff544347".to_vec(), Kind::TpmQuote),
            (
                b"{\"quote\":{\"message\":[],\"pcrs\":[],\"signature\":[]}}".to_vec(),
                Kind::TpmJson,
            ),
            (b"11e0 01\n".to_vec(), Kind::GpuReport),
            (vec![0x30, 0x82, 1], Kind::OtherDer),
            (b"-----BEGIN CERTIFICATE-----".to_vec(), Kind::Certificate),
            (b"-----BEGIN X509 CRL-----".to_vec(), Kind::RevocationList),
            (b"-----BEGIN PRIVATE KEY-----".to_vec(), Kind::OtherPem),
            (
                b"[{\"certificate\":\"\",\"evidence\":\"\"}]".to_vec(),
                Kind::GpuJson,
            ),
            (b"{\"tcb_info\": 1}".to_vec(), Kind::TdxCollateral),
            (b"{}".to_vec(), Kind::OtherJson),
            (b"<SoftwareIdentity".to_vec(), Kind::Xml),
            (b"\xA4\x64spki\x41".to_vec(), Kind::Session),
            (b"\xA3\x63cpu\xF6\x68__cmwc_t".to_vec(), Kind::Bundle),
            (b"# mine\nversion = 1\n[snp]\n".to_vec(), Kind::Policy),
            (b"hello".to_vec(), Kind::Unknown),
        ] {
            assert_eq!(Kind::of(&bytes), kind, "{bytes:?}");
        }
    }

    #[test]
    fn hex_text_longer_than_any_evidence_is_left_as_it_is() {
        assert!(unhex(&vec![b'0'; MAX_HEX]).is_some());
        assert_eq!(unhex(&vec![b'0'; MAX_HEX + 2]), None);
    }
}
