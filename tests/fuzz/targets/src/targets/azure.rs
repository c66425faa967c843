//! Azure: the paravisor's wrapping around a report of either platform, and its virtual TPM.

use chrysalis_attestation::{
    Collateral, Waivers,
    alone::{self, snp::SnpQuestion, tdx::TdxQuestion},
    azure::{
        hcl::{self, Platform},
        vtpm::Quoted,
    },
    snp::AmdRoots,
    tdx::{self, TdxPolicy, policy::NOTHING_ASKED},
};

use super::{COLLATERAL, INTEL, NOW, snp};
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
    let amd = AmdRoots::amd();
    let question = SnpQuestion {
        waivers: &Waivers {
            crl: Some("fuzzing".to_owned()),
            ..Waivers::default()
        },
        ..SnpQuestion::new(&amd, &collateral, NOW)
    };
    let evidence = alone::snp::SnpEvidence {
        report: wrapped,
        quoted: Some(&quoted),
    };
    for ask in [alone::snp::verify, alone::snp::explain] {
        let found = ask(evidence, &question);
        assert!(found.is_err(), "genuine under AMD's roots");
    }
}

/// The quote of a TD on Azure, its wrapping and its virtual TPM's quote, which answers nobody's nonce but that of [`vtpm`].
pub(super) fn td(bytes: &[u8]) {
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
    let question = |roots| TdxQuestion {
        policy: Some(&policy),
        ..TdxQuestion::new(roots, &COLLATERAL, NOW)
    };
    let (intel, named) = (tdx::IntelRoots::intel(), INTEL.roots());
    let evidence = |quoted| alone::tdx::TdxEvidence {
        quote,
        event_log: None,
        hcl_report: Some(wrapped),
        quoted,
    };
    for way in [alone::tdx::verify, alone::tdx::explain] {
        let ask = |quoted, roots| way(evidence(quoted), &question(roots));
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
