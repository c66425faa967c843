//! Walks the real evidence in tests/vectors/real, and compares every verdict with the `expected.json` of its folder, at the time
//! that it names. Where we differ, and why: docs/reference/vectors.md.

mod expected;
mod nvidia;
mod snp;
mod tdx;
mod tpm;

use expected::{folders, name, shelf};

/// Folders without evidence of their own: anchors, lists and negatives that tests take by their names.
const TAKEN_BY_NAME: [&str; 12] = [
    "snp/crls",
    "snp/malformed-lit",
    "snp/roots",
    "tdx/collateral",
    "tdx/intel-qvl-synthetic",
    "tdx/quotes",
    "tdx/roots",
    "nvidia/chain-negatives",
    "nvidia/rim-negatives",
    "nvidia/rims-vbios",
    "nvidia/roots",
    "nvidia/switch-ls10",
];
/// A certificate of a chip whose report nobody published: nothing can be verified by it.
const LEFT_OUT: [&str; 1] = ["snp/turin-vcek-only"];

/// What makes the walks of the modules find a folder.
const WALKED_BY: [&str; 6] = [
    "quote.bin",
    "report.bin",
    "hcl-report.bin",
    "multi_gpu_hopper.json",
    "hopper_evidence.json",
    "hopper_evidence_cert_hold.json",
];

#[test]
fn no_folder_is_left_out() {
    for place in ["snp", "tdx", "tdx/quotes", "nvidia"] {
        let Some(shelf) = shelf(place, &[]) else {
            return;
        };
        let mut walked = 0;
        for folder in folders(&shelf) {
            let place = format!("{place}/{}", name(&folder));
            let is_walked = WALKED_BY.iter().any(|file| folder.join(file).is_file());
            let is_named = TAKEN_BY_NAME.contains(&&*place) || LEFT_OUT.contains(&&*place);
            assert!(is_walked || is_named, "{place}: no test looks at it");
            walked += usize::from(is_walked && !is_named);
        }
        println!("{place}: {walked} folders of evidence");
    }
}
