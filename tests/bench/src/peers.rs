//! Other verifiers in Rust, each asked for all that it can check of the same evidence.

use anyhow::anyhow;
use chrysalis_attestation::tdx::IntelCollateral;
use dcap_qvl::{
    QuoteCollateralV3,
    verify::{VerifiedReport, ring, rustcrypto},
};
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

fn dcap_qvl(
    verify: fn(&[u8], &QuoteCollateralV3, u64) -> anyhow::Result<VerifiedReport>,
) -> anyhow::Result<f64> {
    let vectors::Tdx {
        quote,
        collateral,
        at,
    } = vectors::Tdx::load()?;
    let ours = IntelCollateral::parse(&collateral).map_err(|it| anyhow!("{it}"))?;
    let collateral = QuoteCollateralV3 {
        pck_crl_issuer_chain: ours.pck_crl_issuer_chain,
        root_ca_crl: ours.root_ca_crl,
        pck_crl: ours.pck_crl,
        tcb_info_issuer_chain: ours.tcb_info_issuer_chain,
        tcb_info: ours.tcb_info,
        tcb_info_signature: ours.tcb_info_signature.to_vec(),
        qe_identity_issuer_chain: ours.qe_identity_issuer_chain,
        qe_identity: ours.qe_identity,
        qe_identity_signature: ours.qe_identity_signature.to_vec(),
        pck_certificate_chain: None,
    };
    let now = u64::try_from(at)?;
    milliseconds(|| verify(&quote, &collateral, now).map(drop))
}
