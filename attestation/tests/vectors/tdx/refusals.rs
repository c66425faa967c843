//! Quotes and collateral that must not pass, each for its own reason.

use chrysalis_attestation::{
    Rejection, Time,
    alone::tdx::verify,
    tdx::{IntelCollateral, Quote, TdxPolicy, split_answer},
};

use super::{Case, WHY, any_status, collateral, vectors};
use crate::expected::{bytes, folders, name};

#[test]
fn an_enclaves_quote_is_refused_by_name() {
    let Some(vectors) = vectors() else { return };
    let case = Case::new(
        &vectors,
        "v3-sgx-phala",
        "sgx-00a06711-2025-06",
        any_status(),
    );
    assert_eq!(case.verify(), Err(Rejection::QuoteOfEnclave { version: 3 }));
    // Read to its end all the same.
    let quote = Quote::parse(&case.quote).expect("a quote");
    assert_eq!(quote.chain.len(), 3);
    assert_eq!(quote.qe.isvsvn, 10);
    let collateral = Case {
        collateral: case.collateral,
        ..Case::new(&vectors, "v4-phala", "b0c06f-2025-06", any_status())
    };
    assert_eq!(collateral.code(), "intel_crl_issuer");
}

#[test]
fn stray_bytes_behind_a_quote_need_a_reason() {
    let Some(vectors) = vectors() else { return };
    let (quote, with) = ("v4-spr-e4-gtg", "50806f-2026-03");
    let case = Case::new(&vectors, quote, with, TdxPolicy::genuine(WHY));
    assert_eq!(case.verify(), Err(Rejection::QuoteTrailing { extra: 39 }));
    let case = Case::new(&vectors, quote, with, any_status());
    assert_eq!(case.code(), "tcb_not_supported");
}

#[test]
fn collateral_counts_only_in_its_time() {
    let Some(vectors) = vectors() else { return };
    let mut case = Case::new(&vectors, "v4-phala", "b0c06f-2025-06", any_status());
    case.now = Time(1_763_800_000);
    assert_eq!(case.code(), "intel_crl_expired");
    case.now = Time(1_749_000_000);
    assert_eq!(case.code(), "intel_crl_not_yet_valid");
}

#[test]
fn collateral_of_another_authority_or_platform_is_refused() {
    let Some(vectors) = vectors() else { return };
    let good = || Case::new(&vectors, "v4-phala", "b0c06f-2026-08", any_status());
    let mut case = good();
    case.collateral.pck_crl =
        bytes(vectors.join("collateral/processor-ca-crl/pck_processor_crl.der"));
    assert_eq!(
        case.verify(),
        Err(Rejection::IntelCrlIssuer { which: "PCK" })
    );

    let mut case = good();
    let other = collateral(&vectors, "50806f-2026-03");
    case.now = Time(1_775_000_000);
    case.collateral = other;
    assert_eq!(case.code(), "tcb_info_mismatch");

    let synthetic = vectors.join("intel-qvl-synthetic");
    let mut case = good();
    let text = bytes(synthetic.join("tdx/tcbSignChain.pem"));
    case.collateral.tcb_info_issuer_chain = String::from_utf8(text).expect("text");
    assert_eq!(case.code(), "intel_root_unknown");
    let mut case = good();
    case.quote = bytes(synthetic.join("sgx/quote.dat"));
    assert_eq!(
        case.verify(),
        Err(Rejection::QuoteCertification { found: 1 })
    );
    case.quote = bytes(synthetic.join("tdx/quote.dat"));
    assert_eq!(case.code(), "quote_malformed");
}

#[test]
fn answers_of_intels_service_come_apart_byte_by_byte() {
    let Some(vectors) = vectors() else { return };
    for folder in folders(&vectors.join("collateral")) {
        if !folder.join("collateral.json").exists() {
            continue;
        }
        let known = collateral(&vectors, &name(&folder));
        for (file, object, body, signature) in [
            (
                "tcb_info.json",
                "tcbInfo",
                &known.tcb_info,
                known.tcb_info_signature,
            ),
            (
                "qe_identity.json",
                "enclaveIdentity",
                &known.qe_identity,
                known.qe_identity_signature,
            ),
        ] {
            let answer = String::from_utf8(bytes(folder.join(file))).expect("text");
            let found = split_answer(&answer, object).expect("an answer");
            assert_eq!(found, (&**body, signature), "{} {file}", folder.display());
        }
    }
}

/// Each bit of the quote, and of the collateral wherever that says something else than before.
#[test]
fn no_flipped_bit_is_verified() {
    let Some(vectors) = vectors() else { return };
    let good = Case::new(&vectors, "v5-td15-gtg", "90c06f-2026-03", any_status());
    good.verify().expect("a good quote");
    for place in 0..good.quote.len() {
        let mut quote = good.quote.clone();
        quote[place] ^= 1 << (place % 8);
        let result = good.ask(|_, question| verify(&quote, question));
        assert!(result.is_err(), "byte {place} of the quote");
    }
    let path = vectors.join("collateral/90c06f-2026-03/collateral.json");
    let text = bytes(path);
    for place in (0..text.len()).step_by(3) {
        let mut flipped = text.clone();
        flipped[place] ^= 1 << (place % 7);
        let Ok(collateral) = IntelCollateral::parse(&flipped) else {
            continue;
        };
        if collateral == good.collateral {
            continue;
        }
        let case = Case {
            quote: good.quote.clone(),
            collateral,
            policy: any_status(),
            now: good.now,
        };
        assert!(case.verify().is_err(), "byte {place} of the collateral");
    }
}
