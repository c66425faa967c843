//! Chains of devices that are broken, swapped or changed.

use chrysalis_attestation::nvidia::evidence::read_chain;

use super::{COMPLETE, Case, vectors};
use crate::expected::bytes;

#[test]
fn broken_chains_are_refused() {
    let Some(vectors) = vectors(&[]) else { return };
    let mut case = Case::load(&vectors.join(COMPLETE));
    for (file, code) in [
        ("case1.txt", None),
        ("case2.txt", Some("gpu_chain_length")),
        ("case3.txt", Some("gpu_chain_length")),
        ("case4.txt", Some("gpu_chain_length")),
        ("gonv-invalidCertChain.txt", Some("gpu_chain_length")),
        ("hopper_signing_cert.pem", Some("gpu_chain_length")),
    ] {
        case.evidence[0].chain =
            read_chain(&bytes(vectors.join("chain-negatives").join(file))).expect(file);
        assert_eq!(case.code(), code, "{file}");
    }
    let good = Case::load(&vectors.join(COMPLETE)).evidence[0]
        .chain
        .clone();
    let other = Case::load(&vectors.join("h100-580.159.03")).evidence[0]
        .chain
        .clone();
    let swapped = |place: usize, with: &[u8]| {
        let mut chain = good.clone();
        chain[place] = with.to_vec();
        chain
    };
    let rim_root = bytes(vectors.join("roots/rim_root_NVIDIA_CoRIM_signing_Root_CA.pem"));
    let switch =
        read_chain(&bytes(vectors.join("switch-ls10/switchCertChain.txt"))).expect("a chain");
    for (chain, code) in [
        (swapped(0, &other[0]), "nvidia_certificate_profile"),
        (swapped(1, &other[1]), "nvidia_certificate_profile"),
        (swapped(2, &good[3]), "nvidia_certificate_profile"),
        (
            swapped(4, &read_chain(&rim_root).expect("PEM")[0]),
            "gpu_root_unknown",
        ),
        (good.iter().rev().cloned().collect(), "gpu_root_unknown"),
        (other.clone(), "gpu_report_signature"),
        (switch, "gpu_evidence_missing"),
        (swapped(3, &[]), "nvidia_certificate_malformed"),
    ] {
        case.evidence[0].chain = chain;
        assert_eq!(case.code(), Some(code));
    }
}

#[test]
fn no_flipped_bit_of_a_chain_is_ever_verified() {
    let Some(vectors) = vectors(&[]) else { return };
    let good = Case::load(&vectors.join(COMPLETE));
    for certificate in 0..5 {
        for place in (0..good.evidence[0].chain[certificate].len()).step_by(3) {
            let mut case = Case::load(&vectors.join(COMPLETE));
            case.evidence[0].chain[certificate][place] ^= 1 << (place % 8);
            assert!(
                case.code().is_some(),
                "certificate {certificate}, byte {place}"
            );
        }
    }
}
