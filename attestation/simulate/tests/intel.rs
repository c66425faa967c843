//! The simulated Intel before the verifier that real TDs stand before, and the folder that keeps it.
//!
//! What the verifier refuses, lie by lie, is in that crate's own tests, which this vendor serves.

use chrysalis_attestation::{
    Time, Waivers,
    alone::tdx::{TdxQuestion, verify},
    tdx::{IntelCollateral, Status, TdxPolicy, report::Layout},
};
use chrysalis_simulate::{
    Intel,
    intel::{QuoteVersion, TdProfile, collateral_json},
};
use std::fs;

/// 2026-12-01 12:00 UTC
const NOW: Time = Time(1_796_126_400);
const YEAR: i64 = 365 * 24 * 3600;

#[test]
fn a_td_is_verified_with_what_it_reported() {
    let intel = Intel::from_seed(&[7; 32], NOW);
    let (roots, policy) = (
        intel.roots(),
        TdxPolicy::genuine("the test compares fields"),
    );
    for (version, layout) in [
        (QuoteVersion::V4, Layout::V1),
        (QuoteVersion::V5, Layout::V15),
    ] {
        let td = TdProfile {
            version,
            mrtd: [1; 48],
            mrconfigid: [2; 48],
            rtmrs: [[3; 48], [4; 48], [5; 48], [6; 48]],
            report_data: [7; 64],
            ..TdProfile::default()
        };
        let collateral = intel.collateral(NOW);
        let question = TdxQuestion {
            roots: &roots,
            collateral: &collateral,
            policy: Some(&policy),
            release: None,
            rebuilders: None,
            report_data: None,
            waivers: Waivers::none(),
            now: NOW,
        };
        let verified = verify(&intel.quote(&td), &question).expect("a genuine TD");
        assert!(verified.simulated());
        let report = &verified.td().report;
        assert_eq!(verified.td().status, Status::UpToDate);
        assert_eq!(report.layout, layout);
        assert_eq!(
            (report.mrtd.0, report.mrconfigid.0),
            (td.mrtd, td.mrconfigid)
        );
        assert_eq!(report.rtmr.map(|it| it.0), td.rtmrs);
        assert_eq!(report.report_data.0, td.report_data);
    }
}

#[test]
fn every_status_can_be_said_of_the_platform() {
    let intel = Intel::from_seed(&[7; 32], NOW);
    let roots = intel.roots();
    let mut policy = TdxPolicy::genuine("the test compares statuses");
    policy.statuses = Status::ALL.to_vec();
    let quote = intel.quote(&TdProfile::default());
    // Of a revoked platform nothing is verified, whatever the policy lists.
    let said = Status::ALL
        .iter()
        .filter(|status| **status != Status::Revoked);
    for status in said {
        let statements = intel.statements(NOW).with_status(&status.to_string());
        let question = TdxQuestion {
            roots: &roots,
            collateral: &intel.issue(&statements),
            policy: Some(&policy),
            release: None,
            rebuilders: None,
            report_data: None,
            waivers: Waivers::none(),
            now: NOW,
        };
        let verified = verify(&quote, &question).map(|it| it.td().status);
        assert_eq!(verified.map_err(|it| it.rejection), Ok(*status));
    }
}

#[test]
fn the_same_seed_makes_the_same_bytes_and_the_file_reads_as_it_was_written() {
    let made = || {
        let intel = Intel::from_seed(&[7; 32], NOW);
        (intel.quote(&TdProfile::default()), intel.collateral(NOW))
    };
    assert_eq!(made(), made());
    let (_, collateral) = made();
    let file = collateral_json(&collateral).to_string();
    assert_eq!(IntelCollateral::parse(file.as_bytes()), Ok(collateral));
}

#[test]
fn a_kept_vendor_has_the_same_root_at_every_start() {
    let parent = tempfile::tempdir().expect("a folder");
    let folder = parent.path().join("simulated-intel");
    let first = Intel::open_or_create(&folder, NOW).expect("made");
    let again = Intel::open_or_create(&folder, Time(NOW.0 + 3 * YEAR)).expect("kept");
    assert_eq!(first.root(), again.root());
    let pem = fs::read(folder.join("root.pem")).expect("a root");
    let pem = chrysalis_attestation::encoding::pem::certificates(&pem).expect("PEM");
    assert_eq!(pem, [first.root()]);
}
