//! What a file looks like it holds, and where files of that kind are handed over. People swap files, and "malformed" would send them
//! looking in the wrong place.
//!
//! A guess from the first bytes; the parsers of chrysalis-attestation decide. Whatever refuses a file, takes it, or says which command
//! takes it, asks [`Kind`] and [`crate::Place`]: there is no second list.

use std::fmt;

use chrysalis_attestation::{
    Rejection,
    azure::{
        hcl::{self, Platform},
        thim,
    },
    encoding::{base64, pem},
    nvidia::{
        evidence::{Form, read as read_gpus},
        rim,
        spdm::Report as GpuReport,
    },
    snp::{
        report::{REPORT_SIZE, Report},
        table,
    },
    tdx::Quote,
};
use serde_json::Value;
use x509_parser::prelude::{CertificateRevocationList, FromDer, X509Certificate};

/// TDREPORT, as the TDX module gives it to the guest.
const TD_REPORT_SIZE: usize = 1024;

/// The kinds that are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "`Display` says what each is")]
#[non_exhaustive]
pub enum Kind {
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
    AzureCertificates,
    RimAnswer,
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
    /// Of a file's content, hex and base64 text read as what they stand for.
    pub fn of(bytes: &[u8]) -> Self {
        Self::of_binary(&decoded(bytes))
    }

    /// Whether the verifier that takes this kind can read these bytes, of which [`Kind::of`] says that they are of it. Where it cannot,
    /// nothing may promise that it does.
    pub fn check(self, bytes: &[u8]) -> Result<(), Rejection> {
        match self {
            Self::SnpReport => Report::parse(bytes).map(drop),
            Self::Hcl => hcl::unwrap(bytes, Platform::Snp).map(drop),
            Self::HclTdx => hcl::unwrap(bytes, Platform::Tdx).map(drop),
            Self::TdxQuote => Quote::parse(bytes)?.td().map(drop),
            Self::GpuReport => GpuReport::parse(bytes).map(drop),
            Self::GpuJson => read_gpus(bytes, None).map(drop),
            _ => Ok(()),
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
            _ if pem::is_pem(text) => Self::of_pem(text),
            _ if is_policy(text) => Self::Policy,
            _ if table::is_table(bytes)
                || table::certificates(bytes).is_ok_and(|it| !it.certificates.is_empty()) =>
            {
                Self::CertificateTable
            }
            _ => Self::Unknown,
        }
    }

    /// By the first block; the reader refuses what does not go on as it begins.
    fn of_pem(text: &[u8]) -> Self {
        let begins = |label: &str| text.starts_with(format!("-----BEGIN {label}-----").as_bytes());
        if begins(pem::CERTIFICATE) {
            Self::Certificate
        } else if begins(pem::REVOCATION_LIST) {
            Self::RevocationList
        } else {
            Self::OtherPem
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

    /// By the keys: those forms that a parser takes by asking it, the others by names that stand nowhere else.
    fn of_json(text: &[u8]) -> Self {
        let has = |key: &str| {
            let key = format!("\"{key}\"");
            text.windows(key.len())
                .any(|window| window == key.as_bytes())
        };
        if Form::of(text).is_some() {
            Self::GpuJson
        } else if thim::is_answer(text) {
            Self::AzureCertificates
        } else if rim::is_answer(text) {
            Self::RimAnswer
        } else if [
            "tcb_info",
            "tcbInfo",
            "qe_identity",
            "enclaveIdentity",
            "pck_crl",
        ]
        .into_iter()
        .any(has)
        {
            Self::TdxCollateral
        } else if has("message") && has("signature") && has("pcrs") {
            Self::TpmJson
        } else {
            Self::OtherJson
        }
    }
}

/// What a file is, for a person who handed it over in the wrong place; JSON that nothing takes is told by its keys.
pub fn described(bytes: &[u8]) -> String {
    let kind = Kind::of(bytes);
    if kind != Kind::OtherJson {
        return kind.to_string();
    }
    match serde_json::from_slice(&decoded(bytes)) {
        Ok(Value::Object(object)) => {
            let keys = object.keys().take(SHOWN_KEYS);
            let keys: Vec<String> = keys
                .map(|key| format!("`{}`", key.chars().take(SHOWN_LETTERS).collect::<String>()))
                .collect();
            if keys.is_empty() {
                return "an empty JSON object".to_owned();
            }
            format!("a JSON object with {}", keys.join(", "))
        }
        Ok(Value::Array(_)) => "a JSON list".to_owned(),
        Ok(_) | Err(_) => "damaged JSON".to_owned(),
    }
}

/// Keys that a person is shown of JSON, and letters of each.
const SHOWN_KEYS: usize = 6;
const SHOWN_LETTERS: usize = 40;

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
            Self::AzureCertificates => "the answer of Azure's THIM service",
            Self::RimAnswer => "an answer of NVIDIA's service for manifests",
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

/// Text that stands for evidence is no longer than a file of evidence may be.
const MAX_TEXT: usize = 1024 * 1024;

/// What a file stands for: its bytes, or those that it has in hex or base64 as text. Base64 is taken for such only if evidence comes out,
/// since almost any word is base64; it may have hex inside.
pub fn decoded(bytes: &[u8]) -> Vec<u8> {
    if let Some(binary) = unhex(bytes) {
        return binary;
    }
    let within_limit = || Some(bytes).filter(|bytes| bytes.len() <= MAX_TEXT);
    let Some(inner) = within_limit().and_then(base64::decode_file) else {
        return bytes.to_vec();
    };
    let inner = unhex(&inner).unwrap_or(inner);
    match Kind::of_binary(&inner) {
        Kind::Unknown | Kind::Empty => bytes.to_vec(),
        _ => inner,
    }
}

/// The same for bytes of which nothing can be told, such as a signature.
pub(crate) fn decoded_blindly(bytes: &[u8]) -> Vec<u8> {
    /// No signature and no PCR is shorter, and random bytes of this length are never all letters.
    const SHORTEST: usize = 32;
    unhex(bytes)
        .or_else(|| base64::decode_file(bytes).filter(|inner| inner.len() >= SHORTEST))
        .unwrap_or_else(|| bytes.to_vec())
}

/// What hex text stands for; `None` if the bytes are no hex text, or too many to be evidence.
fn unhex(bytes: &[u8]) -> Option<Vec<u8>> {
    let text = bytes.trim_ascii();
    let digits = || {
        text.iter()
            .all(|byte| byte.is_ascii_hexdigit() || byte.is_ascii_whitespace())
    };
    if text.is_empty() || text.len() > MAX_TEXT || !digits() {
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
            (b"{\"evidence_list\":[]}".to_vec(), Kind::GpuJson),
            (b"{\"evidences\":[]}".to_vec(), Kind::GpuJson),
            (b"{\"__cmwc_t\":\"\"}".to_vec(), Kind::GpuJson),
            (b"[{\"evidence\":\"\"}]".to_vec(), Kind::OtherJson),
            (b"{\"id\":\"a\",\"rim\":\"\"}".to_vec(), Kind::RimAnswer),
            (
                b"{\"vcekCert\":\"\",\"tcbm\":\"\"}".to_vec(),
                Kind::AzureCertificates,
            ),
            (b"{\"pck_crl\":\"\"}".to_vec(), Kind::TdxCollateral),
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
        assert!(unhex(&vec![b'0'; MAX_TEXT]).is_some());
        assert_eq!(unhex(&vec![b'0'; MAX_TEXT + 2]), None);
    }

    #[test]
    fn base64_is_read_where_evidence_comes_out_of_it() {
        let mut report = vec![4, 0, 0, 0];
        report.resize(REPORT_SIZE, 7);
        let text = data_encoding::BASE64.encode(&report);
        let lines: Vec<&str> = text
            .as_bytes()
            .chunks(76)
            .map(|line| str::from_utf8(line).unwrap())
            .collect();
        for text in [
            text.clone(),
            lines.join("\r\n") + "\n",
            text.trim_end_matches('=').to_owned(),
            data_encoding::BASE64URL_NOPAD.encode(&report),
            data_encoding::BASE64.encode(hex::encode(&report).as_bytes()),
        ] {
            assert_eq!(Kind::of(text.as_bytes()), Kind::SnpReport);
            assert_eq!(decoded(text.as_bytes()), report);
        }
        for word in ["hello", "aGVsbG8=", "QUJD"] {
            assert_eq!(decoded(word.as_bytes()), word.as_bytes(), "{word}");
        }
        let signature = [0xA5; 64];
        let text = data_encoding::BASE64.encode(&signature);
        assert_eq!(decoded_blindly(text.as_bytes()), signature);
        assert_eq!(decoded_blindly(&signature), signature);
        assert_eq!(decoded_blindly(b"QUJD"), b"QUJD");
    }

    #[test]
    fn json_that_nothing_takes_is_told_by_its_keys() {
        for (json, says) in [
            (
                &b"{\"quote\":\"\",\"event_log\":\"\"}"[..],
                "a JSON object with `quote`, `event_log`",
            ),
            (b"{}", "an empty JSON object"),
            (b"[1]", "a JSON list"),
            (b"{\"a\":", "damaged JSON"),
        ] {
            assert_eq!(described(json), says);
        }
    }
}
