//! The floor: the signatures that have to be checked, and nothing else, by the same library in the same run.

use std::iter;

use anyhow::{Context, ensure};
use chrysalis_attestation::{BACKEND, encoding::pem};
use p256::ecdsa::signature::Signer;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::{
    clock::milliseconds,
    library,
    row::{Kind, Row, Subject},
};

/// As long as the signed part of an SNP report.
const MESSAGE: [u8; 0x2A0] = [0x5A; 0x2A0];
/// It signed itself with the key that signs AMD's other certificates: RSA-PSS, 4096 bits.
const ARK: &[u8] = include_bytes!("../../../attestation/src/snp/roots/milan-ark.pem");

/// How many signatures evidence calls for, when certificates that are pinned by their whole DER need none.
struct Signatures {
    p256: u8,
    p384: u8,
    rsa: u8,
}

fn signatures(subject: Subject) -> Signatures {
    let (p256, p384, rsa) = match subject {
        // The report; the VCEK by the pinned ASK, the list by the pinned ARK.
        Subject::Snp => (0, 1, 2),
        // The quote, the QE report; PCK, its authority, the two lists; the signer of TCB info and of QE identity, and both.
        Subject::Tdx => (9, 0, 0),
        // The report; four of its certificates below the root; the manifests, their signers and intermediates, and the one
        // authority that both have.
        Subject::Gpu => (0, 12, 0),
        // The SNP report; of the GPU its report, four certificates, both manifests and the three certificates that they share; six
        // OCSP answers, each with its responder. VCEK, ASK and list: a simulated ASK is not pinned.
        Subject::Composite => (0, 23, 3),
    };
    Signatures { p256, p384, rsa }
}

/// Measures one signature of each kind, and prints what they sum up to.
pub(crate) fn measure() -> anyhow::Result<()> {
    let p256 = p256()?;
    let p384 = p384()?;
    let rsa = rsa()?;
    eprintln!(
        "{BACKEND}: P-256 {p256:.3} ms, P-384 {p384:.3} ms, RSA-4096 {rsa:.3} ms a signature"
    );
    for subject in Subject::ALL {
        let count = signatures(subject);
        let parts = [
            (count.p256, "P-256"),
            (count.p384, "P-384"),
            (count.rsa, "RSA-4096"),
        ];
        let words: Vec<_> = parts
            .iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, kind)| format!("{count} × {kind}"))
            .collect();
        let sum = iter::zip(parts, [p256, p384, rsa])
            .map(|((count, _), each)| f64::from(count) * each)
            .sum();
        Row::print(subject, Kind::Floor, (&words.join(", "), BACKEND), Ok(sum))?;
    }
    Ok(())
}

/// Milliseconds for a signature that is good.
fn timed(verifies: impl Fn() -> bool) -> anyhow::Result<f64> {
    milliseconds(|| {
        ensure!(verifies(), "a good signature is refused");
        Ok(())
    })
}

fn p256() -> anyhow::Result<f64> {
    let key = p256::ecdsa::SigningKey::from_slice(&[7; 32])?;
    let signature: p256::ecdsa::Signature = key.sign(&MESSAGE);
    let point = key.verifying_key().to_encoded_point(false);
    let signature = signature.to_bytes();
    timed(|| library::ecdsa_p256(point.as_bytes(), &MESSAGE, &signature))
}

/// One signature on P-384.
pub(crate) fn p384() -> anyhow::Result<f64> {
    milliseconds(one_p384()?)
}

/// Checks one signature on P-384.
pub(crate) fn one_p384() -> anyhow::Result<impl FnMut() -> anyhow::Result<()>> {
    let key = p384::ecdsa::SigningKey::from_slice(&[7; 48])?;
    let signature: p384::ecdsa::Signature = key.sign(&MESSAGE);
    let point = key.verifying_key().to_encoded_point(false);
    let signature = signature.to_bytes();
    Ok(move || {
        let holds = library::ecdsa_p384(point.as_bytes(), &MESSAGE, &signature);
        ensure!(holds, "a good signature is refused");
        Ok(())
    })
}

fn rsa() -> anyhow::Result<f64> {
    let ark = pem::certificates(ARK).ok().and_then(|mut it| it.pop());
    let ark = ark.context("the pinned root is PEM")?;
    let (_, ark) = X509Certificate::from_der(&ark)?;
    let key = &ark.public_key().subject_public_key.data;
    let (message, signature) = (ark.tbs_certificate.as_ref(), &ark.signature_value.data);
    timed(|| library::rsa_pss(key, message, signature))
}
