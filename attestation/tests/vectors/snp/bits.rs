//! No bit may be flipped, and noise is nothing.

use chrysalis_attestation::{
    Collateral,
    encoding::pem,
    evidence::Evidence,
    snp::{report::Report, table},
};
use proptest::prelude::*;

use super::{SEPTEMBER_2026, authenticate, vector};

/// The signature covers neither the outermost header nor the algorithm outside: they must not be malleable either.
#[test]
fn no_certificate_is_accepted_with_a_flipped_bit_outside_of_what_is_signed() {
    for name in ["milan-v3-ms", "genoa-v3-ms", "turin-v5-ms"] {
        let Some((report, collateral)) = vector(name) else {
            return;
        };
        let signature = collateral.certificates[0].len() - 512;
        for byte in (0..4).chain(signature - 80..signature) {
            for bit in 0..8 {
                let mut collateral = collateral.clone();
                collateral.certificates[0][byte] ^= 1 << bit;
                let result = authenticate(report.clone(), &collateral, SEPTEMBER_2026);
                assert!(result.is_err(), "{name}: bit {bit} of byte {byte}");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_report_with_a_flipped_bit_is_genuine(bit in 0..1184 * 8_usize) {
        for name in ["milan-v3-ms", "genoa-v3-ms", "turin-v5-ms"] {
            let Some((mut report, collateral)) = vector(name) else { return Ok(()) };
            report[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(authenticate(report, &collateral, SEPTEMBER_2026).is_err());
        }
    }

    #[test]
    fn no_certificate_with_a_flipped_bit_is_accepted(bit in any::<prop::sample::Index>()) {
        for name in ["milan-v3-ms", "genoa-v3-ms", "turin-v5-ms"] {
            let Some((report, mut collateral)) = vector(name) else { return Ok(()) };
            let leaf = &mut collateral.certificates[0];
            let bit = bit.index(leaf.len() * 8);
            leaf[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(authenticate(report, &collateral, SEPTEMBER_2026).is_err());
        }
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..4096)) {
        let _ = Report::parse(&bytes);
        let _ = table::certificates(&bytes);
        let _ = Evidence::decode(&bytes);
        let _ = Evidence::from_certificate(&bytes);
        let _ = pem::certificates(&bytes);
        let junk = Collateral { certificates: vec![bytes.clone()], crls: vec![bytes.clone()], ..Collateral::default() };
        prop_assert!(authenticate(bytes, &junk, SEPTEMBER_2026).is_err());
    }
}
