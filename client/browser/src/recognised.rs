//! What a file that somebody drops looks like, and where in a question it belongs.

use chrysalis_attestation::{encoding::pem, evidence::Evidence};
use chrysalis_settle::{EpochEvidence, Kept};
use chrysalis_verifier::{Kind, decoded, described};
use serde_json::json;

/// As JSON: what it is in words, the kind of question that begins with it, if one does, and its name in a question, if it has one there.
pub fn recognised(bytes: &[u8]) -> String {
    let binary = decoded(bytes);
    let (is, kind, name) = if Kept::is_one(&binary) {
        ("a receipt".to_owned(), Some("receipt"), Some("receipt"))
    } else if EpochEvidence::decode(&binary).is_ok() {
        (
            "the evidence of an epoch".to_owned(),
            None,
            Some("evidence"),
        )
    } else {
        let found = Kind::of(&binary);
        let (kind, name) = place(found, &binary);
        (described(&binary), kind, name)
    };
    json!({"is": is, "kind": kind, "name": name}).to_string()
}

fn place(kind: Kind, bytes: &[u8]) -> (Option<&'static str>, Option<&'static str>) {
    match kind {
        Kind::Session | Kind::Bundle => (Some("bundle"), Some("bundle")),
        Kind::Certificate if has_evidence(bytes) => (Some("bundle"), Some("bundle")),
        Kind::SnpReport | Kind::Hcl => (Some("snp"), Some("report")),
        Kind::TdxQuote | Kind::SgxQuote => (Some("tdx"), Some("quote")),
        Kind::GpuReport | Kind::GpuJson => (Some("nvidia"), Some("report")),
        Kind::HclTdx => (None, Some("hcl_report")),
        Kind::EventLog => (None, Some("event_log")),
        Kind::TpmQuote | Kind::TpmJson => (None, Some("tpm_quote")),
        Kind::Certificate | Kind::CertificateTable | Kind::AzureCertificates => {
            (None, Some("cert"))
        }
        Kind::RevocationList => (None, Some("crl")),
        Kind::OtherDer => (None, Some("ocsp")),
        Kind::Xml | Kind::RimAnswer => (None, Some("rim")),
        Kind::TdxCollateral => (None, Some("collateral")),
        Kind::Policy => (None, Some("policy")),
        _ => (None, None),
    }
}

/// Whether it is one certificate, and an enclave's.
fn has_evidence(bytes: &[u8]) -> bool {
    let certificates = pem::certificates(bytes).unwrap_or_default();
    matches!(&certificates[..], [der] if Evidence::from_certificate(der).is_ok())
}
