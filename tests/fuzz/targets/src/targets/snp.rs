//! AMD: the report, what it comes wrapped in, and the certificates and lists that bear on it.

use chrysalis_attestation::{
    Collateral, Patience,
    digest::sha256,
    nvidia::{evidence, ocsp},
    pem,
    snp::Roots,
    snp::{
        examine::{Question, examine, examine_wrapped},
        hcl, report,
        table::certificates,
        vtpm::Quoted,
    },
};

use super::{NOW, policy::strict};
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
        let amd = Roots::amd();
        let named = Roots::amd().and_simulated(sha256(&[ark]));
        for patience in [Patience::First, Patience::All] {
            let question = |roots| Question {
                roots,
                collateral: &collateral,
                now: NOW,
                policy,
                report_data: Some(&[7; 64]),
                revocation_unchecked: None,
            };
            let found = examine(report, &question(&amd), patience);
            assert!(!found.failures().is_empty(), "genuine under AMD's roots");
            let found = examine(report, &question(&named), patience);
            assert!(
                !found.failures().is_empty() || found.transcript().simulated(),
                "a simulated root passed in silence"
            );
        }
    }
}

/// The certificate table that a host hands to a guest.
pub(super) fn table(bytes: &[u8]) {
    let _ = certificates(bytes);
}

/// Azure's wrapping.
pub(super) fn hcl(bytes: &[u8]) {
    let _ = hcl::platform(bytes);
    if let Ok(wrapped) = hcl::unwrap(bytes) {
        assert!(hcl::is_wrapped(bytes), "unwrapped what is not wrapped");
        report(wrapped.report);
    }
}

/// The quote of Azure's virtual TPM beside the report that names its key. No list and no root: it can be explained, not
/// trusted.
pub(super) fn vtpm(bytes: &[u8]) {
    let [vcek, pcrs, signature, quote, wrapped] = parts::split(bytes);
    let pcrs = pcrs.as_chunks().0;
    let quoted = Quoted {
        quote,
        signature,
        pcrs: Some(pcrs),
        nonce: Some(&[7; 32]),
        pcrs_unchecked: None,
    };
    let collateral = Collateral {
        certificates: vec![vcek.to_vec()],
        ..Collateral::default()
    };
    let question = Question {
        roots: &Roots::amd(),
        collateral: &collateral,
        now: NOW,
        policy: None,
        report_data: None,
        revocation_unchecked: Some("fuzzing"),
    };
    for patience in [Patience::First, Patience::All] {
        let found = examine_wrapped(wrapped, Some(&quoted), &question, patience);
        assert!(!found.failures().is_empty(), "genuine under AMD's roots");
    }
}

/// Certificates as people keep them, and a question to NVIDIA's responder about each.
pub(super) fn pem(bytes: &[u8]) {
    let _ = evidence::read_chain(bytes);
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
