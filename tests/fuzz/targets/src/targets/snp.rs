//! AMD: the report, what it comes wrapped in, and the certificates and lists that bear on it.

use chrysalis_attestation::{
    Collateral,
    alone::snp::{SnpQuestion, explain, verify},
    azure::thim,
    encoding::{base64, digest::sha256, pem},
    nvidia::{evidence, ocsp},
    snp::{AmdRoots, report, table::certificates},
};

use super::{NOW, never_in_silence, policy::strict};
use crate::parts;

/// A report that is read is written back as it was: no byte of it goes unread.
pub(super) fn report(bytes: &[u8]) {
    if let Ok(report) = report::Report::parse(bytes) {
        assert_eq!(report.encode(), bytes, "a report came back changed");
    }
}

/// A report among certificates and a list.
pub(super) fn chain(bytes: &[u8]) {
    let [list, ark, ask, vcek, report] = parts::split(bytes);
    let collateral = Collateral {
        certificates: [vcek, ask, ark].map(<[u8]>::to_vec).into(),
        crls: vec![list.to_vec()],
        ..Collateral::default()
    };
    let policy = strict();
    for policy in [None, Some(&policy)] {
        let amd = AmdRoots::amd();
        let named = AmdRoots::amd().and_simulated(sha256(&[ark]));
        let question = |roots| SnpQuestion {
            policy,
            report_data: Some(&[7; 64]),
            ..SnpQuestion::new(roots, &collateral, NOW)
        };
        for ask in [verify, explain] {
            let found = ask(report, &question(&amd));
            assert!(found.is_err(), "genuine under AMD's roots");
            never_in_silence(ask(report, &question(&named)));
        }
    }
}

/// The certificate table that a host hands to a guest.
pub(super) fn table(bytes: &[u8]) {
    let _ = certificates(bytes);
}

/// Certificates as people and services keep them, and a question to NVIDIA's responder about each.
pub(super) fn pem(bytes: &[u8]) {
    let _ = evidence::read_chain(bytes);
    let _ = base64::decode_file(bytes);
    let _ = thim::certificates(bytes);
    if let Some(blocks) = pem::blocks(bytes) {
        let text: String = blocks
            .iter()
            .map(|it| pem::block(&it.label, &it.der))
            .collect();
        assert_eq!(
            pem::blocks(text.as_bytes()),
            Some(blocks),
            "PEM came back changed"
        );
    }
    let Ok(certificates) = pem::certificates(bytes) else {
        return;
    };
    assert!(!certificates.is_empty(), "read, and found none");
    for pair in certificates.windows(2) {
        if let [subject, issuer] = pair {
            let _ = ocsp::question(subject, issuer, &[7; 32]);
        }
    }
}
