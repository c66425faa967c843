//! The policies that docs/guide/verify.md shows are policies.

use std::{fs, path::Path};

use chrysalis_attestation::policy::Policy;

#[test]
fn every_policy_in_the_guide_can_be_used() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/guide/verify.md");
    let guide = fs::read_to_string(path).expect("the guide");
    let blocks = guide.split("```toml\n").skip(1);
    let blocks = blocks.filter_map(|text| text.split_once("\n```"));
    let mut read = [0; 3];
    for (text, _) in blocks {
        let has = |section: &str| text.lines().any(|line| line == section);
        let (kind, outcome) = if has("[snp]") {
            (0, Policy::parse(text).map(drop))
        } else if has("[gpu]") {
            (1, Policy::parse_gpu(text).map(drop))
        } else {
            (2, Policy::parse_tdx(text).map(drop))
        };
        assert_eq!(outcome, Ok(()), "{text}");
        read[kind] += 1;
    }
    assert!(read.iter().all(|count| *count > 0), "{read:?}");
}
