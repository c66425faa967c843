//! Other verifiers in Rust, each asked for all that it can check of the same evidence.

use dcap_qvl::{
    QuoteCollateralV3,
    verify::{VerifiedReport, ring, rustcrypto},
};
use serde::Deserialize;
use sev::{
    certs::snp::{Certificate, Chain, Verifiable, builtin::milan, ca},
    firmware::guest::AttestationReport,
    parser::ByteParser,
};

use crate::{
    clock::milliseconds,
    row::{Kind, Row, Subject},
    vectors,
};

/// Measures each of them.
pub(crate) fn measure() -> anyhow::Result<()> {
    let print = |subject, names, measured| Row::print(subject, Kind::Peer, names, measured);
    print(Subject::Snp, ("sev 8.0.0", "rustcrypto"), sev())?;
    print(
        Subject::Tdx,
        ("dcap-qvl 0.7.1", "ring"),
        dcap_qvl(ring::verify),
    )?;
    print(
        Subject::Tdx,
        ("dcap-qvl 0.7.1", "rustcrypto"),
        dcap_qvl(rustcrypto::verify),
    )
}

/// Chain and signature; it has no revocation lists, and compares no TCB.
fn sev() -> anyhow::Result<f64> {
    let vectors::Snp { report, vcek, .. } = vectors::Snp::load()?;
    let ca = ca::Chain {
        ark: milan::ark()?,
        ask: milan::ask()?,
    };
    milliseconds(|| {
        let report = AttestationReport::from_bytes(&report)?;
        let chain = Chain {
            ca: ca.clone(),
            vek: Certificate::from_der(&vcek)?,
        };
        Ok((&chain, &report).verify()?)
    })
}

/// The file's lists and signatures are in hex.
#[derive(Deserialize)]
struct Collateral {
    pck_crl_issuer_chain: String,
    root_ca_crl: String,
    pck_crl: String,
    tcb_info_issuer_chain: String,
    tcb_info: String,
    tcb_info_signature: String,
    qe_identity_issuer_chain: String,
    qe_identity: String,
    qe_identity_signature: String,
}

fn dcap_qvl(
    verify: fn(&[u8], &QuoteCollateralV3, u64) -> anyhow::Result<VerifiedReport>,
) -> anyhow::Result<f64> {
    let vectors::Tdx {
        quote,
        collateral,
        at,
    } = vectors::Tdx::load()?;
    let file: Collateral = serde_json::from_slice(&collateral)?;
    let collateral = QuoteCollateralV3 {
        pck_crl_issuer_chain: file.pck_crl_issuer_chain,
        root_ca_crl: hex::decode(file.root_ca_crl)?,
        pck_crl: hex::decode(file.pck_crl)?,
        tcb_info_issuer_chain: file.tcb_info_issuer_chain,
        tcb_info: file.tcb_info,
        tcb_info_signature: hex::decode(file.tcb_info_signature)?,
        qe_identity_issuer_chain: file.qe_identity_issuer_chain,
        qe_identity: file.qe_identity,
        qe_identity_signature: hex::decode(file.qe_identity_signature)?,
        pck_certificate_chain: None,
    };
    let now = u64::try_from(at)?;
    milliseconds(|| verify(&quote, &collateral, now).map(drop))
}
