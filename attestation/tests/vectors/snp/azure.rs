//! Azure's wrapping of a report, and the quote of its virtual TPM.

#![expect(
    clippy::unwrap_used,
    reason = "helpers of tests, outside any #[test] function"
)]

use std::path::Path;

use chrysalis_attestation::{
    Refusal, Rejection,
    alone::{
        Verified,
        snp::{SnpEvidence, SnpQuestion, verify},
    },
    azure::hcl::{self, Platform},
    roots::Roots,
    snp::Genuine,
};
use serde_json::Value;

use super::{SEPTEMBER_2026, collateral, folder, folders_with, milan_accepted};
use crate::{
    expected::{bytes as read, codes, expected},
    tpm::TpmQuote,
};

#[test]
fn azures_wrapping_comes_off_every_report_and_covers_its_runtime_data() {
    let folders = folders_with("hcl-report.bin");
    for folder in &folders {
        let bytes = read(folder.join("hcl-report.bin"));
        let wrapped = hcl::unwrap(&bytes, Platform::Snp)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        assert_eq!(wrapped.report, read(folder.join("report.bin")));
        let runtime_data: Value = serde_json::from_slice(wrapped.runtime_data).unwrap();
        assert_eq!(runtime_data["keys"][0]["kid"], "HCLAkPub");

        let mut changed = bytes.clone();
        changed[1236] ^= 1;
        assert_eq!(
            hcl::unwrap(&changed, Platform::Snp),
            Err(Rejection::HclRuntimeData)
        );
    }
    println!("{} wrapped reports", folders.len());
}

/// How a wrapped report and its quote come out.
fn verify_quote(vector: &Path, tpm: &TpmQuote, nonce: &[u8]) -> Result<Verified<Genuine>, Refusal> {
    let roots = Roots::vendors().amd;
    let collateral = collateral(vector.parent().unwrap(), &vector.join("vcek.der"));
    let waivers = &milan_accepted();
    let question = SnpQuestion {
        waivers,
        ..SnpQuestion::new(&roots, &collateral, SEPTEMBER_2026)
    };
    let report = &read(vector.join("hcl-report.bin"));
    let quoted = Some(&tpm.asked(nonce));
    verify(SnpEvidence { report, quoted }, &question)
}

#[test]
fn every_quote_of_azures_virtual_tpm_is_genuine_and_tells_its_pcrs() {
    let folders = folders_with("evidence.json");
    for vector in &folders {
        let checks = &expected(vector)["checks"];
        assert_eq!(
            (&checks["tpm_quote_signature"], &checks["pcr_digest"]),
            (&true.into(), &true.into())
        );
        let nonce = hex::decode(checks["extra_data_hex"].as_str().unwrap()).unwrap();
        let mut tpm = TpmQuote::of(vector);
        let verified = verify_quote(vector, &tpm, &nonce)
            .unwrap_or_else(|refusal| panic!("{}: {refusal}", vector.display()));
        let told = verified.vtpm().expect("a quote");
        assert!(told.fresh);
        let pcrs = told.pcrs.as_ref().expect("values");
        assert_eq!(checks["pcrs"], pcrs.len());
        assert_eq!(pcrs.get(&4), tpm.pcrs.get(4));

        let other = verify_quote(vector, &tpm, b"mine");
        assert_eq!(codes(&other), ["vtpm_nonce_mismatch"]);
        tpm.pcrs[4][0] ^= 1;
        let changed = verify_quote(vector, &tpm, &nonce);
        assert_eq!(codes(&changed), ["vtpm_pcr_digest"]);
    }
    println!("{} quotes", folders.len());
}

#[test]
fn a_quote_of_another_machine_is_refused() {
    let folders = folders_with("evidence.json");
    let [one, other, ..] = folders.as_slice() else {
        return;
    };
    let other = verify_quote(one, &TpmQuote::of(other), b"");
    assert_eq!(codes(&other), ["vtpm_quote_signature"]);
}

#[test]
fn no_quote_of_a_virtual_tpm_with_a_flipped_bit_is_genuine() {
    let Some(folder) = folder() else { return };
    let vector = folder.join("azure-milan-v3-trustee-ev1");
    let honest = TpmQuote::of(&vector);
    for bit in 0..(honest.message.len() + honest.signature.len()) * 8 {
        let mut tpm = TpmQuote::of(&vector);
        let message = tpm.message.iter_mut();
        let byte = message.chain(&mut tpm.signature).nth(bit / 8);
        *byte.unwrap() ^= 1 << (bit % 8);
        let codes = codes(&verify_quote(&vector, &tpm, b"challenge"));
        assert!(
            matches!(
                codes.as_slice(),
                ["vtpm_quote_signature" | "vtpm_quote_malformed"]
            ),
            "bit {bit}: {codes:?}"
        );
    }
}
