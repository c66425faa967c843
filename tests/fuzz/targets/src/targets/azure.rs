//! Azure: the paravisor's wrapping around a report of either platform, and its virtual TPM.

use std::sync::LazyLock;

use chrysalis_attestation::{
    Collateral, Waivers,
    alone::{self, snp::SnpQuestion},
    azure::{
        hcl::{self, Platform},
        vtpm::Quoted,
    },
    snp::AmdRoots,
    tdx::{self, TdxPolicy, policy::NOTHING_ASKED},
};

use super::{INTEL, NOW, snp};
use crate::parts;

/// The wrapping, off a report of either platform but never of both.
pub(super) fn hcl(bytes: &[u8]) {
    let found = hcl::platform(bytes);
    for platform in [Platform::Snp, Platform::Tdx] {
        if let Ok(wrapped) = hcl::unwrap(bytes, platform) {
            assert!(hcl::is_wrapped(bytes), "unwrapped what is not wrapped");
            assert_eq!(found, Some(platform), "unwrapped another platform's");
            if platform == Platform::Snp {
                snp::report(wrapped.report);
            }
        }
    }
}

/// The quote of Azure's virtual TPM with the report that names its key. No list and no root: it can be explained, not
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
    let question = SnpQuestion {
        roots: &AmdRoots::amd(),
        collateral: &collateral,
        now: NOW,
        policy: None,
        report_data: None,
        waivers: &Waivers {
            crl: Some("fuzzing".to_owned()),
            ..Waivers::default()
        },
    };
    let evidence = alone::snp::SnpEvidence {
        report: wrapped,
        quoted: Some(&quoted),
    };
    let found = alone::snp::verify(evidence, &question);
    assert!(found.is_err(), "genuine under AMD's roots");
    let found = alone::snp::explain(evidence, &question);
    assert!(found.is_err(), "genuine under AMD's roots");
}

/// The quote of a TD on Azure, its wrapping and its virtual TPM's quote, which answers nobody's nonce but that of [`vtpm`].
pub(super) fn td(bytes: &[u8]) {
    static COLLATERAL: LazyLock<tdx::IntelCollateral> = LazyLock::new(|| INTEL.collateral(NOW));
    let [pcrs, signature, message, wrapped, quote] = parts::split(bytes);
    let quoted = Quoted {
        quote: message,
        signature,
        pcrs: Some(pcrs.as_chunks().0),
        nonce: Some(&[7; 32]),
        pcrs_unchecked: None,
    };
    let policy = TdxPolicy {
        report_data: NOTHING_ASKED,
        ..TdxPolicy::genuine("fuzzing")
    };
    let question = |roots| alone::tdx::TdxQuestion {
        roots,
        collateral: &COLLATERAL,
        policy: Some(&policy),
        release: None,
        rebuilders: None,
        report_data: None,
        waivers: Waivers::none(),
        now: NOW,
    };
    let (intel, named) = (tdx::IntelRoots::intel(), INTEL.roots());
    let evidence = |quoted| alone::tdx::TdxEvidence {
        quote,
        event_log: None,
        hcl_report: Some(wrapped),
        quoted,
    };
    for explain in [false, true] {
        let ask = |quoted, roots| {
            let question = question(roots);
            if explain {
                alone::tdx::explain(evidence(quoted), &question)
            } else {
                alone::tdx::verify(evidence(quoted), &question)
            }
        };
        let found = ask(Some(&quoted), &intel);
        assert!(found.is_err(), "genuine under Intel's root");
        let found = ask(Some(&quoted), &named);
        assert!(
            found.map_or(true, |it| it.simulated()
                && it.vtpm().is_some_and(|told| told.fresh)),
            "a simulated root passed in silence, or an old answer"
        );
        assert!(ask(None, &named).is_err(), "fresh without an answer");
    }
}
